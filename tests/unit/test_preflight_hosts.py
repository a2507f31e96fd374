"""What Palette says of the hosts: healthy or not, large enough or not, and which nobody has installed yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.checks.model import Result
from edge.preflight_hosts import Records, not_installed, registered_results
from edge.settings import StackSettings
from tests.unit.image_stacks import PINNED, mixed
from tests.unit.palette_fake import FakePalette
from tests.unit.settings_helpers import load, put

OWNER = {"edge-hosts-owner": "edge-hosts.plant-dev"}


class NoSecrets:
    """A stack without any secret."""

    def get(self, name: str) -> str:
        """Raise, as for a secret that is nowhere."""
        from edge.errors import SecretsError

        raise SecretsError(f"{name} was not found.")


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Return a site of a VM in Agent Mode, a VM that is an appliance, and a bare-metal appliance."""
    return load(tmp_path, mixed(put("palette.project", "Plants")), release=PINNED)


def asked(settings: StackSettings, palette: FakePalette, *, joined: bool = True) -> tuple[list[Result], Records | None]:
    return registered_results(settings, NoSecrets(), settings.host_views(), joined=joined, make=palette.client)


def statuses(rows: list[Result], check: str) -> dict[str, str]:
    return {row.host: row.status for row in rows if row.id == check}


def device(palette: FakePalette, host: str, **device: Any) -> None:
    spec = palette.add(host, labels=OWNER)["spec"]
    spec["device"] = device
    spec.get("host", {}).pop("hostAddress", None)


GOOD = {"cpu": {"cores": 2}, "memory": {"sizeInMB": 8000}, "disks": [{"size": 100}, {"size": 16}]}


@pytest.mark.row("A21", "B15")
def test_healthy_hosts_are_green(settings: StackSettings) -> None:
    palette = FakePalette()
    for host in settings.site.hosts:
        palette.add(host, labels=OWNER, state="ready")
    rows, records = asked(settings, palette)
    assert statuses(rows, "palette.healthy") == {"plant-a": "pass", "plant-b": "pass", "plant-c": "pass"}
    assert records is not None
    assert not_installed(settings.host_views(), records) == {}


@pytest.mark.row("A21", "B15")
def test_a_sick_host_a_foreign_one_and_a_missing_one_are_red(settings: StackSettings) -> None:
    palette = FakePalette()
    palette.add("plant-a", labels=OWNER, state="ready", health="unhealthy")
    palette.add("plant-b", labels={"edge-hosts-owner": "somebody.else"}, state="ready")
    rows, _ = asked(settings, palette)
    assert statuses(rows, "palette.healthy") == {"plant-a": "fail", "plant-b": "fail", "plant-c": "fail"}
    assert "unhealthy" in rows[0].seen
    assert rows[1].seen == "no record of this stack"


def test_before_the_first_run_a_missing_host_is_no_finding(settings: StackSettings) -> None:
    rows, records = asked(settings, FakePalette(), joined=False)
    assert {row.status for row in rows} == {"skip"}
    assert not_installed(settings.host_views(), records) == {"plant-c": "not installed yet: it has not registered"}
    assert not_installed(settings.host_views(), None) == {}


@pytest.mark.row("B2", "B17")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"cpu": {"cores": 1}}, "1 CPU"),
        ({"memory": {"sizeInMB": 4096}}, "4.0 GiB"),
        ({"memory": {"sizeInMB": 4294967296}}, "4.0 GiB"),
        ({"disks": [{"size": 50}]}, "a disk of 50 GB"),
        ({"nics": [{"ip": "10.200.0.99/24"}]}, "10.200.0.99 instead of 10.200.0.13"),
        ({"nics": [{"ip": "10.200.0.13/24"}]}, ""),
    ],
)
def test_an_appliance_says_its_size_and_address_itself(
    change: dict[str, Any], says: str, settings: StackSettings
) -> None:
    palette = FakePalette()
    device(palette, "plant-c", **{**GOOD, **change})
    rows, _ = asked(settings, palette, joined=False)
    row = next(row for row in rows if row.id == "palette.size" and row.host == "plant-c")
    assert row.status == ("fail" if says else "pass")
    assert says in row.seen
    assert {row.host for row in rows if row.id == "palette.size"} == {"plant-b", "plant-c"}, (
        "agents are judged on the host"
    )


def test_without_a_key_nobody_is_asked(settings: StackSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPECTROCLOUD_APIKEY", raising=False)
    rows, records = registered_results(settings, NoSecrets(), settings.host_views(), joined=True)
    assert {(row.id, row.status) for row in rows} == {("palette.healthy", "skip"), ("palette.size", "skip")}
    assert records is None


def test_a_palette_that_refuses_the_key_is_one_red_row(settings: StackSettings) -> None:
    palette = FakePalette(key="another")
    (row,), records = asked(settings, palette)
    assert (row.id, row.status, row.host) == ("palette.healthy", "fail", "")
    assert row.remedy
    assert records is None
