"""The secrets of a stack as secret Outputs. A secret is only named in the settings and never passes through a model."""

from collections.abc import Iterable

import pulumi
from pulumi import Output

from edge.errors import SecretsError


class Secrets:
    """Reads top-level configuration keys of the project as secret Outputs."""

    def __init__(self, config: pulumi.Config) -> None:
        self._config = config

    def get(self, name: str) -> Output[str]:
        """Return the secret `name`. Raises SecretsError that names the key and the command that sets it."""
        value = self._config.get_secret(name)
        if value is None:
            raise SecretsError(
                f"the stack has no secret {name!r}",
                where=f"config {self._config.name}:{name}",
                remedy=f"run `pulumi config set --secret {self._config.name}:{name}`",
            )
        return value

    def mapping(self, names: Iterable[str]) -> Output[dict[str, str]]:
        """Return one secret Output with the values of all `names`."""
        wanted = sorted(set(names))
        if not wanted:
            return Output.from_input({})
        return Output.all(**{name: self.get(name) for name in wanted}).apply(dict)
