"""In which vCenters and datacenters the ISOs of an image lie, by what the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.settings.image import IsoDatastore, IsoPlace
from edge.settings.vsphere import Vcenter


def vcenter_of(place: IsoDatastore | IsoPlace, vcenters: Mapping[str, Vcenter]) -> str:
    """Return the name of the vCenter of a datastore, "" when several are there and none is chosen."""
    if place.vcenter:
        return place.vcenter
    return next(iter(vcenters)) if len(vcenters) == 1 else ""


def vcenters_of(datastores: Iterable[IsoDatastore | IsoPlace], vcenters: Mapping[str, Vcenter]) -> dict[str, Vcenter]:
    """Return the vCenters of datastores by name, in the order in which they stand in the file."""
    wanted = {vcenter_of(one, vcenters) for one in datastores}
    return {name: vcenter for name, vcenter in vcenters.items() if name in wanted}
