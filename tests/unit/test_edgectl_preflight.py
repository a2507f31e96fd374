"""`edgectl preflight`: settings, secrets, Palette, hosts and their comparison, each with its own row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge import preflight
from edge.checks.catalogue import CATALOGUE
from edge.checks.model import Result
from edge.checks.report import HostReport
from edge.errors import SecretsError
from edge.network import NetworkFacts
from edge.settings import StackSettings
from edge.vcenter import reads
from edgectl import app
from edgectl import preflight as command
from tests.unit.hosts_of_a_stack import Stack, stack
from tests.unit.palette_fake import KEY, PLANTS, TOKEN, FakePalette
from tests.unit.palette_time import Clock
from tests.unit.settings_helpers import authority, load, put, site, vm_site
from tests.unit.vcenter_samples import settings_of


class Known:
    """Secrets of which some are missing."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def get(self, name: str) -> str:
        if name not in self._values:
            raise SecretsError(f"the secret {name} was not found.", remedy="set it")
        return self._values[name]


@pytest.fixture
def palette() -> FakePalette:
    """Return a Palette with project Plants and a good token."""
    found = FakePalette(clock=Clock(datetime.now(UTC)))
    spec: dict[str, Any] = {"token": TOKEN, "expiry": "2096-01-31T23:59:59Z"}
    spec["defaultProject"] = {"uid": PLANTS, "name": "Plants"}
    found.tokens["t"] = {"metadata": {"uid": "t", "name": "x"}, "spec": spec, "status": {"isActive": True}}
    return found


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Return the small site in project Plants."""
    return load(tmp_path, site(put("palette.project", "Plants")))


def asked(settings: StackSettings, palette: FakePalette, **secrets: str) -> dict[str, Result]:
    """Return Palette's rows by id."""
    known = Known(**(secrets or {"registrationToken": TOKEN}))
    rows = preflight.palette_results(settings, known, ["plant-a", "plant-b"], palette.client)
    assert not any(TOKEN in str(row) or KEY in str(row) for row in rows)
    assert [row.id for row in rows] == sorted({row.id for row in rows}, key=list(CATALOGUE).index)
    return {row.id: row for row in rows}


@pytest.mark.row("A13", "A21")
def test_a_palette_that_is_ready_passes(settings: StackSettings, palette: FakePalette) -> None:
    rows = asked(settings, palette)
    assert {row.status for row in rows.values()} == {"pass"}
    assert rows["palette.project"].seen == "Plants"


def test_a_wrong_key_is_one_red_row_and_nothing_else_is_asked(settings: StackSettings, palette: FakePalette) -> None:
    palette.key = "another"
    rows = asked(settings, palette)
    assert {check: row.status for check, row in rows.items()} == {
        "palette.api": "fail",
        "palette.project": "skip",
        "palette.token": "skip",
        "palette.names": "skip",
    }
    assert rows["palette.api"].remedy


@pytest.mark.row("A21")
def test_a_missing_project_is_named(settings: StackSettings, palette: FakePalette) -> None:
    palette.projects = {PLANTS: "plants"}
    rows = asked(settings, palette)
    assert rows["palette.api"].status == "pass"
    assert rows["palette.project"].status == "fail"
    assert "'Plants'" in rows["palette.project"].seen


@pytest.mark.row("A13")
def test_a_token_that_palette_does_not_know(settings: StackSettings, palette: FakePalette) -> None:
    palette.tokens.clear()
    assert asked(settings, palette)["palette.token"].status == "fail"


@pytest.mark.row("A13")
def test_a_token_that_the_program_makes_is_not_asked_for(tmp_path: Path, palette: FakePalette) -> None:
    token = {"source": "api", "expires": "2096-01-31"}
    settings = load(tmp_path, site(put("palette.project", "Plants"), put("palette.registrationToken", token)))
    rows = asked(settings, palette, nothing="x")
    assert (rows["palette.token"].status, rows["palette.token"].seen) == ("skip", "made by the program")


@pytest.mark.row("A21")
def test_a_name_that_is_taken(settings: StackSettings, palette: FakePalette) -> None:
    palette.add("plant-b", labels={})
    row = asked(settings, palette)["palette.names"]
    assert row.status == "fail"
    assert row.seen.startswith("site.hosts.plant-b ")


def test_missing_secrets_are_all_named(settings: StackSettings) -> None:
    rows = preflight.secret_results(settings, Known(registrationToken="x"))
    assert [(row.status, row.seen) for row in rows] == [
        ("fail", "sshPrivateKey: the secret sshPrivateKey was not found")
    ]
    assert preflight.secret_results(settings, Known(registrationToken="x", sshPrivateKey="y"))[0].status == "pass"


@pytest.mark.row("A3")
def test_a_seed_that_could_be_guessed_is_red(tmp_path: Path) -> None:
    machines = load(tmp_path, vm_site())
    known = dict.fromkeys(machines.secret_names(), "x" * 40)
    (row,) = preflight.secret_results(machines, Known(**known))
    assert row.status == "fail" and "hostKeySeed" in row.seen and "openssl rand" in row.remedy
    known["hostKeySeed"] = "3q2+7wABCDEFGHIJKLmnopqrstuvwxyz0123456789="
    assert preflight.secret_results(machines, Known(**known))[0].status == "pass"


def test_warnings_of_the_settings_are_rows(tmp_path: Path) -> None:
    rows = preflight.settings_results(load(tmp_path, site(put("acceptDhcp", True))))
    assert {row.status for row in rows} == {"warn"}
    assert any("acceptDhcp" in row.seen for row in rows)


@pytest.mark.row("A9")
def test_the_network_is_judged_by_the_systems_that_the_hosts_turned_out_to_have(settings: StackSettings) -> None:
    """Only now it is known that a host runs a system on which the cluster's version does not work."""
    network = NetworkFacts.given(settings)
    fine = HostReport("plant-a", "checks", "ok", (), {"os_id": "ubuntu", "os_version": "24.04"})
    assert [row.status for row in preflight.network_results(settings, network, [fine])] == ["pass"]
    old = HostReport("plant-b", "checks", "ok", (), {"os_id": "rhel", "os_version": "8"})
    newer = load(
        settings.root,
        site(put("network.kubernetesVersion", "1.33"), put("network.credentialProvider", "iamRolesAnywhere")),
    )
    rows = preflight.network_results(newer, NetworkFacts.given(newer), [fine, old])
    assert {row.status for row in rows} & {"warn", "fail"}
    assert any("rhel-8" in row.seen or "RHEL 8" in row.seen for row in rows)


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, palette: FakePalette) -> Iterator[Stack]:
    """Yield a stack of two good hosts whose Palette is the small one."""
    monkeypatch.setenv("SPECTROCLOUD_APIKEY", KEY)
    monkeypatch.setattr("edge.registration.access.client_for", lambda *_, **__: palette.client())
    with stack(tmp_path, monkeypatch, put("palette.project", "Plants")) as running:
        monkeypatch.setenv("EDGE_HOSTS_SECRET_REGISTRATION_TOKEN", TOKEN)
        yield running


def test_the_whole_command(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    code = app.main(plant.arguments("preflight"))
    out = capsys.readouterr().out
    assert code == 0, out
    data = json.loads((plant.root / "reports" / "plant-dev.preflight.json").read_text())
    asked = {row["id"] for row in data["site"]} | {
        row["id"] for host in data["hosts"].values() for row in host["results"]
    }
    wanted = {check.id for check in CATALOGUE.values() if check.where not in ("vsphere", "aws", "appliance")}
    wanted -= {"control.image", "palette.size"}  # of appliances only
    assert {check for check in asked if not check.startswith("aws.")} == wanted
    assert TOKEN not in out
    assert KEY not in out


class Vcenter:
    """Answers for a vCenter: plant-a is not made yet."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def look(self, settings: StackSettings, secrets: object, hosts: object) -> reads.VcenterLook:
        """Return one row, and why plant-a is not to be looked at."""
        self.asked += [host.name for host in hosts]  # type: ignore[attr-defined]
        return reads.VcenterLook((Result("vsphere.session", "", "pass", "main"),), {"plant-a": "not made yet"})


def test_machines_that_are_not_made_yet_are_not_looked_at(
    plant: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vcenter = Vcenter()
    monkeypatch.setattr(command, "vsphere_look", vcenter.look)
    plant.ways["10.200.0.11"] = 1  # nothing listens there
    code = app.main(plant.arguments("preflight", "--no-palette", "--skipped"))
    out = capsys.readouterr().out
    assert code == 0, out
    assert vcenter.asked == ["plant-a", "plant-b"]
    assert "skip plant-a control.login: not made yet" in out
    assert "vsphere.session" not in out, "it passed"


def test_without_vsphere_nobody_asks_a_vcenter(plant: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    vcenter = Vcenter()
    monkeypatch.setattr(command, "vsphere_look", vcenter.look)
    assert app.main(plant.arguments("preflight", "--no-palette", "--no-vsphere")) == 0
    assert vcenter.asked == []


def test_the_shell_and_the_vcenters_are_asked_for_a_site_of_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, put("vcenters.main.caCert", authority()))
    given = (Result("vsphere.session", "", "pass", "main"),)
    monkeypatch.setattr(reads, "vsphere_results", lambda *_: reads.VcenterLook(given, {"plant-a": "off"}))
    look = preflight.vsphere_look(settings, Known(), settings.host_views(), {})
    assert look is not None
    assert [(row.id, row.status) for row in look.results] == [
        ("vsphere.environment", "warn"),
        ("vsphere.session", "pass"),
    ]
    assert "edgectl env" in look.results[0].remedy
    assert [(row.id, row.host, row.status) for row in preflight.not_looked_at(look.away)] == [
        ("control.login", "plant-a", "skip")
    ]
    assert preflight.vsphere_look(load(tmp_path, site()), Known(), load(tmp_path, site()).host_views()) is None


def test_a_red_row_of_palette_ends_with_3(
    plant: Stack, palette: FakePalette, capsys: pytest.CaptureFixture[str]
) -> None:
    palette.tokens.clear()
    assert app.main(plant.arguments("preflight")) == 3
    assert "fail (site) palette.token:" in capsys.readouterr().out
    assert app.main(plant.arguments("preflight", "--no-palette")) == 0


def test_settings_that_are_wrong_end_with_2(plant: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    (plant.root / "Pulumi.plant-dev.yaml").write_text("config: {}\n")
    assert app.main(plant.arguments("preflight")) == 2
    assert "in the settings" in capsys.readouterr().err
