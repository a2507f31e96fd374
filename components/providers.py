"""Frozen: the provider classes of the dynamic resources. Module path and class names are a format of the state.

The state of every dynamic resource holds a reference to one of these classes. After a rename `up` is clean and `destroy`
fails, so nothing here may be renamed or moved; all behaviour lives in `edge.registration`, `edge.images` and `edge.appliance`,
which may change freely.

The Palette API key is not an input: it is read from the environment in every command, else from the stack's configuration.
Passwords of a vCenter and keys of a build machine are not inputs either: those name the secret.
"""

import sys
from importlib import import_module
from typing import Any, ClassVar, Optional

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from edge import registration as logic
from edge.palette import PaletteClient

Props = dict[str, Any]
PROJECT = "edge-hosts"


class _EdgeProvider(ResourceProvider):
    """What the providers share: configuration, and a client for the Palette that the inputs name."""

    # The pickled provider is a reference to a class and holds no secret; marking it as one slows large stacks down.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        if getattr(sys.modules["__main__"], "__package__", "") == "pulumi.dynamic":
            # In the provider's own process an error travels to the terminal as a formatted traceback; without frames
            # it is our one sentence.
            sys.tracebacklimit = 0
        self._config = req.config

    def _client(self, props: Props) -> PaletteClient:
        return logic.client_for(props, lambda name: self._config.get(f"{PROJECT}:{name}"))

    def _secret(self, name: str) -> Optional[str]:
        """Return a secret of the stack's configuration by its name."""
        value = self._config.get(f"{PROJECT}:{name}")
        return None if value is None else str(value)

    def check(self, _olds: Props, news: Props) -> CheckResult:
        return CheckResult(news, [])


class EdgeHostClaimProvider(_EdgeProvider):
    """Delegates to the claim functions of `edge.registration`."""

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["host"], dict(logic.claim_create(self._client(props), props)))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=bool(logic.claim_diff(olds, news)))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(dict(logic.claim_update(self._client(news), olds, news)))

    def delete(self, _id: str, props: Props) -> None:
        logic.claim_delete(self._client(props), props)


class EdgeHostRegistrationProvider(_EdgeProvider):
    """Delegates to the registration functions of `edge.registration`."""

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["host"], dict(logic.registration_create(self._client(props), props)))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=bool(logic.registration_diff(olds, news)))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(dict(logic.registration_update(self._client(news), olds, news)))

    def read(self, id_: str, props: Props) -> ReadResult:
        outs = logic.registration_read(self._client(props), props)
        return ReadResult("", {}) if outs is None else ReadResult(id_, dict(outs))


class EdgeHostHealthyProvider(_EdgeProvider):
    """Delegates to the readiness functions of `edge.registration`."""

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["host"], dict(logic.healthy_look(self._client(props), props)))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=bool(logic.healthy_diff(olds, news)))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(dict(logic.healthy_update(self._client(news), olds, news)))

    def read(self, id_: str, props: Props) -> ReadResult:
        return ReadResult(id_, dict(logic.healthy_read(self._client(props), props)))

    def delete(self, _id: str, props: Props) -> None:
        logic.healthy_delete(self._client(props), props)


class RegistrationTokenProvider(_EdgeProvider):
    """Delegates to the token functions of `edge.registration`."""

    def create(self, props: Props) -> CreateResult:
        outs = dict(logic.token_create(self._client(props), props))
        return CreateResult(props["name"], outs)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=bool(logic.token_diff(olds, news)))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(dict(logic.token_update(self._client(news), olds, news)))

    def read(self, id_: str, props: Props) -> ReadResult:
        outs = logic.token_read(self._client(props), props)
        return ReadResult("", {}) if outs is None else ReadResult(id_, dict(outs))

    def delete(self, _id: str, props: Props) -> None:
        logic.token_delete(self._client(props), props)


class _MediaProvider(_EdgeProvider):
    """What the providers of images and appliances share: each delegates to a module of its own, imported when it is used.

    The module has `create`, `diff`, `update`, `read` and `delete` over plain properties; `read` gives None for gone.
    """

    module: ClassVar[str]

    def _act(self) -> Any:
        return import_module(self.module)

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["name"], dict(self._act().create(props, self._secret)))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=bool(self._act().diff(olds, news)))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(dict(self._act().update(olds, news, self._secret)))

    def read(self, id_: str, props: Props) -> ReadResult:
        outs = self._act().read(props, self._secret)
        return ReadResult("", {}) if outs is None else ReadResult(id_, dict(outs))

    def delete(self, _id: str, props: Props) -> None:
        self._act().delete(props, self._secret)


class InstallerBuildProvider(_MediaProvider):
    """Delegates to `edge.images.build_resource`."""

    module = "edge.images.build_resource"


class InstallerIsoProvider(_MediaProvider):
    """Delegates to `edge.images.iso_resource`."""

    module = "edge.images.iso_resource"


class InstallerIsoCheckProvider(_MediaProvider):
    """Delegates to `edge.images.check_resource`."""

    module = "edge.images.check_resource"


class ApplianceBootProvider(_MediaProvider):
    """Delegates to `edge.appliance.boot`."""

    module = "edge.appliance.boot"


class ApplianceMediaProvider(_MediaProvider):
    """Delegates to `edge.appliance.media`."""

    module = "edge.appliance.media"


class SiteIsoFileProvider(_MediaProvider):
    """Delegates to `edge.appliance.iso_file`."""

    module = "edge.appliance.iso_file"
