"""The rules for the cluster itself: Region, endpoint and authentication mode, and what fits together in versions."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.endpoints.partitions import BY_ID, partition_of
from edge.endpoints.regions import is_region, registry_of, similar_regions
from edge.findings import Finding, Level

if TYPE_CHECKING:
    from edge.network import NetworkFacts

NETWORK = "site.network"

# Minor versions of Kubernetes: the oldest that Palette has a nodeadm pack for, the newest that AWS tests hybrid nodes
# with.
OLDEST_MINOR, NEWEST_MINOR = 28, 36
MAX_SKEW = 3

# Operating systems that AWS lists for hybrid nodes, and whether IAM Roles Anywhere works there (EKS User Guide, hybrid
# nodes operating system). Systems Manager works on all of them.
SUPPORTED_OS: dict[str, bool] = {
    "ubuntu-20.04": False,
    "ubuntu-22.04": True,
    "ubuntu-24.04": True,
    "rhel-8": False,
    "rhel-9": True,
    "amzn-2023": True,
}

_REGION_IN_ENDPOINT = re.compile(r"\.([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.eks\.")


def cluster_findings(facts: NetworkFacts, stage: str, *, judged: bool = False) -> list[Finding]:
    """Return what is wrong with Region, endpoint, authentication and CA of the cluster.

    `judged`: endpoint and authentication mode are judged by the rules over what was read from AWS, not here.
    """
    modes = [] if judged else [*_mode_rules(facts), *_auth_rules(facts)]
    return [*_region_rules(facts), *_endpoint_rules(facts, stage), *modes, *_ca_rules(facts)]


def unknown_region(region: str) -> Finding | None:
    """Return the finding for a Region that does not exist, with the nearest ones that do; None for one that does."""
    if is_region(region):
        return None
    near = similar_regions(region)
    instead = " or ".join(near) if near else "a Region such as eu-central-1"
    remedy = f"Write {instead}, here or as `aws:region`; a brand-new Region needs a newer botocore"
    return Finding(f"{NETWORK}.region", region, "is no AWS Region", remedy)


def _region_rules(facts: NetworkFacts) -> list[Finding]:
    where = f"{NETWORK}.region"
    unknown = unknown_region(facts.region)
    if unknown is not None:
        return [unknown]
    findings = []
    registry = registry_of(facts.region)
    if not registry.known:
        problem = f"has no known EKS image registry, so nodeadm pulls from {registry.host}"
        remedy = f"Open that host and {registry.layers_host} as well, or look the account up in the EKS User Guide"
        findings.append(Finding(where, facts.region, problem, remedy, "warning"))
    partition = partition_of(facts.region)
    if facts.partition != partition.id:
        known = facts.partition if facts.partition in BY_ID else "an unknown one"
        problem = f"belongs to partition {partition.id}, but the facts say {known}"
        findings.append(Finding(where, facts.region, problem, "Read the network facts again from the right account"))
    if not partition.hybrid_nodes:
        problem = f"is in partition {partition.id}, where the EKS User Guide does not offer hybrid nodes"
        remedy = "Ask AWS support before the first host is joined"
        findings.append(Finding(where, facts.region, problem, remedy, "warning"))
    return findings


def _endpoint_rules(facts: NetworkFacts, stage: str) -> list[Finding]:
    where = f"{NETWORK}.clusterEndpoint"
    if not facts.cluster_endpoint:
        level: Level = "warning" if stage == "dev" else "error"
        remedy = "Write what `aws eks describe-cluster` shows as cluster.endpoint"
        return [Finding(where, None, "is not set, so the API server cannot be probed", remedy, level)]
    parts = urlsplit(facts.cluster_endpoint)
    if parts.scheme != "https" or not parts.hostname:
        return [Finding(where, facts.cluster_endpoint, "is no https URL", "Write https://NAME as EKS shows it")]
    found = _REGION_IN_ENDPOINT.search(parts.hostname)
    if found and found[1] != facts.region:
        problem = f"is a cluster of {found[1]}, but the network's Region is {facts.region}"
        remedy = "Correct one of them: activation, registry and endpoints must be of the cluster's Region"
        return [Finding(where, facts.cluster_endpoint, problem, remedy)]
    return []


def _mode_rules(facts: NetworkFacts) -> list[Finding]:
    where = f"{NETWORK}.endpointMode"
    if facts.endpoint_mode not in ("private", "public", "publicAndPrivate"):
        return [Finding(where, facts.endpoint_mode, "is no endpoint mode", "Write private, public or publicAndPrivate")]
    if facts.endpoint_mode == "publicAndPrivate":
        if facts.inbound_resolvers:
            problem = "answers with public addresses unless the site forwards the name to the inbound resolver"
            remedy = "Make sure that the site's DNS servers forward it, or turn the public endpoint off"
            return [Finding(where, facts.endpoint_mode, problem, remedy, "warning")]
        problem = "gives hosts the public addresses of the API server, so a join hangs behind a firewall"
        remedy = "Turn one of the two endpoints off, or declare `inboundResolvers` and forward the name to them"
        return [Finding(where, facts.endpoint_mode, problem, remedy)]
    if facts.endpoint_mode == "public" and facts.private_path:
        problem = "needs the internet, but the site says `privatePath: true`"
        remedy = "Use the private endpoint, or make sure that a proxy reaches the public one"
        return [Finding(where, facts.endpoint_mode, problem, remedy, "warning")]
    return []


def _auth_rules(facts: NetworkFacts) -> list[Finding]:
    where = f"{NETWORK}.authMode"
    if facts.auth_mode == "API_AND_CONFIG_MAP":
        return []
    if facts.auth_mode == "API":
        problem = "leaves no aws-auth ConfigMap, through which Palette maps the hybrid role"
        remedy = "Use API_AND_CONFIG_MAP, or make sure that the role has a HYBRID_LINUX access entry"
        return [Finding(where, facts.auth_mode, problem, remedy, "warning")]
    if facts.auth_mode == "CONFIG_MAP":
        problem = "is refused by EKS for a cluster with remote networks"
    else:
        problem = "is no authentication mode"
    return [Finding(where, facts.auth_mode, problem, "Set the cluster to API_AND_CONFIG_MAP (it cannot be taken back)")]


def _ca_rules(facts: NetworkFacts) -> list[Finding]:
    where = f"{NETWORK}.clusterCa"
    if not facts.cluster_ca:
        problem = "is not set, so a host cannot tell the API server from another machine that answers"
        remedy = "Write the PEM text of cluster.certificateAuthority.data, base64-decoded"
        return [Finding(where, None, problem, remedy, "warning")]
    if "-----BEGIN CERTIFICATE-----" not in facts.cluster_ca:
        remedy = "EKS shows it base64-encoded: decode it once, it begins with -----BEGIN CERTIFICATE-----"
        return [Finding(where, facts.cluster_ca[:40], "is no PEM text", remedy)]
    return []


def minor_of(version: str) -> int | None:
    """Return the minor number of a Kubernetes version `1.MINOR` or `1.MINOR.PATCH`, or None when it is none."""
    found = re.fullmatch(r"v?1\.([0-9]{1,3})(\.[0-9]+)?", version)
    return int(found[1]) if found else None


def fit_findings(
    facts: NetworkFacts, kubernetes: str, os_names: Collection[str], *, judged: bool = False
) -> list[Finding]:
    """Return what does not fit together: cluster and host version, operating system and credential provider.

    `judged`: versions are judged by the rules over what was read from AWS, not here.
    """
    versions = [] if judged else version_findings(facts, kubernetes)
    return [*versions, *_provider_rules(facts, os_names)]


def version_findings(facts: NetworkFacts, kubernetes: str) -> list[Finding]:
    """Return what is wrong with the cluster's version, by itself and for the kubelet that the release installs."""
    where = f"{NETWORK}.kubernetesVersion"
    if not facts.kubernetes_version:
        remedy = 'Write the version of the cluster in quotes, for example "1.31"'
        return [Finding(where, None, "is not set, so the version skew cannot be judged", remedy, "warning")]
    cluster = minor_of(facts.kubernetes_version)
    if cluster is None:
        remedy = 'Write it in quotes as EKS shows it, for example "1.31"'
        return [Finding(where, facts.kubernetes_version, "is no Kubernetes version", remedy)]
    findings = []
    if not OLDEST_MINOR <= cluster <= NEWEST_MINOR:
        problem = f"is outside 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}, the versions known to work with hybrid nodes"
        remedy = "Look the version up in the EKS User Guide and in Palette's Nodeadm pack before hosts are joined"
        findings.append(Finding(where, facts.kubernetes_version, problem, remedy, "warning"))
    host = minor_of(kubernetes) if kubernetes else None
    if host is not None and not cluster - MAX_SKEW <= host <= cluster:
        ahead = "newer than the API server" if host > cluster else f"more than {MAX_SKEW} minor versions behind"
        problem = f"does not fit the release: its kubelet {kubernetes} is {ahead}"
        remedy = f"Use a release with Kubernetes 1.{max(cluster - MAX_SKEW, 0)} to 1.{cluster}, or upgrade the cluster"
        findings.append(Finding(where, facts.kubernetes_version, problem, remedy))
    return findings


def _provider_rules(facts: NetworkFacts, os_names: Collection[str]) -> list[Finding]:
    where = f"{NETWORK}.credentialProvider"
    if facts.credential_provider not in ("ssm", "iamRolesAnywhere"):
        return [Finding(where, facts.credential_provider, "is no credential provider", "Write ssm or iamRolesAnywhere")]
    if facts.credential_provider == "ssm":
        return []
    without = sorted(name for name in os_names if SUPPORTED_OS.get(name) is False)
    if not without:
        return []
    problem = f"does not work on {', '.join(without)}"
    return [Finding(where, facts.credential_provider, problem, "Use ssm, or a newer operating system")]
