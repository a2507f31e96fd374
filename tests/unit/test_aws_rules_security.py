"""The rules for security groups, names, interface endpoints and the inbound resolver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.aws.view import AwsView
from tests.unit.aws_judged import clean, judged, only, verdict, without_rules
from tests.unit.aws_samples import (
    CLUSTER_GROUP,
    ENDPOINT_GROUP,
    GROUP,
    NODES,
    PODS,
    RESOLVER_GROUP,
    SUBNETS,
    clean_view,
    cluster_with,
    network_of,
    rule,
)
from tests.unit.test_aws_rules import MANAGED

pytestmark = pytest.mark.row("A6", "C2")
GROUPS = f"{GROUP}, {CLUSTER_GROUP}"


def with_rules(view: AwsView, *more: object) -> AwsView:
    return replace(view, rules=(*view.rules, *more))


def closed(*more: object) -> AwsView:
    """Return the account whose cluster group lets nothing out, but for `more` rules."""
    return with_rules(without_rules(clean(), CLUSTER_GROUP, "out"), *more)


class TestInbound:
    def test_hosts_and_pods_that_are_not_let_in(self) -> None:
        found = judged(without_rules(clean(), GROUP, "in"))
        assert [(one.level, one.subject) for one in found] == [("fail", GROUPS), ("warn", GROUPS)]
        assert str(found[0].finding) == (
            "sg-0000000a, sg-0000000b: do not let tcp 443 in from the hosts in 10.200.0.0/16. Add the rule: `aws ec2"
            " authorize-security-group-ingress --group-id sg-0000000a --ip-permissions"
            ' "IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.200.0.0/16}]" --region eu-central-1`.'
        )
        assert "the pods in 192.168.0.0/16" in found[1].problem

    def test_the_part_that_is_not_let_in_is_named(self) -> None:
        rules = tuple(one for one in clean().rules if not (one.group == GROUP and one.peer == NODES))
        view = clean_view(rules=(*rules, rule(GROUP, "in", "tcp", 443, "10.200.0.0/17")))
        only(judged(view), "aws.securitygroups.in", "fail", GROUPS, "hosts in 10.200.128.0/17.")

    @pytest.mark.parametrize(
        "more",
        [
            (rule(CLUSTER_GROUP, "in", "-1", -1, "0.0.0.0/0"),),
            (rule(GROUP, "in", "tcp", 443, "10.200.0.0/17"), rule(CLUSTER_GROUP, "in", "tcp", 443, "10.200.128.0/17")),
            (replace(rule(GROUP, "in", "tcp", 0, "10.0.0.0/8"), to_port=65535),),
        ],
    )
    def test_any_rules_of_any_group_that_add_up_are_enough(self, more: tuple[object, ...]) -> None:
        rules = tuple(one for one in clean().rules if not (one.group == GROUP and one.peer == NODES))
        assert judged(clean_view(rules=(*rules, *more))) == []

    @pytest.mark.parametrize(
        "more",
        [
            rule(GROUP, "in", "udp", 443, NODES),
            rule(GROUP, "in", "tcp", 10250, NODES),
            rule(ENDPOINT_GROUP, "in", "tcp", 443, "0.0.0.0/0"),
            rule(GROUP, "out", "tcp", 443, NODES),
            rule(GROUP, "in", "tcp", 443, "sg-0000000f"),
        ],
    )
    def test_rules_that_are_something_else_are_not(self, more: object) -> None:
        rules = tuple(one for one in clean().rules if not (one.group == GROUP and one.peer == NODES))
        found = judged(clean_view(rules=(*rules, more)))
        assert ("aws.securitygroups.in", "fail") in [(one.check, one.level) for one in found]

    def test_a_prefix_list_of_unknown_content(self) -> None:
        rules = tuple(one for one in clean().rules if not (one.group == GROUP and one.peer == NODES))
        view = clean_view(rules=(*rules, rule(GROUP, "in", "tcp", 443, "pl-0000000a")))
        only(judged(view), "aws.securitygroups.in", "warn", GROUPS, "unless pl-0000000a holds it")


class TestOutbound:
    def test_kubelets_that_are_not_reached(self) -> None:
        webhooks = [rule(GROUP, "out", "tcp", port, PODS) for port in (443, 8443, 9443)]
        only(
            judged(closed(*webhooks)), "aws.securitygroups.out", "fail", GROUPS,
            "do not let tcp 10250 out to the kubelets in 10.200.0.0/16", "authorize-security-group-egress",
        )  # fmt: skip

    def test_a_rule_in_the_wrong_direction_gets_its_own_sentence(self) -> None:
        webhooks = [rule(GROUP, "out", "tcp", port, PODS) for port in (443, 8443, 9443)]
        [found] = judged(closed(*webhooks, rule(GROUP, "in", "tcp", 10250, NODES)))
        assert str(found.finding) == (
            "sg-0000000a: lets tcp 10250 in from 10.200.0.0/16, but not out: the control plane opens this connection to"
            " the kubelets, so the rule was filed in the wrong direction, and logs and exec time out (got"
            " '10.200.0.0/16'). Add it as an outbound rule: `aws ec2 authorize-security-group-egress --group-id"
            ' sg-0000000a --ip-permissions "IpProtocol=tcp,FromPort=10250,ToPort=10250,IpRanges=[{CidrIp=10.200.0.0/16}]"'
            " --region eu-central-1`."
        )

    def test_the_wrong_direction_beside_the_right_one_is_nothing(self) -> None:
        assert judged(with_rules(clean(), rule(GROUP, "in", "tcp", 10250, NODES))) == []

    def test_webhooks_are_a_warning(self) -> None:
        found = judged(closed(rule(GROUP, "out", "tcp", 10250, NODES)))
        only(found, "aws.securitygroups.out", "warn", GROUPS, "443, 8443, 9443", "without webhooks")

    def test_ports_that_the_settings_name(self) -> None:
        network = network_of(MANAGED | {"cluster": {"existing": "plants-prod"}, "webhookPorts": [9001]})
        found = judged(closed(rule(GROUP, "out", "tcp", 10250, NODES)), network=network)
        only(found, "aws.securitygroups.out", "warn", GROUPS, "tcp 9001 out")


class TestNames:
    @pytest.mark.parametrize(
        ("change", "word", "option"),
        [
            ({"dns_support": False}, "enableDnsSupport", "--enable-dns-support"),
            ({"dns_hostnames": False}, "enableDnsHostnames", "--enable-dns-hostnames"),
        ],
    )
    def test_dns_attributes_of_the_vpc(self, change: dict[str, bool], word: str, option: str) -> None:
        view = clean_view(vpc=replace(clean().vpc, **change))  # type: ignore[arg-type]
        only(judged(view), "aws.vpc.dns", "fail", "vpc-0000000a", word, option)

    def test_a_public_site_does_not_need_them(self) -> None:
        view = cluster_with(public=True, private=False, public_cidrs=("198.51.100.7/32",))
        off = replace(view, vpc=replace(view.vpc, dns_support=False))
        assert judged(off, facts={"private_path": False, "inbound_resolvers": ()}) == []


def endpoints(service: str, **changes: object) -> AwsView:
    """Return the account with a change to the interface endpoint of one service."""
    return clean_view(
        endpoints=tuple(
            replace(one, **changes) if one.service.endswith(f".{service}") and one.kind == "Interface" else one  # type: ignore[arg-type]
            for one in clean().endpoints
        )
    )


class TestEndpoints:
    def test_without_a_private_path_nothing_is_asked(self) -> None:
        view = clean_view(endpoints=())
        assert judged(view, facts={"private_path": False}) == []
        assert verdict("aws.endpoints", view, {"private_path": False}).skipped

    @pytest.mark.parametrize("service", ["ecr.api", "ecr.dkr", "eks", "ssm", "sts"])
    def test_every_service_that_hosts_need(self, service: str) -> None:
        kept = tuple(one for one in clean().endpoints if not one.service.endswith(f"1.{service}"))
        only(
            judged(clean_view(endpoints=kept)), "aws.endpoints", "fail", "vpc-0000000a",
            f"no interface endpoint for com.amazonaws.eu-central-1.{service} (", f"--service-name com.amazonaws.eu-central-1.{service} ",
        )  # fmt: skip

    def test_roles_anywhere_needs_its_own_service(self) -> None:
        found = [
            one
            for one in judged(clean(), facts={"credential_provider": "iamRolesAnywhere"})
            if one.check == "aws.endpoints"
        ]
        only(found, "aws.endpoints", "fail", "vpc-0000000a", "com.amazonaws.eu-central-1.rolesanywhere")

    def test_a_gateway_endpoint_for_s3_does_not_help(self) -> None:
        kept = tuple(one for one in clean().endpoints if one.kind == "Gateway" or not one.service.endswith(".s3"))
        only(
            judged(clean_view(endpoints=kept)),
            "aws.endpoints",
            "fail",
            "vpce-0000000f",
            "gateway endpoint does not help",
        )

    def test_an_endpoint_that_is_not_available(self) -> None:
        only(
            judged(endpoints("ssm", state="pending")),
            "aws.endpoints",
            "fail",
            "vpce-00000004",
            "not available",
            "'pending'",
        )

    def test_an_endpoint_without_private_dns(self) -> None:
        only(
            judged(endpoints("ssm", private_dns=False)),
            "aws.endpoints",
            "fail",
            "vpce-00000004",
            "--private-dns-enabled",
        )

    def test_one_zone_is_a_warning(self) -> None:
        found = judged(endpoints("ssm", subnet_ids=SUBNETS[:1]))
        only(found, "aws.endpoints", "warn", "vpce-00000004", "one zone", "eu-central-1a")

    def test_two_endpoints_under_one_name(self) -> None:
        twin = replace(clean().endpoints[4], id="vpce-0000000e")
        found = judged(clean_view(endpoints=(*clean().endpoints, twin)))
        only(found, "aws.endpoints", "warn", "vpce-00000004, vpce-0000000e", "chance")

    def test_an_endpoint_of_a_working_pair_may_have_no_name(self) -> None:
        twin = replace(clean().endpoints[4], id="vpce-0000000e", private_dns=False)
        assert judged(clean_view(endpoints=(*clean().endpoints, twin))) == []

    def test_its_security_group_lets_the_site_in(self) -> None:
        other = "sg-0000000e"
        view = endpoints("ssm", groups=(other,))
        found = judged(view)
        assert [(one.level, one.subject) for one in found] == [
            ("fail", f"{other} of vpce-00000004"),
            ("warn", f"{other} of vpce-00000004"),
        ]
        assert "does not let tcp 443 in from the hosts in 10.200.0.0/16" in found[0].problem
        assert judged(with_rules(view, rule(other, "in", "tcp", 443, "0.0.0.0/0"))) == []

    def test_an_endpoint_without_a_group(self) -> None:
        only(judged(endpoints("ssm", groups=())), "aws.endpoints", "fail", "vpce-00000004", "no security group")


class TestResolver:
    def test_a_private_path_needs_one(self) -> None:
        found = judged(clean_view(resolvers=()))
        only(found, "aws.resolver", "fail", "vpc-0000000a", "create-resolver-endpoint", "forward amazonaws.com")

    def test_a_site_that_asks_no_private_names_needs_none(self) -> None:
        facts = {"private_path": False, "inbound_resolvers": ()}
        view = clean_view(resolvers=())
        assert judged(view, facts=facts) == []
        assert verdict("aws.resolver", view, facts).skipped

    def test_one_address_cannot_fail(self) -> None:
        one = replace(clean().resolvers[0], addresses=("10.100.0.53",))
        only(judged(clean_view(resolvers=(one,))), "aws.resolver", "fail", one.id, "has 1 addresses")

    @pytest.mark.parametrize("protocol", ["udp", "tcp"])
    def test_both_protocols(self, protocol: str) -> None:
        rules = tuple(one for one in clean().rules if not (one.group == RESOLVER_GROUP and one.protocol == protocol))
        subject = f"{RESOLVER_GROUP} of rslvr-in-0000000a"
        only(judged(clean_view(rules=rules)), "aws.resolver", "fail", subject, f"lets no {protocol} 53 in", "ingress")

    def test_dns_servers_of_the_site_may_be_all_that_is_let_in(self) -> None:
        rules = tuple(
            replace(one, peer="10.200.0.2/32") if one.group == RESOLVER_GROUP else one for one in clean().rules
        )
        found = judged(clean_view(rules=rules))
        assert [(one.level, one.value) for one in found] == [("warn", "10.200.0.2/32")] * 2

    def test_an_address_of_the_settings_that_no_endpoint_has(self) -> None:
        found = judged(clean(), facts={"inbound_resolvers": ("10.100.0.53", "10.9.0.2")})
        only(found, "aws.resolver", "warn", "vpc-0000000a", "the address 10.9.0.2 of `inboundResolvers`")
