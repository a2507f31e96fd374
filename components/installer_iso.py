"""The ISOs of an image on the datastores that machines boot from: uploaded by the build machine, owned by who built them."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from components import names, providers
from components.hooks import Hooks
from components.installer_image import InstallerImage
from edge.images.facts import with_files
from edge.settings.image import IsoDatastore
from edge.settings.image_places import vcenter_of
from edge.settings.vsphere import Vcenter
from edge.vcenter.media import login_inputs

_TIMEOUT = 7200.0


class InstallerIso(Resource, module="edge", name="InstallerIso"):
    """One kind of ISO on one datastore, under a name with its digest. Another ISO is put beside it; delete removes all of them.

    Outputs: `path` (relative to the datastore), `files` (all that it has uploaded), `present`.
    """

    path: Output[str]
    files: Output[list[dict[str, str]]]
    present: Output[bool]

    def __init__(self, name: str, props: dict[str, Input[object]], opts: ResourceOptions) -> None:
        outputs = dict.fromkeys(("path", "files", "present"))
        super().__init__(providers.InstallerIsoProvider(), name, {**props, "name": name, **outputs}, opts)


def upload(
    image: InstallerImage,
    datastores: Sequence[IsoDatastore],
    vcenters: Mapping[str, Vcenter],
    hooks: Hooks,
    opts: ResourceOptions,
) -> Output[dict[str, Any]]:
    """Upload every ISO of an image to every datastore, and return the facts of the image with the files.

    Nothing is uploaded before the image is built and judged: what is uploaded is known only then.
    """
    made: list[dict[str, Input[Any]]] = []
    places = Counter((one.datacenter, one.datastore) for one in datastores)
    for datastore in datastores:
        name = vcenter_of(datastore, vcenters)
        vcenter = vcenters[name]
        alone = places[datastore.datacenter, datastore.datastore] == 1
        for kind in image.kinds:
            iso = InstallerIso(
                names.child(image._name, _role(kind, datastore, "" if alone else name)),
                _props(image, kind, datastore, vcenter),
                ResourceOptions.merge(opts, ResourceOptions(hooks=hooks.building())),
            )
            made.append(
                {
                    "kind": kind,
                    "vcenter": vcenter.server,
                    "datacenter": datastore.datacenter,
                    "datastore": datastore.datastore,
                    "path": iso.path,
                }
            )
    return Output.all(facts=image.facts, files=made).apply(lambda all_: with_files(all_["facts"], all_["files"]))


def _role(kind: str, datastore: IsoDatastore, vcenter: str) -> str:
    """Return a role word of its own for each datastore: names that differ in a sign only must not meet.

    Where a vCenter is and what the settings call it have no part in it, unless two have a datastore of this name: under
    another name the same file would belong to a new resource, and be deleted with the old one.
    """
    place = f"{vcenter}/{datastore.datacenter}/{datastore.datastore}"
    plain = re.sub(r"[^A-Za-z0-9]+", "-", datastore.datastore).strip("-")
    return f"iso-{kind}-{plain}-{hashlib.sha256(place.encode()).hexdigest()[:6]}"


def _props(image: InstallerImage, kind: str, datastore: IsoDatastore, vcenter: Vcenter) -> dict[str, Input[object]]:
    """Return the inputs of one upload; the password is only named."""
    iso = image.facts.apply(lambda facts: facts["isos"][kind])
    return {
        "builder": image.builder,
        "workdir": image.workdir,
        "kind": kind,
        "source": image.builder_isos.apply(lambda paths: paths[kind]),
        "iso_name": iso.apply(lambda one: one["name"]),
        "sha256": iso.apply(lambda one: one["sha256"]),
        "size": iso.apply(lambda one: one["size"]),
        "vcenter": vcenter.server,
        **login_inputs(vcenter),
        "datacenter": datastore.datacenter,
        "datastore": datastore.datastore,
        "folder": datastore.folder,
        "timeout": _TIMEOUT,
    }
