"""The life of a lab: up, up again, down, and every way to be interrupted; a good guest leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from lab_hand import LabHand, traces, until

from lab.paths import CHECKOUT, LabPaths
from lab.record import Record

pytestmark = pytest.mark.lab


def up(hand: LabHand) -> str:
    return hand.ok("up", "--no-deploy")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z (zombie)" in _state(pid), 5, "the end of a killed process")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return "Z (zombie)"


def test_up_again_changes_nothing_and_is_quick(lab: LabHand) -> None:
    before, daemon = lab.machines(), lab.daemon()
    record = lab.paths.record.read_text("utf-8")
    began = time.monotonic()
    said = up(lab)
    assert time.monotonic() - began < 2
    assert "up already" in said
    assert lab.machines() == before
    assert lab.daemon() == daemon
    assert lab.paths.record.read_text("utf-8") == record


def test_down_leaves_nothing_but_the_cache(empty_lab: LabHand) -> None:
    up(empty_lab)
    network = str(empty_lab.site.block.network)
    assert len(traces(empty_lab.paths, network)) > 20, "the search for traces finds a living lab"
    said = empty_lab.ok("down")
    assert traces(empty_lab.paths, network) == []
    assert str(empty_lab.paths.cache) in said
    assert empty_lab.paths.cache.is_dir()
    assert "there is no lab" in empty_lab.ok("down")


def test_a_new_lab_has_new_keys(empty_lab: LabHand) -> None:
    up(empty_lab)
    first = empty_lab.site
    empty_lab.ok("down")
    up(empty_lab)
    second = empty_lab.site
    assert first.secrets != second.secrets
    assert first.identities["bare"] != second.identities["bare"]


def test_two_labs_live_side_by_side(lab: LabHand, second_lab: LabHand) -> None:
    up(second_lab)
    mine, other = lab.site, second_lab.site
    assert not mine.block.network.overlaps(other.block.network)
    assert mine.paths.prefix != other.paths.prefix
    assert mine.ssh("bare").host_key != other.ssh("bare").host_key
    for hand in (lab, second_lab):
        assert hand.says("jumped", "hostname; getent hosts packages.lab.internal").split()[:2] == [
            "jumped",
            str(hand.site.block.services),
        ]
    boots = lab.machines()
    second_lab.ok("down")
    assert traces(second_lab.paths, str(other.block.network)) == []
    assert lab.machines() == boots
    assert lab.says("bare", "hostname") == "bare"


def test_two_labs_that_start_at_once_choose_different_networks(empty_lab: LabHand, second_lab: LabHand) -> None:
    starting = [hand.start("up", "--no-deploy") for hand in (empty_lab, second_lab)]
    assert [process.wait(timeout=60) for process in starting] == [0, 0]
    assert not empty_lab.site.block.network.overlaps(second_lab.site.block.network)
    assert empty_lab.says("bare", "hostname") == second_lab.says("bare", "hostname") == "bare"


def test_a_cache_that_another_lab_runs_on_is_not_purged(empty_lab: LabHand, second_lab: LabHand) -> None:
    """The other lab's machines would lose their root file systems under their feet."""
    up(empty_lab)
    empty_lab.ok("down")
    owner = LabHand(replace(second_lab.paths, cache=second_lab.paths.root / "cache"))
    owner.paths.claim()
    subprocess.run(["cp", "-al", str(empty_lab.paths.cache), str(owner.paths.cache)], check=True)
    user = LabHand(replace(empty_lab.paths, cache=owner.paths.cache))
    up(user)
    done = owner.run("down", "--purge")
    assert done.returncode == 8
    assert f"machines of another lab run on the cache {owner.paths.cache}" in done.stderr
    assert user.says("bare", "ls /usr/bin | wc -l; hostname").split()[1] == "bare"
    user.ok("down")
    owner.ok("down", "--purge")
    assert not owner.paths.root.exists()


@pytest.mark.fault
def test_up_after_the_daemon_was_killed_brings_the_same_site_back(empty_lab: LabHand) -> None:
    up(empty_lab)
    empty_lab.says("bare", "echo kept >kept; sync")
    site = empty_lab.site
    kill(empty_lab.daemon())
    assert empty_lab.run("status").returncode == 8
    said = up(empty_lab)
    assert "an earlier run ended in the middle" in said
    assert empty_lab.site == site
    assert empty_lab.says("bare", "cat kept") == "kept"
    empty_lab.ok("down")
    assert traces(empty_lab.paths, str(site.block.network)) == []


@pytest.mark.fault
def test_down_after_the_daemon_was_killed_leaves_nothing(empty_lab: LabHand) -> None:
    up(empty_lab)
    network = str(empty_lab.site.block.network)
    kill(empty_lab.daemon())
    assert any(trace.startswith("process") for trace in traces(empty_lab.paths))
    empty_lab.ok("down")
    assert traces(empty_lab.paths, network) == []


@pytest.mark.fault
@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.7])
@pytest.mark.parametrize("whole", [True, False], ids=["all-killed", "command-killed"])
def test_down_after_up_was_killed_at_any_moment(empty_lab: LabHand, seconds: float, whole: bool) -> None:
    process = empty_lab.start("up", "--no-deploy")
    time.sleep(seconds)
    process.kill()
    process.wait()
    if whole:
        for pid in _daemons(empty_lab):
            kill(pid)
    empty_lab.ok("down")
    assert traces(empty_lab.paths) == []


@pytest.mark.fault
@pytest.mark.parametrize("seconds", [0.6, 0.8, 1.0, 1.3])
def test_up_after_up_was_killed_at_any_moment(empty_lab: LabHand, seconds: float) -> None:
    process = empty_lab.start("up", "--no-deploy")
    time.sleep(seconds)
    process.kill()
    process.wait()
    for pid in _daemons(empty_lab):
        kill(pid)
    up(empty_lab)
    for name in empty_lab.machines():
        assert empty_lab.says(name, "systemctl is-system-running --wait") == "running"


def _daemons(hand: LabHand) -> list[int]:
    found = [int(trace.split()[1]) for trace in traces(hand.paths) if trace.startswith("process")]
    return [pid for pid in found if b"lab.daemon" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.fault
@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.4, 0.5, 0.6, 0.8])
def test_down_after_down_was_killed_at_any_moment(empty_lab: LabHand, seconds: float) -> None:
    up(empty_lab)
    process = empty_lab.start("down")
    time.sleep(seconds)
    process.kill()
    process.wait()
    empty_lab.ok("down")
    assert traces(empty_lab.paths) == []
    assert not empty_lab.paths.root.exists()


@pytest.mark.fault
def test_up_interrupted_by_a_person_goes_on(empty_lab: LabHand) -> None:
    process = empty_lab.start("up", "--no-deploy")
    until(empty_lab.paths.site.exists, 20, "a site")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    up(empty_lab)
    assert empty_lab.says("jumped", "hostname") == "jumped"


@pytest.mark.fault
def test_down_after_the_root_build_was_killed(empty_lab: LabHand, tmp_path: Path) -> None:
    hand = LabHand(replace(empty_lab.paths, cache=empty_lab.paths.root / "cache"))
    process = hand.start("up", "--no-deploy")
    until(lambda: any(hand.paths.cache.glob("root-*.partial/usr")), 60, "a root file system half made")
    time.sleep(1)
    assert any("debootstrap" in str(_command_line(int(t.split()[1]))) for t in traces(hand.paths) if "process" in t)
    process.kill()
    process.wait()
    hand.ok("down")
    assert traces(hand.paths) == []
    assert not list(hand.paths.cache.glob("*.partial"))
    assert not list(hand.paths.cache.glob("root-*")), "a half-made root never carries the final name"
    hand.ok("down", "--purge")
    assert not hand.paths.root.exists()


@contextmanager
def bridge(hand: LabHand, *alias: str) -> Iterator[str]:
    """Make a bridge with the name of the lab's own one; remove it in the end."""
    name = f"{hand.paths.prefix}-uplink"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    if alias:
        subprocess.run(["ip", "link", "set", name, "alias", *alias], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)


@pytest.mark.fault
def test_a_start_that_fails_says_why_and_leaves_nothing(empty_lab: LabHand) -> None:
    with bridge(empty_lab) as name:
        done = empty_lab.run("up", "--no-deploy")
        assert done.returncode == 8
        assert f"the network interface {name} exists, and no lab made it" in done.stdout + done.stderr
        assert "EDGE_HOSTS_LAB" in done.stdout + done.stderr
        empty_lab.ok("down")
        assert Path("/sys/class/net", name).exists(), "somebody else's interface stays"
    assert traces(empty_lab.paths) == []


@pytest.mark.fault
def test_a_bridge_of_a_lab_whose_folder_was_removed_is_in_nobodys_way(empty_lab: LabHand) -> None:
    with bridge(empty_lab, "edge-hosts-lab") as name:
        before = Path("/sys/class/net", name, "ifindex").read_text("utf-8")
        up(empty_lab)
        assert Path("/sys/class/net", name, "ifindex").read_text("utf-8") != before
        assert Path("/sys/class/net", name, "ifalias").read_text("utf-8").strip() == "edge-hosts-lab"
        empty_lab.ok("down")
    assert traces(empty_lab.paths) == []


def test_one_up_at_a_time(empty_lab: LabHand) -> None:
    first = empty_lab.start("up", "--no-deploy")
    until(lambda: empty_lab.paths.lock.exists() and empty_lab.paths.lock.read_text("utf-8") != "", 20, "the lock")
    second = empty_lab.run("down")
    assert first.wait(timeout=60) == 0
    if second.returncode:
        assert second.returncode == 8
        assert "`lab up`" in second.stderr


def test_a_folder_with_other_things_is_refused(needs_root: None, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", "utf-8")
    hand = LabHand(LabPaths(tmp_path, LabPaths.find().cache))
    done = hand.run("up", "--no-deploy")
    assert done.returncode == 8
    assert "has other things in it" in done.stderr
    assert "EDGE_HOSTS_LAB" in done.stderr
    assert "there is no lab" in hand.ok("down", "--purge")
    assert (tmp_path / "precious.txt").read_text("utf-8") == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_missing_is_said_in_one_message(labs_folder: Path) -> None:
    hand = LabHand(LabPaths(labs_folder / "never", LabPaths.find().cache))
    code = (
        "import os, sys; os.geteuid = lambda: 1000; sys.argv = ['lab', 'up'];"
        "import shutil; found = shutil.which;"
        "shutil.which = lambda name, path=None: None if name == 'debootstrap' else found(name, path=path);"
        "from lab.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, env=hand.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 8
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "needs root" in lines[0]
    assert "debootstrap" in lines[0]
    assert not hand.paths.root.exists()


def test_a_mount_below_the_lab_is_unmounted_not_emptied(empty_lab: LabHand, tmp_path: Path) -> None:
    up(empty_lab)
    inside = empty_lab.paths.root / "facts"
    inside.mkdir(exist_ok=True)
    (tmp_path / "precious.txt").write_text("mine", "utf-8")
    subprocess.run(["mount", "--bind", str(tmp_path), str(inside)], check=True)
    empty_lab.ok("down")
    assert (tmp_path / "precious.txt").read_text("utf-8") == "mine"
    assert traces(empty_lab.paths) == []


def test_only_what_is_on_the_record_is_taken_down(empty_lab: LabHand) -> None:
    up(empty_lab)
    foreign = f"{empty_lab.paths.prefix}-x"
    subprocess.run(["ip", "link", "add", foreign, "type", "bridge"], check=True)
    try:
        empty_lab.ok("down")
        assert Path("/sys/class/net", foreign).exists()
    finally:
        subprocess.run(["ip", "link", "del", foreign], check=True)
    assert Record(empty_lab.paths.record).entries() == []
