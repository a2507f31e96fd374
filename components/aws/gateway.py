"""The way from the VPC to the sites: a gateway that is made, attached or exists, and the routes that lead to it."""

from collections.abc import Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Resource, ResourceOptions

from components import names
from components.aws.making import Making
from components.aws.vpc import ManagedVpc
from edge.aws.plan_parts import GatewayPlan


class ManagedGateway(pulumi.ComponentResource):
    """Creates a virtual private gateway, or the attachment to a transit gateway, or nothing; and the VPC's routes.

    Outputs: `gateway_id`; `ready`: what a route has to wait for; `made`: the resources that were made.
    """

    gateway_id: Input[str]

    def __init__(
        self, making: Making, gateway: GatewayPlan, vpc: ManagedVpc, opts: Optional[ResourceOptions] = None
    ) -> None:
        super().__init__(names.token("ManagedGateway"), making.name("gateway"), {"kind": gateway.kind}, opts)
        self._making, self._plan, self._vpc = making, gateway, vpc
        self.gateway_id = gateway.id
        self.made: list[Resource] = []
        if gateway.kind == "virtualGateway":
            self._virtual()
        elif gateway.kind == "transitGateway":
            self._attach()
        self.ready: Sequence[Resource] = tuple(self.made)
        self._routes()
        self.register_outputs({"gateway_id": self.gateway_id})

    def _kept(self) -> ResourceOptions:
        return ResourceOptions(parent=self, protect=self._making.plan.protect)

    def _virtual(self) -> None:
        making, asn = self._making, self._plan.asn
        gateway = aws.ec2.VpnGateway(
            making.name("gateway"),
            amazon_side_asn=str(asn) if asn is not None else None,
            region=making.plan.region,
            tags=making.tags("gateway"),
            opts=self._kept(),
        )
        # Apart from the gateway, so that routes can wait until it is attached.
        attachment = aws.ec2.VpnGatewayAttachment(
            making.name("gateway-attachment"),
            vpc_id=self._vpc.vpc_id,
            vpn_gateway_id=gateway.id,
            region=making.plan.region,
            opts=ResourceOptions(parent=self),
        )
        self.gateway_id = gateway.id
        self.made += [gateway, attachment]

    def _attach(self) -> None:
        making = self._making
        attachment = aws.ec2transitgateway.VpcAttachment(
            making.name("attachment"),
            transit_gateway_id=self._plan.id,
            vpc_id=self._vpc.vpc_id,
            subnet_ids=self._vpc.zonal_subnet_ids,
            dns_support="enable",
            region=making.plan.region,
            tags=making.tags("attachment"),
            opts=self._kept(),
        )
        self.made.append(attachment)

    def _routes(self) -> None:
        making = self._making
        to: dict[str, Any] = (
            {"transit_gateway_id": self.gateway_id} if self._plan.transit else {"gateway_id": self.gateway_id}
        )
        for route in making.plan.routes:
            made = aws.ec2.Route(
                making.name(route.key),
                route_table_id=self._vpc.tables[route.table],
                destination_cidr_block=route.cidr,
                region=making.plan.region,
                # AWS refuses a route to a gateway that is not attached.
                opts=ResourceOptions(parent=self, depends_on=list(self.ready)),
                **to,
            )
            self.made.append(made)
