"""The preparation of what is not a package: services, clock, shell, authorities, network, and another generation's agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.step_machine import STATE, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a Debian machine that has everything."""
    machine = Machine(tmp_path)
    machine.has_everything()
    return machine


def made(tmp_path: Path, system: str) -> Machine:
    machine = Machine(tmp_path, system)
    machine.has_everything()
    return machine


@pytest.mark.row("A10")
def test_a_service_that_does_not_start_is_named(machine: Machine) -> None:
    machine.set_unit("rsyslog.service", active="inactive", broken="yes")
    done = machine.run("prepare")
    assert done.code == 22
    assert "rsyslog" in done.err
    assert "systemctl status" in done.err


@pytest.mark.row("A10")
def test_timesyncd_in_a_container_is_neither_a_failure_nor_a_change(machine: Machine) -> None:
    machine.set_unit("systemd-timesyncd.service", active="inactive", condition="no")
    for _ in range(2):
        done = machine.run("prepare")
        assert (done.code, done.outcome) == (0, "unchanged"), done.err


@pytest.mark.row("A10")
def test_an_existing_chrony_is_kept_with_a_finding(machine: Machine) -> None:
    machine.set_unit("chrony.service")
    done = machine.run("prepare")
    assert done.code == 0
    assert done.row("prepare.clock")["seen"].startswith("chrony keeps the clock")
    assert machine.unit("chrony.service") == "active"


@pytest.mark.row("A10")
def test_chrony_goes_when_palette_manages_ntp(machine: Machine) -> None:
    machine.set_unit("chrony.service")
    machine.managed("ntp")
    done = machine.run("prepare")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    assert machine.unit("chrony.service", "enabled") == "disabled"
    assert machine.run("prepare").outcome == "unchanged"


@pytest.mark.row("A10")
def test_a_host_without_any_clock_gets_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "rhel")
    assert machine.run("prepare").code == 0
    assert machine.unit("chronyd.service") == "active"


@pytest.mark.row("A12")
def test_another_login_shell_is_a_finding_and_changed_only_when_asked_to(machine: Machine) -> None:
    machine.write_note("passwd", "edge:x:1000:1000::/home/edge:/usr/bin/fish\n")
    done = machine.run("prepare")
    assert (done.outcome, done.row("prepare.shell")["status"]) == ("unchanged", "warn")
    assert machine.calls("usermod") == []
    assert machine.run("prepare", EH_SET_BASH="1").outcome == "changed"
    assert machine.note("passwd").strip().endswith(":/bin/bash")
    assert machine.run("prepare", EH_SET_BASH="1").outcome == "unchanged"


PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


@pytest.mark.row("A16")
@pytest.mark.parametrize(
    ("system", "folder", "tool"),
    [
        ("debian", "/usr/local/share/ca-certificates", "update-ca-certificates"),
        ("rhel", "/etc/pki/ca-trust/source/anchors", "update-ca-trust"),
    ],
)
def test_the_sites_authorities_are_trusted_once_and_taken_away_again(
    tmp_path: Path, system: str, folder: str, tool: str
) -> None:
    machine = made(tmp_path, system)
    two = "# corporate\n" + PEM.format("AAAA") + PEM.format("BBBB")
    assert machine.run("prepare", EH_CA_PEM=two).outcome == "changed"
    assert machine.read(f"{folder}/edge-hosts-2.crt") == PEM.format("BBBB")
    assert len(machine.calls(tool)) == 1
    assert machine.run("prepare", EH_CA_PEM=two).outcome == "unchanged"
    assert len(machine.calls(tool)) == 1
    assert machine.run("prepare", EH_CA_PEM=PEM.format("AAAA")).outcome == "changed"
    assert not machine.path(f"{folder}/edge-hosts-2.crt").exists()
    assert machine.run("prepare").outcome == "changed"
    assert not machine.path(f"{folder}/edge-hosts-1.crt").exists()
    assert machine.run("prepare").outcome == "unchanged"


@pytest.mark.row("A16")
def test_a_trust_store_whose_building_broke_off_is_built_again(machine: Machine) -> None:
    machine.behaviour("update-ca-certificates", "exit 1\n")
    assert machine.run("prepare", EH_CA_PEM=PEM.format("AAAA")).code == 20
    machine.behaviour("update-ca-certificates", "")
    assert machine.run("prepare", EH_CA_PEM=PEM.format("AAAA")).outcome == "changed"
    assert machine.run("prepare", EH_CA_PEM=PEM.format("AAAA")).outcome == "unchanged"


# --- the network that Palette shall manage --------------------------------------------------------------------------------

STATIC = "2: eth0    inet 10.200.0.11/24 brd 10.200.0.255 scope global eth0\n"
DYNAMIC = "2: eth0    inet 10.200.0.11/24 brd 10.200.0.255 scope global dynamic eth0\n"
ROUTES = "default via 10.200.0.1 proto static\n10.50.0.0/16 via 10.200.0.254\n10.200.0.0/24 proto kernel scope link\n"


@pytest.fixture
def overlaid(machine: Machine) -> Machine:
    """Return a machine with one card, whose overlay network Palette shall prepare for."""
    machine.managed("overlay")
    machine.install_packages("systemd-resolved")
    machine.set_unit("systemd-resolved.service")
    machine.set_unit("systemd-networkd.service", active="inactive", enabled="disabled")
    machine.set_unit("systemd-networkd-wait-online.service", active="inactive", enabled="enabled")
    machine.write_note("addresses", "1: lo    inet 127.0.0.1/8 scope host lo\n" + STATIC)
    machine.write_note("routes", ROUTES)
    machine.write("/etc/netplan/50-cloud.yaml", "network: {}\n")
    return machine


@pytest.mark.row("A10")
def test_a_static_address_survives_the_hand_over_to_networkd(overlaid: Machine) -> None:
    """The vendor's page would ask a DHCP server that is not there, and nobody would ever log in again."""
    done = overlaid.run("prepare")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    text = overlaid.read("/etc/systemd/network/20-static-eth0.network")
    assert "Address=10.200.0.11/24\nGateway=10.200.0.1\nDNS=10.9.9.9\n" in text
    assert "Destination=10.50.0.0/16\nGateway=10.200.0.254\n" in text
    assert overlaid.unit("systemd-networkd.service") == "active"
    assert overlaid.unit("systemd-networkd-wait-online.service", "enabled") == "masked"
    assert overlaid.path("/etc/netplan/backup/50-cloud.yaml").exists()
    assert overlaid.path("/etc/resolv.conf").readlink() == Path("/run/systemd/resolve/resolv.conf")
    assert overlaid.read("/etc/systemd/resolved.conf.d/50-edge-hosts.conf") == "[Resolve]\nDNS=10.9.9.9\n"
    assert overlaid.read(f"{STATE}/backup/etc/resolv.conf") == "nameserver 10.9.9.9\n"
    for folder in ("/etc/systemd/network", "/etc/systemd/resolved.conf.d"):
        assert overlaid.path(folder).stat().st_mode & 0o755 == 0o755
    overlaid.write_note("networkctl", "  2 eth0 ether routable configured\n")
    assert overlaid.run("prepare").outcome == "unchanged"


@pytest.mark.row("A10")
def test_a_dhcp_address_is_asked_for_under_the_cards_own_address(overlaid: Machine) -> None:
    overlaid.write_note("addresses", DYNAMIC)
    assert overlaid.run("prepare").code == 0
    text = overlaid.read("/etc/systemd/network/20-dhcp.network")
    assert "Name=eth0\n" in text
    assert "ClientIdentifier=mac\n" in text


@pytest.mark.row("A10")
def test_a_network_that_another_service_runs_is_handed_over_at_the_next_boot(overlaid: Machine) -> None:
    overlaid.set_unit("NetworkManager.service")
    assert overlaid.run("prepare").code == 0
    assert overlaid.unit("systemd-networkd.service") == "inactive"
    assert overlaid.unit("systemd-networkd.service", "enabled") == "enabled"
    assert overlaid.unit("NetworkManager.service") == "active"
    assert overlaid.unit("NetworkManager.service", "enabled") == "disabled"
    assert overlaid.run("prepare").outcome == "unchanged"


@pytest.mark.row("A10")
@pytest.mark.parametrize("kind", ["bonding", "bridge", "wireless"])
def test_an_interface_that_is_more_than_a_card_is_left_alone_with_a_finding(overlaid: Machine, kind: str) -> None:
    overlaid.path(f"/sys/class/net/eth0/{kind}").mkdir(parents=True)
    done = overlaid.run("prepare")
    assert done.row("prepare.network")["status"] == "warn"
    assert overlaid.path("/etc/netplan/50-cloud.yaml").exists()
    assert not overlaid.path("/etc/systemd/network").exists()


@pytest.mark.row("A10")
def test_a_host_that_networkd_runs_already_keeps_its_files(overlaid: Machine) -> None:
    overlaid.set_unit("systemd-networkd.service")
    overlaid.write_note("networkctl", "  2 eth0 ether routable configured\n")
    assert overlaid.run("prepare").code == 0
    assert overlaid.path("/etc/netplan/50-cloud.yaml").exists()
    assert not overlaid.path("/etc/systemd/network").exists()


@pytest.mark.row("A10")
def test_a_resolver_that_forgets_the_names_is_put_back(overlaid: Machine) -> None:
    overlaid.behaviour("getent", '[ "$1" != hosts ] || [ ! -L "${MACHINE%/notes}/root/etc/resolv.conf" ] || exit 2\n')
    done = overlaid.run("prepare", EH_PALETTE_HOST="api.example")
    assert done.code == 22
    assert "was put back" in done.err
    assert overlaid.read("/etc/resolv.conf") == "nameserver 10.9.9.9\n"
    assert not overlaid.path("/etc/resolv.conf").is_symlink()


@pytest.mark.row("A10")
def test_the_name_servers_are_kept_before_debian_replaces_their_file(machine: Machine) -> None:
    machine.managed("dns")
    done = machine.run("prepare")
    assert done.code == 0, done.err
    assert machine.read("/etc/systemd/resolved.conf.d/50-edge-hosts.conf") == "[Resolve]\nDNS=10.9.9.9\n"
    assert machine.unit("systemd-resolved.service") == "active"


# --- what is left of another generation ---------------------------------------------------------------------------------


def test_an_agent_of_another_generation_is_uninstalled(machine: Machine) -> None:
    machine.has_agent()
    machine.has_record(generation="1")
    machine.write("/oem/userdata", f"tags:\n  edge-hosts-owner: {machine.values['EH_OWNER']}\n")
    machine.write("/oem/90_custom.yaml", "name: somebody else's\n")
    done = machine.run("prepare", EH_GENERATION="2")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    assert machine.calls("palette-agent") == ["palette-agent uninstall --force"]
    assert not machine.path(f"{STATE}/install.json").exists()
    assert not machine.path("/oem/userdata").exists()
    assert machine.path("/oem/90_custom.yaml").exists()
    assert machine.path(f"{STATE}/checks.values").exists()
    assert machine.run("prepare", EH_GENERATION="2").outcome == "unchanged"


def test_an_agent_of_another_machine_is_uninstalled(machine: Machine) -> None:
    machine.has_agent()
    machine.has_record(machine="42-old")
    assert machine.run("prepare", EH_MACHINE="42-new").outcome == "changed"
    assert machine.calls("palette-agent") == ["palette-agent uninstall --force"]


def test_our_own_agent_of_this_generation_stays(machine: Machine) -> None:
    machine.has_agent()
    machine.has_record()
    assert machine.run("prepare").outcome == "unchanged"
    assert machine.calls("palette-agent") == []


def test_the_agent_of_another_stack_is_never_touched(machine: Machine) -> None:
    machine.has_agent()
    machine.has_record(owner="edge-hosts.other-prod", generation="7")
    done = machine.run("prepare")
    assert done.code == 10
    assert "belongs to edge-hosts.other-prod" in done.err
    assert machine.calls("palette-agent") == []
