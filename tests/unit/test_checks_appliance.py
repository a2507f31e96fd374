"""What the checks mean on an appliance: one table, complete, which leaves out nothing that must be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.appliance.userdata import BIND_MOUNTS
from edge.checks import document
from edge.checks.catalogue import CATALOGUE, checks_at
from edge.checks.on_appliance import NEVER_SKIPPED, WAYS, Way, doing
from edge.checks.policy import host_checks, policy_tsv, remedy_on
from edge.stages import STAGES, Stage
from tests.scripts.checks_machine import Machine, described


@pytest.mark.row("B15")
def test_every_check_of_the_catalogue_is_in_the_table_and_nothing_else() -> None:
    assert sorted(WAYS) == sorted(CATALOGUE)


@pytest.mark.row("B15")
@pytest.mark.parametrize("thing", list(NEVER_SKIPPED))
def test_what_the_page_asks_for_is_never_left_out(thing: str) -> None:
    assert doing("skipped", NEVER_SKIPPED[thing]) == ()
    assert NEVER_SKIPPED[thing]


@pytest.mark.row("B15")
def test_the_package_index_is_left_out_with_its_reason() -> None:
    for check in ("host.packages.index.age", "host.packages.index.complete"):
        assert WAYS[check].do == "skipped"
        assert "read-only" in WAYS[check].why


@pytest.mark.parametrize("check", list(WAYS), ids=str)
def test_whoever_differs_says_why(check: str) -> None:
    way = WAYS[check]
    assert bool(way.why) == (way.do != "run")
    assert way.do != "skipped" or not (way.severity or way.remedy)
    for text in (way.why, way.remedy):
        assert not set(text) & {"\t", "\n"}
        assert not text.endswith(".")


@pytest.mark.row("B15")
@pytest.mark.parametrize("stage", STAGES)
def test_an_appliances_policy_has_a_line_for_each_of_its_checks(stage: Stage) -> None:
    lines = [line.split("\t") for line in policy_tsv(stage, mode="appliance").splitlines()]
    assert [line[0] for line in lines] == [check.id for check in host_checks("appliance")]
    assert {line[0] for line in lines if line[1] == "skip"} == set(doing("skipped", [line[0] for line in lines]))
    assert all(line[3] for line in lines)


def test_a_host_in_agent_mode_is_asked_what_it_was_asked_before() -> None:
    ids = [line.split("\t")[0] for line in policy_tsv("prod").splitlines()]
    assert ids == [check.id for check in checks_at("host")]
    assert not [one for one in ids if one.startswith("appliance.")]


@pytest.mark.row("B2", "B15")
def test_8_gib_and_100_gb_are_the_minimum_of_an_appliance_in_every_stage() -> None:
    for stage in STAGES:
        levels = {line.split("\t")[0]: line.split("\t")[1] for line in policy_tsv(stage, mode="appliance").splitlines()}
        for check in ("host.cpu.minimum", "host.memory.recommended", "host.disk.recommended"):
            assert levels[check] == "fail"
    assert "host.disk.recommended\twarn" in policy_tsv("dev")


def test_an_appliance_is_told_what_helps_there() -> None:
    check = CATALOGUE["host.packages.dependencies"]
    assert "preparation" in remedy_on(check, "agent")
    assert "image" in remedy_on(check, "appliance")
    assert remedy_on(CATALOGUE["host.cpu.minimum"], "appliance") == CATALOGUE["host.cpu.minimum"].remedy


@pytest.mark.row("B15")
def test_a_good_appliance_answers_every_check_and_none_is_red(tmp_path: Path) -> None:
    machine = Machine(tmp_path, described("appliance"))
    run = machine.run(phases="0 1", EH_WRITE="1")
    assert run.code == 0, run.stderr
    rows = {row["id"]: row for row in run.report["results"]}
    assert sorted(rows) == sorted(check.id for check in host_checks("appliance"))
    asked = [one for one in rows if CATALOGUE[one].phase == 0 and not one.startswith("host.endpoints.")]
    assert [row for row in rows.values() if row["status"] in ("warn", "fail") and row["id"] in asked] == []
    skipped = {one for one in rows if WAYS[one].do == "skipped"}
    assert {rows[one]["status"] for one in skipped} == {"skip"}
    assert all(rows[one]["seen"] == WAYS[one].why for one in skipped)


def test_the_machine_of_the_cases_has_the_folders_of_the_install_block() -> None:
    assert described("appliance")["values"]["EH_BIND_MOUNTS"] == " ".join(BIND_MOUNTS)


def test_the_document_says_for_every_check_what_is_done_on_an_appliance() -> None:
    text = document.markdown()
    section = text[text.index("## On an appliance") :]
    for check, way in WAYS.items():
        if way.do != "run":
            assert f"| `{check}` | {way.do} | " in section, check


def test_a_way_of_nothing_is_no_way() -> None:
    with pytest.raises(KeyError):
        doing("skipped", ["host.no.such"])
    assert Way("run").why == ""
