"""`source: lookup`: the facts of a network, read from the cluster that exists.

The same serves a stack that makes the AWS side around a cluster of another tool. Two look-ups of an unchanged account
give equal facts: everything is sorted, and nothing is taken from the time or the order of answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from edge.aws.permissions import SERVICES
from edge.aws.read import WantedRole, read_cluster, read_view
from edge.aws.read_identity import HYBRID, role_in
from edge.aws.reader import Reader
from edge.aws.session import AwsClients, BotocoreClients
from edge.aws.view import AwsView, ClusterView
from edge.endpoints.partitions import partition_of
from edge.errors import AwsError, SettingsError
from edge.findings import Finding
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion
from edge.settings.identity import ROLE_NAME, GivenActivation, Identity
from edge.settings.managed import NamedCluster
from edge.settings.network import LookupNetwork, ManagedNetwork


@dataclass(frozen=True)
class Looked:
    """What was read, and the facts that follow from it."""

    view: AwsView
    facts: NetworkFacts


def look_up(question: NetworkQuestion, clients: AwsClients | None = None) -> Looked:
    """Return view and facts of the cluster that a stack names. Raises AwsError, SettingsError for another source.

    Without `clients`, AWS is asked as the `aws:` keys of the stack say.
    """
    network = question.network
    if isinstance(network, LookupNetwork):
        name, where = network.cluster, "site.network.cluster"
    elif isinstance(network, ManagedNetwork) and isinstance(network.cluster, NamedCluster):
        name, where = network.cluster.existing, "site.network.cluster.existing"
    else:
        finding = Finding(
            "site.network",
            network.source,
            "names no cluster that could be read",
            "Write `source: lookup` and `cluster`.",
        )
        raise SettingsError([finding])
    reader = Reader(clients or BotocoreClients(replace(question.aws, region=question.region)))
    cluster = _cluster(reader, name)
    refuse_unfit(cluster, reader.clients.region, where)
    view = read_view(reader, cluster, _wanted_role(network), *_whose_activations(question))
    return Looked(view, facts_of(view, network))


def _cluster(reader: Reader, name: str) -> ClusterView:
    """Return the cluster. While AWS answers, the other clients are made: reading their models takes half a second."""
    with reader.together() as together:
        found = together.start(read_cluster, reader, name)
        for service in SERVICES:
            together.start(reader.clients.client, service)
    return found.result()


def _wanted_role(network: LookupNetwork | ManagedNetwork) -> WantedRole:
    """Return which role the hosts have, as far as the settings say it."""
    identity: Identity | None = network.identity
    if isinstance(network, LookupNetwork):
        if network.hybrid_role:
            return WantedRole(network.hybrid_role)
        if identity is None:
            return WantedRole()
    setting = "site.network.identity.role.arn"
    if identity is None:
        return WantedRole(setting=setting)
    if identity.role.arn:
        return WantedRole(role_in(identity.role.arn), setting=setting)
    return WantedRole(identity.role.name or ROLE_NAME, made_here=True, setting="site.network.identity.role.name")


def _whose_activations(question: NetworkQuestion) -> tuple[str, str]:
    """Return whose activations are read, and the id of one that is given; ("", "") where the site has none."""
    if question.activation is None:
        return "", ""
    return question.owner, question.activation.id if isinstance(question.activation, GivenActivation) else ""


def refuse_unfit(cluster: ClusterView, region: str, setting: str) -> None:
    """Raise AwsError for a cluster that can have no hybrid nodes now; everything that is wrong with it at once.

    EKS User Guide, hybrid nodes: the cluster is active, its addresses are IPv4, and it has remote node networks. One that
    is being updated works meanwhile; the rules say so.
    """
    wrong: list[tuple[str, str]] = []
    if cluster.status not in ("ACTIVE", "UPDATING"):
        wrong.append((f"is {cluster.status or 'of no known status'}, not ACTIVE", _until_active(cluster)))
    if cluster.ip_family != "ipv4":
        fix = f"make a cluster of family ipv4 and name it as `{setting}`; the family of a cluster cannot be changed"
        wrong.append((f"has addresses of family {cluster.ip_family}, hybrid nodes need ipv4", fix))
    elif not cluster.remote_node_cidrs:
        fix = (
            f"add them with `aws eks update-cluster-config --name {cluster.name} --region {region}"
            " --remote-network-config ...`, in the stack that owns the cluster, or name another one as"
            f" `{setting}`"
        )
        wrong.append(("has no remote node networks", fix))
    if wrong:
        remedy = "; ".join(fix for _, fix in wrong)
        raise AwsError(
            f"{'; '.join(problem for problem, _ in wrong)}.",
            remedy=f"{remedy[0].upper()}{remedy[1:]}.",
            where=f"EKS cluster {cluster.name} in {region}",
        )


def _until_active(cluster: ClusterView) -> str:
    if cluster.status in ("CREATING", "PENDING"):
        return f"wait for it (`aws eks wait cluster-active --name {cluster.name}`) and run the same command again"
    return "look at the cluster in the EKS console, and repair it or name another one"


def facts_of(view: AwsView, network: LookupNetwork | ManagedNetwork) -> NetworkFacts:
    """Return the facts of what was read. What the settings write of the site itself wins over what AWS shows."""
    cluster = view.cluster
    written = network.model_fields_set
    seen = {address for one in view.resolvers for address in one.addresses}
    if endpoint_mode(cluster) == "publicAndPrivate":
        # That the site's DNS asks them for the API server's name is something that only the site can say.
        seen = set()
    resolvers = tuple(map(str, network.inbound_resolvers)) if "inbound_resolvers" in written else addresses(seen)
    return NetworkFacts(
        region=view.region,
        partition=partition_of(view.region).id,
        cluster_name=cluster.name,
        cluster_endpoint=cluster.endpoint,
        cluster_ca=cluster.ca,
        endpoint_mode=endpoint_mode(cluster),
        auth_mode=cluster.auth_mode,
        vpc_cidrs=blocks(view.vpc.cidrs),
        eni_subnets=blocks(one.cidr for one in view.subnets),
        eni_addresses=addresses(one.address for one in view.interfaces),
        security_groups=cluster.security_groups,
        service_cidr=cluster.service_cidr,
        remote_node_cidrs=blocks(cluster.remote_node_cidrs),
        remote_pod_cidrs=blocks(cluster.remote_pod_cidrs),
        credential_provider=network.credential_provider,
        private_path=network.private_path,
        inbound_resolvers=resolvers,
        kubernetes_version=cluster.version,
        account_id=view.account,
        vpc_id=view.vpc.id,
        hybrid_role_arn=_role_arn(view),
        trust_anchor_arn=getattr(network, "trust_anchor_arn", None) or "",
        profile_arn=getattr(network, "profile_arn", None) or "",
        endpoint_services=endpoint_services(view),
        tunnel_addresses=addresses(one.address for one in view.tunnels if one.address),
    )


def endpoint_mode(cluster: ClusterView) -> str:
    """Return the access to the API server in the words of the settings."""
    if cluster.public:
        return "publicAndPrivate" if cluster.private else "public"
    return "private"


def endpoint_services(view: AwsView) -> tuple[str, ...]:
    """Return the services that answer in the VPC under their public names, as `com.amazonaws.REGION.SERVICE`.

    In China some names have another beginning (`cn.com.amazonaws`); services of others than AWS are left out.
    """
    names = {
        re.sub(r"^[a-z]{2}\.(?=com\.amazonaws\.)", "", one.service)
        for one in view.endpoints
        if one.kind == "Interface" and one.state == "available" and one.private_dns
    }
    return tuple(sorted(name for name in names if name.startswith(f"com.amazonaws.{view.region}.")))


def _role_arn(view: AwsView) -> str:
    """Return the ARN of the hosts' role: as IAM says it, else that of its access entry."""
    if view.role is not None:
        return view.role.arn
    principals = sorted({one.principal for one in view.entries if one.kind == HYBRID})
    return principals[0] if len(principals) == 1 else ""


def blocks(cidrs: Iterable[str]) -> tuple[str, ...]:
    """Return CIDR blocks once each, in the order of their addresses."""
    return tuple(
        sorted(set(cidrs), key=lambda one: (ip_network(one, strict=False).version, ip_network(one, strict=False)))
    )


def addresses(found: Iterable[str]) -> tuple[str, ...]:
    """Return addresses once each, in their order."""
    return tuple(sorted(set(found), key=ip_address))
