"""The checks step as a whole: what it prints, what it writes and what it never writes, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.checks.catalogue import checks_at
from edge.checks.policy import policy_tsv
from edge.checks.report import parse
from edge.steps import SCRIPTS, bundle
from tests.scripts.checks_machine import Machine, Run, described, laid_over
from tests.scripts.listeners import LOGIN, PASSWORD, listeners

HOST_CHECKS = [check.id for check in checks_at("host")]
ENDPOINTS = "palette.example\t443\thttps\trequired\tdirect\tPalette\n"
LIMIT = 64 * 1024


def machine(folder: Path, name: str = "ubuntu-24.04", **over: object) -> Machine:
    """Return a scripted machine with `over` laid over its description."""
    return Machine(folder, laid_over(described(name), over))


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything below a folder with mode, time of change and content."""
    found = {}
    for path in sorted([root, *root.rglob("*")]):
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(path)] = (info.st_mode, info.st_mtime_ns, content)
    return found


def ids(run: Run) -> list[str]:
    """Return the ids of the report's rows, in their order."""
    return [row["id"] for row in run.report["results"]]


@pytest.mark.row("A9")
@pytest.mark.parametrize(
    "name", ["ubuntu-24.04", "ubuntu-22.04", "rhel-9", "rhel-9-fips", "amzn-2023", "bare", "joined"]
)
def test_a_supported_machine_is_green_in_production(name: str, tmp_path: Path) -> None:
    run = machine(tmp_path, name).run(stage="prod")
    rows = run.report["results"]
    assert run.code == 0
    assert [row for row in rows if row["status"] in ("warn", "fail")] == []
    assert run.report["outcome"] == "ok"


@pytest.mark.row("A9")
@pytest.mark.parametrize(
    ("name", "red"),
    [("debian-12", ["host.os.supported"]), ("ubuntu-20.04", ["host.kernel.version", "host.kernel.modules"])],
)
def test_an_unfit_system_is_red(name: str, red: list[str], tmp_path: Path) -> None:
    run = machine(tmp_path, name).run(stage="prod")
    assert [row["id"] for row in run.report["results"] if row["status"] == "fail"] == red


def test_every_check_is_reported_once_and_the_parser_takes_it(tmp_path: Path) -> None:
    run = machine(tmp_path, "bare").run(phases="0 1")
    assert sorted(ids(run)) == sorted(HOST_CHECKS)
    report = parse(run.stdout, "plant-12-a")
    assert report.facts["machine_id"] == "0123456789abcdef0123456789abcdef"
    assert report.facts["default_shell"] == "/bin/bash"
    assert set(report.facts) == {
        *("machine_id", "product_uuid", "hostname", "os_id", "os_version", "kernel", "arch", "nic", "nic_driver"),
        *("address", "default_shell", "agent_version"),
    }


def test_without_curl_phase_one_waits_for_the_preparation(tmp_path: Path) -> None:
    run = machine(tmp_path, "bare").run(phases="0 1", EH_ENDPOINTS=ENDPOINTS)
    late = {row["seen"] for row in run.report["results"] if row["id"] in {c.id for c in checks_at("host") if c.phase}}
    assert late == {"no curl yet"}


@pytest.mark.row("A8")
def test_curl_without_authorities_waits_for_the_preparation_too(tmp_path: Path) -> None:
    """A preparation that was cut off between both packages must not make every certificate red for ever."""
    host = machine(tmp_path, remove=["/etc/ssl/certs/ca-certificates.crt"], values={"EH_WRITE": "1"})
    run = host.run(phases="0 1", EH_ENDPOINTS=ENDPOINTS)
    late = {row["seen"] for row in run.report["results"] if row["id"] in {c.id for c in checks_at("host") if c.phase}}
    assert late == {"no bundle of certificate authorities yet"}
    assert "EH_PHASE1_DONE=''" in (host.root / "var/lib/edge-hosts/checks.values").read_text()


@pytest.mark.row("A8")
def test_a_look_and_the_preparation_itself_want_the_authorities(tmp_path: Path) -> None:
    """Only before the preparation are they not there yet; afterwards their absence is an error like any other."""
    for phases, write in (("0 1", "0"), ("1", "1")):
        host = machine(tmp_path / phases, remove=["/etc/ssl/certs/ca-certificates.crt"], values={"EH_WRITE": write})
        run = host.run(phases=phases, EH_ENDPOINTS=ENDPOINTS)
        assert "authorities yet" not in run.stdout


def test_two_looks_print_the_same(tmp_path: Path) -> None:
    """A time or a counter in the report would read as a change."""
    host = machine(tmp_path)
    first = host.run()
    time.sleep(1.1)
    assert host.run().stdout == first.stdout


def test_stdout_is_one_line_and_progress_goes_to_stderr(tmp_path: Path) -> None:
    run = machine(tmp_path).run()
    assert len(run.stdout.splitlines()) == 1
    assert run.stderr.splitlines()[0] == "checks: looking at plant-12-a"
    assert re.search(r"^checks: \d+ passed, 0 warned, 0 failed, \d+ skipped$", run.stderr, re.M)


@pytest.mark.parametrize("name", ["ubuntu-24.04", "rhel-9", "bare", "joined"])
def test_a_look_writes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = machine(tmp_path, name)
    before = snapshot(tmp_path)
    text = bundle("checks", {"EH_ROOT": str(host.root), "EH_POLICY": policy_tsv("prod"), **host.values})
    # A read-only folder for temporary files: a here-document of an older bash would fail in it.
    run = host.shell(f"TMPDIR=/proc/nothing\n{text}")
    assert run.code == 0, run.stderr
    assert snapshot(tmp_path) == before


def test_nothing_that_an_older_bash_lacks_or_writes_files_for() -> None:
    for folder in ("lib", "checks"):
        for path in sorted((SCRIPTS / folder).glob("*.sh")):
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                code = line.partition(" #")[0]
                where = f"{path.name}:{number}"
                if "((" not in code:
                    assert "<<" not in code, f"{where}: bash before 5.1 writes a file for this"
                assert not re.search(r"EPOCHSECONDS|EPOCHREALTIME|SRANDOM|\$\{\w+@[ULuK]\}|wait -p", code), where
                assert "mktemp" not in code, where


@pytest.mark.row("A1", "A2")
def test_an_enforced_red_check_ends_with_ten_and_says_how_to_fix_it(tmp_path: Path) -> None:
    host = machine(tmp_path, commands={"nproc": "1"}, values={"EH_ENFORCE": "1", "EH_WRITE": "1"})
    before = set(snapshot(host.root))
    run = host.run(stage="dev")
    assert run.code == 10
    assert run.stdout == "", "the engine would show the JSON line within its error"
    red = [line for line in run.stderr.splitlines() if line.startswith("RED")]
    assert red == [
        "RED  host.cpu.minimum The host has 2 CPUs: seen 1 CPUs, expected at least 2; "
        "fix: give the machine at least 2 CPUs (4 are recommended)"
    ]
    warned = [line for line in run.stderr.splitlines() if line.startswith("WARN")]
    assert len(warned) == 1
    assert warned[0].startswith("WARN host.cpu.recommended")
    state = host.root / "var/lib/edge-hosts"
    kept = json.loads((state / "report.json").read_text())
    assert kept["outcome"] == "red"
    new = {Path(path).relative_to(host.root).as_posix() for path in set(snapshot(host.root)) - before}
    names = {f"var/lib/edge-hosts/{name}" for name in ("report.json", "endpoints.tsv", "checks.values", "log")}
    assert new == {"var/lib", "var/lib/edge-hosts", *names}


def test_a_red_check_that_is_only_reported_ends_with_zero(tmp_path: Path) -> None:
    run = machine(tmp_path, commands={"nproc": "1"}).run()
    assert run.code == 0
    assert run.report["outcome"] == "red"
    assert "RED  host.cpu.minimum" in run.stderr


def test_the_state_folder_is_roots_own_and_a_second_run_leaves_it(tmp_path: Path) -> None:
    host = machine(tmp_path, values={"EH_WRITE": "1", "EH_ENDPOINTS": ""})
    host.run()
    state = host.root / "var/lib/edge-hosts"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
    assert files == {"report.json": 0o600, "endpoints.tsv": 0o600, "checks.values": 0o600, "log": 0o600}
    before = {name: (state / name).stat().st_mtime_ns for name in ("report.json", "endpoints.tsv", "checks.values")}
    host.run()
    assert {name: (state / name).stat().st_mtime_ns for name in before} == before


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_state_folder_that_is_none_stops_the_step(kind: str, tmp_path: Path) -> None:
    host = machine(tmp_path, folders=["/var/lib", "/elsewhere"], values={"EH_WRITE": "1"})
    state = host.root / "var/lib/edge-hosts"
    if kind == "link":
        state.symlink_to(host.root / "elsewhere")
    else:
        state.write_text("")
    run = host.run()
    assert run.code == 90
    assert "is not a folder of its own" in run.stderr
    assert list((host.root / "elsewhere").iterdir()) == []


def test_a_child_that_reads_stdin_swallows_nothing(tmp_path: Path) -> None:
    greedy = {"*": {"run": "cat >/dev/null; exit 1"}}
    run = machine(tmp_path, commands=dict.fromkeys(("ss", "dpkg-query", "getent", "ufw", "timedatectl"), greedy)).run()
    assert run.code == 0
    assert len(ids(run)) == len([check for check in checks_at("host") if check.phase == 0])


def test_a_line_of_a_megabyte_stays_out_of_the_report(tmp_path: Path) -> None:
    loud = {"*": {"run": "printf '%01000000d\\n' 0"}}
    noisy = {"/etc/hosts": "x" * 1_000_000, "/proc/sys/kernel/hostname": "X" * 1_000_000}
    run = machine(tmp_path, commands={"iptables": loud, "uname": loud}, files=noisy).run()
    assert run.code == 0
    for line in (run.stdout + run.stderr).splitlines():
        assert len(line) < LIMIT
    assert len(run.row("host.identity.hostname")["seen"]) == 300


def test_a_report_of_nothing_but_long_rows_fits_into_a_line(tmp_path: Path) -> None:
    """Beyond 64 KiB the engine's reader blocks for ever; quotes and backslashes double when they are escaped."""
    rows = "".join(f'eh_result host.some.check.{number} fail "$long" "$long"\n' for number in range(150))
    script = "long=$(printf '\\\\\"%.0s' {1..150})\n" + rows + 'eh_report "red"; eh_end 0'
    text = bundle("checks", {"EH_HOST": "h"})
    text = text.replace('main "$@" </dev/null', f"eh_start checks\n{script}")
    run = machine(tmp_path).shell(text)
    assert run.code == 0, run.stderr
    assert len(run.stdout) < LIMIT
    assert len(run.report["results"]) == 150


def test_a_machine_without_anything_still_gives_a_whole_report(tmp_path: Path) -> None:
    empty = {"files": {}, "folders": [], "links": {}, "modes": {}, "units": {}, "commands": {}}
    values = {**described("ubuntu-24.04")["values"], "EH_ENDPOINTS": ENDPOINTS}
    run = Machine(tmp_path, {**empty, "values": values}).run(phases="0 1")
    assert run.code == 0, run.stderr
    assert sorted(ids(run)) == sorted(HOST_CHECKS)
    assert [row for row in run.report["results"] if "no verdict" in row["seen"]] == []


def test_missing_values_are_no_reason_to_break_off(tmp_path: Path) -> None:
    """A value that a later version adds must not stop a host that an older program looks at, nor the other way round."""
    host = machine(tmp_path)
    host.values = {"EH_HOST": "plant-12-a"}
    run = host.run(phases="0 1")
    assert run.code == 0, run.stderr
    assert sorted(ids(run)) == sorted(HOST_CHECKS)


def _with(host: Machine, function: str, body: str) -> Run:
    text = bundle("checks", {"EH_ROOT": str(host.root), "EH_POLICY": policy_tsv("prod"), **host.values})
    return host.shell(text.replace('main "$@" </dev/null', f'{function}() {{ {body}; }}\nmain "$@" </dev/null'))


def test_a_check_that_breaks_off_names_itself(tmp_path: Path) -> None:
    run = _with(machine(tmp_path), "eh_check_cpu_minimum", 'eh_ok "$EH_NOT_THERE"')
    assert run.code == 90
    assert "FAILED (90)" in run.stderr
    assert "(host.cpu.minimum)" in run.stderr
    assert run.stdout == ""


@pytest.mark.parametrize("body", [":", "false", "return 7"])
def test_a_check_without_a_verdict_warns_and_blocks_nobody(body: str, tmp_path: Path) -> None:
    run = _with(machine(tmp_path), "eh_check_cpu_minimum", body)
    assert run.code == 0
    row = run.row("host.cpu.minimum")
    assert (row["status"], row["seen"]) == ("warn", "the check came to no verdict")


def test_a_check_that_is_switched_off_is_not_asked(tmp_path: Path) -> None:
    host = machine(tmp_path, commands={"nproc": "1"})
    run = host.run(EH_POLICY=policy_tsv("prod", {"host.cpu.minimum": "off", "host.cpu.recommended": "warn"}))
    assert "host.cpu.minimum" not in ids(run)
    assert run.row("host.cpu.recommended")["status"] == "warn"


@pytest.mark.row("A14")
def test_the_login_of_the_proxy_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    """Not in the report, not in the log or any file, not in the arguments of a child, not in an error."""
    with listeners(tmp_path) as places:
        curl = {"*": {"run": 'printf "%s\\n" "$*" >>"@root@/arguments"; exit 7'}}
        spy = {"*": {"run": 'printf "%s\\n" "$*" >>"@root@/arguments"; exec @timeout@ "$@"'}}
        over = {
            "commands": {"curl": curl},
            "values": {
                "EH_WRITE": "1",
                "EH_PROXY_HTTP": places["proxy"],
                "EH_PROXY_HTTPS": places["proxy"],
                "EH_ENDPOINTS": f"palette.example\t{places['open']}\thttps\trequired\tproxy\tx\n",
            },
        }
        host = Machine(
            tmp_path / "m",
            laid_over(described("online"), over),
            {"root": str(tmp_path), "timeout": shutil.which("timeout") or ""},
        )
        bundle = host.root / "etc/ssl/certs/ca-certificates.crt"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.touch()
        (host.bin / "timeout").unlink()
        host._script("timeout", host._stub(spy))
        run = host.run(phases="0 1")
    assert run.row("host.endpoints.palette")["status"] == "pass"
    arguments = (tmp_path / "arguments").read_text()
    assert "/dev/tcp/" in arguments
    assert "https://palette.example" in arguments
    secrets = (PASSWORD, LOGIN, "p%40ss", "w0rd", "ZWRnZTpwQHNzOncwcmQ")
    written = "".join(path.read_text() for path in host.root.rglob("*") if path.is_file() and "edge-hosts" in str(path))
    for secret in secrets:
        assert secret not in run.stdout + run.stderr + arguments + written


@contextmanager
def silent_port() -> Iterator[str]:
    """Yield a port that takes no connection and refuses none: its queue is full."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = []
        for _ in range(4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
            waiting.append(caller)
        try:
            yield str(deaf.getsockname()[1])
        finally:
            for caller in waiting:
                caller.close()


@pytest.mark.row("A6")
def test_endpoints_are_asked_side_by_side(tmp_path: Path) -> None:
    with silent_port() as port:
        table = "".join(f"host-{number}.spectrocloud.com\t{port}\ttls\trequired\tdirect\tx\n" for number in range(40))
        host = machine(tmp_path, "online", values={"EH_ENDPOINTS": table, "EH_ATTEMPT": "1"})
        start = time.monotonic()
        run = host.run(only="host.endpoints.palette")
        spent = time.monotonic() - start
    row = run.row("host.endpoints.palette")
    assert "TCP: no answer in 1 s" in row["seen"]
    assert row["seen"].endswith("more")
    assert spent < 8, "40 endpoints, one second each: one after the other would take 40"


def test_probing_ends_when_its_time_is_over(tmp_path: Path) -> None:
    table = "".join(f"host-{number}.spectrocloud.com\t443\ttls\trequired\tdirect\tx\n" for number in range(60))
    values = {"EH_ENDPOINTS": table, "EH_ATTEMPT": "1", "EH_PROBES": "4", "EH_PROBE_LIMIT": "2"}
    host = machine(tmp_path, "online", values=values, commands={"getent": {"ahosts*": {"run": "exec sleep 9"}}})
    start = time.monotonic()
    run = host.run(only="host.endpoints.palette")
    assert time.monotonic() - start < 10
    assert run.row("host.endpoints.palette")["status"] == "fail"


def test_the_preparation_finds_what_the_checks_know(tmp_path: Path) -> None:
    """Phase 1 after curl is there: policy and endpoint table come from the state folder, not from the values."""
    with listeners(tmp_path) as places:
        table = f'palette.example\t{places["https"]}\thttps\trequired\tdirect\tit\'s "quoted"\n'
        values = {"EH_WRITE": "1", "EH_ENDPOINTS": table, "EH_PALETTE_CA": places["ca"]}
        over = {"values": values, "without": ["curl"]}
        description = laid_over(described("online"), over)
        host = Machine(tmp_path / "m", description, {**places, "curl": "/usr/bin/curl"})
        host.run(phases="0 1")
        host._script("curl", host._stub(described("online")["commands"]["curl"]))
        host.values.pop("EH_ENDPOINTS")
        given = {
            "EH_ROOT": str(host.root),
            "EH_STATE_DIR": "/var/lib/edge-hosts",
            "EH_WRITE": "1",
            "EH_HOST": "plant-12-a",
        }
        script = (
            "eh_start prepare; ! eh_phase1_done; eh_checks_load; eh_run_checks 1; eh_enforce; eh_report ok; eh_end 0"
        )
        run = host.shell(bundle("checks", given).replace('main "$@" </dev/null', script))
    if not Path("/usr/bin/curl").exists():
        pytest.skip("no curl on this machine")
    assert run.code == 0, run.stderr
    assert run.row("host.tls.palette")["status"] == "pass", run.stderr
    assert run.row("host.clock.skew")["status"] == "pass"


def test_kept_values_hold_no_secret_and_are_taken_from_root_only(tmp_path: Path) -> None:
    host = machine(tmp_path, values={"EH_WRITE": "1", "EH_PROXY_HTTPS": f"http://{LOGIN}@127.0.0.1:9"})
    host.run()
    kept = host.root / "var/lib/edge-hosts/checks.values"
    assert "EH_PROXY" not in kept.read_text()
    assert not [secret for secret in (LOGIN, PASSWORD) if secret in kept.read_text()]
    if os.geteuid() == 0:
        os.chown(kept, 12345, 12345)
        script = "eh_start prepare; eh_checks_load || eh_end 33; eh_end 0"
        text = bundle("checks", {"EH_ROOT": str(host.root)}).replace('main "$@" </dev/null', script)
        assert host.shell(text).code == 33
