"""The agent version of a site: the release's own, or what a dedicated Palette instance answers (row A18)."""

import os
from typing import Optional

from pulumi import Output

from components.secrets import Secrets
from edge.palette import PaletteClient
from edge.settings import API_KEY_SECRET, StackSettings

KEY_VARIABLE = "SPECTROCLOUD_APIKEY"


def instance_version(settings: StackSettings, secrets: Secrets) -> Output[Optional[str]]:
    """Return the version that the instance answers when the release says `instance`, else None.

    The instance is asked in preview too: what it answers decides what would be installed.
    """
    if settings.release.agent.version != "instance":
        return Output.from_input(None)
    palette = settings.site.palette

    def ask(key: str) -> Optional[str]:
        return PaletteClient(palette.api_base, key, ca_pem=palette.ca_cert_pem or None).stylus_version()

    given = os.environ.get(KEY_VARIABLE)
    key = Output.secret(given) if given else secrets.get(API_KEY_SECRET)
    return Output.unsecret(key.apply(ask))


def wanted_version(settings: StackSettings, asked: Optional[str]) -> str:
    """Return the version that a host must have at least, "" when any will do."""
    version = asked or settings.release.agent.version
    return "" if version == "latest" else version
