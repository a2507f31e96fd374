"""moto's EC2 with what it lacks of a VPN to a site: route propagation, tunnels, static routes, and routes that lead nowhere.

Sources: EC2 API reference (CreateVpnConnection, EnableVgwRoutePropagation, DescribeRouteTables), Site-to-Site VPN User
Guide, tunnel options.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.route_tables import Route
from moto.ec2.models.vpn_connections import VPNConnection
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random

from lab.aws.refusal import RefusedError
from lab.aws.service import Gated

_TUNNELS = 2
_PSK_LETTERS = 32


class Nowhere(Route):
    """A route whose target is gone."""

    @property
    def state(self) -> str:
        return "blackhole"


class Propagated(Route):
    """A route that a table has from a virtual private gateway."""

    @property
    def origin(self) -> str:
        return "EnableVgwRoutePropagation"


class Vpn(VPNConnection):
    """A VPN connection with its two tunnels, its options and its static routes."""

    options: Any
    category = "VPN"

    def set_up(self, asked: Mapping[str, Any], outside: tuple[str, ...]) -> None:
        """Give the connection its tunnels, up as soon as they are made. `outside` are the addresses of the AWS ends."""
        wanted = list(asked.get("TunnelOptions") or [])
        tunnels = []
        for index in range(_TUNNELS):
            own = wanted[index] if index < len(wanted) else {}
            inside = own.get("TunnelInsideCidr") or f"169.254.{mock_random.randint(10, 250)}.{4 * index}/30"
            key = own.get("PreSharedKey") or f"p{mock_random.get_random_string(_PSK_LETTERS - 1)}"
            versions = [{"Value": one["Value"]} for one in own.get("IKEVersions") or []]
            tunnels.append(
                {
                    "OutsideIpAddress": outside[index],
                    "TunnelInsideCidr": inside,
                    "PreSharedKey": key,
                    "IkeVersions": versions or [{"Value": "ikev1"}, {"Value": "ikev2"}],
                    "StartupAction": own.get("StartupAction") or "add",
                    "DpdTimeoutAction": own.get("DPDTimeoutAction") or "clear",
                    "DpdTimeoutSeconds": int(own.get("DPDTimeoutSeconds") or 30),
                    "Phase1LifetimeSeconds": int(own.get("Phase1LifetimeSeconds") or 28800),
                    "Phase2LifetimeSeconds": int(own.get("Phase2LifetimeSeconds") or 3600),
                }
            )
        self.options = {
            "EnableAcceleration": bool(asked.get("EnableAcceleration")),
            "StaticRoutesOnly": str(asked.get("StaticRoutesOnly")).lower() == "true",
            "LocalIpv4NetworkCidr": asked.get("LocalIpv4NetworkCidr") or "0.0.0.0/0",
            "RemoteIpv4NetworkCidr": asked.get("RemoteIpv4NetworkCidr") or "0.0.0.0/0",
            "OutsideIpAddressType": asked.get("OutsideIpAddressType") or "PublicIpv4",
            "TunnelInsideIpVersion": asked.get("TunnelInsideIpVersion") or "ipv4",
            "TunnelOptions": tunnels,
        }
        self.routes: list[dict[str, str]] = []
        now = datetime.now(UTC)
        self.vgw_telemetry = [
            {
                "AcceptedRouteCount": 0,
                "LastStatusChange": now,
                "OutsideIpAddress": address,
                "Status": "UP",
                "StatusMessage": "",
            }
            for address in outside[:_TUNNELS]
        ]

    @property
    def customer_gateway_configuration(self) -> str:
        """Return the document that tells the site's router of the tunnels; the provider reads addresses and keys from it."""
        tunnels = "".join(map(_tunnel_xml, self.options["TunnelOptions"]))
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<vpn_connection id="{self.id}">'
            f"<customer_gateway_id>{self.customer_gateway_id}</customer_gateway_id>"
            f"<vpn_gateway_id>{self.vpn_gateway_id or ''}</vpn_gateway_id>"
            f"<vpn_connection_type>{self.type}</vpn_connection_type>{tunnels}</vpn_connection>"
        )


def _tunnel_xml(tunnel: Mapping[str, Any]) -> str:
    block = IPv4Network(tunnel["TunnelInsideCidr"], strict=False)
    network = "<network_mask>255.255.255.252</network_mask><network_cidr>30</network_cidr>"

    def end(name: str, outside: str, inside: object) -> str:
        return (
            f"<{name}><tunnel_outside_address><ip_address>{outside}</ip_address></tunnel_outside_address>"
            f"<tunnel_inside_address><ip_address>{inside}</ip_address>{network}</tunnel_inside_address>"
            f"<bgp><asn>65000</asn><hold_time>30</hold_time></bgp></{name}>"
        )

    ours = end("vpn_gateway", tunnel["OutsideIpAddress"], block[1])
    theirs = end("customer_gateway", "", block[2])
    return f"<ipsec_tunnel>{theirs}{ours}<ike><pre_shared_key>{tunnel['PreSharedKey']}</pre_shared_key></ike></ipsec_tunnel>"


class Ec2(Gated, EC2Response):
    """EC2 of the account."""

    def associate_vpc_cidr_block(self) -> Any:
        """Add a block to a VPC; every route table then leads to it."""
        done = super().associate_vpc_cidr_block()
        vpc, cidr = str(self._get_param("VpcId")), self._get_param("CidrBlock")
        if cidr:
            local_routes(self.ec2_backend, vpc)
        return done

    def disassociate_vpc_cidr_block(self) -> Any:
        done = super().disassociate_vpc_cidr_block()
        for vpc in list(self.ec2_backend.vpcs):
            local_routes(self.ec2_backend, vpc)
        return done

    def create_route(self) -> Any:
        gateway, transit = self._get_param("GatewayId"), self._get_param("TransitGatewayId")
        table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
        if transit and transit not in self.ec2_backend.transit_gateways:
            raise RefusedError(
                "InvalidTransitGatewayID.NotFound", f"Transit Gateway {transit} was deleted or does not exist."
            )
        if gateway and str(gateway).startswith("vgw-") and not attached(self.ec2_backend, str(gateway), table.vpc_id):
            raise RefusedError(
                "InvalidParameterValue", f"The gateway {gateway} is not attached to the VPC {table.vpc_id}"
            )
        return super().create_route()

    def describe_route_tables(self) -> Any:
        settle_routes(self.ec2_backend)
        return super().describe_route_tables()

    def enable_vgw_route_propagation(self) -> ActionResult:
        table, gateway = self._propagation()
        if not attached(self.ec2_backend, gateway, table.vpc_id):
            raise RefusedError("Gateway.NotAttached", f"resource {gateway} is not attached to the VPC {table.vpc_id}")
        if not any(one["GatewayId"] == gateway for one in propagating(table)):
            propagating(table).append({"GatewayId": gateway})
        return EmptyResult()

    def disable_vgw_route_propagation(self) -> ActionResult:
        table, gateway = self._propagation()
        propagating(table)[:] = [one for one in propagating(table) if one["GatewayId"] != gateway]
        return EmptyResult()

    def create_vpn_connection(self) -> Any:
        result: Any = super().create_vpn_connection()
        made = result.result["VpnConnection"]
        make_vpn(made, self._get_param("Options") or {}, self.account.facts.tunnels)
        return ActionResult({"VpnConnection": made})

    def create_vpn_connection_route(self) -> ActionResult:
        vpn, cidr = self._vpn(), str(self._get_param("DestinationCidrBlock"))
        if not any(one["DestinationCidrBlock"] == cidr for one in vpn.routes):
            vpn.routes.append({"DestinationCidrBlock": cidr, "Source": "Static", "State": "available"})
        return EmptyResult()

    def delete_vpn_connection_route(self) -> ActionResult:
        vpn, cidr = self._vpn(), str(self._get_param("DestinationCidrBlock"))
        vpn.routes[:] = [one for one in vpn.routes if one["DestinationCidrBlock"] != cidr]
        return EmptyResult()

    def _vpn(self) -> Any:
        vpn: Any = self.ec2_backend.describe_vpn_connections([self._get_param("VpnConnectionId")])[0]
        if not vpn.options["StaticRoutesOnly"]:
            raise RefusedError("InvalidParameterValue", f"The VPN connection {vpn.id} does not take static routes")
        return vpn

    def _propagation(self) -> tuple[Any, str]:
        gateway = str(self._get_param("GatewayId"))
        self.ec2_backend.get_vpn_gateway(gateway)
        return self.ec2_backend.get_route_table(self._get_param("RouteTableId")), gateway


def make_vpn(made: Any, options: Mapping[str, Any], outside: tuple[str, ...]) -> None:
    """Turn a VPN connection of moto into one with tunnels."""
    made.__class__ = Vpn
    made.set_up(options, outside)


def propagating(table: Any) -> list[dict[str, str]]:
    """Return the gateways whose routes a table takes over, as the API shows them; the list may be changed."""
    if not hasattr(table, "propagating_vgws"):
        table.propagating_vgws = []
    found: list[dict[str, str]] = table.propagating_vgws
    return found


def attached(ec2: Any, gateway: str, vpc: str) -> bool:
    """Return whether a virtual private gateway is attached to a VPC."""
    found = ec2.vpn_gateways.get(gateway)
    attachment = found.attachments.get(vpc) if found else None
    return (
        found is not None and found.state == "available" and attachment is not None and attachment.state == "attached"
    )


def local_routes(ec2: Any, vpc_id: str) -> None:
    """Bring the local routes of a VPC's tables in line with its blocks."""
    found = ec2.get_vpc(vpc_id).get_cidr_block_association_set()
    blocks = {one["cidr_block"] for one in found if one["cidr_block_state"]["state"] == "associated"}
    for table in ec2.route_tables.values():
        if table.vpc_id != vpc_id:
            continue
        for key, route in list(table._routes.items()):
            if route.local and route.destination_cidr_block and route.destination_cidr_block not in blocks:
                del table._routes[key]
        have = {route.destination_cidr_block for route in table.routes if route.local}
        for cidr in sorted(blocks - have):
            route = _route(Route, table, cidr, local=True)
            table._routes[route.id] = route


def _route(kind: Any, table: Any, cidr: str, **facts: Any) -> Any:
    """Return a route of moto's."""
    return kind(table, cidr, None, **facts)


def settle_routes(ec2: Any) -> None:
    """Bring propagated routes in line with gateways and VPN connections, and find the routes that lead nowhere."""
    for table in ec2.route_tables.values():
        for key, route in list(table._routes.items()):
            if isinstance(route, Propagated):
                del table._routes[key]
        for gateway in [one["GatewayId"] for one in propagating(table)]:
            for cidr in _announced(ec2, gateway) if attached(ec2, gateway, table.vpc_id) else ():
                route = _route(Propagated, table, cidr, gateway=ec2.vpn_gateways[gateway])
                table._routes.setdefault(route.id, route)
        for route in table.routes:
            if type(route) in (Route, Nowhere) and not getattr(route, "closed", False):
                route.__class__ = Route if _leads_on(ec2, table, route) else Nowhere


def _announced(ec2: Any, gateway: str) -> list[str]:
    """Return what a gateway knows to be behind its VPN connections."""
    connections = [
        one for one in ec2.vpn_connections.values() if one.vpn_gateway_id == gateway and one.state == "available"
    ]
    return [route["DestinationCidrBlock"] for one in connections for route in getattr(one, "routes", [])]


def _leads_on(ec2: Any, table: Any, route: Any) -> bool:
    """Return whether the target of a route is there and attached."""
    if route.gateway is not None and route.gateway.id.startswith("vgw-"):
        return attached(ec2, route.gateway.id, table.vpc_id)
    if route.transit_gateway is not None:
        attachments = ec2.transit_gateway_attachments.values()
        return any(
            one.transit_gateway_id == route.transit_gateway.id
            and one.resource_id == table.vpc_id
            and one.state == "available"
            for one in attachments
        )
    return True
