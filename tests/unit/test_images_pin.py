"""An image and the release that records it: each thing that may differ is told, and writing it down keeps the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.canvos.images import registry_of
from edge.errors import FactsError, SettingsError
from edge.images.agree import disagreements, recorded_isos
from edge.images.facts import ImageFacts, IsoFacts
from edge.images.known import exported_image, has_appliances, image_of
from edge.images.pin import pin_image
from edge.images.reference import image_reference
from edge.releases import main
from edge.settings.release import Release, load
from tests.unit.image_stacks import BUILT, CANVOS, COMMIT, FROM_STACK, IMAGE, PINNED, mixed
from tests.unit.settings_helpers import DIGEST, RELEASE, put, site
from tests.unit.settings_helpers import load as load_site

ISOS = {kind: IsoFacts(f"edge-{kind}.iso", DIGEST, 10) for kind in ("poweroff", "reboot")}
FACTS = ImageFacts("v4.9.38", COMMIT, "v4.9.38", "1.31.0", "ubuntu", "22.04", IMAGE, f"sha256:{DIGEST}", "inputs", ISOS)
OTHER = "cd" * 32


def release(**changes: Any) -> Release:
    return Release.model_validate({**PINNED, "canvos": {**CANVOS, **changes}})


@pytest.mark.row("B11", "C3")
def test_what_is_recorded_agrees_with_itself() -> None:
    assert disagreements(release(), FACTS, "plant", complete=True) == []
    assert recorded_isos(release().canvos) == {"poweroff": DIGEST, "reboot": DIGEST}
    assert recorded_isos(None) == {}


@pytest.mark.row("B3", "B11", "B13", "C3")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"canvos_tag": "v4.9.37"}, "canvos.tag (v4.9.38)"),
        ({"canvos_commit": "0" * 40}, f"canvos.commit ({COMMIT})"),
        ({"kubernetes": "1.30.0"}, "kubernetes (1.31.0)"),
        ({"image": IMAGE.replace("eks", "ekz")}, f"canvos.image.reference ({IMAGE})"),
        ({"image_digest": f"sha256:{OTHER}"}, "canvos.image.digest"),
        ({"image_digest": ""}, "canvos.image.digest"),
        ({"isos": {**ISOS, "poweroff": replace(ISOS["poweroff"], sha256=OTHER)}}, "canvos.isos.poweroff"),
        ({"isos": {**ISOS, "reboot": replace(ISOS["reboot"], sha256=OTHER)}}, "canvos.isos.reboot"),
    ],
)
def test_each_difference_is_told_alone(change: dict[str, Any], says: str) -> None:
    (finding,) = disagreements(release(), replace(FACTS, **change), "plant", complete=True)
    assert finding.where == "plant"
    assert says in finding.problem
    assert finding.remedy


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"commit": None}, "canvos.commit"),
        ({"image": None}, "canvos.image"),
        ({"isos": {"poweroff": DIGEST}}, "canvos.isos.reboot"),
    ],
)
def test_what_is_not_recorded_is_missed_only_where_all_is_asked_for(change: dict[str, Any], place: str) -> None:
    assert disagreements(release(**change), FACTS, "plant") == []
    (finding,) = disagreements(release(**change), FACTS, "plant", complete=True)
    assert finding.where == f"releases/r-1.yaml: {place}"
    assert "pin r-1 --image FACTS" in finding.remedy


def test_a_release_without_canvos_has_no_image() -> None:
    (finding,) = disagreements(Release.model_validate(RELEASE), FACTS, "plant")
    assert "names no `canvos`" in finding.problem


TEXT = """\
# What was tried together.
id: r-1
agent:
  version: "4.9.38"
canvos:
  tag: v4.9.38   # the newest plain one
# what nodes run
kubernetes: "1.31.0"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one release that records nothing, and the exports of a build."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "r-1.yaml").write_text(TEXT)
    (tmp_path / "facts.json").write_text(json.dumps({"image": FACTS.to_dict()}))
    return tmp_path


def text_of(root: Path) -> str:
    return (root / "releases" / "r-1.yaml").read_text()


@pytest.mark.row("B11", "C3")
def test_an_image_is_written_into_the_release_and_nothing_else_is_touched(project: Path) -> None:
    code = main(["pin", "r-1", "--image", str(project / "facts.json"), "--root", str(project)])
    assert code == 0
    lines = text_of(project).splitlines()
    assert [line for line in TEXT.splitlines() if line not in lines] == []
    assert disagreements(load("r-1", project), FACTS, "plant", complete=True) == []
    # Again changes nothing; another image replaces the values where they stand.
    before = text_of(project)
    pin_image("r-1", project / "facts.json", project)
    assert text_of(project) == before
    (project / "facts.json").write_text(json.dumps({"image": replace(FACTS, image_digest=f"sha256:{OTHER}").to_dict()}))
    pin_image("r-1", project / "facts.json", project)
    assert text_of(project) == before.replace(f"sha256:{DIGEST}", f"sha256:{OTHER}")


def test_a_file_that_ends_with_canvos_gets_its_lines_at_the_end(project: Path) -> None:
    (project / "releases" / "r-1.yaml").write_text(
        'id: r-1\nagent: {version: "4.9.38"}\nkubernetes: "1.31.0"\ncanvos:\n  tag: v4.9.38'
    )
    pin_image("r-1", project / "facts.json", project)
    assert disagreements(load("r-1", project), FACTS, "plant", complete=True) == []


@pytest.mark.parametrize("form", ["outputs", "record", "export"])
def test_exports_are_read_in_each_form_that_they_come_in(form: str, project: Path) -> None:
    outputs = {"image": FACTS.to_dict()}
    document: dict[str, Any] = {
        "outputs": outputs,
        "record": {"stack": "images-dev", "result": "succeeded", "outputs": outputs},
        "export": {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": outputs}]}},
    }[form]
    (project / "facts.json").write_text(json.dumps(document))
    assert pin_image("r-1", project / "facts.json", project)["canvos.image.reference"] == IMAGE


@pytest.mark.row("B3", "B13")
@pytest.mark.parametrize(
    ("image", "says"),
    [
        ({"canvos_tag": "v4.9.37"}, "canvos.tag"),
        ({"kubernetes": "1.30.0"}, "kubernetes"),
        ({"image_digest": ""}, "was not pushed"),
        ({"isos": {}}, "has no ISO"),
    ],
)
def test_an_image_that_does_not_fit_is_not_written(
    image: dict[str, Any], says: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "facts.json").write_text(json.dumps({"image": replace(FACTS, **image).to_dict()}))
    code = main(["pin", "r-1", "--image", str(project / "facts.json"), "--root", str(project)])
    assert code == 2
    assert says in capsys.readouterr().err
    assert text_of(project) == TEXT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "exports no image"),
        ('{"image": {"canvos_tag": "v1"}}', "has another form (KeyError: 'canvos_commit')"),
        ("no json", "it is no JSON"),
        ('{"stack": "images-dev", "result": "failed", "outputs": {}}', "not to be believed"),
    ],
)
def test_exports_that_hold_no_image_are_named(
    text: str, says: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "facts.json").write_text(text)
    code = main(["pin", "r-1", "--image", str(project / "facts.json"), "--root", str(project)])
    assert code == FactsError.exit_code
    assert says in capsys.readouterr().err
    assert text_of(project) == TEXT


def test_a_mapping_in_braces_is_not_written_into(project: Path) -> None:
    (project / "releases" / "r-1.yaml").write_text(TEXT.replace("canvos:\n  tag: v4.9.38 ", "canvos: {tag: v4.9.38} "))
    with pytest.raises(SettingsError, match="is no mapping of lines"):
        pin_image("r-1", project / "facts.json", project)


def test_a_moved_tag_is_not_pinned_over(project: Path) -> None:
    pin_image("r-1", project / "facts.json", project)
    (project / "facts.json").write_text(json.dumps({"image": replace(FACTS, canvos_commit="0" * 40).to_dict()}))
    with pytest.raises(SettingsError, match=r"canvos\.commit"):
        pin_image("r-1", project / "facts.json", project)


@pytest.mark.row("B3")
def test_the_newest_tag_is_written_down_as_what_was_built(project: Path) -> None:
    path = project / "releases" / "r-1.yaml"
    kept = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**kept, "canvos": {"tag": "newest"}}, sort_keys=False))
    (project / "facts.json").write_text(json.dumps({"image": replace(FACTS, canvos_tag="v4.9.39").to_dict()}))
    written = pin_image("r-1", project / "facts.json", project)
    assert written["canvos.tag"] == "v4.9.39"
    canvos = load("r-1", project).canvos
    assert canvos is not None
    assert (canvos.tag, canvos.commit) == ("v4.9.39", COMMIT)


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("registry.example/edge/ubuntu:x", "registry.example"),
        ("registry:5000/ubuntu:x", "registry:5000"),
        ("localhost/ubuntu", "localhost"),
        ("spectrocloud/ubuntu:nodeadm", "registry-1.docker.io"),
        ("ubuntu", "registry-1.docker.io"),
    ],
)
def test_the_registry_of_an_image(reference: str, registry: str) -> None:
    assert registry_of(reference) == registry


def test_the_image_of_each_source(tmp_path: Path) -> None:
    given = load_site(tmp_path, mixed(), release=PINNED)
    assert has_appliances(given)
    assert image_reference(given) == IMAGE
    found = image_of(given, tmp_path)
    assert found is not None
    assert found.image_digest == f"sha256:{DIGEST}"
    built = load_site(tmp_path, mixed(image=BUILT), release=PINNED)
    assert image_reference(built) == "registry.example/edge/ubuntu"
    stack = load_site(tmp_path, mixed(image=FROM_STACK), release=PINNED)
    assert image_reference(stack) == IMAGE
    (tmp_path / "facts.json").write_text(json.dumps({"image": FACTS.to_dict()}))
    assert image_of(stack, tmp_path, tmp_path / "facts.json") == FACTS
    plain = load_site(tmp_path, site())
    assert not has_appliances(plain)
    assert (image_of(plain, tmp_path), image_reference(plain)) == (None, "")


@pytest.mark.row("B11", "C3")
def test_an_iso_of_an_earlier_build_does_not_stay_in_the_release(project: Path) -> None:
    pin_image("r-1", project / "facts.json", project)
    before = text_of(project)
    newer = replace(FACTS, image_digest=f"sha256:{OTHER}", isos={"poweroff": ISOS["poweroff"]})
    (project / "facts.json").write_text(json.dumps({"image": newer.to_dict()}))
    with pytest.raises(SettingsError, match=r"has no ISO of kind reboot.*remove `canvos\.isos\.reboot`"):
        pin_image("r-1", project / "facts.json", project)
    assert text_of(project) == before


def test_an_appliance_that_leaves_needs_no_image_any_more(tmp_path: Path) -> None:
    settings = load_site(
        tmp_path, mixed(put("hosts.plant-b.state", "retired"), put("hosts.plant-c.state", "lost")), release=PINNED
    )
    assert not has_appliances(settings)


def test_an_export_that_is_no_image_is_refused() -> None:
    with pytest.raises(FactsError, match="exports no image"):
        exported_image("images-dev", {"image": "registry/x"})
    lacking = {key: value for key, value in FACTS.to_dict().items() if key != "image"}
    with pytest.raises(FactsError, match=r"another form .KeyError: 'image'"):
        exported_image("images-dev", {"image": lacking})
