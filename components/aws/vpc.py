"""The VPC of a managed network: made here with its subnets and one route table, or one that exists."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, InvokeOptions, Output, Resource, ResourceOptions

from components import names
from components.aws.making import Making
from edge.aws.plan_parts import SubnetPlan


class ManagedVpc(pulumi.ComponentResource):
    """Creates the VPC with its blocks and subnets, and one route table for all subnets; of a VPC that exists, nothing.

    One table serves every subnet, so that no interface of the control plane can miss a route that another one has.
    Outputs: `vpc_id`, `subnet_ids` in the order of the plan, `zonal_subnet_ids` (one per zone, for what AWS puts into a
    zone once only), `tables` (route table of the plan -> id). `made` are the resources that were made.
    """

    vpc_id: Input[str]
    subnet_ids: Sequence[Input[str]]
    zonal_subnet_ids: Input[Sequence[Input[str]]]
    tables: Mapping[str, Input[str]]

    def __init__(self, making: Making, opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(names.token("ManagedVpc"), making.name("vpc"), {}, opts)
        self._making = making
        self.made: list[Resource] = []
        plan = making.plan.vpc
        if plan.made:
            self._make()
        else:
            self.vpc_id = plan.id
            self.subnet_ids = [subnet.id for subnet in plan.subnets]
            self.zonal_subnet_ids = self._zonal()
            self.tables = {table: table for table in plan.tables}
        self.register_outputs({"vpc_id": self.vpc_id})

    def _make(self) -> None:
        making, plan, region = self._making, self._making.plan.vpc, self._making.plan.region
        vpc = aws.ec2.Vpc(
            making.name("vpc"),
            cidr_block=plan.cidrs[0],
            # Both are what private names need: of the API server, of interface endpoints.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            region=region,
            tags=making.tags("vpc"),
            opts=ResourceOptions(parent=self, protect=making.plan.protect),
        )
        table = aws.ec2.RouteTable(
            making.name("routes"),
            vpc_id=vpc.id,
            region=region,
            tags=making.tags("routes"),
            opts=ResourceOptions(parent=self),
        )
        self.made += [vpc, table]
        self.vpc_id, self.tables = vpc.id, {"": table.id}
        blocks = {cidr: self._block(vpc, cidr) for cidr in plan.secondary}
        subnets = {subnet: self._subnet(vpc, table, subnet, blocks) for subnet in plan.subnets}
        self.subnet_ids = [one.id for one in subnets.values()]
        zones = {subnet.zone: one.id for subnet, one in reversed(subnets.items())}
        self.zonal_subnet_ids = [zones[zone] for zone in sorted(zones)]

    def _block(self, vpc: aws.ec2.Vpc, cidr: str) -> aws.ec2.VpcIpv4CidrBlockAssociation:
        block = aws.ec2.VpcIpv4CidrBlockAssociation(
            self._making.name(f"block-{cidr}"),
            vpc_id=vpc.id,
            cidr_block=cidr,
            region=self._making.plan.region,
            opts=ResourceOptions(parent=self),
        )
        self.made.append(block)
        return block

    def _subnet(
        self,
        vpc: aws.ec2.Vpc,
        table: aws.ec2.RouteTable,
        plan: SubnetPlan,
        blocks: Mapping[str, aws.ec2.VpcIpv4CidrBlockAssociation],
    ) -> aws.ec2.Subnet:
        making, region = self._making, self._making.plan.region
        inside = [one for cidr, one in blocks.items() if IPv4Network(plan.cidr).subnet_of(IPv4Network(cidr))]
        subnet = aws.ec2.Subnet(
            making.name(plan.key),
            vpc_id=vpc.id,
            cidr_block=plan.cidr,
            availability_zone=plan.zone,
            map_public_ip_on_launch=False,
            region=region,
            tags=making.tags(plan.key),
            opts=ResourceOptions(parent=self, depends_on=inside),
        )
        association = aws.ec2.RouteTableAssociation(
            making.name(f"association-{plan.cidr}"),
            subnet_id=subnet.id,
            route_table_id=table.id,
            region=region,
            opts=ResourceOptions(parent=self),
        )
        self.made += [subnet, association]
        return subnet

    def _zonal(self) -> Input[Sequence[Input[str]]]:
        """Return one existing subnet per zone; only AWS knows which zone a subnet is in."""
        plan = self._making.plan
        if plan.private_path is None and (plan.gateway is None or plan.gateway.kind != "transitGateway"):
            return list(self.subnet_ids)  # nobody asks
        ask = InvokeOptions(parent=self)
        zones = [
            aws.ec2.get_subnet_output(id=subnet.id, region=plan.region, opts=ask).availability_zone
            for subnet in plan.vpc.subnets
        ]
        ids = [subnet.id for subnet in plan.vpc.subnets]

        def first_of_each(found: list[str]) -> list[str]:
            by_zone = dict(reversed(list(zip(found, ids, strict=True))))
            return [by_zone[zone] for zone in sorted(by_zone)]

        return Output.all(*zones).apply(first_of_each)
