"""The one catalogue of checks: everything the program may find out about a site, with remedy and source.

A check's look at a host is a shell function of the same id in scripts/checks; everything a person reads about it stands
here. Ids are a contract with reports, overrides and gates: they are never reused for something else.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.checks import (
    on_appliance,
    on_aws,
    on_endpoints,
    on_identity,
    on_network,
    on_packages,
    on_site,
    on_system,
    on_vsphere,
)
from edge.checks.model import Check, Where, table

CATALOGUE: Mapping[str, Check] = table(
    on_system.RESOURCES,
    on_system.SYSTEM,
    on_system.ACCESS,
    on_system.KERNEL,
    on_identity.IDENTITY,
    on_identity.LEFTOVERS,
    on_network.NETWORK,
    on_network.PORTS,
    on_network.NAMES,
    on_endpoints.ENDPOINTS,
    on_endpoints.PROXY,
    on_endpoints.WEB,
    on_identity.CLOCK,
    on_packages.PACKAGES,
    on_appliance.APPLIANCE,
    on_site.CONTROL,
    on_site.ACROSS,
    on_site.PALETTE,
    on_vsphere.SESSION,
    on_vsphere.PLACES,
    on_vsphere.TEMPLATE,
    on_vsphere.MACHINES,
    on_aws.CLUSTER,
    on_aws.NETWORK,
    on_aws.PRIVATE,
    on_aws.IDENTITY,
)


def checks_at(where: Where) -> tuple[Check, ...]:
    """Return the checks that are asked at `where`, in the catalogue's order."""
    return tuple(check for check in CATALOGUE.values() if check.where == where)


__all__ = ["CATALOGUE", "checks_at"]
