"""Package repositories by operating system, and the public registries that cluster add-ons come from.

Which mirrors a host uses is written on the host, and the program learns it only there: so the vendors' own hosts are
asked of the firewall, but probed only when the site has one operating system and names no mirrors of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.endpoints.model import Endpoint, EndpointQuery, Probe
from edge.endpoints.partitions import partition_of
from edge.endpoints.rows import ALWAYS, INSTALL_JOIN, host_and_port, out

FAMILIES = ("ubuntu", "rhel", "amzn")

_OS_PAGE = "EKS User Guide, hybrid nodes operating system"
_PACKAGES = "packages that nodeadm and the agent install (containerd, iptables, ...)"


@dataclass(frozen=True)
class _Repository:
    """One host of a family's repositories. `arch` and `provider` narrow down who needs it."""

    family: str
    host: str
    reason: str = _PACKAGES
    ports: tuple[int, ...] = (443,)
    arch: str = ""
    provider: str = ""


_DOCKER = "containerd from Docker's repository"

_REPOSITORIES = (
    _Repository("ubuntu", "archive.ubuntu.com", ports=(80, 443), arch="amd64"),
    _Repository("ubuntu", "security.ubuntu.com", ports=(80, 443), arch="amd64"),
    _Repository("ubuntu", "ports.ubuntu.com", ports=(80, 443), arch="arm64"),
    _Repository("ubuntu", "api.snapcraft.io", "the SSM agent is a snap", provider="ssm"),
    _Repository("ubuntu", "*.snapcraftcontent.com", "the SSM agent is a snap", provider="ssm"),
    _Repository("ubuntu", "download.docker.com", f"{_DOCKER}, when nodeadm is told so"),
    _Repository("rhel", "subscription.rhsm.redhat.com", "subscription of the host"),
    _Repository("rhel", "cdn.redhat.com"),
    _Repository("rhel", "download.docker.com", f"{_DOCKER}: the distribution has none for nodeadm"),
    _Repository("amzn", "cdn.amazonlinux.com"),
    _Repository("amzn", "al2023-repos-{region}-de612dc2.s3.dualstack.{region}.{suffix}"),
)

_LABELS = {"ubuntu": "Ubuntu", "rhel": "RHEL", "amzn": "Amazon Linux 2023"}

_CILIUM_SOURCE = "EKS User Guide, hybrid nodes CNI"
_AWS_CILIUM = "Cilium comes from AWS's build"
_UPSTREAM_CILIUM = "Cilium comes from its own project"
_DOCKER_HUB = "packs use images of Docker Hub"
_NO_MIRROR = "no pull-through cache or mirror has them: PrivateLink does not reach them"

# The registries and what serves their layers; a host pulls from them when it has joined, and again at every change.
_ADD_ONS = (
    ("public.ecr.aws", _AWS_CILIUM),
    ("*.cloudfront.net", _AWS_CILIUM),
    ("quay.io", _UPSTREAM_CILIUM),
    ("*.quay.io", _UPSTREAM_CILIUM),
    ("helm.cilium.io", _UPSTREAM_CILIUM),
    ("docker.io", _DOCKER_HUB),
    ("registry-1.docker.io", _DOCKER_HUB),
    ("auth.docker.io", _DOCKER_HUB),
    ("production.cloudflare.docker.com", _DOCKER_HUB),
)


def os_rows(query: EndpointQuery) -> Iterator[Endpoint]:
    """Yield the rows of the package repositories: the site's own mirrors, else the vendors' hosts. Appliances need none."""
    if "agent" not in query.modes:
        return
    for address in query.os_repos:
        host, port = host_and_port(address)
        reason, probe = "package repository of the site", _probe(port)
        yield out(host, INSTALL_JOIN, reason, _OS_PAGE, peer="internet", port=port, probe=probe)
    if query.os_repos:
        return
    families = query.os_families or FAMILIES
    for repository in _REPOSITORIES:
        if repository.family in families and _is_wanted(query, repository):
            yield from _rows(query, repository)


def _is_wanted(query: EndpointQuery, repository: _Repository) -> bool:
    if repository.arch and repository.arch not in query.architectures:
        return False
    if repository.provider and repository.provider != query.facts.credential_provider:
        return False
    # Docker's host is not reachable from China, and AWS's own tests there do without it.
    in_china = partition_of(query.facts.region).id == "aws-cn"
    return not (in_china and repository.host == "download.docker.com")


def _rows(query: EndpointQuery, repository: _Repository) -> Iterator[Endpoint]:
    region = query.facts.region
    host = repository.host.format(region=region, suffix=partition_of(region).dns_suffix)
    sure = len(query.os_families) == 1 and not query.facts.private_path
    condition = f"hosts with {_LABELS[repository.family]} that use the vendor's repositories"
    for port in repository.ports:
        # Ubuntu's and Debian's own sources.list uses http, so a closed 443 there breaks nothing.
        probed = sure and port == repository.ports[0] and repository.host != "download.docker.com"
        probe = _probe(port) if probed else "none"
        reason = repository.reason
        yield out(host, INSTALL_JOIN, reason, _OS_PAGE, peer="internet", port=port, condition=condition, probe=probe)


def _probe(port: int) -> Probe:
    return "tcp" if port == 80 else "tls"


def addon_rows(query: EndpointQuery) -> Iterator[Endpoint]:
    """Yield the public registries that the cluster's add-ons may come from; which one is chosen later, in Palette."""
    closed = query.facts.private_path and not query.proxy
    for host, condition in _ADD_ONS:
        condition = f"{condition}; {_NO_MIRROR}" if closed else condition
        reason = "images and charts of cluster add-ons"
        yield out(host, ALWAYS, reason, _CILIUM_SOURCE, peer="internet", condition=condition, probe="none")
