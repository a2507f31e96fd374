"""The site-to-site VPN of one site to the gateway of its network."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, Resource, ResourceOptions

from components import names
from components.aws.making import Making
from components.secrets import Secrets
from edge.aws.plan_parts import TransitRoutePlan, VpnPlan
from edge.aws.plan_rules import key_finding
from edge.errors import SettingsError

# The provider takes larger numbers under another name (EC2 API reference, CreateCustomerGateway).
_LARGEST_ASN = 2147483647


class SiteVpn(pulumi.ComponentResource):
    """Creates the customer gateway of a site, unless one is given, its VPN connection, and static routes where it has them.

    Everything bears the name of the site, so another site's coming or going leaves it alone. Pre-shared keys are secrets
    of the stack; the provider keeps them, and those that AWS makes, as secrets. Outputs: `addresses` (outside addresses
    of the two AWS ends), `attachment_id` (of the connection to a transit gateway), `made`.
    """

    addresses: Output[Sequence[str]]
    attachment_id: Output[str]

    def __init__(
        self,
        making: Making,
        vpn: VpnPlan,
        secrets: Secrets,
        *,
        gateway_id: Input[str],
        transit: bool,
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        super().__init__(names.token("SiteVpn"), making.name(vpn.key("vpn")), {"site": vpn.site}, opts)
        self._making, self._plan, self._secrets = making, vpn, secrets
        self.made: list[Resource] = []
        connection = self._connection(gateway_id, transit, self._device())
        self._static_routes(connection)
        self.addresses = Output.all(connection.tunnel1_address, connection.tunnel2_address)
        self.attachment_id = connection.transit_gateway_attachment_id
        self.register_outputs({"addresses": self.addresses})

    def _device(self) -> Input[str]:
        """Return the customer gateway: the site's VPN device as AWS knows it."""
        vpn, making = self._plan, self._making
        if not vpn.address:
            return vpn.customer_gateway
        key = vpn.key("customer-gateway")
        small = vpn.asn <= _LARGEST_ASN
        device = aws.ec2.CustomerGateway(
            making.name(key),
            type="ipsec.1",
            ip_address=vpn.address,
            bgp_asn=str(vpn.asn) if small else None,
            bgp_asn_extended=None if small else str(vpn.asn),
            region=making.plan.region,
            tags=making.tags(key),
            opts=ResourceOptions(parent=self),
        )
        self.made.append(device)
        id_: Output[str] = device.id
        return id_

    def _connection(self, gateway_id: Input[str], transit: bool, device: Input[str]) -> aws.ec2.VpnConnection:
        vpn, making = self._plan, self._making
        to: Mapping[str, Any] = {"transit_gateway_id": gateway_id} if transit else {"vpn_gateway_id": gateway_id}
        connection = aws.ec2.VpnConnection(
            making.name(vpn.key("vpn")),
            type="ipsec.1",
            customer_gateway_id=device,
            static_routes_only=vpn.static,
            region=making.plan.region,
            tags=making.tags(vpn.key("vpn")),
            opts=ResourceOptions(parent=self),
            **to,
            **self._tunnels(),
        )
        self.made.append(connection)
        return connection

    def _tunnels(self) -> dict[str, Any]:
        """Return the options of both tunnels; what is not given is chosen by AWS."""
        vpn = self._plan
        found: dict[str, Any] = {}
        for number in (1, 2):
            if vpn.ike:
                found[f"tunnel{number}_ike_versions"] = list(vpn.ike)
        for number, tunnel in enumerate(vpn.tunnels, start=1):
            if tunnel.secret:
                found[f"tunnel{number}_preshared_key"] = preshared_key(self._secrets, tunnel.secret, tunnel.where)
            if tunnel.inside_cidr:
                found[f"tunnel{number}_inside_cidr"] = tunnel.inside_cidr
        return found

    def _static_routes(self, connection: aws.ec2.VpnConnection) -> None:
        for cidr in self._plan.routes:
            route = aws.ec2.VpnConnectionRoute(
                self._making.name(self._plan.key(f"vpn-route-{cidr}")),
                vpn_connection_id=connection.id,
                destination_cidr_block=cidr,
                region=self._making.plan.region,
                opts=ResourceOptions(parent=self),
            )
            self.made.append(route)


def preshared_key(secrets: Secrets, name: str, where: str) -> Output[str]:
    """Return a pre-shared key, still a secret. Raises SettingsError, without showing the key, for one that AWS refuses."""

    def checked(key: str) -> str:
        finding = key_finding(where, key)
        if finding is not None:
            raise SettingsError([finding])
        return key

    return secrets.get(name).apply(checked)


def transit_route(making: Making, plan: TransitRoutePlan, attachment: Input[str], parent: Resource) -> Resource:
    """Make one static route of a transit gateway: to a network of a site, by the attachment that leads there."""
    route: Resource = aws.ec2transitgateway.Route(
        making.name(plan.key),
        destination_cidr_block=plan.cidr,
        transit_gateway_route_table_id=plan.table,
        transit_gateway_attachment_id=attachment,
        region=making.plan.region,
        opts=ResourceOptions(parent=parent),
    )
    return route
