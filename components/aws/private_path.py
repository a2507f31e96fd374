"""The private path: AWS services by addresses in the VPC, and a resolver that tells the site their names."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from components.aws.making import Making
from components.aws.vpc import ManagedVpc
from edge.aws.plan_parts import PrivatePathPlan


class PrivatePath(pulumi.ComponentResource):
    """Creates an interface endpoint per service, the gateway endpoint that S3 wants beside its own, and the resolver.

    Every endpoint answers under the public name of its service. That of S3 does so for the resolver only: what runs in
    the VPC goes on using the gateway endpoint, which costs nothing. Outputs: `resolver_addresses`, `made`.
    """

    resolver_addresses: Output[Sequence[str]]

    def __init__(
        self,
        making: Making,
        plan: PrivatePathPlan,
        vpc: ManagedVpc,
        *,
        endpoints_group: Optional[Input[str]],
        resolver_group: Optional[Input[str]],
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        super().__init__(names.token("PrivatePath"), making.name("private-path"), {}, opts)
        self._making, self._vpc = making, vpc
        self.made: list[Resource] = []
        gateway = self._s3_gateway() if plan.s3_gateway else None
        for service in plan.services:
            self._interface(service, endpoints_group, gateway)
        self.resolver_addresses = Output.from_input([])
        if plan.resolver:
            self.resolver_addresses = self._resolver(resolver_group)
        self.register_outputs({"resolver_addresses": self.resolver_addresses})

    def _s3_gateway(self) -> aws.ec2.VpcEndpoint:
        making, tables = self._making, self._vpc.tables
        gateway = aws.ec2.VpcEndpoint(
            making.name("endpoint-s3-gateway"),
            vpc_id=self._vpc.vpc_id,
            service_name=f"com.amazonaws.{making.plan.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[tables[table] for table in sorted(tables)],
            region=making.plan.region,
            tags=making.tags("endpoint-s3-gateway"),
            opts=ResourceOptions(parent=self),
        )
        self.made.append(gateway)
        return gateway

    def _interface(self, service: str, group: Optional[Input[str]], s3_gateway: Optional[aws.ec2.VpcEndpoint]) -> None:
        making, key = self._making, f"endpoint-{service}"
        more: dict[str, Any] = {}
        after: list[Resource] = []
        if service == "s3" and s3_gateway is not None:
            # AWS takes this only while a gateway endpoint for S3 is there.
            more["dns_options"] = aws.ec2.VpcEndpointDnsOptionsArgs(private_dns_only_for_inbound_resolver_endpoint=True)
            after = [s3_gateway]
        endpoint = aws.ec2.VpcEndpoint(
            making.name(key),
            vpc_id=self._vpc.vpc_id,
            service_name=f"com.amazonaws.{making.plan.region}.{service}",
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=self._vpc.zonal_subnet_ids,
            security_group_ids=[group],
            region=making.plan.region,
            tags=making.tags(key),
            opts=ResourceOptions(parent=self, depends_on=after),
            **more,
        )
        self.made.append(endpoint)

    def _resolver(self, group: Optional[Input[str]]) -> Output[Sequence[str]]:
        making = self._making
        subnets = Output.all(zonal=self._vpc.zonal_subnet_ids, every=Output.all(*self._vpc.subnet_ids))
        resolver = aws.route53.ResolverEndpoint(
            making.name("resolver"),
            direction="INBOUND",
            ip_addresses=subnets.apply(lambda given: _one_address_each(**given)),
            security_group_ids=[group],
            region=making.plan.region,
            tags=making.tags("resolver"),
            opts=ResourceOptions(parent=self),
        )
        self.made.append(resolver)
        addresses: Output[Sequence[str]] = resolver.ip_addresses.apply(_addresses)
        return addresses


# A resolver endpoint has two addresses at least, and six at most by default (Route 53 quotas).
_FEWEST, _MOST = 2, 6


def _one_address_each(zonal: list[str], every: list[str]) -> list[aws.route53.ResolverEndpointIpAddressArgs]:
    """Return where the resolver gets its addresses: in a subnet of every zone, or in two subnets of the only one."""
    chosen = zonal if len(zonal) >= _FEWEST else every
    return [aws.route53.ResolverEndpointIpAddressArgs(subnet_id=subnet) for subnet in chosen[:_MOST]]


def _addresses(found: Any) -> list[str]:
    """Return the addresses that AWS has chosen, in their order."""
    return [str(one) for one in sorted(IPv4Address(one.ip) for one in found or () if one.ip)]
