"""The rule about the names of stacks: each is made of the name in its settings, and of its stage."""

from __future__ import annotations

from collections.abc import Iterator

from edge.findings import Finding
from edge.stages import Stage

EXAMPLES = ("dev", "staging", "prod", "lab")
OWNER_LIMIT = 63


def name_findings(stack: str, project: str, name: str, stage: Stage) -> Iterator[Finding]:
    """Yield what is wrong with the name of a stack: it is made of the name in its settings, and of the stage."""
    owner = f"{project}.{stack}"
    if len(owner) > OWNER_LIMIT:
        yield Finding(
            "stack",
            owner,
            f"has a name too long for a label in Palette ({len(owner)} characters with the project)",
            f"Name the stack with at most {OWNER_LIMIT - len(project) - 1} characters.",
        )
    if stack in EXAMPLES:
        if stack in ("dev", "staging", "prod") and stack != stage:
            yield Finding("site.stage", stage, f"does not fit the stack {stack}", f"Write `stage: {stack}`.")
        return
    wanted = f"{name}-{stage}"
    if stack != wanted:
        where, value = ("site.name", name) if stack.endswith(f"-{stage}") else ("site.stage", stage)
        problem = f"does not fit the name of the stack: name and stage make {wanted}, but it is called {stack}"
        yield Finding(where, value, problem, f"Name the stack {wanted}, or correct `name` and `stage`.")
