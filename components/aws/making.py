"""What every part of a managed network is made with: its plan, and the names and tags that follow from it."""

from dataclasses import dataclass

from components import names
from edge.aws.plan_parts import NetworkPlan


@dataclass(frozen=True)
class Making:
    """A plan and the prefix of the logical names of everything that is made from it."""

    prefix: str
    plan: NetworkPlan

    def name(self, key: str) -> str:
        """Return the logical name of an object of the plan."""
        return names.child(self.prefix, key)

    def tags(self, key: str) -> dict[str, str]:
        """Return the tags of an object: those of the settings, whose it is, and its name."""
        return {**self.plan.tags, "Name": self.name(key)}
