"""How the lab's agent gets on with Palette: registration, health, restarts, tokens, projects, second hosts."""

from __future__ import annotations

import pytest
from agent_host import NEEDED, AgentHost, MakeHost, wait
from service_stand import TOKEN, Stand

pytestmark = NEEDED


def revoke(stand: Stand, action: str, **arguments: object) -> object:
    """Call a Palette helper."""
    return stand.call(lambda: stand.services.palette.call(action, arguments))


@pytest.mark.row("A13", "A21")
def test_registers_and_becomes_healthy(host: AgentHost) -> None:
    """After the boot the host is in the token's project, ready and healthy, with its tags as labels."""
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    record = host.record()
    assert record is not None
    assert record["metadata"]["labels"] == {"edge-hosts-owner": "edge-hosts.lab", "edge-hosts-generation": "1"}
    assert record["spec"]["host"]["project"]["name"] == "Default"
    assert record["spec"]["device"]["hostType"] == "agent-mode"
    assert record["status"]["state"] == "ready"
    assert record["status"]["health"]["agentVersion"] == "4.9.38"
    assert (host.root / "opt/spectrocloud/state/registration").exists()
    host.stop_agent()
    assert wait(lambda: host.health() == "unhealthy", 5)


@pytest.mark.row("A19")
def test_no_secret_in_an_argument(host: AgentHost) -> None:
    """Token and credentials never stand in a process list."""
    secret = "s3cret-of-the-proxy"
    host.site["network"] = {"noProxy": "palette.lab.internal", "httpProxy": f"http://u:{secret}@h:1"}
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    assert len(host.calls()) > 20
    assert not [call for call in host.calls() if TOKEN in call or secret in call]
    assert TOKEN not in host.log()


@pytest.mark.row("A14", "A16")
def test_behind_the_proxy_with_the_corporate_authority(make_host: MakeHost) -> None:
    """Proxy and authority of the user-data are all that the running agent has, and all that it needs."""
    host = make_host(proxied=True)
    authority = (host.stand.config.ca_dir / "corporate.pem").read_text()
    host.site["network"] = {"httpProxy": host.proxy_url(), "httpsProxy": host.proxy_url(), "noProxy": "10.0.0.0/8"}
    host.site["caCerts"] = [authority]
    assert host.install().returncode == 0
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()


@pytest.mark.row("A14", "A16")
def test_without_the_authority_it_never_appears(make_host: MakeHost) -> None:
    """A user-data without the corporate authority leaves the host out."""
    host = make_host(proxied=True)
    host.site["network"] = {"httpProxy": host.proxy_url(), "httpsProxy": host.proxy_url()}
    host.install()
    host.boot()
    assert wait(lambda: "refused: status 000" in host.log()), host.log()
    assert host.record() is None


def test_a_restart_keeps_the_record_and_renews_its_labels(host: AgentHost) -> None:
    """The same installation comes back to its record, also after the token is gone; new tags become labels."""
    revoke(host.stand, "add-token", name="short", project="Default", value="short-lived")
    host.site["edgeHostToken"] = "short-lived"
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    first = host.record()
    host.stop_agent()
    revoke(host.stand, "revoke-token", token="short-lived")
    host.site["tags"] = {"edge-hosts-epoch": "abc"}
    (host.root / "oem/userdata").write_text(host.userdata_text())
    host.start_agent()

    def renewed() -> bool:
        record = host.record()
        return record is not None and record["metadata"]["labels"] == {"edge-hosts-epoch": "abc"}

    assert wait(renewed), host.log()
    again = host.record()
    assert first is not None and again is not None
    assert again["metadata"]["creationTimestamp"] == first["metadata"]["creationTimestamp"]


def test_a_deleted_record_comes_back_with_a_restart_only(host: AgentHost) -> None:
    """A running agent whose record is deleted is not taken any more; started again it registers anew."""
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    revoke(host.stand, "delete-record", uid="edge-1")
    assert wait(lambda: "health of edge-1 not taken: status 404" in host.log()), host.log()
    assert host.record() is None
    host.stop_agent()
    host.start_agent()
    assert wait(lambda: host.health() == "healthy"), host.log()


def test_a_second_install_keeps_the_identity(host: AgentHost) -> None:
    """An upgrade in place keeps the record and reports the new version."""
    host.install(SCRIPT_VERSION="4.9.37")
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    host.stop_agent()
    host.install()
    host.boot()

    def upgraded() -> bool:
        record = host.record()
        return record is not None and record["status"]["health"]["agentVersion"] == "4.9.38"

    assert wait(upgraded), host.log()


@pytest.mark.row("A21")
def test_a_reinstalled_host_waits_for_the_old_record_to_go(host: AgentHost) -> None:
    """After an uninstall the record stays and blocks the new installation until somebody deletes it."""
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    host.stop_agent()
    assert host.agent("uninstall", "--force").returncode == 0
    host.install()
    host.boot()
    assert wait(lambda: "EdgeHostDeviceDuplicate" in host.log()), host.log()
    revoke(host.stand, "delete-record", uid="edge-1")
    assert wait(lambda: host.health() == "healthy"), host.log()


@pytest.mark.row("A21")
def test_the_other_behaviour_a_takeover(host: AgentHost) -> None:
    """With the fault the newcomer looks registered, but the creation time is the old one."""
    revoke(host.stand, "add-record", uid="edge-1", created="2026-01-01T00:00:00.000Z")
    host.stand.fault("palette-takeover")
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    record = host.record()
    assert record is not None
    assert record["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.row("A13")
@pytest.mark.parametrize(
    ("token", "site", "reason"),
    [
        ({"value": ""}, {"edgeHostToken": "unknown"}, "InvalidEdgeHostToken"),
        ({"expiry": "2020-01-01T00:00:00Z", "project": "Default"}, {}, "InvalidEdgeHostToken"),
        ({"active": False, "project": "Default"}, {}, "InvalidEdgeHostToken"),
        ({}, {}, "ProjectUidIsEmpty"),
    ],
)
def test_who_may_not_register(host: AgentHost, token: dict[str, object], site: dict[str, object], reason: str) -> None:
    """Unknown, expired and sleeping tokens are refused, and so is a host without any project."""
    host.site["edgeHostToken"] = revoke(host.stand, "add-token", name=reason, **token)
    host.site.update(site)
    host.install()
    host.boot()
    assert wait(lambda: reason in host.log()), host.log()
    assert host.record() is None


@pytest.mark.row("A13", "A21")
def test_a_project_in_the_user_data_wins(host: AgentHost) -> None:
    """The named project wins over the token's."""
    host.site["projectName"] = "Plants"
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "healthy"), host.log()
    record = host.record()
    assert record is not None and record["spec"]["host"]["project"]["name"] == "Plants"


@pytest.mark.row("A21")
def test_a_wrong_project_says_nothing(host: AgentHost) -> None:
    """With a project that does not exist everything looks well on the host, and there is no record."""
    host.site["projectName"] = "Plantz"
    host.install()
    host.boot()
    assert wait(lambda: "registered as edge-1" in host.log()), host.log()
    before = len(host.stand.services.requests("palette"))
    assert wait(lambda: len(host.stand.services.requests("palette")) >= before + 2)
    assert {entry["status"] for entry in host.stand.services.requests("palette")[before:]} == {204}
    assert "not taken" not in host.log()
    assert host.record() is None


@pytest.mark.row("A21")
def test_a_second_host_of_the_name_is_refused(make_host: MakeHost) -> None:
    """Two machines with one name: the second is refused and the first stays healthy."""
    one, two = make_host(), make_host()
    for host in (one, two):
        host.install()
    one.boot()
    assert wait(lambda: one.health() == "healthy"), one.log()
    two.boot()
    assert wait(lambda: "EdgeHostDeviceDuplicate" in two.log()), two.log()
    assert one.health() == "healthy"


@pytest.mark.row("A21")
def test_a_host_that_never_becomes_healthy(host: AgentHost) -> None:
    """Its reports arrive, and the last known state is what Palette shows."""
    host.stand.fault("never-healthy", "edge-1")
    host.install()
    host.boot()
    assert wait(lambda: host.health() == "unhealthy"), host.log()
    host.stand.fault("never-healthy", on=False)
    assert wait(lambda: host.health() == "healthy"), host.log()
