"""A build from a tag to pushed image and ISO, with real git and real jobs, and every way in which it can go wrong."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from edge.canvos.build import Build, Built, Waiting
from edge.canvos.machine import gather, machine_findings
from edge.canvos.repository import known_tags, newest_tag
from edge.canvos.shell import Job, LocalShell
from edge.errors import BuildError, HostError, SettingsError
from tests.unit.canvos_world import World
from tests.unit.settings_helpers import authority

pytestmark = pytest.mark.timeout(120)
BOTH = {
    "poweroff": "#cloud-config\ninstall:\n  poweroff: true\n",
    "reboot": "#cloud-config\ninstall:\n  reboot: true\n",
}

GOOD = {
    "arch": "x86_64", "cpus": "4", "memory_kib": str(8 * 1024 * 1024), "disk_gib": "200", "writable": "yes", "git": "yes",
    "earthly": "no", "docker": "yes", "crane": "no", "script": "yes", "setsid": "yes", "timeout": "yes", "root": "sudo",
    "docker_answers": "yes", "docker_config": "file",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def builds(world: World) -> int:
    """Return how many builds were started."""
    return sum("setsid" in script and "jobs/build" in script for script in world.ran)


@pytest.mark.row("B3", "B10", "B12", "B13")
class TestBuild:
    def test_from_nothing_to_a_pushed_image_and_an_iso(self, world: World) -> None:
        built = world.built(world.request(dockerfile=("RUN ours",)))
        assert built.image == "registry.example:5000/edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid"
        assert built.image_digest == f"sha256:{hashlib.sha256(built.image.encode()).hexdigest()}"
        assert built.commit == world.git("rev-parse", "v4.5.15")
        iso = Path(built.isos["poweroff"]["path"])
        assert hashlib.sha256(iso.read_bytes()).hexdigest() == built.isos["poweroff"]["sha256"]
        assert iso.stat().st_size == int(built.isos["poweroff"]["size"])
        content = iso.read_bytes().decode(errors="replace")
        assert "poweroff: true" in content
        assert "\nRUN ours\n" in content

    def test_the_same_again_builds_and_pushes_nothing(self, world: World) -> None:
        first = world.built(world.request())
        world.ran.clear()
        assert Build(world, world.request()).advance() == first
        assert not any("setsid" in script for script in world.ran)

    @pytest.mark.parametrize(
        "change",
        [
            {"dockerfile": ("RUN ours",)},
            {"user_data": {"poweroff": "#cloud-config\ninstall:\n  poweroff: true\n  device: /dev/sda\n"}},
            {"tag": "v4.5.14"},
            {"kubernetes": "1.30.0"},
            {"certificates": "one"},
        ],
        ids=["dockerfile", "user-data", "tag", "arg", "certificates"],
    )
    def test_a_changed_input_is_another_build(self, world: World, change: dict[str, object]) -> None:
        first = world.built(world.request())
        if "kubernetes" in change:
            change = {**change, "arg": {**world.request().arg, "K8S_VERSION": "1.30.0"}}
        if "certificates" in change:
            change = {"certificates": (authority(),)}
        assert isinstance(Build(world, world.request(**change)).advance(), Waiting)
        assert world.built(world.request(**change)).inputs != first.inputs
        assert builds(world) == 2

    def test_two_kinds_of_iso_from_the_same_image(self, world: World) -> None:
        built = world.built(world.request(user_data=BOTH))
        texts = {kind: Path(iso["path"]).read_bytes().decode(errors="replace") for kind, iso in built.isos.items()}
        assert "poweroff: true" in texts["poweroff"] and "reboot: true" not in texts["poweroff"]
        assert "reboot: true" in texts["reboot"] and "poweroff: true" not in texts["reboot"]
        assert built.isos["reboot"]["name"] == "palette-edge-installer-reboot.iso"
        assert sum("setsid" in script and "jobs/push" in script for script in world.ran) == 1

    def test_a_content_bundle_makes_images_first(self, world: World) -> None:
        bundle = world.folder / "content-abc"
        bundle.mkdir()
        (bundle / "part.zst").write_bytes(b"images")
        first = world.built(world.request(bundle=str(bundle)))
        assert "content-abc" in Path(first.isos["poweroff"]["path"]).read_bytes().decode(errors="replace")
        log = (world.folder / "work/jobs/build/log").read_text()
        assert log.index("building +build-provider-images") < log.index("building +iso")
        (bundle / "part.zst").write_bytes(b"other images")
        assert world.built(world.request(bundle=str(bundle))).inputs != first.inputs

    def test_a_tag_that_holds_another_agent_gives_the_name_of_the_real_image(self, world: World) -> None:
        world.tag("v4.10.0", inside="v4.9.21")
        built = world.built(world.request(tag="v4.10.0"))
        assert built.image.endswith(":nodeadm-1.31.0-v4.9.21-eks-hybrid")

    def test_a_build_that_is_found_running_is_waited_for(self, world: World) -> None:
        world.put("slow", "1")
        request = world.request()
        while not (world.folder / "work/jobs/build/pid").exists():
            Build(world, request).advance()
        seen = Build(world, request).advance()
        assert isinstance(seen, Waiting) and seen.what == "building"
        world.built(request)
        assert builds(world) == 1


@pytest.mark.row("B10", "B12")
class TestTrouble:
    def test_a_failed_build_that_ends_with_0_is_seen_and_begins_anew(self, world: World) -> None:
        flag = world.put("fail")
        with pytest.raises(BuildError, match=r"(?s)was not made.*jobs/build/log") as caught:
            world.built(world.request())
        assert "no image of the builder" in str(caught.value)
        assert not any("jobs/push" in script and "setsid" in script for script in world.ran)
        flag.unlink()
        assert isinstance(world.built(world.request()), Built)

    def test_a_build_that_takes_too_long_is_ended(self, world: World) -> None:
        world.put("slow", "30")
        with pytest.raises(BuildError, match=r"exit code 124"):
            world.built(world.request(seconds=1))

    def test_a_killed_build_begins_anew(self, world: World) -> None:
        slow = world.put("slow", "30")
        request = world.request()
        while not (world.folder / "work/jobs/build/pid").exists():
            Build(world, request).advance()
        group = int((world.folder / "work/jobs/build/pid").read_text())
        subprocess.run(["kill", "-9", "--", f"-{group}"], check=True)
        slow.unlink()
        subprocess.run(["pkill", "-f", f"{world.folder}/work/CanvOS"], check=False)
        assert isinstance(world.built(request), Built)

    def test_a_removed_iso_is_built_again(self, world: World) -> None:
        built = world.built(world.request())
        Path(built.isos["poweroff"]["path"]).unlink()
        world.built(world.request())
        assert builds(world) == 2

    def test_no_permission_to_push(self, world: World) -> None:
        flag = world.put("push-denied")
        with pytest.raises(HostError, match=r"pushing .* failed: denied.*log in to the registry"):
            world.built(world.request())
        flag.unlink()
        built = world.built(world.request())
        assert built.image_digest.startswith("sha256:")
        assert builds(world) == 1

    def test_a_login_file_is_never_made_a_folder(self, world: World) -> None:
        world.built(world.request())
        assert (world.folder / "home/.docker/config.json").read_text() == "{}\n"

    def test_a_repository_that_is_not_there(self, world: World) -> None:
        with pytest.raises(HostError, match=r"fetching .*missing.git failed"):
            world.built(world.request(repository=str(world.folder / "missing.git")))

    @pytest.mark.row("B5")
    def test_an_unsupported_kubernetes_version_starts_no_build(self, world: World) -> None:
        with pytest.raises(SettingsError, match=r"1\.29\.0, 1\.30\.0, 1\.31\.0"):
            world.built(world.request(kubernetes="1.32.0"))
        assert builds(world) == 0

    def test_a_tag_that_does_not_exist(self, world: World) -> None:
        with pytest.raises(SettingsError, match=r"no tag of the CanvOS repository.*v4\.5\.14, v4\.5\.15"):
            world.built(world.request(tag="v4.5.99"))

    @pytest.mark.row("B3")
    @pytest.mark.parametrize("annotated", [False, True])
    def test_a_moved_tag(self, world: World, annotated: bool) -> None:
        tested = world.git("rev-parse", "v4.5.15")
        world.tag("v4.5.15", force=True, annotated=annotated)
        with pytest.raises(SettingsError, match=r"was moved: it is commit .* tested with"):
            world.built(world.request(commit=tested))
        assert world.built(world.request(commit=world.git("rev-parse", "HEAD"))).commit != tested


class TestRepository:
    @pytest.mark.row("B3")
    def test_the_newest_plain_tag_only_on_request(self, world: World) -> None:
        world.tag("v4.9.9-rc.1")
        world.tag("v4.6.0")
        world.built(world.request())
        folder = f"{world.folder}/work/CanvOS"
        assert {"v4.5.14", "v4.5.15", "v4.6.0", "v4.9.9-rc.1"} <= set(known_tags(world, folder))
        assert newest_tag(world, folder) == "v4.6.0"


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
            ({"docker": "no", "earthly": "yes", "root": "no"}, "or crane", "error"),
            ({"writable": "no", "root": "no", "earthly": "yes"}, "cannot be written", "error"),
            ({"script": "no"}, "script: is not installed", "error"),
        ],
    )
    def test_each_thing_that_it_may_lack(self, change: dict[str, str], words: str, level: str) -> None:
        found = machine_findings({**GOOD, **change}, "builder", push=True)
        assert [(words in str(one), one.level) for one in found] == [(True, level)], found

    def test_with_earthly_no_root_is_needed(self) -> None:
        facts = {**GOOD, "earthly": "yes", "root": "no"}
        assert machine_findings(facts, "builder", push=True) == []

    def test_a_machine_is_really_looked_at(self, world: World) -> None:
        facts = gather(world, f"{world.folder}/not/there/yet")
        assert set(GOOD) - set(facts) == set()
        assert facts["docker_answers"] == "yes"
        world.put("docker-off")
        (world.folder / "home/.docker/config.json").mkdir(parents=True)
        facts = gather(world, str(world.folder))
        assert (facts["docker_answers"], facts["docker_config"]) == ("no", "folder")


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
        group = (tmp_path / "job/pid").read_text().strip()
        subprocess.run(["kill", "-9", "--", f"-{group}"], check=True)
        while job.status().state == "running":
            pass
        assert job.status().state == "lost"
