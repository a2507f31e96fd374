"""How an appliance is made anew when a run has ended with an error: by hand, because `edgectl roll` begins from a good run."""

from __future__ import annotations

from collections.abc import Mapping


def made_anew(props: Mapping[str, object]) -> str:
    """Return the remedy that installs the machine of a host anew. `props` has its `generation`, perhaps as a float."""
    wanted = int(float(str(props.get("generation") or 1))) + 1
    return f"write `generation: {wanted}` at the host, and run `pulumi up`, which makes and installs the machine anew"
