"""Checks across hosts: cloned identities, two names for one machine, clocks, systems."""

from __future__ import annotations

import pytest

from edge.checks.across import across
from edge.checks.catalogue import checks_at
from edge.checks.model import Result
from edge.checks.report import HostReport
from edge.inspection import Looked, ahead_of_median


def report(name: str, **facts: str) -> HostReport:
    """Return the report of one host with facts of its own."""
    own = {
        "machine_id": name * 4,
        "product_uuid": f"uuid-{name}",
        "hostname": name,
        "os_id": "ubuntu",
        "os_version": "24.04",
    }
    return HostReport(name, "checks", "ok", (), {**own, **facts})


def judged(*reports: HostReport, **more: dict[str, str] | dict[str, float]) -> dict[str, Result]:
    """Return the results by id, in production."""
    results = across("prod", reports, **more)  # type: ignore[arg-type]
    assert [result.id for result in results] == [check.id for check in checks_at("across")]
    return {result.id: result for result in results}


def test_a_site_of_different_machines_passes() -> None:
    results = judged(report("a"), report("b"), boots={"a": "1", "b": "2"}, clocks={"a": 0.0, "b": -3.0})
    assert {result.status for result in results.values()} == {"pass"}


def test_a_site_of_one_host_has_nothing_to_compare() -> None:
    assert {result.status for result in judged(report("a")).values()} == {"skip"}


@pytest.mark.parametrize(
    ("check", "facts"),
    [
        ("across.machineid", {"machine_id": "f" * 32}),
        ("across.productuuid", {"product_uuid": "4200-AA"}),
        ("across.hostname", {"hostname": "template"}),
    ],
)
def test_clones_are_named(check: str, facts: dict[str, str]) -> None:
    found = judged(report("a", **facts), report("b"), report("c", **facts))[check]
    assert found.status == ("warn" if check == "across.hostname" else "fail")
    assert found.seen == f"a and c share {next(iter(facts.values())).lower()}"


def test_hosts_without_an_id_are_not_clones_of_each_other() -> None:
    found = judged(report("a", product_uuid=""), report("b", product_uuid=""))["across.productuuid"]
    assert found.status == "skip"


def test_two_names_for_one_machine_are_found_by_its_boot() -> None:
    found = judged(report("a"), report("b"), boots={"a": "same", "b": "same"})["across.machine"]
    assert found.status == "fail"
    assert "a and b share same" in found.seen


def test_a_clock_that_is_far_from_the_others_is_named() -> None:
    found = judged(report("a"), report("b"), clocks={"a": 0.0, "b": -42.4, "c": 11.0})["across.clock"]
    assert (found.status, found.seen) == ("fail", "b is 42 s behind; c is 11 s ahead")


def test_different_systems_are_a_warning() -> None:
    found = judged(report("a"), report("b", os_id="rhel", os_version="9.4"))["across.system"]
    assert (found.status, found.seen) == ("warn", "rhel-9.4: b; ubuntu-24.04: a")


def test_clocks_are_compared_with_their_median() -> None:
    """A control machine whose own clock is wrong accuses nobody."""
    looked = [Looked("a", ahead=100.0), Looked("b", ahead=100.5), Looked("c", ahead=160.0), Looked("d")]
    assert ahead_of_median(looked) == {"a": -0.5, "b": 0.0, "c": 59.5}
    assert ahead_of_median([Looked("d")]) == {}
