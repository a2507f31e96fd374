"""A stack of kind `build`: one installer image, made once and promoted by its digests. No hosts."""

import os
import secrets as random
from typing import Any, Optional

import pulumi
from pulumi import ResourceOptions

from components import names
from components.hooks import Hooks
from components.installer_image import InstallerImage, InstallerImageArgs
from components.installer_iso import upload
from edge.settings import BuildSettings


class EdgeBuild(pulumi.ComponentResource):
    """An installer image, and its ISOs on every datastore of the settings, which this stack owns.

    `exports` holds what site stacks read (`kind`, `image`), and what a person takes from here: `pack` for the cluster
    profile, `builder_isos` for bare metal, `warnings`. No export is a secret.
    """

    exports: dict[str, Any]

    def __init__(self, name: str, settings: BuildSettings, opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(
            names.token("EdgeBuild"), name, {"stage": settings.stage, "release": settings.release.id}, opts
        )
        for warning in settings.warnings:
            pulumi.log.warn(str(warning), self)
        site, hooks = settings.site, Hooks()
        self.image = InstallerImage(
            names.child(name, "image"),
            InstallerImageArgs(site.build, site.builder, settings.ssh, settings.release, settings.owner, settings.root),
            hooks,
            ResourceOptions(parent=self),
        )
        # An ISO may be what a machine of production boots from.
        protected = ResourceOptions(parent=self.image, protect=settings.stage == "prod")
        self.facts = upload(self.image, site.datastores, site.vcenters, hooks, protected)
        self.exports = {
            "kind": site.kind,
            "stage": settings.stage,
            "owner": settings.owner,
            "release": settings.release.id,
            "run": os.environ.get("EDGE_HOSTS_RUN_ID") or random.token_hex(8),
            "image": self.facts,
            "pack": self.image.pack,
            "builder_isos": self.image.builder_isos,
            "warnings": self.image.warnings.apply(lambda said: [*(str(one) for one in settings.warnings), *said]),
        }
        self.register_outputs({"image": self.facts})
