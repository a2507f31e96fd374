"""What the settings of every kind of stack have: where they come from, whose they are, and which secrets they name."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.findings import Finding
from edge.settings.site import BuildStack, NetworkStack, Site
from edge.stages import Stage


class StackBase(BaseModel):
    """A stack file, checked. `site` is what stands below `edge-hosts:site`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    stack: str
    project: str
    root: Path
    site: Site | NetworkStack | BuildStack
    warnings: tuple[Finding, ...] = ()

    @property
    def owner(self) -> str:
        """Return who owns what this stack makes: project and stack."""
        return f"{self.project}.{self.stack}"

    @property
    def stage(self) -> Stage:
        """Return the stage of the stack."""
        return self.site.stage

    def secret_uses(self) -> dict[str, tuple[str, ...]]:
        """Return every secret that the stack needs, with the YAML paths that name it."""
        raise NotImplementedError

    def secret_names(self) -> frozenset[str]:
        """Return the names of every secret that the stack needs.

        The Palette API key is not among them: it comes from the environment or, only then needed, from `paletteApiKey`.
        """
        return frozenset(self.secret_uses())

    def stand_ins(self) -> dict[str, str]:
        """Return a text for every secret of the stack, of a form that passes for it: for runs without real secrets.

        No stand-in is part of another one or of anything else, so that it can be found and masked.
        """
        return {name: f"ehmasked{at}" for at, name in enumerate(self.secret_uses(), start=1000)}
