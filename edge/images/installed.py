"""What an appliance was installed from, and what waits for its next generation: nothing else installs it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.canvos.request import Power
from edge.images.agree import recorded_isos
from edge.settings import GivenImage, HostSettings, StackSettings
from edge.vm.changes import COMPARED, Change

ISO = "installer ISO"
# How the exported facts call another ISO; their word counts where only a run knows which one that is.
ISO_WORD = "iso"
# How the exported facts call a difference that only a run sees, because the user-data holds secrets.
USER_DATA = "its own user-data"
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
    """Yield what differs between an appliance's exported facts and what it would be installed from now.

    Its user-data is compared by every run, which leaves the answer in the facts.
    """
    facts = known.get("appliance")
    if host.mode != "appliance" or not isinstance(facts, Mapping):
        return
    was, wanted = facts.get("isoSha256"), wanted_iso(settings, host)
    remedy = f"It comes with the next generation: `edgectl roll {host.name}`."
    if isinstance(was, str) and was and wanted and was != wanted:
        yield Change(ISO, was[:12], wanted[:12], "new generation", _NOTE, remedy)
    # What the last run found. Where the settings know better by now, its word is old.
    vm = known.get("vm")
    told = {ISO_WORD} if wanted else set()
    told |= COMPARED & vm.keys() if host.vm is not None and isinstance(vm, Mapping) else set()
    waits = facts.get("waits")
    for word in waits if isinstance(waits, list) else ():
        change, arrow, after = str(word).partition(" -> ")
        key, _, before = change.rpartition(" ") if arrow else (change, "", "as it was installed")
        if key not in told:
            yield Change(key, before, after or "as in the settings", "new generation", _NOTE, remedy)
