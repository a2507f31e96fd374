"""What an appliance was installed from, and what waits for its next generation: nothing else installs it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.images.agree import recorded_isos
from edge.settings import GivenImage, HostSettings, StackSettings
from edge.settings.image import Power
from edge.vm.changes import Change

_NOTE = "an appliance is installed once; a new image reaches it by Palette's upgrade, or with the next generation"


def kind_of(host: HostSettings) -> Power:
    """Return the kind of ISO that a host is installed from: a VM powers off afterwards, bare metal reboots."""
    return "reboot" if host.vm is None else "poweroff"


def wanted_iso(settings: StackSettings, host: HostSettings) -> str:
    """Return the sha256 of the ISO that the host's next installation would take, "" where only the build stack knows."""
    image = settings.site.image
    if isinstance(image, GivenImage):
        given = image.isos.get(kind_of(host))
        return given.sha256 if given is not None else ""
    return recorded_isos(settings.release.canvos).get(kind_of(host), "")


def appliance_changes(known: Mapping[str, Any], host: HostSettings, settings: StackSettings) -> Iterator[Change]:
    """Yield what differs between an appliance's exported facts and what it would be installed from now."""
    facts = known.get("appliance")
    if host.mode != "appliance" or not isinstance(facts, Mapping):
        return
    was, wanted = facts.get("isoSha256"), wanted_iso(settings, host)
    remedy, told = f"It comes with the next generation: `edgectl roll {host.name}`.", set[str]()
    if isinstance(was, str) and was and wanted and was != wanted:
        yield Change("installer ISO", was[:12], wanted[:12], "new generation", _NOTE, remedy)
        told = {"iso"}
    # What the last run found: of the image it knew more than the settings say.
    waits = facts.get("waits")
    for word in waits if isinstance(waits, list) else ():
        change, arrow, after = str(word).partition(" -> ")
        key, _, before = change.rpartition(" ") if arrow else (change, "", "as it was installed")
        if key not in told:
            yield Change(key, before, after or "as in the settings", "new generation", _NOTE, remedy)
