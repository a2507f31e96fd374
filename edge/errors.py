"""The errors of the project.

    EdgeError
    ├── SettingsError     the stack file or the release is wrong       (exit 2)
    ├── ChecksRedError    an enforced check is red                     (exit 3)
    ├── PaletteError      Palette refused or did not answer            (exit 4)
    │   └── PendingError  not yet; worth asking again
    ├── HostError         a host could not be reached or failed a step (exit 5)
    ├── FactsError        the facts of a deployed stack are missing    (exit 6)
    │   └── SecretsError  a secret of the stack is missing
    ├── PromotionError    the gate is closed                           (exit 7)
    ├── LabError          the lab could not be set up                  (exit 8)
    ├── RollError         a roll was refused, or stopped               (exit 9)
    ├── VcenterError      a vCenter refused, or did not answer         (exit 10; edge/vcenter/errors.py)
    ├── AwsError          AWS refused a read, or did not answer        (exit 11)
    └── BuildError        a build did not make what it should          (exit 12)

Every message is one sentence that names the place, and carries a remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from edge.findings import Finding


class EdgeError(Exception):
    """Root of the project's errors: `where` it happened, the message, and what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", where: str = "") -> None:
        self.message = message
        self.remedy = remedy
        self.where = where
        super().__init__(self.render())

    def render(self) -> str:
        """Return the whole sentence: place, problem, remedy."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} Remedy: {self.remedy}" if self.remedy else text


class SettingsError(EdgeError):
    """The settings of a stack are wrong. Carries every finding, not only the first."""

    exit_code = 2

    def __init__(self, findings: Sequence[Finding], *, where: str = "") -> None:
        self.findings = tuple(findings)
        lines = "\n".join(f"  - {finding}" for finding in self.findings)
        noun = "problem" if len(self.findings) == 1 else "problems"
        super().__init__(f"{len(self.findings)} {noun} in the settings:\n{lines}", where=where)


class ChecksRedError(EdgeError):
    """At least one enforced check is red."""

    exit_code = 3


class PaletteError(EdgeError):
    """Palette refused a request or did not answer. Never carries the API key or a token."""

    exit_code = 4


class PendingError(PaletteError):
    """Not yet: asking again later is right. The message starts with `pending: `."""

    PREFIX: ClassVar[str] = "pending: "

    def __init__(self, message: str, *, remedy: str = "", where: str = "") -> None:
        super().__init__(self.PREFIX + message, remedy=remedy, where="")
        self.host = where


class HostError(EdgeError):
    """A host could not be reached, or one of its steps failed."""

    exit_code = 5


class FactsError(EdgeError):
    """The facts of a deployed stack are missing, old, or of a run that failed."""

    exit_code = 6


class SecretsError(FactsError):
    """A secret of the stack is missing or cannot be read."""


class PromotionError(EdgeError):
    """The gate of a promotion is closed."""

    exit_code = 7


class LabError(EdgeError):
    """The lab could not be set up or taken down."""

    exit_code = 8


class RollError(EdgeError):
    """A roll of a host to its next generation was refused, or stopped before its end."""

    exit_code = 9


class AwsError(EdgeError):
    """AWS refused a read, has not what was asked for, or did not answer. Names the IAM action where one is missing."""

    exit_code = 11


class BuildError(EdgeError):
    """A build of installer images ended without all that it should have made. Carries every finding."""

    exit_code = 12

    def __init__(self, findings: Sequence[Finding], *, where: str = "") -> None:
        self.findings = tuple(findings)
        lines = "\n".join(f"  - {finding}" for finding in self.findings)
        super().__init__(f"cannot be used:\n{lines}", where=where)
