"""What the dynamic resources do: plain functions from plain values to plain values, over a Palette client.

Each function lasts two seconds at most. `..._diff` never asks anybody and never raises; `..._read` gives None for gone.
"""

from __future__ import annotations

from edge.registration.access import client_for
from edge.registration.claim import claim_create, claim_delete, claim_diff, claim_update
from edge.registration.healthy import healthy_delete, healthy_diff, healthy_look, healthy_read, healthy_update
from edge.registration.labels import tags_of
from edge.registration.registration import (
    registration_create,
    registration_diff,
    registration_read,
    registration_update,
)
from edge.registration.token import token_create, token_delete, token_diff, token_read, token_update

__all__ = [
    "claim_create",
    "claim_delete",
    "claim_diff",
    "claim_update",
    "client_for",
    "healthy_delete",
    "healthy_diff",
    "healthy_look",
    "healthy_read",
    "healthy_update",
    "registration_create",
    "registration_diff",
    "registration_read",
    "registration_update",
    "tags_of",
    "token_create",
    "token_delete",
    "token_diff",
    "token_read",
    "token_update",
]
