"""Whatever stands in a stack file, the answer is settings or findings with a place and a remedy; never a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settings_helpers import CASES_OF_PLACES, ROOT, SITE, project, put

from edge.errors import SettingsError
from edge.settings import AnySettings, from_config, load_stack
from tests.unit.image_stacks import PINNED, STACK, images, mixed

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.sampled_from(["10.200.0.11", "10.0.0.0/8", "on", "1.30", "existing", "given", "api", "appliance", "v4.9.38", {"source": "given"}, {"machine": "local"}, {"secret": "x"}, {"file": "x"}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz")
    project(path, SITE, release=PINNED)
    return path


def judged(folder: Path, raw: Any, stack: str = "plant-dev") -> AnySettings | None:
    """Return the settings of a raw stack, or None when it is refused in the right way."""
    try:
        return from_config(
            stack, "edge-hosts", raw, "r-1", {"region": "eu-central-1"}, site_is_secret=False, root=folder
        )
    except SettingsError as error:
        assert error.findings
        for finding in error.findings:
            assert finding.where and finding.problem and finding.remedy, finding
            assert finding.level == "error"
            assert "pydantic" not in str(finding) and "Traceback" not in str(finding)
    return None


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(raw=ANYTHING)
def test_any_value_as_a_site(folder: Path, raw: Any) -> None:
    assert judged(folder, raw) is None


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(CASES_OF_PLACES), value=ANYTHING)
def test_any_value_anywhere_in_a_site(folder: Path, place: str, value: Any) -> None:
    raw = copy.deepcopy(SITE)
    *above, last = place.split(".")
    here: Any = raw
    for part in above:
        here = here.setdefault(part, {})
    here[last] = value
    judged(folder, raw)


PLACES_OF_IMAGES = (
    "kind", "name", "stage", "builder", "builder.machine", "builder.address", "builder.ssh", "builder.workDir", "build",
    "build.registry", "build.repo", "build.customTag", "build.os", "build.osVersion", "build.baseImage", "build.isoName",
    "build.kinds", "build.proxy", "build.certificates", "build.dockerfile", "build.contentBundle", "build.install",
    "build.install.bind_mounts", "build.arguments", "build.arguments.TWO_NODE", "build.arguments.CLUSTERCONFIG",
    "datastores", "vcenters", "vcenters.main",
)  # fmt: skip
PLACES_OF_A_MIXED_SITE = (
    "image", "image.source", "image.image", "image.isos", "image.isos.poweroff", "image.isos.poweroff.path",
    "image.isos.reboot.copies", "image.osVersion", "hosts.plant-b.mode", "hosts.plant-b.vsphere", "hosts.plant-c.machine",
    "hosts.plant-c.staticNetwork", "hosts.plant-c.mode", "vsphere", "vsphere.firmware", "palette.userDataExtra",
)  # fmt: skip


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES_OF_IMAGES), value=ANYTHING)
def test_any_value_anywhere_in_a_build_stack(folder: Path, place: str, value: Any) -> None:
    judged(folder, images(put(place, value)), "images-dev")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES_OF_A_MIXED_SITE), value=ANYTHING)
def test_any_value_anywhere_in_a_mixed_site(folder: Path, place: str, value: Any) -> None:
    judged(folder, mixed(put(place, value)))


def test_the_stacks_that_are_damaged_here_are_whole_without_it(folder: Path) -> None:
    assert judged(folder, STACK, "images-dev") is not None
    assert judged(folder, mixed()) is not None


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_stack_file_with_damaged_text(folder: Path, data: st.DataObject) -> None:
    text = (ROOT / "Pulumi.prod.yaml").read_text("utf-8").replace("plant-12", "plant")
    at = data.draw(st.integers(0, len(text)))
    size = data.draw(st.integers(0, 30))
    damaged = text[:at] + data.draw(st.text(max_size=6).filter(lambda word: word.isprintable())) + text[at + size :]
    path = folder / "Pulumi.plant-prod.yaml"
    path.write_text(damaged.replace("2026.11-1", "r-1"), "utf-8")
    try:
        load_stack("plant-prod", folder)
    except SettingsError as error:
        assert error.findings
        assert all(finding.where and finding.remedy for finding in error.findings)


def test_what_yaml_can_write_comes_back(folder: Path) -> None:
    assert judged(folder, yaml.safe_load(yaml.safe_dump(SITE))) is not None


@pytest.mark.parametrize("key", ["~", "~existing", "[key]", "", ".", "a.b", "[0]", "\0", "x" * 3000, "\u2028"])
def test_keys_that_look_like_something_else(folder: Path, key: str) -> None:
    for place in ("", "hosts", "hosts.plant-a", "palette", "palette.users", "palette.tags", "palette.userDataExtra"):
        raw = copy.deepcopy(SITE)
        here: Any = raw
        for part in filter(None, place.split(".")):
            here = here.setdefault(part, {})
        here[key] = {"address": "x"}
        assert judged(folder, raw) is None
