"""The registration token of a site: from the stack's secrets, or issued by Palette for this site alone."""

from typing import Optional

import pulumi
from pulumi import Output, ResourceOptions

from components import names
from components.hooks import Hooks
from components.registration import ApiRegistrationToken, palette_inputs
from components.secrets import Secrets
from edge.settings import StackSettings


class RegistrationToken(pulumi.ComponentResource):
    """Gives `token`, a secret Output.

    Source `config`: the secret `registrationToken`. Source `api`: a token named after the stack, found again by name and
    owner, with the expiry of the settings, revoked after the last host has gone.
    """

    token: Output[str]

    def __init__(
        self, name: str, settings: StackSettings, secrets: Secrets, hooks: Hooks, opts: Optional[ResourceOptions] = None
    ) -> None:
        given = settings.site.palette.registration_token
        super().__init__(names.token("RegistrationToken"), name, {"source": given.source}, opts)
        if given.source == "config":
            self.token = secrets.get("registrationToken")
        else:
            palette = settings.site.palette
            issued = ApiRegistrationToken(
                names.child(name, "issued"),
                {
                    **palette_inputs(palette),
                    "name": settings.owner,
                    "owner": settings.owner,
                    "expires": given.expires.isoformat(),
                },
                ResourceOptions(parent=self, hooks=hooks.pending()),
            )
            self.token = Output.secret(issued.token)
        self.register_outputs({"token": self.token})
