"""The rules for a private path: names, interface endpoints, and the resolver that the site asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from edge.aws.rules_model import Case, Hint, Judge, Red, Said, Seen, Skip, shown
from edge.aws.rules_security import API, add_rule, lacking, missing_rule
from edge.aws.view import EndpointView, ResolverView
from edge.endpoints import EndpointQuery, endpoint_table

DNS = 53
_PROTOCOLS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


def vpc_dns(case: Case) -> Iterator[Said]:
    """Judge the two DNS attributes of the VPC, which private names depend on."""
    vpc = case.view.vpc
    if not (case.facts.private_path or case.view.cluster.private):
        yield Skip("neither a private path nor a private API server")
        return
    for name, on in (("enableDnsSupport", vpc.dns_support), ("enableDnsHostnames", vpc.dns_hostnames)):
        if not on:
            option = f"--{'enable-dns-support' if name == 'enableDnsSupport' else 'enable-dns-hostnames'}"
            turn = case.command(f'ec2 modify-vpc-attribute --vpc-id {vpc.id} {option} "{{\\"Value\\":true}}"')
            yield Red(vpc.id, f"has {name} off, so private names do not resolve", f"Turn it on: {turn}", on)
    yield Seen(f"{vpc.id}: enableDnsSupport and enableDnsHostnames are on")


def needed_services(case: Case) -> dict[str, str]:
    """Return service (`com.amazonaws.REGION.ssm`) -> reason, of what hosts cannot do without on a private path."""
    rows = endpoint_table(EndpointQuery(case.facts))
    prefix = f"com.amazonaws.{case.view.region}."
    return {
        service: row.reason
        for row in rows
        if row.required == "required" and (service := row.private_service or "").startswith(prefix)
    }


def endpoints(case: Case) -> Iterator[Said]:
    """Judge the interface endpoints that stand in for the services' public names."""
    if not case.facts.private_path:
        yield Skip("the hosts reach AWS services under their public names")
        return
    needed = needed_services(case)
    for service in sorted(needed):
        mine = [one for one in case.view.endpoints if one.service.removeprefix("cn.") == service]
        interfaces = [one for one in mine if one.kind == "Interface"]
        if not interfaces:
            yield _absent(case, service, mine, needed[service])
            continue
        usable = [one for one in interfaces if one.state == "available" and one.private_dns]
        if len(usable) > 1:
            problem = f"both answer for {service} under its public name, so which of them does is chance"
            yield Hint(shown(one.id for one in usable), problem, "Turn private DNS off for all but one of them")
        for one in usable or interfaces:
            yield from _endpoint(case, one)
    yield Seen(f"{len(needed)} services: {shown(sorted(needed))}")


def _absent(case: Case, service: str, mine: Sequence[EndpointView], reason: str) -> Red:
    vpc = case.view.vpc.id
    make = case.command(
        f"ec2 create-vpc-endpoint --vpc-id {vpc} --vpc-endpoint-type Interface --service-name {service}"
        " --private-dns-enabled --subnet-ids SUBNET SUBNET --security-group-ids GROUP"
    )
    gateway = next((one for one in mine if one.kind == "Gateway"), None)
    if gateway is not None:
        problem = f"is the only endpoint for {service}, and a gateway endpoint does not help hosts outside the VPC"
        return Red(gateway.id, problem, f"Make an interface endpoint beside it: {make}", gateway.kind)
    return Red(vpc, f"has no interface endpoint for {service} ({reason})", f"Make it: {make}")


def _endpoint(case: Case, one: EndpointView) -> Iterator[Said]:
    if one.state != "available":
        look = case.command(f"ec2 describe-vpc-endpoints --vpc-endpoint-ids {one.id}")
        yield Red(one.id, f"is not available ({one.service})", f"Wait, or see what AWS says: {look}", one.state)
    if not one.private_dns:
        turn = case.command(f"ec2 modify-vpc-endpoint --vpc-endpoint-id {one.id} --private-dns-enabled")
        yield Red(one.id, f"does not answer under the public name of {one.service}", f"Turn private DNS on: {turn}")
    zones = _zones(case, one.subnet_ids)
    if len(zones) < 2:
        add = case.command(f"ec2 modify-vpc-endpoint --vpc-endpoint-id {one.id} --add-subnet-ids SUBNET")
        problem = f"stands in one zone, whose failure would cut the hosts off from {one.service}"
        yield Hint(one.id, problem, f"Add a subnet of another zone: {add}", shown(zones))
    if not one.groups:
        yield Red(one.id, "has no security group, so nothing gets in", "Give it one that lets tcp 443 in from the site")
        return
    to = one.groups[0]
    for wanted, who, kind in ((case.nodes, "the hosts in", Red), (case.pods, "the pods in", Hint)):
        for found in missing_rule(case, one.groups, to, "in", "tcp", API, wanted, who, kind):
            yield type(found)(f"{found.subject} of {one.id}", found.problem, found.remedy, found.value or one.service)


def _zones(case: Case, subnets: Sequence[str]) -> list[str]:
    """Return the zones of subnets; one that was not read counts as a zone of its own."""
    found = {subnet.zone if (subnet := case.view.subnet(id_)) is not None else id_ for id_ in subnets}
    return sorted(found)


def resolver(case: Case) -> Iterator[Said]:
    """Judge the inbound endpoint that the site's DNS servers forward to."""
    both = case.view.cluster.public and case.view.cluster.private
    given = case.facts.inbound_resolvers
    there = case.view.resolvers
    if not (case.facts.private_path or given or (both and there)):
        yield Skip("the site asks no private names")
        return
    known = {address for one in there for address in one.addresses}
    foreign = [address for address in given if address not in known]
    if foreign:
        problem = f"has no inbound endpoint with the address {shown(foreign)} of `inboundResolvers`"
        remedy = (
            "Correct the addresses; nothing, if that endpoint stands in a VPC of another team that knows these names"
        )
        yield Hint(case.view.vpc.id, problem, remedy, shown(sorted(known)))
    elif not there:
        problem = "has no inbound endpoint, so the site cannot resolve the names of the interface endpoints"
        make = case.command(
            "route53resolver create-resolver-endpoint --direction INBOUND --security-group-ids GROUP"
            " --ip-addresses SubnetId=SUBNET SubnetId=SUBNET --creator-request-id edge-hosts"
        )
        yield Red(case.view.vpc.id, problem, f"Make it, and forward amazonaws.com and api.aws to it: {make}")
    for one in there:
        yield from _inbound_endpoint(case, one)
    yield Seen(shown(f"{one.id} ({shown(one.addresses)})" for one in there))


def _inbound_endpoint(case: Case, one: ResolverView) -> Iterator[Said]:
    if len(one.addresses) < 2:
        problem = f"has {len(one.addresses)} addresses, but two are needed for one to fail"
        add = case.command(
            f"route53resolver associate-resolver-endpoint-ip-address --resolver-endpoint-id {one.id}"
            " --ip-address SubnetId=SUBNET"
        )
        yield Red(one.id, problem, f"Add an address in another zone: {add}", shown(one.addresses))
    rules = case.rules(one.groups, "in")
    for protocol in _PROTOCOLS:
        fitting = [rule.peer for rule in rules if rule.covers(protocol, DNS)]
        if not fitting:
            problem = (
                f"lets no {protocol} {DNS} in, so the site's DNS servers get no answer from {shown(one.addresses)}"
            )
            to, network = (one.groups or ("GROUP",))[0], next(iter(case.nodes), "SITE")
            remedy = f"Add the rule for the site's DNS servers: {add_rule(case, to, 'in', protocol, DNS, network)}"
            yield Red(f"{shown(one.groups)} of {one.id}", problem, remedy)
        elif lacking(rules, protocol, DNS, case.nodes)[0]:
            problem = f"lets {protocol} {DNS} in from {shown(fitting)} only, not from every host"
            remedy = "Make sure that the site's DNS servers are among them; nothing, where hosts ask those servers only"
            yield Hint(f"{shown(one.groups)} of {one.id}", problem, remedy, shown(fitting))


JUDGES: dict[str, Judge] = {
    "aws.vpc.dns": vpc_dns,
    "aws.endpoints": endpoints,
    "aws.resolver": resolver,
}
