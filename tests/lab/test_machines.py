"""The machines of the lab: real ones in the sense that matters, bare, each in its own corner of the network."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from lab_hand import LabHand, until

from lab.machines import BUILDER

pytestmark = pytest.mark.lab

IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# Read when the tests are collected, before any lab is up.
IP_FORWARD_BEFORE = IP_FORWARD.read_text("ascii") if IP_FORWARD.exists() else ""
NAMES = ("bare", "proxied", "jump", "jumped")
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.mark.parametrize("name", [*NAMES, BUILDER])
@pytest.mark.row("A3")
def test_a_machine_answers_by_its_pinned_host_key(lab: LabHand, name: str) -> None:
    facts = lab.says(
        name, "hostname; id -un; sudo -n id -u; cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub"
    )
    hostname, user, root, machine_id, host_key = facts.splitlines()
    assert (hostname, user, root) == (name, "edge", "0")
    assert machine_id == lab.site.identities[name].machine_id
    assert " ".join(host_key.split()[:2]) == lab.site.ssh(name).host_key


def test_no_two_machines_share_an_identity(lab: LabHand) -> None:
    identities = lab.site.identities
    assert len({identity.machine_id for identity in identities.values()}) == len(identities)
    assert len({identity.host_key_public.split()[1] for identity in identities.values()}) == len(identities)
    boots = {lab.says(name, BOOT_ID) for name in (*NAMES, BUILDER)}
    assert len(boots) == len(NAMES) + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_is_healthy_and_bare(lab: LabHand, name: str) -> None:
    text = lab.says(
        name,
        "systemctl is-system-running --wait; ps -p 1 -o comm=; stat -f -c %T /sys/fs/cgroup;"
        " command -v curl openssl jq rsync conntrack || echo nothing; ls -d /etc/ssl/certs 2>/dev/null || echo none",
    )
    assert text.splitlines() == ["running", "systemd", "cgroup2fs", "nothing", "none"]


@pytest.mark.row("A3")
def test_the_other_user_is_asked_for_a_password(lab: LabHand) -> None:
    done = lab.ssh("bare", "sudo -n id", user="asksudo")
    assert done.returncode != 0
    assert "password is required" in done.stderr


@pytest.mark.row("A4", "A14")
def test_the_only_way_out_of_proxied_is_the_proxy(lab: LabHand) -> None:
    block = lab.site.block
    assert "default" not in lab.says("proxied", "ip route")
    assert lab.ssh("proxied", "timeout 8 getent hosts github.com").returncode != 0, "its DNS knows private names only"
    probe = "timeout 3 bash -c 'exec 3<>/dev/tcp/{}/{}'"
    assert lab.ssh("proxied", probe.format(block.services, 443)).returncode != 0
    assert lab.ssh("proxied", probe.format(block.corporate, 443)).returncode != 0
    assert lab.ssh("proxied", probe.format(block.gateway, 3128)).returncode == 0


@pytest.mark.row("A3")
def test_jumped_is_reached_through_the_jump_host_only(lab: LabHand) -> None:
    plan = lab.site.plan("jumped")
    direct = subprocess.run(
        ["timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{plan.address}/22"], capture_output=True, check=False
    )
    assert direct.returncode != 0
    uplink = plan.nics[1].address.ip
    assert subprocess.run(["timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{uplink}/22"], check=False).returncode != 0
    assert (
        lab.says("jumped", f"timeout 3 bash -c 'exec 3<>/dev/tcp/{lab.site.block.services}/443' && echo out") == "out"
    )


@pytest.mark.row("A10")
def test_packages_come_from_the_lab(lab: LabHand) -> None:
    lab.client.power("reset", "bare")
    since = time.time()
    text = lab.says(
        "bare",
        "sudo apt-get update -q 2>&1 | tail -n 1; sudo DEBIAN_FRONTEND=noninteractive"
        " apt-get install -y -qq --no-install-recommends curl ca-certificates jq >/dev/null 2>&1; jq --version;"
        " curl -sS -o /dev/null -w %{http_code} https://github.com/",
    )
    assert "jq-" in text
    assert text.splitlines()[-1].isdigit(), text
    hosts = {(entry["host"], entry["client"]) for entry in lab.client.requests("packages", since)}
    assert hosts == {("packages.lab.internal", str(lab.site.plan("bare").address))}
    lab.client.power("reset", "bare")
    assert lab.ssh("bare", "command -v jq").returncode != 0


@pytest.mark.row("A20")
def test_a_reboot_keeps_everything_but_the_boot_id(lab: LabHand) -> None:
    before = lab.says("bare", f"{BOOT_ID}; cat /etc/machine-id; echo kept >kept")
    boots = lab.machines()["bare"]["boots"]
    began = time.monotonic()
    lab.ssh("bare", "sudo systemctl reboot")
    until(
        lambda: lab.ssh("bare", "true").returncode == 0 and lab.machines()["bare"]["boots"] != boots,
        10,
        "ssh after a reboot",
    )
    assert time.monotonic() - began < 8
    after = lab.says("bare", f"{BOOT_ID}; cat /etc/machine-id; cat kept; ip route | grep -c default; rm kept")
    assert after.splitlines()[0] != before.splitlines()[0]
    assert after.splitlines()[1:] == [before.splitlines()[1], "kept", "1"]


def test_power_button_plug_and_reinstallation(lab: LabHand) -> None:
    lab.says("proxied", "echo kept >kept && sync")
    assert lab.client.power("shutdown", "proxied")["state"] == "off"
    assert lab.ssh("proxied", "true").returncode != 0
    assert lab.client.power("on", "proxied")["state"] == "running"
    assert lab.says("proxied", "cat kept") == "kept"
    first = lab.says("proxied", BOOT_ID)
    assert lab.client.power("restart", "proxied")["state"] == "running"
    assert lab.says("proxied", BOOT_ID) != first
    lab.client.power("reset", "proxied")
    assert lab.ssh("proxied", "cat kept").returncode != 0


def test_up_starts_a_machine_that_was_switched_off(lab: LabHand) -> None:
    lab.client.power("off", "jump")
    assert "jump        started again" in lab.ok("up", "--no-deploy")
    assert lab.says("jumped", "hostname") == "jumped"


@pytest.mark.row("A3")
def test_logins_are_counted_in_the_machines_own_log(lab: LabHand) -> None:
    lab.client.power("reset", "bare")
    assert lab.client.logins("bare") == 0
    lab.says("bare", "true")
    lab.says("bare", "true")
    assert lab.client.logins("bare") == 2
    assert lab.client.logins("bare", since=time.time() + 5) == 0
    lab.client.power("restart", "bare")
    assert lab.client.logins("bare") == 2, "the log outlives a reboot"


def test_a_shell_inside_a_machine_needs_no_network(lab: LabHand) -> None:
    lab.client.fault("link-down", "bare")
    try:
        assert lab.run("shell", "bare", "hostname").stdout.strip() == "bare"
        assert lab.run("shell", "bare", "--", "false").returncode == 1
    finally:
        lab.client.fault("link-down", "bare", on=False)
    refused = lab.run("shell", "nobody", "id")
    assert refused.returncode == 8
    assert "its machines are bare, proxied, jump, jumped" in refused.stderr


def test_the_status_names_every_machine(lab: LabHand) -> None:
    text = lab.ok("status")
    for name in NAMES:
        assert name in text
    assert str(lab.site.block.network) in text


def test_the_stack_file_is_the_committed_one_with_the_labs_own_values(lab: LabHand, root: Path) -> None:
    from edge.settings import load_stack

    settings = load_stack("lab", root, stack_file=lab.paths.stack_file)
    site = lab.site
    for name in ("bare", "proxied", "jumped"):
        view = settings.host_view(name)
        assert view.address == site.plan(name).address
        assert view.host_key == site.ssh(name).host_key
    assert settings.secret_names() <= set(site.secrets)
    committed = (root / "Pulumi.lab.yaml").read_text("utf-8")
    for line in committed.splitlines():
        if line.strip().startswith("#"):
            assert line in lab.paths.stack_file.read_text("utf-8"), "comments stay"


def test_secrets_are_for_their_owner_only(lab: LabHand) -> None:
    for path in (lab.paths.secrets, lab.paths.private_key, lab.paths.site, lab.paths.socket, lab.paths.record):
        assert path.stat().st_mode & 0o077 == 0, path


def test_nothing_of_this_machine_is_changed(lab: LabHand) -> None:
    assert IP_FORWARD.read_text("ascii") == IP_FORWARD_BEFORE
    journals = Path("/var/log/journal")
    ids = {identity.machine_id for identity in lab.site.identities.values()}
    assert not journals.exists() or not ids & {path.name for path in journals.iterdir()}
    assert not list(Path("/run/netns").glob(f"{lab.paths.prefix}*")), "namespaces are held in the lab's own folder"
