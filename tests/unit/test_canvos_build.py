"""A build from a tag to pushed image and ISO, with real git and real jobs, and every way in which it can go wrong."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.canvos.build import Build, Built, Waiting
from edge.canvos.images import pack_values
from edge.canvos.images import parse as parse_image
from edge.canvos.repository import known_tags, newest_tag
from edge.errors import BuildError, HostError, SettingsError
from tests.unit.canvos_world import EARTHLY, World
from tests.unit.settings_helpers import authority

pytestmark = pytest.mark.timeout(120)
BOTH = {
    "poweroff": "#cloud-config\ninstall:\n  poweroff: true\n",
    "reboot": "#cloud-config\ninstall:\n  reboot: true\n",
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def builds(world: World) -> int:
    """Return how many builds were started."""
    return sum("setsid" in script and "jobs/build" in script for script in world.ran)


def at_work(folder: Path) -> list[str]:
    """Return the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue  # it has ended meanwhile
    return found


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
        assert world.built(world.request()) == first
        assert not any("setsid" in script and ("jobs/build" in script or "jobs/push" in script) for script in world.ran)

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

    @pytest.mark.parametrize("tag", ["v4.9.23-rc.7", "v4.6.21-patch.7"])
    def test_a_candidate_or_a_patch(self, world: World, tag: str) -> None:
        world.tag(tag)
        built = world.built(world.request(tag=tag))
        assert (built.pe_version, built.image.partition(":nodeadm-")[2]) == (tag, f"1.31.0-{tag}-eks-hybrid")
        image = parse_image(built.image)
        assert image is not None
        assert (image.pe_version, image.custom_tag) == (tag, "eks-hybrid")

    def test_a_build_that_is_found_running_is_waited_for(self, world: World) -> None:
        world.put("slow", "1")
        request = world.request()
        while not (world.folder / "work/jobs/build/pid").exists():
            Build(world, request).advance()
        seen = Build(world, request).advance()
        assert isinstance(seen, Waiting) and seen.what == "building"
        world.built(request)
        assert builds(world) == 1

    def test_an_installed_earthly_builds_without_root_and_without_the_vendor_s_script(self, world: World) -> None:
        world.tool("earthly", EARTHLY.replace("[ -e ~/.docker/config.json ] ||", "false &&"))
        world.tool("sudo", '#!/bin/bash\necho sudo >>$CANVOS_WORLD/rooted\nexec "${@:2}"\n')
        (world.repository / "earthly.sh").write_text("#!/bin/bash\nexit 1\n")
        world.git("commit", "-qam", "no script")
        world.git("tag", "-f", "v4.5.15")
        built = world.built(world.request(earthly=True))
        assert built.isos["poweroff"]["size"]
        assert not (world.folder / "home/.docker").exists()

    def test_a_build_with_a_terminal_has_its_limit_too(self, world: World) -> None:
        world.put("slow", "30")
        with pytest.raises(BuildError, match=r"(?s)exit code 124.*took longer than it may"):
            world.built(world.request(seconds=4, certificates=(authority(),)))
        assert not at_work(world.folder)

    @pytest.mark.row("B6")
    def test_with_certificates_the_vendor_s_script_gets_a_terminal(self, world: World) -> None:
        """With a proxy or certificates it runs a command that fails without one, and goes on without the authorities."""
        log = world.folder / "work/jobs/build/log"
        world.built(world.request())
        assert "without a terminal" in log.read_text()
        world.built(world.request(certificates=(authority(),)))
        assert "with a terminal" in log.read_text()
        assert len(list((world.folder / "work/CanvOS/certs").glob("*.crt"))) == 1

    @pytest.mark.row("B11")
    def test_the_pack_values_are_those_of_the_real_image(self, world: World) -> None:
        """The vendor's script prints the version of the tag, which here is not that of the image."""
        world.tag("v4.10.0", inside="v4.9.21")
        image = parse_image(world.built(world.request(tag="v4.10.0")).image)
        assert image is not None
        options = pack_values(image, os_distribution="ubuntu", os_version="22.04")["options"]
        assert options["system.peVersion"] == "v4.9.21"  # type: ignore[index]


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
        assert not at_work(world.folder)

    def test_a_build_that_the_machine_kills_did_not_take_too_long(self, world: World) -> None:
        (world.repository / "earthly.sh").write_text("#!/bin/bash\nkill -KILL $$\n")
        world.git("commit", "-qam", "no memory")
        world.git("tag", "-f", "v4.5.15")
        with pytest.raises(BuildError) as caught:
            world.built(world.request())
        assert "longer than it may" not in str(caught.value)

    def test_a_killed_build_begins_anew(self, world: World) -> None:
        slow = world.put("slow", "30")
        request = world.request()
        while not (world.folder / "work/jobs/build/pid").exists():
            Build(world, request).advance()
        session = int((world.folder / "work/jobs/build/pid").read_text())
        os.kill(session, signal.SIGKILL)  # its first process only: the vendor's script goes on
        slow.unlink()
        assert isinstance(world.built(request), Built)
        assert builds(world) == 2
        assert not at_work(world.folder)

    def test_a_machine_that_has_booted_meanwhile_begins_anew(self, world: World) -> None:
        """The number of the process may belong to another one by then."""
        slow = world.put("slow", "30")
        request = world.request()
        mark = world.folder / "work/jobs/build/mark"
        while not mark.exists():
            Build(world, request).advance()
        session = int((world.folder / "work/jobs/build/pid").read_text())
        os.killpg(session, signal.SIGKILL)
        (mark.parent / "pid").write_text(f"{os.getpid()}\n")
        # As if this very process had, by chance, number and age of the job's.
        born = Path("/proc/self/stat").read_text().split()[21]
        mark.write_text(f"{born} of-the-boot-before\n")
        slow.unlink()
        assert isinstance(world.built(request), Built)
        assert builds(world) == 2

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

    @pytest.mark.row("B13")
    @pytest.mark.parametrize("other", ["", "sha256:of-another-stack"])
    def test_an_image_that_is_not_there_any_more_before_the_push_is_built_again(self, world: World, other: str) -> None:
        """Removed by `docker image prune`, or another stack has built one of the same name: neither is pushed as ours."""
        flag = world.put("push-denied")
        with pytest.raises(HostError, match="pushing"):
            world.built(world.request())
        flag.unlink()
        name = "registry.example:5000/edge/ubuntu:nodeadm-1.31.0-v4.5.15-eks-hybrid"
        world.put("images", f"{name} {other}\n" if other else "")
        assert world.built(world.request()).image_digest.startswith("sha256:")
        assert builds(world) == 2
        assert (world.folder / "images").read_text() != f"{name} {other}\n"

    @pytest.mark.row("B13")
    def test_an_image_of_an_earlier_build_does_not_pass_for_the_new_one(self, world: World) -> None:
        """With a bundle the images are a step of their own; it fails and ends with 0, and the ISO is made all the same."""
        bundle = world.folder / "content-abc"
        bundle.mkdir()
        (bundle / "part.zst").write_bytes(b"images")
        world.built(world.request(bundle=str(bundle)))
        flag = world.put("fail", "+build-provider-images")
        changed = world.request(bundle=str(bundle), dockerfile=("RUN ours",))
        with pytest.raises(BuildError, match="is no image of the builder after the build; there is none"):
            world.built(changed)
        flag.unlink()
        assert world.built(changed).image

    def test_an_iso_that_is_removed_before_the_push_is_built_again(self, world: World) -> None:
        flag = world.put("push-denied")
        with pytest.raises(HostError, match="pushing"):
            world.built(world.request())
        flag.unlink()
        next((world.folder / "work/CanvOS/build").glob("*.iso")).unlink()
        assert Path(world.built(world.request()).isos["poweroff"]["path"]).exists()
        assert builds(world) == 2

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
    def test_a_tag_that_was_withdrawn(self, world: World) -> None:
        assert world.built(world.request(tag="newest")).tag == "v4.5.15"
        world.git("tag", "-d", "v4.5.15")
        assert world.built(world.request(tag="newest")).tag == "v4.5.14"
        with pytest.raises(SettingsError, match="is no tag of the CanvOS repository"):
            world.built(world.request(tag="v4.5.15"))

    @pytest.mark.row("B3")
    @pytest.mark.parametrize("annotated", [False, True])
    def test_a_moved_tag(self, world: World, annotated: bool) -> None:
        tested = world.git("rev-parse", "v4.5.15")
        world.tag("v4.5.15", force=True, annotated=annotated)
        with pytest.raises(SettingsError, match=r"was moved: it is commit .* tested with"):
            world.built(world.request(commit=tested))
        assert world.built(world.request(commit=world.git("rev-parse", "HEAD"))).commit != tested


@contextmanager
def another_build(folder: Path) -> Iterator[None]:
    """Be at work in the folder of all stacks."""
    folder.mkdir()
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@pytest.mark.row("B10")
def test_two_stacks_on_one_machine_build_one_after_the_other(world: World) -> None:
    """The vendor's script has one BuildKit per machine, by its name: two at a time would take it from each other."""
    mine = world.request(workdir=f"{world.folder}/builds/a")
    with another_build(world.folder / "builds"):
        until = time.monotonic() + 20
        while not (isinstance(now := Build(world, mine).advance(), Waiting) and "another build" in now.tail):
            assert time.monotonic() < until, now
            time.sleep(0.05)
        assert "validate" not in now.tail
    assert world.built(mine).tag == "v4.5.15"


@pytest.mark.row("B10")
def test_a_turn_that_does_not_come_ends_with_the_limit_of_time(world: World) -> None:
    mine = world.request(workdir=f"{world.folder}/builds/a", seconds=1)
    with another_build(world.folder / "builds"), pytest.raises(BuildError, match="took longer than it may"):
        world.built(mine)


class TestRepository:
    @pytest.mark.row("B3")
    def test_the_newest_plain_tag_only_on_request(self, world: World) -> None:
        world.tag("v4.9.9-rc.1")
        world.tag("v4.6.0")
        assert world.built(world.request()).tag == "v4.5.15"
        folder = f"{world.folder}/work/CanvOS"
        assert {"v4.5.14", "v4.5.15", "v4.6.0", "v4.9.9-rc.1"} <= set(known_tags(world, folder))
        assert newest_tag(world, folder) == "v4.6.0"
        assert world.built(world.request(tag="newest")).tag == "v4.6.0"
