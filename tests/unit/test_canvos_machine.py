"""The build machine: what it must have, and jobs that go on there by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from edge.canvos.images import registry_of
from edge.canvos.machine import HUB, gather, machine_findings
from edge.canvos.shell import Job, LocalShell, last_line
from tests.unit.canvos_world import World

GOOD = {
    "arch": "x86_64", "cpus": "4", "memory_kib": str(8 * 1024 * 1024), "disk_gib": "200", "writable": "yes", "git": "yes",
    "earthly": "no", "docker": "yes", "script": "yes", "setsid": "yes", "flock": "yes", "timeout": "yes", "root": "sudo",
    "docker_answers": "yes", "docker_config": "file", "login": "yes", "ps": "yes",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.mark.row("B1")
class TestMachine:
    def test_a_good_machine(self) -> None:
        assert machine_findings(GOOD, "builder", push=True) == []

    @pytest.mark.parametrize(
        ("change", "words", "level"),
        [
            ({"arch": "aarch64"}, "is not x86_64", "error"),
            ({"cpus": "2"}, "fewer than 4", "error"),
            ({"memory_kib": "4000000"}, "less than 8 GB", "error"),
            ({"disk_gib": "49"}, "less than 50 GB", "error"),
            ({"disk_gib": "100"}, "less than 150 GB", "warning"),
            ({"git": "no"}, "git: is not installed", "error"),
            ({"docker": "no"}, "nothing can be built", "error"),
            ({"docker_answers": "no"}, "does not answer", "error"),
            ({"root": "no"}, "needs root without Earthly", "error"),
            ({"docker_config": "folder"}, "is a folder", "error"),
            ({"docker": "no", "earthly": "yes"}, "Earthly alone does not do", "error"),
            ({"ps": "no"}, "Install procps", "error"),
            ({"login": "no"}, "has no login for the registry", "warning"),
            ({"script": "no"}, "script: is not installed", "error"),
        ],
    )
    def test_each_thing_that_it_may_lack(self, change: dict[str, str], words: str, level: str) -> None:
        found = machine_findings({**GOOD, **change}, "builder", push=True)
        assert [(words in str(one), one.level) for one in found] == [(True, level)], found

    def test_with_earthly_no_root_is_needed(self) -> None:
        facts = {**GOOD, "earthly": "yes", "root": "no"}
        assert machine_findings(facts, "builder", push=True, earthly=True) == []
        assert "needs root without Earthly" in str(machine_findings(facts, "builder", push=True))
        unwritable = machine_findings({**facts, "writable": "no"}, "builder", push=True, earthly=True)
        assert [one.problem for one in unwritable] == ["cannot be written to"]

    def test_earthly_that_is_wanted_must_be_there(self) -> None:
        found = machine_findings(GOOD, "builder", push=True, earthly=True)
        assert [one.where for one in found] == ["builder: earthly"]

    def test_a_registry_that_nothing_is_pushed_to_needs_no_login(self) -> None:
        assert machine_findings({**GOOD, "login": "no"}, "builder", push=False) == []

    def test_a_small_machine_is_accepted_with_a_warning_each(self) -> None:
        small = {**GOOD, "cpus": "2", "memory_kib": "2000000", "disk_gib": "10"}
        assert [one.level for one in machine_findings(small, "builder", push=True)] == ["error"] * 3
        accepted = machine_findings(small, "builder", push=True, accept_small=True)
        assert [one.level for one in accepted] == ["warning"] * 3
        arm = machine_findings({**small, "arch": "aarch64"}, "builder", push=True, accept_small=True)
        assert [one.where for one in arm if one.level == "error"] == ["builder: processor"]

    def test_a_disk_that_a_good_build_has_filled(self) -> None:
        found = machine_findings({**GOOD, "disk_gib": "10", "cpus": "1"}, "builder", push=True, accept_full=True)
        assert [(one.where, one.level) for one in found] == [
            ("builder: CPUs", "error"),
            ("builder: free disk", "warning"),
        ]

    @pytest.mark.parametrize(
        ("registry", "host"),
        [
            ("registry.example:5000/edge", "registry.example:5000"),
            ("ghcr.example/a/b", "ghcr.example"),
            ("localhost/x", "localhost"),
            ("spectrocloud", HUB),
        ],
    )
    def test_the_host_of_a_registry(self, registry: str, host: str) -> None:
        assert registry_of(f"{registry}/", HUB) == host

    def test_a_machine_is_really_looked_at(self, world: World) -> None:
        facts = gather(world, f"{world.folder}/not/there/yet")
        assert set(GOOD) - set(facts) == set()
        assert (facts["docker_answers"], facts["cpus"], facts["disk_gib"]) == ("yes", "8", "200")
        world.put("docker-off")
        (world.folder / "home/.docker/config.json").mkdir(parents=True)
        facts = gather(world, str(world.folder))
        assert (facts["docker_answers"], facts["docker_config"]) == ("no", "folder")

    @pytest.mark.parametrize(
        ("config", "registry", "seen"),
        [
            ('{"auths": {"registry.example:5000": {"auth": "Y2FuYXJ5"}}}', "registry.example:5000/edge", "yes"),
            ('{"auths": {"registry.example:5000": {"auth": "Y2FuYXJ5"}}}', "registry.example:5001/edge", "no"),
            ('{\n "auths": {\n  "https://index.docker.io/v1/": {}\n }\n}', "spectrocloud", "yes"),
            ('{"credsStore": "pass"}', "spectrocloud", "helper"),
            ("{}", "spectrocloud", "no"),
        ],
    )
    def test_a_login_is_looked_for_by_its_name_only(self, world: World, config: str, registry: str, seen: str) -> None:
        folder = world.folder / "home/.docker"
        folder.mkdir()
        (folder / "config.json").write_text(config)
        facts = gather(world, str(world.folder), registry=registry)
        assert facts["login"] == seen
        assert "Y2FuYXJ5" not in str(facts)


class TestJobs:
    def test_a_job_outlives_the_command_that_started_it(self, tmp_path: Path) -> None:
        job = Job(LocalShell(), str(tmp_path / "job"))
        assert job.status().state == "none"
        job.start("first", "echo begun; sleep 0.4; echo done; exit 3", 20)
        assert job.status().state == "running"
        while job.status().state == "running":
            pass
        ended = job.status()
        assert (ended.state, ended.key, ended.code) == ("ended", "first", 3)
        assert ended.tail.splitlines() == ["begun", "done"]

    def test_a_job_whose_process_is_gone_is_lost(self, tmp_path: Path) -> None:
        job = Job(LocalShell(), str(tmp_path / "job"))
        job.start("k", "sleep 30", 60)
        os.killpg(int((tmp_path / "job/pid").read_text()), signal.SIGKILL)
        while job.status().state == "running":
            pass
        assert job.status().state == "lost"

    def test_what_a_killed_job_left_at_work_is_ended_by_the_next(self, tmp_path: Path) -> None:
        job = Job(LocalShell(), str(tmp_path / "job"))
        job.start("k", "sleep 300", 400)
        session = int((tmp_path / "job/pid").read_text())
        os.kill(session, signal.SIGKILL)
        assert of_session(session)
        job.start("again", "true", 20)
        assert not of_session(session)

    def test_a_number_that_belongs_to_another_process_is_no_job(self, tmp_path: Path) -> None:
        job = Job(LocalShell(), str(tmp_path / "job"))
        job.start("k", "sleep 30", 60)
        os.killpg(int((tmp_path / "job/pid").read_text()), signal.SIGKILL)
        (tmp_path / "job/pid").write_text(f"{os.getpid()}\n")
        assert job.status().state == "lost"

    def test_a_secret_on_stdin_is_in_no_file_when_the_script_reads_it(self, tmp_path: Path) -> None:
        job = Job(LocalShell(), str(tmp_path / "job"))
        job.start("k", "grep -rl c[a]nary . || echo nowhere; cat", 20, stdin="canary")
        while job.status().state == "running":
            pass
        assert job.status().tail.splitlines() == ["nowhere", "canary"]
        assert not (tmp_path / "job/stdin").exists()

    def test_a_job_has_a_real_limit(self, tmp_path: Path) -> None:
        job = Job(LocalShell(), str(tmp_path / "job"))
        job.start("k", "sleep 30", 1)
        while job.status().state == "running":
            pass
        assert job.status().code == 124


def of_session(session: int) -> list[str]:
    """Return the living processes of a session."""
    done = subprocess.run(["ps", "-eo", "sid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [state for sid, state in rows if sid == str(session) and not state.startswith("Z")]


def test_the_last_line_of_a_log_has_no_colours_and_no_login() -> None:
    log = "one\n\x1b[32mpulling http://edge:canary@proxy.example:3128/x\x1b[0m\r\n\n"
    assert last_line(log) == "pulling http://***@proxy.example:3128/x"
    assert last_line("\n \n") == ""
