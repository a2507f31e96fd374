"""`source: managed`: the AWS side of a site, or of many, made by this stack."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, InvokeOptions, Output, Resource, ResourceOptions

from components import names
from components.aws.cluster import ManagedCluster
from components.aws.gateway import ManagedGateway
from components.aws.identity import HybridIdentity
from components.aws.making import Making
from components.aws.private_path import PrivatePath
from components.aws.security_rules import SecurityRules
from components.aws.vpc import ManagedVpc
from components.aws.vpn import SiteVpn, transit_route
from components.secrets import Secrets
from edge.aws.plan import network_plan, planned_facts
from edge.aws.plan_objects import group_roles, rules_of
from edge.aws.plan_rules import plan_findings
from edge.aws.security import GroupRole
from edge.endpoints.partitions import BY_ID
from edge.errors import SettingsError
from edge.findings import Finding, errors
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion

LookUp = Callable[[NetworkQuestion], Optional[NetworkFacts]]

_PURPOSE: Mapping[GroupRole, str] = {
    "cluster": "Interfaces of the EKS control plane: edge hosts and their pods",
    "endpoints": "Interface endpoints of AWS services for edge hosts",
    "resolver": "Inbound resolver for the DNS servers of the sites",
}


def _ask_aws(question: NetworkQuestion) -> Optional[NetworkFacts]:
    """Return the facts of a cluster that exists. Raises AwsError."""
    # Botocore takes its time to import: only who asks waits for it.
    from edge.aws.lookup import look_up

    return look_up(question).facts


class ManagedNetwork(pulumi.ComponentResource):
    """Makes what the settings ask for: VPC, gateway, VPN of every site, private path, cluster, identity of the hosts.

    What exists already (VPC, gateway, customer gateway, roles) is used by its id and not changed; a cluster that exists is
    only read, by `look_up` (None from it: not known while this program runs). Everything that belongs to one site bears
    its name, everything else the prefix `name`, so a site that comes or goes touches its own objects, and the two lists of
    remote networks of the cluster.

    Outputs: `facts`, the JSON form of NetworkFacts, unknown while something in it is still to be made; no secret is in it.
    `resources` (also as `ready`): what must exist before a host may rely on the facts. Raises SettingsError with
    everything that is wrong with the plan before anything is registered.
    """

    facts: Output[dict[str, Any]]
    resources: list[Resource]

    def __init__(
        self,
        name: str,
        question: NetworkQuestion,
        secrets: Secrets,
        opts: Optional[ResourceOptions] = None,
        *,
        look_up: LookUp = _ask_aws,
    ) -> None:
        self._plan = network_plan(question)
        found = plan_findings(self._plan)
        if errors(found):
            raise SettingsError(found)
        read = look_up(question) if self._plan.existing_cluster else None
        if read is not None and read.vpc_id != self._plan.vpc.id:
            problem = f"is in the VPC {read.vpc_id}, and the objects would be made in {self._plan.vpc.id}"
            remedy = "Write the VPC of the cluster under `vpc`, or name a cluster of this VPC."
            where = "site.network.cluster.existing"
            raise SettingsError([Finding(where, self._plan.existing_cluster, problem, remedy)])
        super().__init__(names.token("ManagedNetwork"), name, {"owner": question.owner}, opts)
        for finding in found:
            pulumi.log.warn(str(finding), self)
        self._question, self._secrets, self._making = question, secrets, Making(name, self._plan)
        self._child = ResourceOptions(parent=self)
        self.resources = []
        self._vpc = ManagedVpc(self._making, self._child)
        self.resources += self._vpc.made
        groups = {role: self._group(role) for role in group_roles(self._plan)}
        known: dict[str, Input[Any]] = {
            **self._ways(),
            **self._private_path(groups),
            **self._cluster(groups, read),
        }
        self.facts = Output.all(**known).apply(self._facts_of)
        self.register_outputs({"facts": self.facts})

    @property
    def ready(self) -> Sequence[Resource]:
        """What must exist before a host may rely on the facts."""
        return self.resources

    def _group(self, role: GroupRole) -> Output[str]:
        """Make a security group and its rules; return its id."""
        making, region = self._making, self._plan.region
        group = aws.ec2.SecurityGroup(
            making.name(f"{role}-group"),
            vpc_id=self._vpc.vpc_id,
            description=_PURPOSE[role],
            region=region,
            tags=making.tags(f"{role}-group"),
            opts=self._child,
        )
        rules = SecurityRules(
            making.name(role),
            group_id=group.id,
            rules=[rule for rule in rules_of(self._plan) if rule.role == role],
            region=region,
            opts=self._child,
        )
        self.resources += [group, *rules.made]
        id_: Output[str] = group.id
        return id_

    def _ways(self) -> dict[str, Input[Any]]:
        """Make gateway, routes and the VPN of every site; return what facts say of them."""
        plan, vpns = self._plan, {}
        if plan.gateway is None:
            return {"tunnel_addresses": []}
        gateway = ManagedGateway(self._making, plan.gateway, self._vpc, self._child)
        self.resources += gateway.made
        for one in plan.vpns:
            vpns[one.site] = SiteVpn(
                self._making,
                one,
                self._secrets,
                gateway_id=gateway.gateway_id,
                transit=plan.gateway.transit,
                opts=self._child,
            )
            self.resources += vpns[one.site].made
        for route in plan.transit_routes:
            to: Input[str] = route.attachment or vpns[route.site].attachment_id
            self.resources.append(transit_route(self._making, route, to, self))
        ends = Output.all(*(vpn.addresses for vpn in vpns.values()))
        return {"tunnel_addresses": ends.apply(lambda all_: sorted({str(end) for pair in all_ for end in pair}))}

    def _private_path(self, groups: Mapping[GroupRole, Output[str]]) -> dict[str, Input[Any]]:
        plan = self._plan.private_path
        if plan is None:
            return {}
        path = PrivatePath(
            self._making,
            plan,
            self._vpc,
            endpoints_group=groups.get("endpoints"),
            resolver_group=groups.get("resolver"),
            opts=self._child,
        )
        self.resources += path.made
        return {"inbound_resolvers": path.resolver_addresses} if plan.resolver else {}

    def _cluster(self, groups: Mapping[GroupRole, Output[str]], read: Optional[NetworkFacts]) -> dict[str, Input[Any]]:
        """Make the cluster, or take the facts of one that exists; return what facts say of it and of its identity."""
        plan = self._plan
        account: Input[str] = aws.get_caller_identity_output(opts=InvokeOptions(parent=self)).account_id
        made: dict[str, Input[Any]] = {"account_id": account, "vpc_id": self._vpc.vpc_id}
        arn: Input[str] = Output.from_input(account).apply(self._cluster_arn)
        if plan.cluster is not None:
            cluster = ManagedCluster(self._making, plan.cluster, self._vpc, groups["cluster"], self._child)
            self.resources += cluster.made
            arn = cluster.arn
            made |= {
                "cluster_endpoint": cluster.endpoint,
                "cluster_ca": cluster.ca,
                "security_groups": cluster.groups,
                "eni_addresses": cluster.interface_addresses,
            }
            # The identity waits for the cluster by its name.
            name: Input[str] = cluster.cluster.name
        else:
            name = plan.existing_cluster
        if plan.existing_cluster:
            unknown: Any = pulumi.UNKNOWN
            made["read"] = read.to_dict() if read is not None else Output.from_input(unknown)
        return {**made, **self._identity(account, name, arn)}

    def _cluster_arn(self, account: str) -> str:
        plan = self._plan
        return BY_ID[plan.partition].arn("eks", plan.region, account, f"cluster/{plan.cluster_name}")

    def _identity(self, account: Input[str], cluster: Input[str], arn: Input[str]) -> dict[str, Input[Any]]:
        plan = self._plan
        if plan.identity is None:
            return {}
        made = HybridIdentity(
            self._making.name("identity"),
            plan.identity,
            provider=plan.credential_provider,
            account=account,
            region=plan.region,
            partition=plan.partition,
            cluster_name=cluster,
            cluster_arn=arn,
            tags=plan.tags,
            protect=plan.protect,
            opts=self._child,
        )
        self.resources.append(made)
        return {
            "hybrid_role_arn": made.role_arn,
            "trust_anchor_arn": made.trust_anchor_arn,
            "profile_arn": made.profile_arn,
        }

    def _facts_of(self, known: dict[str, Any]) -> dict[str, Any]:
        """Return the facts: what was planned, or what was read of a cluster that exists; and over both what was made."""
        read, planned = known.pop("read", None), planned_facts(self._question).to_dict()
        if read is None:
            return NetworkFacts.from_dict({**planned, **known}).to_dict()
        # The cluster's own values stand; what is made beside it is added.
        services = sorted({*read["endpoint_services"], *planned["endpoint_services"]})
        made = {key: value for key, value in known.items() if value}
        return NetworkFacts.from_dict({**read, "endpoint_services": services, **made}).to_dict()
