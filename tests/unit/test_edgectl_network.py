"""Every command of edgectl over all sources of the network, and over network stacks."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.aws.view import AwsView
from edge.errors import AwsError, FactsError, SettingsError
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion, question_of
from edge.network_source import Answer, instead_of_aws, network_facts
from edge.settings import NetworkSettings, StackSettings, load_any
from edgectl import app
from tests.unit.aws_samples import cluster_with
from tests.unit.network_stacks import (
    FACTS,
    GIVEN,
    MANAGED,
    exports_file,
    load_network,
    network,
    network_file,
)
from tests.unit.settings_helpers import ROOT, drop, load, project, site

LOOKUP = {"source": "lookup", "cluster": "plants-prod"}
STACK = {"source": "stack", "stack": "plants-dev"}
SITE_MANAGED = {**MANAGED, "remoteNodeCidrs": ["10.200.0.0/16"], "remotePodCidrs": ["192.168.0.0/17"]}
# What the site `plant` sees of the cluster.
MINE = replace(
    FACTS,
    remote_node_cidrs=("10.200.0.0/16",),
    remote_pod_cidrs=("192.168.0.0/17",),
    other_sites=("harbour 10.201.0.0/16", "harbour 192.168.128.0/17"),
)
# The same without another site.
ALONE = replace(MINE, other_sites=())


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = app.main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a project folder in which no engine and no rehearsal knows anything."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("EDGE_HOSTS_LAB", raising=False)
    return tmp_path


def aws(*answers: Any) -> Any:
    """Return a stand-in of AWS that gives these answers in turn, and keeps the questions in `asked`."""
    left = list(answers)

    def look_up(question: NetworkQuestion) -> Answer | None:
        look_up.asked.append(question)  # type: ignore[attr-defined]
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if answer is None or isinstance(answer, Answer) else Answer(answer)

    look_up.asked = []  # type: ignore[attr-defined]
    return look_up


# Where the facts come from


@pytest.mark.row("C2")
def test_given_values_come_from_the_settings_and_nobody_is_asked(alone: Path) -> None:
    settings = load(alone, site())
    with instead_of_aws(aws()):
        assert network_facts(settings, alone) == Answer(NetworkFacts.given(settings))


@pytest.mark.row("C2")
def test_a_look_up_asks_aws_or_takes_an_exported_file(alone: Path) -> None:
    settings = load(alone, site(network=LOOKUP))
    answers = aws(MINE)
    with instead_of_aws(answers):
        assert network_facts(settings, alone).facts == MINE
        assert [one.network.source for one in answers.asked] == ["lookup"]
        file = alone / "outputs.json"
        file.write_text(json.dumps({"network": FACTS.to_dict()}))
        found = network_facts(settings, alone, file=file)
    assert found.facts == FACTS
    assert "not asked" in found.note
    assert len(answers.asked) == 1


@pytest.mark.row("C2")
def test_a_site_takes_its_part_of_the_exports_of_the_network_stack(alone: Path) -> None:
    exported = exports_file(alone, load_network(alone, network()))
    settings = load(alone, site(network=STACK))
    assert network_facts(settings, alone, file=exported) == Answer(MINE)
    record = {"stack": "plants-dev", "result": "succeeded", "outputs": json.loads(exported.read_text())}
    (alone / ".edge" / "facts").mkdir(parents=True)
    (alone / ".edge" / "facts" / "plants-dev.json").write_text(json.dumps(record))
    assert network_facts(settings, alone).facts == MINE
    (alone / ".edge" / "facts" / "plants-dev.json").write_text(json.dumps(record | {"result": "failed"}))
    with pytest.raises(FactsError, match="stack plants-dev: its last run ended 'failed'"):
        network_facts(settings, alone)


@pytest.mark.row("C2")
def test_a_managed_network_is_planned_until_it_is_there(alone: Path) -> None:
    settings = load(alone, site(network=SITE_MANAGED))
    planned = network_facts(settings, alone)
    assert planned.facts.vpc_cidrs == ("10.100.0.0/16",)
    assert planned.facts.remote_node_cidrs == ("10.200.0.0/16",)
    assert "Planned values" in planned.note
    file = alone / "outputs.json"
    file.write_text(json.dumps({"network": MINE.to_dict()}))
    assert network_facts(settings, alone, file=file) == Answer(MINE)
    file.write_text(json.dumps({"hosts": {}}))
    with pytest.raises(FactsError, match="no output 'network'"):
        network_facts(settings, alone, file=file)


def test_a_planned_network_of_many_sites_has_the_networks_of_all(alone: Path) -> None:
    facts = network_facts(load_network(alone, network(network=MANAGED)), alone).facts
    assert facts.remote_node_cidrs == ("10.200.0.0/16", "10.201.0.0/16")
    assert facts.remote_pod_cidrs == ("192.168.0.0/17", "192.168.128.0/17")


def test_the_question_of_a_stack_says_what_its_source_needs(alone: Path) -> None:
    settings = load(alone, site(network=LOOKUP, acceptOs=["debian-12"]))
    question = question_of(settings)
    assert (question.site, list(question.hosts), question.generations) == ("plant", ["plant-a", "plant-b"], 2)
    assert (question.kubernetes, question.os_names, question.owner) == (
        "1.31.0",
        ("debian-12",),
        "edge-hosts.plant-dev",
    )
    assert not question.owns_cluster
    question = question_of(load_network(alone, network()))
    assert (question.site, list(question.sites), question.owner) == ("", ["plant", "harbour"], "edge-hosts.plants-dev")
    assert question.owns_cluster


# The commands of a site, whatever its source


def _exported(folder: Path, source: dict[str, Any]) -> Path:
    """Write the site, alone on its cluster, and what the stack that knows its network exported; return that file."""
    if source["source"] == "stack":
        file = exports_file(folder, load_network(folder, network(drop("sites.harbour"))))
    else:
        file = folder / "network.json"
        file.write_text(json.dumps({"network": ALONE.to_dict()}))
    project(folder, site(network=source))
    return file


@pytest.mark.row("C2", "A6")
@pytest.mark.parametrize("source", [LOOKUP, STACK, SITE_MANAGED], ids=lambda one: one["source"])
def test_firewall_and_render_are_the_same_from_every_source(
    alone: Path, capsys: pytest.CaptureFixture[str], source: dict[str, Any]
) -> None:
    project(alone, site())
    arguments = ("firewall", "plant-dev", "--root", alone, "--format", "csv")
    file = _exported(alone, source)
    with instead_of_aws(aws()):
        code, out, _ = run(capsys, *arguments, "--network-facts", file)
        assert code == 0
        assert "d87d2a0c.gr7.eu-central-1.eks.amazonaws.com" in out
        code, text, _ = run(
            capsys, "render", "plant-dev", "plant-a", "--root", alone, "--network-facts", file, "--full"
        )
    assert code == 0
    assert "10.100.0.12" in text
    given = {**GIVEN, "clusterName": "plants-prod", "clusterEndpoint": MINE.cluster_endpoint}
    given |= {"eniAddresses": list(MINE.eni_addresses), "remoteNodeCidrs": ["10.200.0.0/16"]}
    given |= {"remotePodCidrs": ["192.168.0.0/17"], "securityGroups": list(MINE.security_groups)}
    project(alone, site(network=given))
    assert run(capsys, *arguments)[1] == out


@pytest.mark.row("C2")
def test_the_look_up_of_a_command_that_fails_is_one_message(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(alone, site(network=LOOKUP))
    error = AwsError("eks:DescribeCluster is not allowed.", remedy="allow it", where="AWS")
    with instead_of_aws(aws(error)):
        code, out, err = run(capsys, "firewall", "plant-dev", "--root", alone)
    assert (code, out) == (AwsError.exit_code, "")
    assert "eks:DescribeCluster is not allowed. Remedy: allow it" in err


@pytest.mark.row("C2")
def test_notes_stand_beside_the_request_and_not_in_it(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(alone, site(network=SITE_MANAGED))
    code, out, err = run(capsys, "firewall", "plant-dev", "--root", alone, "--format", "json")
    assert code == 0
    assert json.loads(out)["rules"]
    assert "note: Planned values" in err


# Network stacks


@pytest.mark.row("A6", "C2")
def test_the_firewall_request_of_a_network_stack_has_a_part_for_every_site(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network_file(alone, network(network=GIVEN))
    code, out, _ = run(capsys, "firewall", "plants-dev", "--root", alone)
    assert code == 0
    titles = [line for line in out.splitlines() if line.startswith("# ")]
    assert titles == [f"# Firewall request: plants (plants-dev), {name}" for name in ("all sites", "harbour", "plant")]
    assert "Site: " not in out, "what a site opens itself is in the request of its own stack"
    whole, harbour, plant = (part for part in out.split("# Firewall request: ")[1:])
    assert "10.200.0.0/16, 10.201.0.0/16" in whole
    assert "10.201.0.0/16" in harbour
    assert "10.200.0.0/16" not in harbour
    assert "10.200.0.0/16" in plant
    _, text, _ = run(capsys, "firewall", "plants-dev", "--root", alone, "--format", "json")
    document = json.loads(text)
    assert list(document["sites"]) == ["harbour", "plant"]
    assert {rule["side"] for rule in document["rules"]} == {"aws"}
    rows = list(
        csv.DictReader(io.StringIO(run(capsys, "firewall", "plants-dev", "--root", alone, "--format", "csv")[1]))
    )
    assert len(rows) == len(document["rules"]) + sum(map(len, document["sites"].values()))
    assert {row["site"] for row in rows} == {"all sites", "harbour", "plant"}
    install = run(capsys, "firewall", "plants-dev", "--root", alone, "--phase", "install")[1]
    assert "install only, all sites" in install
    assert "0 rules" in install, "hosts do not need the cluster to be installed"


@pytest.mark.row("C2")
def test_check_and_env_serve_a_network_stack(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network_file(alone, network())
    code, out, _ = run(capsys, "check", "plants-dev", "--root", alone)
    assert code == 0
    assert "plants-dev: valid (network plants, stage dev, 2 sites)" in out
    assert "Palette" not in out
    data = json.loads(run(capsys, "check", "plants-dev", "--root", alone, "--json")[1])
    assert data == {"stack": "plants-dev", "valid": True, "findings": [], "secrets": {}}
    code, out, _ = run(capsys, "env", "plants-dev", "--root", alone)
    assert code == 0
    assert "export PULUMI_PARALLEL=10" in out


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "plants-dev"), SettingsError.exit_code),
        (("render", "plants-dev", "plant-a"), SettingsError.exit_code),
        (("repair", "plants-dev"), SettingsError.exit_code),
        (("promote", "plants-dev", "plant-dev"), 7),
        (("promote", "plant-dev", "plants-dev"), 7),
        (("preflight", "plants-dev", "--host", "plant-a"), 5),
    ],
)
def test_other_commands_say_in_one_sentence_that_they_do_not(
    alone: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int
) -> None:
    network_file(alone, network())
    seen, out, err = run(capsys, *arguments, "--root", alone)
    assert (seen, out) == (code, "")
    words = "network stacks have no release" if arguments[0] == "promote" else "network stack"
    assert words in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.row("C2")
def test_preflight_of_a_network_stack_asks_for_its_sites(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network_file(alone, network())
    report = alone / "report.json"
    arguments = ("preflight", "plants-dev", "--root", alone, "--report-dir", alone, "--json", report)
    with instead_of_aws(aws(Answer(FACTS, _view()))):
        run(capsys, *arguments)
    rows = {row["id"]: row for row in json.loads(report.read_text())["site"]}
    assert rows["control.network"]["status"] == "warn" or rows["control.network"]["seen"] == "2 sites, consistent"
    assert rows["aws.remotenetworks"]["status"] == "pass"
    short = ("192.168.0.0/17",)
    with instead_of_aws(aws(Answer(replace(FACTS, remote_pod_cidrs=short), _view(remote_pod_cidrs=short)))):
        code, _, _ = run(capsys, *arguments)
    rows = {row["id"]: row for row in json.loads(report.read_text())["site"]}
    assert code == 3
    assert rows["aws.remotenetworks"]["status"] == "fail"
    assert "192.168.128.0/17 of site harbour" in rows["aws.remotenetworks"]["seen"]
    assert "aws eks update-cluster-config" in rows["aws.remotenetworks"]["remedy"]


def _view(**changes: Any) -> AwsView:
    """Return an account whose cluster has the networks of both sites."""
    networks = {"remote_node_cidrs": FACTS.remote_node_cidrs, "remote_pod_cidrs": FACTS.remote_pod_cidrs}
    return cluster_with(**networks | changes)


@pytest.mark.row("C2")
@pytest.mark.parametrize("kind", ["site", "network"])
def test_preflight_goes_on_without_a_network(alone: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """The rest can be asked all the same; hosts cannot be judged without it."""
    project(alone, site(network=LOOKUP))
    if kind == "network":
        network_file(alone, network())
    report = alone / "report.json"
    error = AwsError("eks:DescribeCluster is not allowed.", remedy="allow it", where="AWS")
    stack = "plants-dev" if kind == "network" else "plant-dev"
    with instead_of_aws(aws(error)):
        run(
            capsys, "preflight", stack, "--root", alone, "--report-dir", alone, "--json", report, "--no-palette", "--skipped"
        )  # fmt: skip
    document = json.loads(report.read_text())
    seen = [row for row in document["site"] if "eks:DescribeCluster is not allowed" in row["seen"]]
    assert [(row["status"] in ("warn", "fail"), row["remedy"]) for row in seen] == [(True, "allow it")]
    hosts = {name: [row["id"] for row in one["results"]] for name, one in document["hosts"].items()}
    assert hosts == ({} if kind == "network" else {name: ["control.login"] for name in ("plant-a", "plant-b")})


# The plan


def _tree(capsys: pytest.CaptureFixture[str], root: Path, stack: str, file: Path, *more: str | Path) -> str:
    code, out, err = run(capsys, "plan", stack, "--root", root, "--stack-file", file, *more)
    assert code == 0, err
    return out


@pytest.mark.row("C3", "C4")
@pytest.mark.parametrize("source", [LOOKUP, STACK], ids=lambda one: one["source"])
def test_a_plan_works_offline_whatever_the_source(
    alone: Path, capsys: pytest.CaptureFixture[str], source: dict[str, Any]
) -> None:
    file = project(alone, site(network=source), **{"edge-hosts__release": "2026.11-1"})
    out = _tree(capsys, ROOT, "plant-dev", file)
    assert "plant-a-healthy" in out
    assert "not asked here" in " ".join(out.split())
    assert ("StackReference plant-network-stack" in out) == (source is STACK)


@pytest.mark.row("C3")
def test_a_plan_with_the_last_answers_of_aws_judges_them(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project(alone, site(network=LOOKUP), **{"edge-hosts__release": "2026.11-1"})
    facts = alone / "facts.json"
    facts.write_text(json.dumps({"hosts": {}, "network": MINE.to_dict()}))
    assert "not asked here" not in _tree(capsys, ROOT, "plant-dev", file, "--facts", facts)
    wrong = replace(MINE, remote_node_cidrs=("10.9.0.0/16",))
    facts.write_text(json.dumps({"hosts": {}, "network": wrong.to_dict()}))
    code, _, err = run(capsys, "plan", "plant-dev", "--root", ROOT, "--stack-file", file, "--facts", facts)
    assert code == SettingsError.exit_code
    assert "site.hosts.plant-a.address" in err
    assert "Traceback" not in err


@pytest.mark.row("C3")
def test_a_plan_of_a_network_stack_has_no_hosts(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = _tree(capsys, ROOT, "plants-dev", network_file(alone, network()))
    assert "EdgeNetwork plants" in out
    assert "EksNetwork plants-network" in out
    assert "would" not in out


def test_check_imports_neither_botocore_nor_pulumi(alone: Path) -> None:
    project(alone, site(network=SITE_MANAGED))
    network_file(alone, network(network=MANAGED))
    code = (
        "import sys; from edgectl.app import main;"
        f"print([main(['check', stack, '--root', {str(alone)!r}]) for stack in ('plant-dev', 'plants-dev')]);"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'botocore', 'boto3', 'pulumi', 'pulumi_aws'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == ["[0, 0]", "[]"], done.stdout + done.stderr


def test_both_kinds_are_told_apart(alone: Path) -> None:
    network_file(alone, network())
    assert isinstance(load_any("plants-dev", alone), NetworkSettings)
    assert isinstance(load_any("plant-dev", alone), StackSettings)
