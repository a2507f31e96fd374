"""What ends a build before the vendor's part begins, or keeps it from beginning wrong: machine, user-data, content bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.canvos.build import Build
from edge.errors import BuildError, HostError
from tests.unit.canvos_world import World

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.mark.row("B1")
class TestBefore:
    """What ends a build before the vendor's part begins: one error each, and nothing was built."""

    def test_the_machine_is_judged_before_anything_is_written(self, world: World) -> None:
        world.put("cpus", "2")
        world.put("gib", "20")
        with pytest.raises(BuildError, match=r"(?s)fewer than 4.*less than 50 GB") as caught:
            Build(world, world.request()).advance()
        assert len(caught.value.findings) == 2
        assert not (world.folder / "work").exists()

    def test_a_small_machine_that_is_accepted_says_so_in_the_result(self, world: World) -> None:
        world.put("cpus", "2")
        world.put("gib", "20")
        built = world.built(world.request(accept_small=True))
        assert [one.partition(":")[0] for one in built.warnings] == ["builder"] * 3
        assert "fewer than 4" in built.warnings[0]
        assert "has no login for the registry" in built.warnings[2]

    def test_a_disk_that_ran_full_before_the_build_began(self, world: World) -> None:
        request = world.request()
        Build(world, request).advance()  # the machine has been looked at
        world.put("gib", "20")
        with pytest.raises(BuildError, match=r"free disk: is too little .*'20 GB'.*workDir"):
            world.built(request)
        assert "building" not in (world.folder / "work/jobs/build/log").read_text()

    def test_no_privileged_containers(self, world: World) -> None:
        world.put("unprivileged")
        with pytest.raises(BuildError, match=r"does not run privileged containers.*user namespaces"):
            world.built(world.request())
        assert "building" not in (world.folder / "work/jobs/build/log").read_text()

    @pytest.mark.row("B9")
    @pytest.mark.parametrize(
        ("text", "flag", "words"),
        [
            ("#cloud-config\ninstall:\n  device: null\n", "", r"Invalid type. Expected: string, given: null"),
            ("#cloud-config\ninstall: {}\n", "silent", "did not say that it is valid"),
        ],
    )
    def test_user_data_that_is_not_valid(self, world: World, text: str, flag: str, words: str) -> None:
        if flag:
            world.put(flag)
        with pytest.raises(BuildError, match=rf"user-data \(poweroff\): does not pass the vendor's check: .*{words}"):
            world.built(world.request(user_data={"poweroff": text}))
        assert "+build-all-images" not in (world.folder / "work/jobs/build/log").read_text()

    @pytest.mark.row("B9")
    def test_a_check_that_the_builder_has_in_its_cache_counts(self, world: World) -> None:
        world.put("cached")
        assert world.built(world.request()).image

    @pytest.mark.row("B9")
    def test_the_words_of_newer_tags(self, world: World) -> None:
        world.put("words", "user data validated successfully")
        assert world.built(world.request()).image

    @pytest.mark.row("B9")
    def test_a_check_without_a_file_is_no_check(self, world: World) -> None:
        """The vendor's target prints a sentence and succeeds; here the file is taken away before it runs."""
        early = world.repository / "earthly.sh"
        early.write_text(early.read_text().replace("#!/bin/bash\n", "#!/bin/bash\nrm -f user-data\n"))
        world.git("commit", "-qam", "no user-data")
        world.git("tag", "-f", "v4.5.15")
        with pytest.raises(BuildError, match=r"user-data \(poweroff\): .*file does not exist"):
            world.built(world.request())

    def test_text_without_the_first_line(self, world: World) -> None:
        with pytest.raises(BuildError, match="could not be prepared: validate-poweroff"):
            world.built(world.request(user_data={"poweroff": "install: {}\n"}))

    @pytest.mark.row("B10")
    @pytest.mark.parametrize("linked", [True, False], ids=["one file system", "two"])
    def test_a_content_bundle_behind_links(self, world: World, linked: bool) -> None:
        if not linked:
            # As between two file systems, where no hard link can be made.
            world.tool("cp", '#!/bin/bash\ncase " $* " in *" -rl"*) exit 1 ;; esac\nexec /bin/cp "$@"\n')
        (world.folder / "part.zst").write_bytes(b"images")
        (world.folder / "2026-11").mkdir()
        (world.folder / "2026-11/part.zst").symlink_to("../part.zst")
        (world.folder / "current").symlink_to("2026-11")
        built = world.built(world.request(bundle=str(world.folder / "current")))
        copied = world.folder / "work/CanvOS/content-current/part.zst"
        assert not copied.is_symlink()
        assert copied.read_bytes() == b"images"
        (world.folder / "part.zst").write_bytes(b"other images")
        assert world.built(world.request(bundle=str(world.folder / "current"))).inputs != built.inputs

    @pytest.mark.row("B10")
    def test_a_content_bundle_that_is_not_there(self, world: World) -> None:
        with pytest.raises(HostError, match=r"/nowhere is no folder with .zst files.*contentBundle"):
            world.built(world.request(bundle="/nowhere"))
