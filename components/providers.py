"""Frozen: the provider classes of the dynamic resources. Module path and class names are a format of the state.

The state of every dynamic resource holds a reference to one of these classes. After a rename `up` is clean and `destroy`
fails, so nothing here may be renamed or moved; all behaviour lives in `edge.registration`, which may change freely.

The Palette API key is not an input: it is read from the environment in every command, else from the stack's configuration.
"""

import sys
from typing import Any

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
    """What the four providers share: configuration, and a client for the Palette that the inputs name."""

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
