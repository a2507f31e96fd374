"""The schema for editors and the page for people are made from the models, and stay in step with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel
from settings_helpers import ROOT, SITE, STACKS, put, site

from edge.settings import reference
from edge.settings.load import config_of
from edge.settings.release import Release
from edge.settings.schema import site_schema
from edge.settings.site import BuildStack, NetworkStack, Site
from tests.unit.image_stacks import BUILT, FROM_STACK, images, mixed


def test_the_generated_files_are_in_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0, capsys.readouterr().out


def test_a_file_out_of_step_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "__file__", str(tmp_path / "edge" / "settings" / "reference.py"))
    assert reference.main(["--check"]) == 1
    assert "docs/configuration.md is out of step" in capsys.readouterr().out
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert (tmp_path / "schema" / "site.schema.json").read_text() == (ROOT / "schema" / "site.schema.json").read_text()


def models(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Return a model and all models inside it."""
    if model not in seen:
        seen.add(model)
        for info in model.model_fields.values():
            for _, inner in reference._models(info.annotation):
                models(inner, seen)
    return seen


def test_every_key_has_a_description() -> None:
    every: set[type[BaseModel]] = set()
    for top in (Site, NetworkStack, BuildStack, Release):
        models(top, every)
    assert len(every) > 20
    for model in every:
        assert model.__doc__, model
        for name, info in model.model_fields.items():
            assert info.description and info.description.endswith("."), f"{model.__name__}.{name}"


def test_every_key_stands_on_the_page() -> None:
    page = reference.reference_text()
    every: set[type[BaseModel]] = set()
    for top in (Site, NetworkStack, BuildStack, Release):
        models(top, every)
    for model in every:
        for name, info in model.model_fields.items():
            assert f"| `{info.alias or name}` |" in page, f"{model.__name__}.{name}"


def test_the_page_has_no_cell_that_breaks_its_table() -> None:
    columns = 0
    for line in reference.reference_text().splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        count = line.replace("\\|", "").count("|")
        assert columns in (0, count), line
        columns = count


def validator() -> Any:
    schema = json.loads((ROOT / "schema" / "site.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("stack", [*STACKS, "network-dev", "images-dev"])
def test_the_schema_takes_the_committed_stacks(stack: str) -> None:
    validator().validate(config_of(stack, ROOT)["edge-hosts:site"])


@pytest.mark.parametrize(
    "raw",
    [
        site(put("colour", "red")),
        site(put("hosts.plant-a.colour", "red")),
        site(put("stage", "production")),
        site(put("network.kubernetesVersion", 1.3)),
        site(put("vmxnet3", True)),
        site(put("hosts.plant-a.address", 10.2)),
        site(put("palette.users", {"k": {"passwd": "kairos"}})),
        {key: value for key, value in SITE.items() if key != "hosts"},
        images(put("build.arguments", {"K8S_VERSION": "1.31.0"})),
        images(put("build.arguments", {"TWO_NODE": "true"})),
        images(put("build.customTag", "EKS")),
        mixed(put("image.isos.usb", {})),
    ],
    ids=[
        "unknown",
        "unknown in host",
        "stage",
        "number",
        "switch",
        "address",
        "password",
        "no hosts",
        "fixed argument",
        "kind of an argument",
        "tag",
        "kind of an ISO",
    ],
)
def test_the_schema_refuses_what_the_program_refuses(raw: Any) -> None:
    assert not validator().is_valid(raw)


@pytest.mark.parametrize("raw", [images(), mixed(), mixed(image=BUILT), mixed(image=FROM_STACK)])
def test_the_schema_takes_images_of_each_source(raw: Any) -> None:
    validator().validate(raw)


def test_the_schema_shows_descriptions_for_keys() -> None:
    definitions = site_schema()["$defs"]
    assert "passphrase" in definitions["Ssh"]["properties"]
    assert all("description" in one for one in definitions["ExistingHost"]["properties"].values())
