"""The preparation on scripted machines: apt and dnf, what can go wrong with them, and a second run that writes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.steps import bundle
from tests.scripts.step_machine import PROXY_PASSWORD, STATE, Machine

SYSTEMS = ("debian", "ubuntu", "rhel", "amzn")


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
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_host_that_has_everything_is_unchanged_and_nothing_is_written(tmp_path: Path, system: str) -> None:
    machine = made(tmp_path, system)
    before = machine.snapshot()
    done = machine.run("prepare")
    assert (done.code, done.outcome) == (0, "unchanged"), done.err
    assert machine.snapshot() == before
    assert machine.calls("apt-get") + machine.calls("dnf") + machine.calls("systemd-run") == []


@pytest.mark.row("A8", "A10")
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_bare_host_gets_its_packages_and_the_second_run_is_unchanged(tmp_path: Path, system: str) -> None:
    machine = Machine(tmp_path, system)
    first = machine.run("prepare")
    assert (first.code, first.outcome) == (0, "changed"), first.err
    conntrack = "conntrack" if machine.manager == "apt" else "conntrack-tools"
    assert f"ii  {conntrack}\n" in machine.note("packages")
    assert machine.unit("rsyslog.service") == "active"
    machine.forget_calls()
    before = machine.snapshot()
    second = machine.run("prepare")
    assert (second.code, second.outcome) == (0, "unchanged"), second.err
    assert machine.snapshot() == before
    assert machine.calls("apt-get") + machine.calls("dnf") == []
    changing = ("enable", "start", "restart", "disable", "mask")
    assert not [call for call in machine.calls("systemctl") if call.split()[1] in changing]


@pytest.mark.row("A10")
def test_apt_installs_without_recommended_packages_and_asks_nobody(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.run("prepare").code == 0
    install = next(call for call in machine.calls("apt-get") if " install " in call)
    assert "--no-install-recommends" in install
    assert "DPkg::Lock::Timeout=" in install
    environment = machine.note("environment")
    assert "apt-get: DEBIAN_FRONTEND=noninteractive" in environment
    assert "apt-get: NEEDRESTART_SUSPEND=1" in environment


@pytest.mark.row("A10")
def test_dnf_installs_without_weak_dependencies_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "rhel")
    assert machine.run("prepare").code == 0
    install = next(call for call in machine.calls("dnf") if " install " in call)
    assert "--setopt=install_weak_deps=False" in install
    assert "--setopt=exit_on_lock=True" in install


@pytest.mark.row("A10")
def test_amazon_linux_keeps_its_minimal_curl_and_its_iptables(tmp_path: Path) -> None:
    """`curl` would conflict with `curl-minimal`: the command is what counts."""
    machine = Machine(tmp_path, "amzn")
    (machine.bin / "iptables").symlink_to("/bin/true")
    assert machine.run("prepare").code == 0
    installed = machine.note("packages").split()
    assert "curl" not in installed
    assert "iptables-nft" not in installed
    assert "zstd" in installed


@pytest.mark.row("A8")
def test_an_old_index_is_refreshed_also_when_every_package_is_there(machine: Machine) -> None:
    machine.fresh_index(age=100_000)
    done = machine.run("prepare", EH_INDEX_MAX_AGE="86400")
    assert done.outcome == "changed"
    assert [call.split()[-1] for call in machine.calls("apt-get")] == ["update"]


@pytest.mark.row("A8")
def test_a_young_index_counts_only_while_its_lists_are_there(machine: Machine) -> None:
    machine.path("/var/lib/apt/lists/mirror_Packages").unlink()
    assert machine.run("prepare").outcome == "changed"
    assert " update" in machine.calls("apt-get")[0]


@pytest.mark.row("A8")
def test_a_repository_that_is_half_down_is_red_although_apt_ends_with_0(machine: Machine) -> None:
    machine.fresh_index(age=100_000)
    machine.behaviour(
        "apt-get",
        """echo 'Hit:1 http://good stable InRelease'
echo 'Err:2 http://user:secret@bad stable InRelease'
echo '  404  Not Found [IP: 10.0.0.1 80]'
echo 'W: Failed to fetch http://user:secret@bad/dists/stable/InRelease  404  Not Found'
echo 'W: Some index files failed to download. They have been ignored, or old ones used instead.'
exit 0
""",
    )
    for _ in range(2):  # a failed refresh does not count as one the next time
        done = machine.run("prepare")
        assert done.code == 20
        assert "404" in done.err
        assert "secret" not in done.err
        assert "Fix: make every repository of this host answer" in done.err
    machine.behaviour("apt-get", "")
    assert machine.run("prepare").code == 0


@pytest.mark.row("A8")
def test_a_harmless_warning_of_apt_is_a_finding_and_no_failure(machine: Machine) -> None:
    machine.fresh_index(age=100_000)
    machine.behaviour(
        "apt-get", "echo 'W: Target Packages (main) is configured multiple times in a.list:1 and b.list:1'\n"
    )
    done = machine.run("prepare")
    assert done.code == 0
    assert done.row("prepare.index.warning")["status"] == "warn"


@pytest.mark.row("A8")
@pytest.mark.parametrize(
    "line", ["Ignoring repositories: extras", "Errors during downloading metadata for repository 'extras':"]
)
def test_a_dnf_repository_that_is_skipped_is_red(tmp_path: Path, line: str) -> None:
    machine = made(tmp_path, "rhel")
    machine.fresh_index(age=100_000)
    machine.behaviour("dnf", f'echo "{line}"\nexit 0\n')
    done = machine.run("prepare")
    assert done.code == 20
    assert "extras" in done.err


@pytest.mark.row("A10")
@pytest.mark.parametrize("system", ["ubuntu", "rhel"])
def test_a_name_that_the_repositories_lack_is_named_with_a_remedy(tmp_path: Path, system: str) -> None:
    machine = Machine(tmp_path, system)
    machine.write_note("lacking", "zstd\njq\n")
    done = machine.run("prepare")
    assert done.code == 20
    assert "do not have: jq" in done.err
    remedy = "main and universe" if system == "ubuntu" else "subscription-manager"
    assert remedy in done.err
    assert "ii  rsync" not in machine.note("packages")


@pytest.mark.row("A10")
def test_the_remedy_for_a_missing_timesyncd_on_rhel_names_epel_and_the_setting(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "rhel")
    machine.managed("ntp")
    machine.write_note("lacking", "systemd-timesyncd\n")
    done = machine.run("prepare")
    assert done.code == 20
    assert "EPEL" in done.err
    assert "palette.manages" in done.err


@pytest.mark.row("A8")
def test_a_held_apt_lock_is_waited_for_and_its_holder_is_named(machine: Machine) -> None:
    machine.fresh_index(age=100_000)
    lock = machine.write("/var/lib/apt/lists/lock", "")
    machine.write("/proc/4711/comm", "unattended-upgr\n")
    (machine.path("/proc/4711/fd")).mkdir()
    os.link(lock, machine.path("/proc/4711/fd/5"))
    machine.behaviour("apt-get", "echo 'E: Could not get lock /var/lib/apt/lists/lock'\nexit 100\n")
    done = machine.run("prepare", EH_LOCK_TIMEOUT="2")
    assert done.code == 21
    assert "waiting for unattended-upgr (4711)" in done.err
    assert "held by unattended-upgr (4711)" in done.err


@pytest.mark.row("A8")
def test_a_lock_that_is_let_go_in_time_is_no_failure(machine: Machine) -> None:
    machine.fresh_index(age=100_000)
    machine.behaviour(
        "apt-get",
        """if [ ! -e "$MACHINE/once" ]; then : >"$MACHINE/once"
echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 77 (apt)'; exit 100; fi
""",
    )
    assert machine.run("prepare", EH_LOCK_TIMEOUT="20").code == 0
    assert len(machine.calls("apt-get")) == 2


@pytest.mark.row("A8")
def test_the_holder_is_taken_from_apt_when_proc_does_not_tell(machine: Machine) -> None:
    machine.fresh_index(age=100_000)
    machine.behaviour(
        "apt-get", "echo 'E: Could not get lock /var/lib/dpkg/lock. It is held by process 77 (packagekitd)'\nexit 100\n"
    )
    done = machine.run("prepare", EH_LOCK_TIMEOUT="1")
    assert done.code == 21
    assert "packagekitd (77)" in done.err


def test_a_dnf_lock_is_told_from_another_failure(tmp_path: Path) -> None:
    machine = made(tmp_path, "rhel")
    machine.fresh_index(age=100_000)
    machine.behaviour("dnf", "exit 200\n")
    assert machine.run("prepare", EH_LOCK_TIMEOUT="1").code == 21


@pytest.mark.row("A10")
def test_an_interrupted_dpkg_is_repaired_aloud(machine: Machine) -> None:
    machine.write_note("packages", machine.note("packages").replace("ii  jq\n", "iF  jq\n"))
    machine.write("/var/lib/dpkg/updates/0001", "")
    done = machine.run("prepare")
    assert (done.code, done.outcome) == (0, "changed")
    assert "dpkg was interrupted (jq): repairing" in done.err
    assert machine.calls("dpkg") == ["dpkg --force-confdef --force-confold --configure -a"]


@pytest.mark.row("A10")
def test_what_was_cut_while_it_was_unpacked_is_unpacked_again(machine: Machine) -> None:
    machine.fresh_index()
    machine.write_note("packages", machine.note("packages").replace("ii  jq\n", "iH  jq\n"))
    done = machine.run("prepare")
    assert (done.code, done.outcome) == (0, "changed"), done.err
    assert "unpacking again: jq" in done.err
    assert machine.calls("apt-get")[-1].endswith("install --fix-broken --reinstall --no-install-recommends jq")
    assert machine.note("packages").count("ii  jq\n") == 1
    again = machine.run("prepare")
    assert (again.code, again.outcome) == (0, "unchanged"), again.err


@pytest.mark.row("A10")
def test_what_cannot_be_unpacked_again_ends_red(machine: Machine) -> None:
    machine.fresh_index()
    machine.write_note("packages", machine.note("packages").replace("ii  jq\n", "iH  jq\n"))
    machine.write_note("lacking", "jq\n")
    done = machine.run("prepare")
    assert done.code == 20
    assert "unpacking it again could not repair jq (code 100): E: Unable to locate package jq" in done.err


@pytest.mark.row("A10")
def test_a_dpkg_that_cannot_be_repaired_ends_red(machine: Machine) -> None:
    machine.write_note("packages", machine.note("packages").replace("ii  jq\n", "iF  jq\n"))
    machine.behaviour("dpkg", "echo 'dpkg: error processing package jq'\nexit 1\n")
    done = machine.run("prepare")
    assert done.code == 20
    assert "could not repair jq" in done.err


@pytest.mark.row("A14")
def test_the_proxy_reaches_the_package_manager_in_both_cases_and_no_command_line(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    proxy = f"http://edge:{PROXY_PASSWORD}@10.0.0.2:3128"
    done = machine.run("prepare", EH_PROXY_HTTP=proxy, EH_PROXY_HTTPS=proxy, EH_NO_PROXY="10.0.0.0/8")
    assert done.code == 0
    environment = machine.note("environment")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        assert f"apt-get: {name}={proxy}\n" in environment
    assert "apt-get: NO_PROXY=10.0.0.0/8\n" in environment
    assert "apt-get: no_proxy=10.0.0.0/8\n" in environment
    assert PROXY_PASSWORD not in machine.everything_shown() + done.out + done.err


def bare(tmp_path: Path) -> Machine:
    """Return a machine that has neither curl nor its certificates, and a table of the checks step."""
    machine = Machine(tmp_path)
    (machine.bin / "curl").unlink()
    policy = "host.tls.palette\tfail\tTLS to Palette\tadd the CA to caCerts\n"
    machine.write(
        f"{STATE}/checks.values",
        f"EH_POLICY=$'{policy}'\nEH_ENFORCE=1\nEH_PALETTE_HOST=api.example\nEH_PHASE1_DONE=''\n",
    )
    machine.write(f"{STATE}/endpoints.tsv", "api.example\t443\thttps\trequired\tdirect\tPalette\n")
    return machine


@pytest.mark.row("A10", "A5")
def test_a_red_check_stops_before_anything_but_curl_and_its_certificates_is_installed(tmp_path: Path) -> None:
    machine = bare(tmp_path)
    machine.behaviour(
        "curl", "echo 'curl: (60) SSL certificate problem: self-signed certificate' >&2\nprintf '000'\nexit 60\n"
    )
    done = machine.run("prepare")
    assert done.code == 10, done.err
    assert "host.tls.palette" in done.err
    assert machine.note("packages").split() == ["ii", "curl", "ii", "ca-certificates"]
    assert '"outcome":"red"' in machine.read(f"{STATE}/report.json")
    assert machine.unit("rsyslog.service") == ""


def test_without_the_table_of_the_checks_nothing_is_prepared(tmp_path: Path) -> None:
    machine = bare(tmp_path)
    machine.path(f"{STATE}/checks.values").unlink()
    done = machine.run("prepare")
    assert done.code == 90
    assert "run the checks of this host first" in done.err


# --- what a careless program or a broken connection does -------------------------------------------------------------


def test_a_line_of_a_megabyte_reaches_neither_stream(machine: Machine) -> None:
    """The engine's reader stops for ever at a line of more than 64 KiB."""
    machine.fresh_index(age=100_000)
    machine.behaviour("apt-get", "head -c 1048576 /dev/zero | tr '\\0' x\nexit 5\n")
    done = machine.run("prepare")
    assert done.code == 20
    assert max(len(line) for line in (done.out + done.err).splitlines()) < 4096


@pytest.mark.parametrize("kept", [0.3, 0.9, 1.0])
def test_a_script_that_arrives_in_part_does_nothing_and_reports_nothing(machine: Machine, kept: float) -> None:
    """The connection breaks while the script is on its way: no report, so whoever reads it must call that a failure."""
    machine.fresh_index(age=100_000)
    before = machine.snapshot()
    text = bundle("prepare", machine.values).removesuffix('main "$@" </dev/null\n')
    done = machine.feed(text[: int(len(text) * kept)], "run")
    assert done.out == ""
    assert machine.snapshot() == before
    assert machine.calls("apt-get") == []


def test_an_unknown_package_manager_is_named(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    done = machine.run("prepare")
    assert done.code == 20
    assert "neither apt-get nor dnf" in done.err
