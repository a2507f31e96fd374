"""What went wrong between us and Palette, as one sentence with a remedy.

Palette's error bodies are `{code, message, details, ref}` (Palette API specification). `details` may echo what was
sent, so only code and message are ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from edge.errors import PaletteError

KEY_IN_ENVIRONMENT = "environment variable SPECTROCLOUD_APIKEY"
KEY_IN_CONFIG = "stack secret paletteApiKey"

_LONGEST_MESSAGE = 200

_NEW_KEY = "make a new key in Palette (User menu > My API Keys) and put it into SPECTROCLOUD_APIKEY"
_OLD_KEY = (
    "; `pulumi refresh` and `pulumi destroy` use the key that the state remembers:"
    " give --run-program or set SPECTROCLOUD_APIKEY"
)


class RefusedError(PaletteError):
    """Palette answered, and said no. `status` is the HTTP status, `code` Palette's own word for it."""

    def __init__(self, message: str, *, remedy: str = "", where: str = "", status: int = 0, code: str = "") -> None:
        super().__init__(message, remedy=remedy, where=where)
        self.status = status
        self.code = code

    def again(self) -> Self:
        """Return a fresh error of the same content, for a second caller of one request."""
        return type(self)(self.message, remedy=self.remedy, where=self.where, status=self.status, code=self.code)


class UnavailableError(RefusedError):
    """No useful answer within the time allowed: a transport error, 429 or 5xx. Asking again later may help."""


class TimedOutError(UnavailableError):
    """Nothing came back in time, or there was no time left to ask."""


@dataclass(frozen=True)
class Question:
    """What was asked, in words a person understands, for the sentence of a failure."""

    action: str
    server: str
    key_source: str
    project: str = ""

    @property
    def where(self) -> str:
        """Return the place that messages begin with."""
        return f"Palette {self.server}"


def read_error(body: object) -> tuple[str, str]:
    """Return code and message of an error body, one line each; empty texts for anything that is no such body."""
    if not isinstance(body, Mapping):
        return "", ""
    code, message = body.get("code"), body.get("message")
    return _line(code), _line(message)


def _line(value: object) -> str:
    if not isinstance(value, str):
        return ""
    text = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def refusal(question: Question, status: int, body: object) -> RefusedError:
    """Return the error for an answer that is neither a success nor expected."""
    code, said = read_error(body)
    message, remedy = _sentence(question, status, code, said)
    kind = UnavailableError if status == 429 or status >= 500 else RefusedError
    return kind(message, remedy=remedy, where=question.where, status=status, code=code)


def _sentence(question: Question, status: int, code: str, said: str) -> tuple[str, str]:
    """Return problem and remedy for an HTTP status (codes: Palette API introduction and release notes 4.9.22)."""
    words = ": ".join(part for part in (code, said) if part)
    told = f" ({words})" if words else ""
    if status == 401:
        return (
            f"does not accept the API key of the {question.key_source}{told}: expired, deleted or of another tenant.",
            _NEW_KEY + (_OLD_KEY if question.key_source == KEY_IN_CONFIG else "") + ".",
        )
    if status == 403 or code == "ResourceAccessDenied":
        scope = f" in project {question.project}" if question.project else ""
        return (
            f"forbids the API key to {question.action}{scope}{told}.",
            "give the key's user a role with edge host rights in that project (registration tokens: tenant admin).",
        )
    if is_project_unknown(status, code, said):
        return (
            f"knows no project {question.project or 'of that uid'} in the API key's tenant{told}.",
            "correct palette.project or palette.projectUid, or use a key of the right tenant.",
        )
    if status == 429:
        return (
            f"asks us to slow down: could not {question.action}{told}.",
            "repeat in a minute; Palette allows ten requests a second for all programs behind one address.",
        )
    if status >= 500:
        return f"has trouble of its own (HTTP {status}): could not {question.action}{told}.", "repeat in a few minutes."
    if 300 <= status < 400:
        return (
            f"answered with a redirect (HTTP {status}) when asked to {question.action}.",
            "set palette.apiUrl to the address of the API itself, not of the console or a login page.",
        )
    return f"refused to {question.action} (HTTP {status}){told}.", "compare the settings with what Palette says here."


def is_project_unknown(status: int, code: str, said: str) -> bool:
    """Return whether a 404 means the project and not the thing asked for.

    Since 4.9.22 every request's project is validated, and `ResourceNotFound` can stand for either.
    """
    if status != 404:
        return False
    named = code in {"ProjectNotFoundInTenant", "ProjectNotFound"}
    return named or (code == "ResourceNotFound" and re.match(r"\W*(the )?project\b", said, re.IGNORECASE) is not None)


def not_json(question: Question, status: int) -> RefusedError:
    """Return the error for a success that carries something else than JSON, as a console or captive portal does."""
    return RefusedError(
        f"answered with something else than JSON (HTTP {status}) when asked to {question.action}.",
        remedy="set palette.apiUrl to the address of the API, and look for a proxy that answers in its place.",
        where=question.where,
        status=status,
    )
