"""Which AWS services answer inside the VPC, and under which names: what a private path means for the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.endpoints.model import Endpoint
    from edge.network import NetworkFacts


def service_of(name: str, region: str) -> str:
    """Return the service of a PrivateLink name: `ecr.api` of `com.amazonaws.eu-central-1.ecr.api`.

    What stands before the Region is not the same in every partition (China has `cn.com.amazonaws.` for some services).
    """
    _, found, service = name.partition(f".{region}.")
    return service if found else name


def has_endpoint(facts: NetworkFacts, service: str) -> bool:
    """Return whether hosts reach `service` (`ecr.api`) by an interface endpoint in the VPC.

    Facts that name no services (a stack file may leave them out) are taken at their word: a private path has them all.
    """
    if not facts.private_path:
        return False
    made = {service_of(name, facts.region) for name in facts.endpoint_services}
    return not made or service in made


def private_names(facts: NetworkFacts, endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    """Return the names that must resolve into the VPC, sorted: those of every service with an interface endpoint.

    When the facts name the services, each of their names counts, also one that hosts need only under a condition; when
    they do not, only the names that no host can do without.
    """
    return tuple(sorted({row.host for row in endpoints if _is_private(facts, row)}))


def _is_private(facts: NetworkFacts, row: Endpoint) -> bool:
    if row.private_service is None or row.direction == "in" or f".{facts.region}." not in row.private_service:
        return False
    listed = bool(facts.endpoint_services)
    return has_endpoint(facts, service_of(row.private_service, facts.region)) and (listed or row.required == "required")
