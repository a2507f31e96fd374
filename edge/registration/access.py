"""The Palette client of a resource: address from the inputs, key from the environment or the stack's secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import PaletteError, PendingError
from edge.palette import KEY_IN_CONFIG, KEY_IN_ENVIRONMENT, Masked, PaletteClient, UnavailableError
from edge.registration.values import Props, needed, text
from edge.secrets import KEY_SECRET, KEY_VARIABLE, StackSecrets, get_or_none

if TYPE_CHECKING:
    from edge.settings import StackSettings


# The provider serves four calls at a time, and every waiting host needs one of them: no call may last two seconds.
PATIENCE = 1.8
# What a person waits for an answer.
PERSON = 30.0


def client_for(
    inputs: Props,
    config: Callable[[str], str | None],
    *,
    environ: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> PaletteClient:
    """Return a client for the connection in `inputs` (`api_url`, `project` or `project_uid`, `ca_pem`).

    The key comes from SPECTROCLOUD_APIKEY, the vendor's own variable: then it is in no state, and a new key works in
    every command. Else from the stack's secret `paletteApiKey`, by `config`. Raises PaletteError if there is none.
    All that the client does lasts `patience` seconds at most; so make one for each call of the provider.
    """
    needed(inputs, "api_url")
    key, source = _key(config, os.environ if environ is None else environ)
    return PaletteClient(
        text(inputs, "api_url"),
        key,
        project_uid=text(inputs, "project_uid") or None,
        project_name=text(inputs, "project") or None,
        ca_pem=text(inputs, "ca_pem") or None,
        patience=patience,
        total=patience,
        key_source=source,
    )


def client_of_settings(settings: StackSettings, secrets: StackSecrets) -> PaletteClient:
    """Return a client for a stack, with the patience of a person who waits for an answer. Raises PaletteError as above."""
    palette = settings.site.palette
    inputs = {
        "api_url": palette.api_base,
        "project": palette.project or "",
        "project_uid": palette.project_uid or "",
        "ca_pem": palette.ca_cert_pem,
    }
    return client_for(inputs, lambda name: get_or_none(secrets, name), patience=PERSON)


def _key(config: Callable[[str], str | None], environ: Mapping[str, str]) -> tuple[Masked, str]:
    key = Masked(environ.get(KEY_VARIABLE, "").strip())
    if key:
        return key, KEY_IN_ENVIRONMENT
    key = Masked((config(KEY_SECRET) or "").strip())
    if key:
        return key, KEY_IN_CONFIG
    raise PaletteError(
        "there is no Palette API key.",
        remedy=f"set {KEY_VARIABLE}, or `pulumi config set --secret {KEY_SECRET}` for this stack.",
    )


@contextmanager
def pending_while_unavailable(what: str, host: str = "") -> Iterator[None]:
    """Turn "Palette does not answer right now" into a PendingError, which is worth asking again."""
    try:
        yield
    except UnavailableError as error:
        where = f"{error.where} " if error.where else ""
        raise PendingError(f"{what}: {where}{error.message}", remedy=error.remedy, where=host) from None
