"""The error of a vCenter that cannot be used: one sentence with the place and what to do."""

from __future__ import annotations

from typing import ClassVar

from edge.errors import EdgeError


class VcenterError(EdgeError):
    """A vCenter refused, did not answer, or is not the one that is meant. Never carries the password."""

    exit_code: ClassVar[int] = 10


class ExpiredError(VcenterError):
    """The session ended although it was renewed once."""


class TrustError(VcenterError):
    """The certificate of a vCenter cannot be trusted."""


class AwayError(VcenterError):
    """A vCenter did not answer; worth asking again."""
