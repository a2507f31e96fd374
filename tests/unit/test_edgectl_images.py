"""`edgectl images`: what lies on the datastores and who needs it; removing asks, and touches nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.images.facts import ImageFacts, IsoFacts, IsoFile
from edge.images.gather import gather, look, remove
from edgectl import app
from tests.unit.image_stacks import CANVOS, COMMIT, FROM_STACK, IMAGE, images, images_file, mixed
from tests.unit.media_fake import FakeMedia
from tests.unit.settings_helpers import DIGEST, HOST_KEY, RELEASE, drop, project, put, site

NEWEST, OLDER, UNUSED = DIGEST, "cd" * 32, "ef" * 32
FOLDER = "[isos] edge-hosts-isos"


def iso(sha: str, kind: str = "poweroff") -> str:
    return f"palette-edge-installer-{kind}-{sha[:12]}.iso"


def path(sha: str) -> tuple[str, str]:
    return ("DC1", f"{FOLDER}/{iso(sha)}")


def image(sha: str = NEWEST) -> dict[str, Any]:
    """Return the image as a stack exports it."""
    file = IsoFile("vcenter.example.com", "DC1", "isos", f"edge-hosts-isos/{iso(sha)}")
    isos = {"poweroff": IsoFacts(iso(sha), sha, 10, (file,))}
    facts = ImageFacts("v4.9.38", COMMIT, "v4.9.38", "1.31.0", "ubuntu", "22.04", IMAGE, f"sha256:{sha}", "", isos)
    return facts.to_dict()


def host(sha: str) -> dict[str, Any]:
    return {"state": "ready", "appliance": {"isoSha256": sha}}


def exported(root: Path, stack: str, **outputs: Any) -> None:
    """Leave the exports of a stack where a rehearsal leaves them."""
    folder = root / ".edge" / "facts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stack}.json").write_text(json.dumps({"stack": stack, "result": "succeeded", "outputs": outputs}))


@pytest.fixture
def media(monkeypatch: pytest.MonkeyPatch) -> FakeMedia:
    """Return the datastore with three ISOs, and a file of somebody else."""
    fake = FakeMedia({path(sha): 2_000_000_000 for sha in (NEWEST, OLDER, UNUSED)})
    fake.stored["DC1", f"{FOLDER}/windows.iso"] = 5
    fake.stored["DC1", f"[isos] elsewhere/{iso(UNUSED)}"] = 5
    monkeypatch.setattr("edge.images.gather.open_media", fake.open)
    monkeypatch.setenv("PATH", "/nowhere")  # no `pulumi` that could be asked
    return fake


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project: a build stack, a site whose host was installed from an older ISO, and a site without appliances."""
    images_file(tmp_path, images(), release=RELEASE | {"canvos": {"tag": "v4.9.38"}})
    (tmp_path / "Pulumi.plant-dev.yaml").unlink()
    project(tmp_path, mixed(image=FROM_STACK), release=RELEASE | {"canvos": {"tag": "v4.9.38"}})
    other = tmp_path / "Pulumi.other-dev.yaml"
    plain = {"aws:region": "eu-central-1", "edge-hosts:release": "r-1", "edge-hosts:site": site(name="other")}
    other.write_text(yaml.safe_dump({"config": plain}))
    exported(tmp_path, "images-dev", image=image())
    exported(tmp_path, "plant-dev", image=image(), hosts={"plant-a": {"state": "ready"}, "plant-b": host(OLDER)})
    monkeypatch.setenv("EDGE_HOSTS_SECRET_VSPHERE_PASSWORD", "canary-password")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = app.main(["images", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "canary-password" not in captured.out + captured.err
    return code, captured.out, captured.err


@pytest.mark.row("B14")
def test_the_list_says_whose_each_iso_is_and_who_uses_it(
    plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "list", "--root", str(plant))
    assert code == 0
    lines = {sha: next(line for line in out.splitlines() if sha[:12] in line) for sha in (NEWEST, OLDER, UNUSED)}
    assert lines[NEWEST].split()[-3:] == ["images-dev", "images-dev", "plant-dev"]
    assert lines[OLDER].split()[-2:] == ["images-dev", "plant-dev"]
    assert "nothing needs it" in lines[UNUSED]
    assert "2.0 GB" in lines[NEWEST]
    assert "warning" not in out
    assert media.deleted == []


@pytest.mark.row("B14")
def test_only_what_nothing_needs_is_removed(plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "gc", "--yes", "--root", str(plant))
    assert code == 0
    assert media.deleted == [path(UNUSED)]
    assert f"removed vcenter.example.com DC1 {FOLDER}/{iso(UNUSED)} (2.0 GB)" in out
    assert "it is used by plant-dev" in out
    assert "it is the current ISO of images-dev" in out
    assert {name for _, name in media.stored if "elsewhere" in name or "windows" in name}
    assert "nothing to remove" in run(capsys, "gc", "--yes", "--root", str(plant))[1]


def test_it_asks_first_and_takes_no_for_an_answer(
    plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda text: bool(asked.append(text)))
    code, out, _ = run(capsys, "gc", "--root", str(plant))
    assert (code, media.deleted) == (0, [])
    assert asked == ["Remove 1 of 4 files (2.0 GB)?"]
    assert "nothing was removed" in out
    monkeypatch.setattr("typer.confirm", lambda _text: True)
    run(capsys, "gc", "--root", str(plant))
    assert media.deleted == [path(UNUSED)]


def test_a_dry_run_removes_nothing(plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "gc", "--dry-run", "--yes", "--root", str(plant))
    assert (code, media.deleted) == (0, [])
    assert "remove " in out


@pytest.mark.parametrize("result", ["failed", None])
def test_a_stack_whose_facts_cannot_be_believed_keeps_everything(
    result: str | None, plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]
) -> None:
    file = plant / ".edge" / "facts" / "plant-dev.json"
    if result is None:
        file.unlink()
    else:
        file.write_text(
            json.dumps({"stack": "plant-dev", "result": result, "outputs": {"image": image(), "hosts": {}}})
        )
    code, out, _ = run(capsys, "gc", "--yes", "--root", str(plant))
    assert (code, media.deleted) == (0, [])
    assert "warning: plant-dev may use every ISO" in out
    assert "--ignore plant-dev" in out
    run(capsys, "gc", "--yes", "--ignore", "plant-dev", "--root", str(plant))
    assert sorted(media.deleted) == sorted([path(UNUSED), path(OLDER)])


def test_a_stack_file_that_is_wrong_keeps_everything(
    plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]
) -> None:
    (plant / "Pulumi.broken-dev.yaml").write_text("config:\n  edge-hosts:site: {name: x}\n")
    _, out, _ = run(capsys, "gc", "--yes", "--root", str(plant))
    assert "warning: broken-dev may use every ISO" in out
    assert media.deleted == []


def test_an_iso_that_a_release_records_stays(plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]) -> None:
    canvos = {**CANVOS, "isos": {"poweroff": UNUSED}}
    (plant / "releases" / "r-9.yaml").write_text(yaml.safe_dump({**RELEASE, "id": "r-9", "canvos": canvos}))
    _, out, _ = run(capsys, "gc", "--yes", "--root", str(plant))
    assert media.deleted == []
    assert "it is recorded by release r-9" in out


def test_a_given_image_is_in_use_before_its_site_was_ever_deployed(plant: Path, media: FakeMedia) -> None:
    given = mixed(put("image.isos.poweroff.sha256", UNUSED))
    project(plant, given, release=RELEASE | {"canvos": {"tag": "v4.9.38"}})
    rows = {one.digest: one for one in look(gather(plant), plant)}
    assert rows[UNUSED[:12]].users == ("plant-dev",)


def test_a_site_without_appliances_needs_no_facts_although_it_names_an_image(plant: Path, media: FakeMedia) -> None:
    changes = [put(f"hosts.{name}.mode", "agent") for name in ("plant-b", "plant-c")]
    bare = [put("hosts.plant-c.hostKey", HOST_KEY), drop("hosts.plant-c.staticNetwork")]
    project(plant, mixed(*changes, *bare, image=FROM_STACK), release=RELEASE | {"canvos": {"tag": "v4.9.38"}})
    (plant / ".edge" / "facts" / "plant-dev.json").unlink()
    assert [claim.stack for claim in gather(plant).claims] == ["images-dev"]


def test_a_site_that_builds_its_own_image_owns_what_it_uploads(plant: Path, media: FakeMedia) -> None:
    from tests.unit.image_stacks import BUILT

    (plant / "Pulumi.images-dev.yaml").unlink()
    project(plant, mixed(image=BUILT), release=RELEASE | {"canvos": {"tag": "v4.9.38"}})
    rows = {one.digest: one for one in look(gather(plant), plant)}
    assert rows[NEWEST[:12]].owners == ("plant-dev",)
    assert rows[NEWEST[:12]].makers == ("plant-dev",)
    assert rows[UNUSED[:12]].kept_by == ""


def test_nothing_outside_of_the_folders_can_be_removed(plant: Path, media: FakeMedia) -> None:
    gathered = gather(plant)
    rows = {one.digest: one for one in look(gathered, plant)}
    from dataclasses import replace

    strange = replace(rows[UNUSED[:12]], file=IsoFile("vcenter.example.com", "DC1", "isos", f"elsewhere/{iso(UNUSED)}"))
    with pytest.raises(ValueError, match="lies in no folder"):
        remove(gathered, strange, plant)
    with pytest.raises(ValueError, match="is the current ISO of images-dev"):
        remove(gathered, rows[NEWEST[:12]], plant)
    assert media.deleted == []


def test_the_login_is_that_of_the_stack_that_uploads(plant: Path, media: FakeMedia) -> None:
    look(gather(plant), plant)
    (login,) = media.logins
    assert (login.server, login.user, login.password) == (
        "vcenter.example.com",
        "edge-hosts@vsphere.local",
        "canary-password",
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "--ignore", "plnt-dev"], "plnt-dev"),
        (["gc", "--ignore", "nothing"], "is no stack of this project"),
    ],
)
def test_a_stack_that_is_not_there_cannot_be_ignored(
    arguments: list[str], says: str, plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *arguments, "--root", str(plant))
    assert code == 2
    assert says in err
    assert "images-dev, other-dev, plant-dev" in err


def test_a_project_without_a_build_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path, site())
    code, _, err = run(capsys, "list", "--root", str(tmp_path))
    assert code == 2
    assert "has no stack that uploads ISOs" in err


def test_a_password_that_is_missing_is_named(
    plant: Path, media: FakeMedia, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_HOSTS_SECRET_VSPHERE_PASSWORD")
    code, _, err = run(capsys, "list", "--root", str(plant))
    assert code == 6
    assert "vspherePassword" in err
