"""The firewall request: what it must hold, on which side, in which direction; and the command that prints it."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edge.endpoints import EndpointQuery, endpoint_table
from edge.endpoints.firewall import SECTIONS, FirewallRule, firewall_rules, network_stack_rules, of_phases, site_rules
from edge.endpoints.render import FORMATS, render
from edge.network import NetworkFacts
from edge.settings.site import SiteNetworks
from edgectl import firewall
from tests.unit.network_samples import CLEAN, facts_of
from tests.unit.settings_helpers import load, put, site

NODES, PODS = "10.200.0.0/16", "192.168.0.0/16"
SUBNETS = "10.100.0.0/24, 10.100.1.0/24"


def rules_of(facts: NetworkFacts = CLEAN, proxies: tuple[str, ...] = (), **query: bool) -> tuple[FirewallRule, ...]:
    return firewall_rules(facts, endpoint_table(EndpointQuery(facts, proxy=bool(proxies), **query)), proxies)


def flows(rules: tuple[FirewallRule, ...], section: str) -> set[tuple[str, str, str, str, str]]:
    return {
        (rule.direction, rule.protocol, rule.ports, rule.source, rule.destination)
        for rule in rules
        if rule.section == section
    }


@pytest.mark.row("A5", "A6", "C2")
class TestRequest:
    def test_the_kubelet_port_is_asked_for_inbound_at_the_site_and_outbound_in_aws(self) -> None:
        """The line that is most often filed in the wrong direction."""
        rules = rules_of()
        kubelet = {
            (rule.side, rule.direction, rule.source, rule.destination) for rule in rules if rule.ports == "10250"
        }
        assert kubelet == {
            ("site", "in", "10.100.0.0/24", NODES),
            ("site", "in", "10.100.1.0/24", NODES),
            ("aws", "out", "sg-0123456789abcdef0", NODES),
        }

    def test_the_control_plane_is_opened_by_subnet_never_by_address(self) -> None:
        assert flows(rules_of(), "control-plane") == {
            ("out", "tcp", "443", NODES, "10.100.0.0/24"),
            ("out", "tcp", "443", NODES, "10.100.1.0/24"),
            ("out", "tcp", "443", NODES, f"d87d2a0c.gr7.eu-central-1.eks.amazonaws.com (in {SUBNETS})"),
            ("out", "tcp", "443", PODS, SUBNETS),
            ("out", "icmp", "type 3 code 4", NODES, "10.100.0.0/16"),
        }
        for address in CLEAN.eni_addresses:
            assert address not in render(rules_of(), "csv", title="x")

    def test_names_and_time(self) -> None:
        both = f"{PODS}, 10.100.0.0/16"
        wanted = {("out", "udp", "123", NODES, "time servers of the site")}
        for protocol in ("tcp", "udp"):
            wanted |= {
                ("out", protocol, "53", NODES, "DNS servers of the site"),
                ("out", protocol, "53", PODS, both),
                ("in", protocol, "53", both, PODS),
            }
        assert flows(rules_of(), "names-and-time") == wanted

    def test_between_the_nodes(self) -> None:
        assert flows(rules_of(), "nodes") == {
            ("in", "icmp", "type 8 and 0", NODES, NODES),
            *(
                (direction, protocol, port, NODES, NODES)
                for direction in ("in", "out")
                for protocol, port in (("udp", "8472"), ("tcp", "4240"), ("tcp", "4244"))
            ),
            *(
                (direction, protocol, "those of the applications", PODS, PODS)
                for direction in ("in", "out")
                for protocol in ("tcp", "udp")
            ),
        }

    def test_the_security_groups_of_the_cluster(self) -> None:
        group = "sg-0123456789abcdef0"
        assert flows(rules_of(), "aws-cluster") == {
            ("in", "tcp", "443", NODES, group),
            ("in", "tcp", "443", PODS, group),
            ("out", "tcp", "10250", group, NODES),
            ("out", "tcp", "443, 8443, 9443", group, PODS),
        }

    def test_the_security_group_of_the_cloud_nodes(self) -> None:
        wanted = {("in", "tcp", "22", NODES, "cloud nodes"), ("in", "icmp", "all", NODES, "cloud nodes")}
        for here, there, direction in (("cloud nodes", PODS, "out"), (PODS, "cloud nodes", "in")):
            wanted |= {(direction, protocol, "53", here, there) for protocol in ("tcp", "udp")}
        wanted |= {("out", "udp", "8472", "cloud nodes", NODES), ("in", "udp", "8472", NODES, "cloud nodes")}
        assert flows(rules_of(), "aws-nodes") == wanted
        assert {rule.required for rule in rules_of() if rule.section == "aws-nodes"} == {"conditional", "optional"}

    def test_a_private_path_needs_two_more_security_groups(self) -> None:
        assert not flows(rules_of(), "aws-endpoints")
        assert not flows(rules_of(), "aws-resolver")
        facts = facts_of(private_path=True, inbound_resolvers=("10.100.0.2", "10.100.1.2"))
        rules = rules_of(facts)
        assert flows(rules, "aws-endpoints") == {
            ("in", "tcp", "443", f"{NODES}, {PODS}", "interface endpoints"),
            ("in", "tcp", "443", "10.100.0.0/16", "interface endpoints"),
        }
        assert flows(rules, "aws-resolver") == {
            ("in", protocol, "53", f"DNS servers of the site, {NODES}", address)
            for protocol in ("tcp", "udp")
            for address in facts.inbound_resolvers
        }
        assert {("out", "udp", "53", "DNS servers of the site", "10.100.1.2")} <= flows(rules, "names-and-time")
        ssm = next(rule for rule in rules if rule.destination.startswith("ssm."))
        assert ssm.destination == "ssm.eu-central-1.amazonaws.com (com.amazonaws.eu-central-1.ssm in 10.100.0.0/16)"

    def test_a_private_path_names_its_services_and_asks_for_a_resolver_before_it_has_addresses(self) -> None:
        services = ("com.amazonaws.eu-central-1.ssm", "com.amazonaws.eu-central-1.ecr.api")
        rules = rules_of(facts_of(private_path=True, endpoint_services=services))
        one = next(rule for rule in rules if rule.section == "aws-endpoints" and rule.source != "10.100.0.0/16")
        assert one.reason == "AWS services through interface endpoints (ecr.api, ssm)"
        assert {rule.destination for rule in rules if rule.section == "aws-resolver"} == {"inbound resolver of the VPC"}
        sts = next(rule for rule in rules if rule.destination.startswith("sts."))
        assert "the VPC has no interface endpoint for it" in sts.reason

    def test_webhooks_have_the_ports_that_the_settings_name(self) -> None:
        rules = firewall_rules(CLEAN, (), webhook_ports=(9443, 10260, 9443))
        webhooks = {(rule.side, rule.ports, rule.condition) for rule in rules if "webhooks" in rule.reason}
        assert webhooks == {(side, "9443, 10260", "webhooks run on edge hosts") for side in ("site", "aws")}
        assert ("out", "tcp", "443, 8443, 9443", "sg-0123456789abcdef0", PODS) in flows(rules_of(), "aws-cluster")

    def test_pods_with_roles_ask_sts_themselves(self) -> None:
        (one,) = [rule for rule in rules_of() if rule.section == "aws" and rule.source == PODS]
        assert (one.destination, one.required) == ("sts.eu-central-1.amazonaws.com", "conditional")

    def test_ipsec_has_no_openvpn(self) -> None:
        tunnel = [rule for rule in rules_of() if rule.section == "tunnel"]
        assert {(rule.protocol, rule.ports) for rule in tunnel} == {("udp", "500"), ("udp", "4500"), ("esp", "")}
        assert {rule.required for rule in tunnel} == {"conditional"}

    def test_the_ends_of_the_tunnels_take_the_place_of_the_words_for_them(self) -> None:
        ends = ("198.51.100.10", "198.51.100.20")
        tunnel = [rule for rule in rules_of(facts_of(tunnel_addresses=ends)) if rule.section == "tunnel"]
        assert len(tunnel) == 2 * 2 * 3
        assert {rule.destination for rule in tunnel if rule.direction == "out"} == set(ends)
        assert {rule.source for rule in tunnel if rule.direction == "in"} == set(ends)
        assert {rule.required for rule in tunnel} == {"required"}

    def test_other_sites_talk_node_to_node_only_under_a_condition(self) -> None:
        facts = facts_of(other_sites=("plant-13 10.201.0.0/16", "plant-13 192.168.0.0/16"))
        further = [rule for rule in rules_of(facts) if "10.201.0.0/16" in (rule.source, rule.destination)]
        assert {(rule.direction, rule.protocol, rule.ports) for rule in further} == {
            (direction, protocol, port)
            for direction in ("in", "out")
            for protocol, port in (("udp", "8472"), ("tcp", "4240"), ("tcp", "4244"))
        }
        assert {rule.required for rule in further} == {"conditional"}
        assert all("plant-13 talk to each other" in rule.condition for rule in further)
        own = {rule for rule in rules_of(facts) if rule not in further}
        assert own == set(rules_of())

    def test_behind_a_proxy_only_the_proxy_is_opened_for_the_internet(self) -> None:
        rules = firewall_rules(
            CLEAN, endpoint_table(EndpointQuery(CLEAN, proxy=True)), ["http://10.0.0.2:3128"], some_direct=False
        )
        assert flows(rules, "proxy") == {("out", "tcp", "3128", NODES, "10.0.0.2")}
        assert {rule.via for rule in rules if rule.section in ("palette", "internet", "aws")} == {"proxy"}
        assert {rule.via for rule in rules if rule.section in ("control-plane", "inbound", "nodes")} == {"direct"}
        mixed = rules_of(proxies=("http://10.0.0.2:3128",))
        assert {rule.via for rule in mixed if rule.section == "palette"} == {"proxy or direct"}

    def test_facts_without_subnets_still_give_a_request(self) -> None:
        facts = facts_of(eni_subnets=(), security_groups=(), remote_pod_cidrs=())
        rules = rules_of(facts)
        assert ("in", "tcp", "10250", "10.100.0.0/16", NODES) in flows(rules, "inbound")
        assert any(rule.source == "security group of the cluster" for rule in rules)
        assert any("pods on edge hosts" in rule.destination for rule in rules)

    def test_phases(self) -> None:
        rules = rules_of()
        assert of_phases(rules, ()) == rules
        install = of_phases(rules, ["install"])
        assert install
        assert all("install" in rule.phase for rule in install)
        assert not [rule for rule in install if rule.ports == "10250"]
        assert set(of_phases(rules, ["install", "join", "ongoing"])) == set(rules)

    def test_two_requests_of_one_site_are_equal_whatever_the_order_of_the_table(self) -> None:
        rows = list(endpoint_table(EndpointQuery(CLEAN)))
        random.Random(7).shuffle(rows)
        shuffled = firewall_rules(CLEAN, rows)
        assert shuffled == rules_of()
        for form in FORMATS:
            assert render(shuffled, form, title="plant-12") == render(rules_of(), form, title="plant-12")

    def test_every_rule_is_explained(self) -> None:
        for rule in rules_of(facts_of(private_path=True), ("http://10.0.0.2:3128",), fips=True):
            assert rule.reason
            assert rule.fact
            assert rule.source
            assert rule.destination
            assert (rule.required == "conditional") == bool(rule.condition)


SITES = {
    "plant-12": SiteNetworks.model_validate(
        {"remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/17"]}
    ),
    "plant-13": SiteNetworks.model_validate(
        {"remoteNodeCidrs": ["10.201.0.0/16"], "remotePodCidrs": ["192.168.128.0/17"]}
    ),
}


@pytest.mark.row("C2", "A6")
class TestNetworkStack:
    def test_the_aws_side_first_then_one_part_per_site(self) -> None:
        titles = list(dict.fromkeys(rule.title for rule in network_stack_rules(CLEAN, SITES)))
        assert [title.partition(":")[0] for title in titles] == sorted(title.partition(":")[0] for title in titles)
        assert {title.partition(":")[0] for title in titles} == {"AWS", "Site plant-12", "Site plant-13"}
        assert "Site plant-13: EKS control plane to edge hosts and pods (INBOUND)" in titles
        assert not any("Palette" in title or "downloads" in title for title in titles)

    def test_each_site_has_its_own_networks_only(self) -> None:
        rules = network_stack_rules(CLEAN, SITES)
        mine = [rule for rule in rules if rule.site == "plant-13" and not rule.condition]
        assert mine
        assert not [rule for rule in mine if "10.200.0.0/16" in f"{rule.source} {rule.destination}"]
        kubelet = {(rule.site, rule.source, rule.destination) for rule in rules if rule.ports == "10250"}
        assert kubelet == {
            ("", "sg-0123456789abcdef0", "10.200.0.0/16"),
            ("", "sg-0123456789abcdef0", "10.201.0.0/16"),
            *((name, subnet, node) for name, node in (("plant-12", "10.200.0.0/16"), ("plant-13", "10.201.0.0/16"))
              for subnet in CLEAN.eni_subnets),
        }  # fmt: skip

    def test_a_site_more_adds_lines_and_changes_none_of_the_aws_side(self) -> None:
        one = network_stack_rules(CLEAN, {"plant-12": SITES["plant-12"]})
        two = network_stack_rules(CLEAN, SITES)
        assert {rule for rule in one if rule.side == "aws"} < {rule for rule in two if rule.side == "aws"}
        assert {rule for rule in one if rule.side == "site"} < {rule for rule in two if rule.side == "site"}
        assert network_stack_rules(CLEAN, dict(reversed(SITES.items()))) == two

    def test_whose_tunnel_it_is_is_only_sure_with_one_site(self) -> None:
        facts = facts_of(tunnel_addresses=("198.51.100.10",))
        one, two = (network_stack_rules(facts, sites) for sites in ({"plant-12": SITES["plant-12"]}, SITES))
        assert any("198.51.100.10" in rule.destination for rule in one)
        assert not any("198.51.100.10" in rule.destination for rule in two)

    def test_every_format_tells_the_site(self) -> None:
        rules = network_stack_rules(CLEAN, SITES)
        assert "## Site plant-13: tunnel to AWS" in render(rules, "md", title="plants")
        assert "site,Site plant-13: tunnel to AWS" in render(rules, "csv", title="plants")
        found = {rule.get("site") for rule in json.loads(render(rules, "json", title="plants"))["rules"]}
        assert found == {None, "plant-12", "plant-13"}


class TestRendering:
    def test_markdown_has_one_table_per_section_in_the_order_of_the_ticket(self) -> None:
        text = render(rules_of(), "md", title="plant-12")
        titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
        assert titles == [title for title, _ in SECTIONS.values() if title in titles]
        assert len(titles) == len(set(titles))
        assert text.startswith("# Firewall request: plant-12\n")
        assert text.endswith("|\n")
        widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}
        assert widths == {11}

    def test_csv_holds_every_rule(self) -> None:
        rows = list(csv.DictReader(io.StringIO(render(rules_of(), "csv", title="x"))))
        assert len(rows) == len(rules_of())
        assert rows[0]["side"] == "site"
        assert {row["dir"] for row in rows} == {"in", "out"}
        assert not any(None in row.values() for row in rows)

    def test_json_holds_every_rule(self) -> None:
        document = json.loads(render(rules_of(), "json", title="x"))
        assert document["schema"] == 1
        assert [rule["side"] for rule in document["rules"]] == [rule.side for rule in rules_of()]
        assert document["rules"][0]["phase"] == ["install", "join", "ongoing"]

    def test_an_empty_request(self) -> None:
        assert "0 rules" in render((), "md", title="x")
        assert json.loads(render((), "json", title="x"))["rules"] == []


@pytest.mark.row("C2")
class TestLogins:
    def test_the_only_port_besides_those_of_the_cluster_that_comes_in(self, tmp_path: Path) -> None:
        settings = load(tmp_path, site(put("hosts.plant-a.ssh", {"port": 2222})))
        rules = site_rules(settings, NetworkFacts.given(settings))
        start = "the machine that runs this program"
        assert flows(rules, "login") == {("in", "tcp", port, start, NODES) for port in ("22", "2222")}

    def test_by_a_jump_host(self, tmp_path: Path) -> None:
        settings = load(tmp_path, site(put("ssh.jumpHost", {"address": "10.9.9.9", "port": 2022})))
        rules = site_rules(settings, NetworkFacts.given(settings))
        assert flows(rules, "login") == {
            ("in", "tcp", "2022", "the machine that runs this program", "10.9.9.9"),
            ("in", "tcp", "22", "10.9.9.9", NODES),
        }


@pytest.mark.row("C2")
class TestCommand:
    @staticmethod
    def run(root: Path, *arguments: str) -> str:
        app = typer.Typer()
        app.command()(firewall.command)
        result = CliRunner().invoke(app, ["prod", "--root", str(root), *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    def test_a_committed_stack(self, root: Path) -> None:
        text = self.run(root)
        assert text.startswith("# Firewall request: plant-12 (prod)\n")
        assert "(INBOUND)" in text
        assert "api.spectrocloud.com" in text
        assert self.run(root) == text

    def test_formats_and_phases(self, root: Path) -> None:
        document = json.loads(self.run(root, "--format", "json", "--phase", "install"))
        assert document["request"] == "plant-12 (prod), install only"
        assert all("install" in rule["phase"] for rule in document["rules"])
        both = json.loads(self.run(root, "--format", "json", "--phase", "install", "--phase", "join"))
        assert len(both["rules"]) > len(document["rules"])
        assert self.run(root, "--format", "csv").startswith("side,section,need,dir,")

    def test_an_unknown_format_is_refused(self, root: Path) -> None:
        app = typer.Typer()
        app.command()(firewall.command)
        result = CliRunner().invoke(app, ["prod", "--root", str(root), "--format", "xlsx"])
        assert result.exit_code == 2
