"""A small build stack, and small sites whose appliances take an image from each source, in one project."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings import BuildSettings, load_any
from tests.unit.settings_helpers import DIGEST, HOST_KEY, RELEASE, SITE, VCENTER, project, put, vm_site

Change = Callable[[dict[str, Any]], None]

COMMIT = "c0ffee" * 6 + "c0ff"
IMAGE = "registry.example/edge/ubuntu:nodeadm-1.31.0-v4.9.38-eks-hybrid"
CANVOS: dict[str, Any] = {
    "tag": "v4.9.38",
    "commit": COMMIT,
    "image": {"reference": IMAGE, "digest": f"sha256:{DIGEST}"},
    "isos": {"poweroff": DIGEST, "reboot": DIGEST},
}
PINNED: dict[str, Any] = {**RELEASE, "canvos": CANVOS}
BUILDER: dict[str, Any] = {"machine": "ssh", "address": "10.200.0.30", "hostKey": HOST_KEY, "ssh": {"user": "build"}}
BUILD: dict[str, Any] = {
    "registry": "registry.example/edge",
    "repo": "ubuntu",
    "customTag": "eks-hybrid",
    "osVersion": "22.04",
    "kinds": ["poweroff", "reboot"],
}
STACK: dict[str, Any] = {
    "kind": "build",
    "name": "images",
    "stage": "dev",
    "builder": BUILDER,
    "build": BUILD,
    "datastores": [{"datacenter": "DC1", "datastore": "isos"}],
    "vcenters": {"main": VCENTER},
}
GIVEN: dict[str, Any] = {
    "source": "given",
    "image": IMAGE,
    "imageDigest": f"sha256:{DIGEST}",
    "osVersion": "22.04",
    "isos": {
        kind: {"sha256": DIGEST, "datastore": "isos", "path": f"edge-hosts-isos/edge-{kind}.iso"}
        for kind in ("poweroff", "reboot")
    },
}
BUILT: dict[str, Any] = {
    "source": "build",
    "builder": {key: value for key, value in BUILDER.items() if key != "ssh"},
    "build": BUILD,
    "datastores": STACK["datastores"],
}
FROM_STACK: dict[str, Any] = {"source": "stack", "stack": "images-dev"}
STATIC: dict[str, Any] = {"interface": "eno1", "gateway": "10.200.0.1", "nameserver": "10.200.0.2"}


def images(*changes: Change, **top: Any) -> dict[str, Any]:
    """Return the build stack as raw data, with keys replaced and with changes made to it."""
    raw = {**copy.deepcopy(STACK), **copy.deepcopy(top)}
    for change in changes:
        change(raw)
    return raw


def images_file(
    folder: Path, raw: dict[str, Any], *, release: Mapping[str, Any] = PINNED, stack: str = "", **config: Any
) -> Path:
    """Write the stack file of a build stack into a project, and return it."""
    project(folder, SITE, release=release)
    path = folder / f"Pulumi.{stack or 'images-' + str(raw.get('stage', 'dev'))}.yaml"
    values = {"edge-hosts:release": "r-1", "edge-hosts:site": raw}
    values |= {key.replace("__", ":"): value for key, value in config.items()}
    path.write_text(yaml.safe_dump({"config": values}, sort_keys=False))
    return path


def load_images(folder: Path, raw: dict[str, Any], **more: Any) -> BuildSettings:
    """Return the settings of a build stack."""
    path = images_file(folder, raw, **more)
    found = load_any(path.stem.removeprefix("Pulumi."), folder)
    assert isinstance(found, BuildSettings)
    return found


def images_refused(folder: Path, raw: dict[str, Any], **more: Any) -> dict[str, Finding]:
    """Return what keeps a build stack from being used, by place. Fails when nothing does."""
    try:
        load_images(folder, raw, **more)
    except SettingsError as error:
        return {finding.where: finding for finding in error.findings}
    raise AssertionError("the settings were accepted")


def mixed(*changes: Change, image: Mapping[str, Any] | None = GIVEN, **top: Any) -> dict[str, Any]:
    """Return a site with a VM in Agent Mode, a VM that is an appliance, and a bare-metal appliance."""
    bare = {"address": "10.200.0.13/24", "machine": "existing", "mode": "appliance", "staticNetwork": STATIC}
    first = [put("hosts.plant-b.mode", "appliance"), put("hosts.plant-c", bare)]
    if image is not None:
        first.append(put("image", copy.deepcopy(dict(image))))
    return vm_site(*first, *changes, **top)
