"""Host names of AWS services, asked from botocore's own endpoint rules without any network call.

The rules are what every current AWS SDK calls. botocore's older endpoint list, which `client.meta.endpoint_url` is
taken from, agrees with them everywhere but in a few new Regions and in names for FIPS; a test lists where.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from edge.endpoints.partitions import partition_of

# Services that botocore has no model of: their names follow the common form.
_WITHOUT_RULES = frozenset({"ssmmessages", "ec2messages", "s3"})

# What botocore's older list calls a service, where that differs from the folder of its rules.
_OLD_NAMES = {"ecr": "api.ecr"}


@cache
def _loader() -> Any:
    from botocore.loaders import create_loader  # type: ignore[import-untyped]  # 0.1 s: only for a table

    return create_loader()


@cache
def _rules(service: str) -> Any:
    from botocore.endpoint_provider import EndpointProvider  # type: ignore[import-untyped]

    rules = _loader().load_service_model(service, "endpoint-rule-set-1")
    return EndpointProvider(rules, _loader().load_data("partitions"))


@cache
def service_host(service: str, region: str) -> str:
    """Return the host name of an AWS service in a Region, such as `api.ecr.eu-central-1.amazonaws.com` for `ecr`."""
    if service in _WITHOUT_RULES:
        return f"{service}.{region}.{partition_of(region).dns_suffix}"
    extra = {"UseGlobalEndpoint": False} if service == "sts" else {}
    endpoint = _rules(service).resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False, **extra)
    return str(urlsplit(endpoint.url).hostname)


@cache
def fips_host(service: str, region: str) -> str | None:
    """Return the FIPS host name of a service, or None where AWS lists none for this Region.

    The rules make up a FIPS name for every Region; only botocore's list says where there really is one.
    """
    for partition in _loader().load_data("endpoints")["partitions"]:
        entry = partition["services"].get(_OLD_NAMES.get(service, service), {}).get("endpoints", {}).get(region)
        for variant in (entry or {}).get("variants", ()):
            if variant["tags"] == ["fips"]:
                return str(variant["hostname"])
    return None


@cache
def botocore_regions() -> frozenset[str]:
    """Return every Region that this botocore knows, in all partitions, without pseudo-Regions such as `aws-global`."""
    partitions = _loader().load_data("partitions")["partitions"]
    return frozenset(region for entry in partitions for region in entry["regions"] if not region.endswith("-global"))
