"""What a person does to install a bare-metal appliance: which two media, and when each of them is taken out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.vm.made_from import MadeFrom


def media_facts(made: MadeFrom, site_iso: str) -> dict[str, Any]:
    """Return what the person needs, as a stack exports it: the ISO, its sha256 and places, the host's own ISO, the steps.

    `site_iso` is a path on the machine that ran the program; the file is there until the host is healthy. It is a secret
    itself, its path is none.
    """
    return {
        "iso": made.iso_name,
        "isoSha256": made.iso_sha256,
        "image": made.image,
        "places": list(made.iso_places),
        "siteIso": site_iso,
        "steps": steps(made, site_iso),
    }


def steps(made: MadeFrom, site_iso: str) -> list[str]:
    """Return the steps in order (Palette docs, site deployment: installation)."""
    return [
        f"Compare the sha256 of {made.iso_name} with {made.iso_sha256}.",
        f"Attach both media to the machine: {made.iso_name}, and {site_iso}, the host's own ISO, which holds secrets.",
        f"Boot the machine from {made.iso_name}. It erases the disk, and needs no answer.",
        f'Take {made.iso_name} out at "Installation Complete", before the machine boots again: it would be installed anew.',
        "Leave the host's own ISO in until the run says that the host is healthy: it is read at the first boot from disk.",
    ]


def announcement(host: str, made: Mapping[str, Any]) -> str:
    """Return what the program says while it waits for a person. `made` is what `media_facts` returned."""
    lines = "\n".join(f"  {at}. {line}" for at, line in enumerate(made["steps"], start=1))
    places = "; ".join(made["places"])
    return f"{host} waits for its installation{f' ({places})' if places else ''}:\n{lines}"
