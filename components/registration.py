"""The dynamic resources of a host in Palette: claim, registration, readiness; and the site's registration token.

Each is updated in place and never replaced. What they do stands in `edge.registration`; the provider classes, whose names
are a format of the state, stand in `components.providers`.
"""

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from components import providers
from edge.settings import Palette


def palette_inputs(palette: Palette) -> dict[str, Input[object]]:
    """Return the inputs that say which Palette and which project is meant; every resource here carries them."""
    return {
        "api_url": palette.api_base,
        "ca_pem": palette.ca_cert_pem,
        "project": palette.project or "",
        "project_uid": palette.project_uid or "",
    }


class EdgeHostClaim(Resource, module="edge", name="EdgeHostClaim"):
    """Asks Palette whether the host's name is free, and freezes what a machine is made from.

    Outputs: `generation`, known only after the guard has passed (the machine's replace trigger), and `made_from`, which
    keeps its value until the generation is raised. Delete removes the Palette record, if it is this stack's.
    Fails for a record of another owner, before there is a machine.
    """

    generation: Output[int]
    made_from: Output[str]

    def __init__(self, name: str, props: dict[str, Input[object]], opts: ResourceOptions) -> None:
        super().__init__(providers.EdgeHostClaimProvider(), name, {**props, "made_from": None}, opts)


class EdgeHostRegistration(Resource, module="edge", name="EdgeHostRegistration"):
    """The registration of this generation and machine: keeps its record, or removes an older one and starts an epoch.

    Outputs: `epoch` (stamped into the host's tags) and `since` (Palette's own time of the answer). Read says gone when
    the record is missing or carries another epoch, so that `refresh` and `up` register again.
    """

    epoch: Output[str]
    since: Output[str]

    def __init__(self, name: str, props: dict[str, Input[object]], opts: ResourceOptions) -> None:
        super().__init__(providers.EdgeHostRegistrationProvider(), name, {**props, "epoch": None, "since": None}, opts)


class EdgeHostHealthy(Resource, module="edge", name="EdgeHostHealthy"):
    """Waits until this registration is ready and healthy; reading it again is the drift detection.

    One look per attempt: the error hook of the program repeats it. Outputs: `uid`, `state`, `agent_version`.
    """

    uid: Output[str]
    state: Output[str]
    health: Output[str]
    agent_version: Output[str]
    arch: Output[str]
    moved_by_palette: Output[bool]

    def __init__(self, name: str, props: dict[str, Input[object]], opts: ResourceOptions) -> None:
        outputs = dict.fromkeys(("uid", "state", "health", "agent_version", "arch", "moved_by_palette"))
        super().__init__(providers.EdgeHostHealthyProvider(), name, {**props, **outputs}, opts)


class ApiRegistrationToken(Resource, module="edge", name="RegistrationToken"):
    """A registration token that Palette issued for this site; revoked when the stack goes. `token` is a secret."""

    token: Output[str]

    def __init__(self, name: str, props: dict[str, Input[object]], opts: ResourceOptions) -> None:
        merged = pulumi.ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["token"]))
        super().__init__(providers.RegistrationTokenProvider(), name, {**props, "token": None}, merged)
