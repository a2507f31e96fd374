"""What `preflight` shows of AWS: a row or more for each check, and who is asked at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edge.aws.access import AwsAccess
from edge.aws.view import AwsView
from edge.checks.catalogue import checks_at
from edge.checks.model import Result
from edge.errors import AwsError
from edge.network import NetworkFacts
from edge.preflight import aws_results, network_results
from edge.settings import StackSettings
from edge.settings.network_stack import NetworkSettings
from edge.settings.site import NetworkStack
from tests.unit.aws_samples import LOOKUP, NOW, clean_view, facts_of_view, network_of
from tests.unit.settings_helpers import load, put, site
from tests.unit.test_aws_rules import MANAGED

pytestmark = pytest.mark.row("A6", "C2")
IDS = [check.id for check in checks_at("aws")]


@dataclass(frozen=True)
class Read:
    """What a look-up returns."""

    view: AwsView
    facts: NetworkFacts


def looked(view: AwsView) -> Read:
    return Read(view, facts_of_view(view))


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Return the small site, which looks its cluster up."""
    return with_network(load(tmp_path, site()), LOOKUP)


def with_network(settings: StackSettings, network: Any) -> StackSettings:
    return settings.model_copy(update={"site": settings.site.model_copy(update={"network": network})})


def never() -> Read:
    raise AssertionError("AWS is asked")


def test_a_clean_account_is_a_row_per_check_in_their_order(settings: StackSettings) -> None:
    rows = aws_results(settings, lambda: looked(clean_view()), NOW)
    assert [row.id for row in rows] == IDS
    assert {row.id: row.status for row in rows if row.status != "pass"} == {
        "aws.publiccidrs": "skip",
        "aws.activation": "skip",
    }
    assert all(row.seen for row in rows)


def test_a_finding_is_a_red_row_with_its_remedy(settings: StackSettings) -> None:
    rows = aws_results(settings, lambda: looked(clean_view(entries=())), NOW)
    [red] = [row for row in rows if row.status == "fail"]
    assert red.id == "aws.accessentry"
    assert red.seen.startswith("cluster plants-prod has no access entry of type HYBRID_LINUX")
    assert red.remedy.startswith("Make it: `aws eks create-access-entry ")
    assert red.expected == "the hybrid nodes role has its access entry"


def test_several_findings_of_a_check_are_several_rows(settings: StackSettings) -> None:
    view = clean_view(subnets=tuple(replace(one, free=3) for one in clean_view().subnets))
    rows = [row for row in aws_results(settings, lambda: looked(view), NOW) if row.id == "aws.subnets"]
    assert [row.status for row in rows] == ["fail", "fail"]
    assert ["subnet-0000000a" in rows[0].seen, "subnet-0000000b" in rows[1].seen] == [True, True]


def test_an_error_of_aws_is_one_red_row_and_nothing_else_is_judged(settings: StackSettings) -> None:
    def refused() -> Read:
        raise AwsError("eks:DescribeCluster is not allowed.", where="AWS 066635153087", remedy="Allow it.")

    first, *others = aws_results(settings, refused, NOW)
    assert first == Result(
        "aws.access", "", "fail", "AWS 066635153087: eks:DescribeCluster is not allowed",
        "aws answers and lets everything be read", "Allow it.",
    )  # fmt: skip
    assert [row.id for row in others] == IDS[1:]
    assert {(row.status, row.seen) for row in others} == {("skip", "not asked: AWS did not get that far")}


def test_an_unknown_region_is_said_before_aws_is_asked(settings: StackSettings) -> None:
    network = network_of({"source": "lookup", "cluster": "plants-prod", "region": "eu-centrall-1"})
    first, *others = aws_results(with_network(settings, network), never, NOW)
    assert (first.status, first.seen) == ("fail", "site.network.region: is no AWS Region (got 'eu-centrall-1')")
    assert first.remedy.startswith("Write eu-central-1")
    assert first.remedy.endswith(", here or as `aws:region`; a brand-new Region needs a newer botocore")
    assert {row.status for row in others} == {"skip"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ({"source": "stack", "stack": "network-prod"}, "the network stack network-prod asks it"),
        ({key: value for key, value in MANAGED.items() if key != "cluster"}, "this stack makes the cluster"),
        (None, "the values stand in the stack file"),
    ],
)
def test_where_aws_is_not_asked_the_rows_say_why(tmp_path: Path, raw: dict[str, Any] | None, why: str) -> None:
    from edge.settings.network import StackNetwork

    settings = load(tmp_path, site())
    if raw is not None:
        network = StackNetwork.model_validate(raw) if raw["source"] == "stack" else network_of(raw)
        settings = with_network(settings, network)
    rows = aws_results(settings, never, NOW)
    assert [row.id for row in rows] == IDS
    assert {row.status for row in rows} == {"skip"}
    assert all(row.seen.startswith("AWS is not asked: ") and why in row.seen for row in rows)


def test_a_managed_site_around_a_cluster_that_exists_asks(settings: StackSettings) -> None:
    rows = aws_results(with_network(settings, network_of(MANAGED)), lambda: looked(clean_view(resolvers=())), NOW)
    assert {row.id: row.status for row in rows}["aws.cluster"] == "pass"
    assert next(row for row in rows if row.id == "aws.resolver").seen.startswith("this stack makes it: ")


def test_a_network_stack_asks_for_all_its_sites(tmp_path: Path) -> None:
    stack = NetworkStack.model_validate(
        {
            "kind": "network",
            "name": "plants",
            "stage": "staging",
            "network": {"source": "lookup", "cluster": "plants-prod"},
            "sites": {"north": {"remoteNodeCidrs": ["10.222.0.0/16"]}},
        }
    )
    settings = NetworkSettings(
        stack="plants-staging",
        project="edge-hosts",
        root=tmp_path,
        site=stack,
        region="eu-central-1",
        aws=AwsAccess(region="eu-central-1"),
    )
    rows = aws_results(settings, lambda: looked(clean_view()), NOW)
    [red] = [row for row in rows if row.status == "fail"]
    assert red.id == "aws.remotenetworks"
    assert "10.222.0.0/16 of site north" in red.seen


def test_what_was_looked_up_is_judged_in_one_place(settings: StackSettings, tmp_path: Path) -> None:
    """`control.network` keeps to what the settings say; given values it judges whole."""
    broken = replace(facts_of_view(clean_view()), auth_mode="CONFIG_MAP", eni_subnets=())
    addressed = replace(broken, remote_pod_cidrs=("10.210.0.0/16",))
    assert [row.status for row in network_results(settings, addressed, [])] == ["pass"]
    given = load(tmp_path, site(put("name", "plant")))
    assert {row.status for row in network_results(given, addressed, [])} == {"fail", "warn"}
