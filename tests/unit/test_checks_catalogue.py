"""The catalogue: complete, readable, in step with the shell functions and with its document."""

from __future__ import annotations

import re

import pytest

from edge.checks import document
from edge.checks.catalogue import CATALOGUE, checks_at
from edge.checks.model import ADVICE, WHERES, Check, table
from edge.checks.policy import level_of, policy_tsv
from edge.stages import STAGES
from edge.steps import SCRIPTS

ROWS = {f"{letter}{number}" for letter, last in (("A", 21), ("B", 17)) for number in range(1, last + 1)} | {"C2", "C7"}
REGISTERED = re.compile(r"^eh_check ([01]) (\S+) (\S+)$", re.M)


def registered() -> dict[str, tuple[int, str]]:
    """Return phase and function of every check that the scripts register."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted((SCRIPTS / "checks").glob("*.sh")):
        for phase, check, function in REGISTERED.findall(path.read_text("utf-8")):
            assert check not in found, f"{check} is registered twice"
            found[check] = (int(phase), function)
    return found


def test_there_are_more_than_forty_host_checks() -> None:
    assert len(checks_at("host")) >= 45
    assert {check.where for check in CATALOGUE.values()} == set(WHERES)


def test_every_host_check_has_its_function_and_phase() -> None:
    assert {check.id: check.phase for check in (*checks_at("host"), *checks_at("appliance"))} == {
        check: phase for check, (phase, _) in registered().items()
    }


def test_every_registered_function_is_there() -> None:
    text = "\n".join(path.read_text("utf-8") for path in (SCRIPTS / "checks").glob("*.sh"))
    defined = set(re.findall(r"^(\w+)\(\) \{", text, re.M))
    assert {function for _, function in registered().values()} <= defined


def test_no_function_of_the_scripts_is_defined_twice() -> None:
    """All files end in one text, where the later definition would win without a word."""
    files = [path for folder in ("lib", "change", "checks") for path in (SCRIPTS / folder).glob("*.sh")]
    names = [name for path in files for name in re.findall(r"^(\w+)\(\) \{", path.read_text("utf-8"), re.M)]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("check", list(CATALOGUE.values()), ids=lambda check: check.id)
def test_a_person_can_use_every_entry(check: Check) -> None:
    assert re.fullmatch(r"(host|appliance|control|across|palette|vsphere|aws)(\.[a-z0-9]+){1,4}", check.id)
    assert check.id.startswith(f"{check.where}.")
    assert set(check.severity) == set(STAGES)
    for text in (check.title, check.remedy, check.source):
        assert text == text.strip()
        assert text
        assert not set(text) & {"\t", "\n"}
    assert not check.title.endswith(".")
    assert not check.remedy.endswith("."), "the remedy ends a sentence that goes on"
    assert set(check.rows) <= ROWS


def test_titles_are_told_apart() -> None:
    titles = [check.title for check in CATALOGUE.values()]
    assert len(titles) == len(set(titles))


def test_production_is_never_milder() -> None:
    order = ("warn", "fail")
    for check in CATALOGUE.values():
        levels = [order.index(check.level(stage)) for stage in STAGES]
        assert levels == sorted(levels), check.id


@pytest.mark.row("A1")
def test_too_little_stops_every_stage_and_less_than_recommended_stops_production() -> None:
    for resource in ("cpu", "memory", "disk"):
        assert [CATALOGUE[f"host.{resource}.minimum"].level(stage) for stage in STAGES] == ["fail", "fail", "fail"]
        assert [CATALOGUE[f"host.{resource}.recommended"].level(stage) for stage in STAGES] == ["warn", "warn", "fail"]


@pytest.mark.row("A11")
def test_docker_warns_in_dev_and_stops_production() -> None:
    assert CATALOGUE["host.os.docker"].level("dev") == "warn"
    assert CATALOGUE["host.os.docker"].level("prod") == "fail"


def test_two_checks_of_one_id_are_refused() -> None:
    one = Check("host.x", "t", (), ADVICE, "r", "s")
    with pytest.raises(ValueError, match=r"host\.x stands twice"):
        table([one], [one])


@pytest.mark.parametrize("stage", STAGES)
def test_the_policy_has_one_line_per_host_check(stage: str) -> None:
    lines = [line.split("\t") for line in policy_tsv(stage).splitlines()]  # type: ignore[arg-type]
    assert {len(line) for line in lines} == {4}
    assert [line[0] for line in lines] == [check.id for check in checks_at("host")]
    assert {line[1] for line in lines} == {"fail", "warn"}


def test_an_override_changes_one_level() -> None:
    line = next(line for line in policy_tsv("prod", {"host.os.docker": "off"}).splitlines() if "docker" in line)
    assert line.split("\t")[1] == "off"
    assert level_of(CATALOGUE["host.os.docker"], "dev", {"host.os.docker": "fail"}) == "fail"


def test_an_override_of_nothing_is_a_typing_error() -> None:
    with pytest.raises(ValueError, match=r"no such check: host\.os\.dokcer"):
        policy_tsv("prod", {"host.os.dokcer": "off"})


def test_the_document_is_in_step() -> None:
    """`python -m edge.checks.document` writes it anew."""
    assert document.PATH.read_text("utf-8") == document.markdown()


def test_the_document_names_every_check() -> None:
    text = document.markdown()
    assert [check for check in CATALOGUE if f"`{check}`" not in text] == []
