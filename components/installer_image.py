"""An installer image of one release: built on the build machine, judged by what is there, its provider image pushed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from components import names, providers
from components.hooks import Hooks
from edge.canvos.images import pack_values, parse
from edge.images.builder import local_props, ssh_props
from edge.images.facts import ImageFacts
from edge.images.request import build_request
from edge.settings.access import Ssh
from edge.settings.image import Builder, ImageBuild, SshBuilder
from edge.settings.release import Release

# Seconds beyond the build itself: fetching, and pushing gigabytes.
_BESIDE = 3600.0


class InstallerBuild(Resource, module="edge", name="InstallerBuild"):
    """One build, followed to its end. Repeated only when what it is made of changes; delete takes nothing back.

    Outputs: `facts` (an `ImageFacts` without files), `builder_isos` (kind -> path on the build machine), `parts` (what it
    was made of, a short digest each), `bundle_seen` (a fingerprint of the content bundle that went in), `warnings`,
    `on_builder`, and what a refresh has seen: `moved`, the parts that are others by now.
    """

    facts: Output[dict[str, Any]]
    builder_isos: Output[dict[str, str]]
    parts: Output[dict[str, str]]
    warnings: Output[list[str]]
    on_builder: Output[bool]

    def __init__(self, name: str, props: dict[str, Input[object]], opts: ResourceOptions) -> None:
        outputs = dict.fromkeys(
            ("facts", "builder_isos", "inputs", "parts", "warnings", "on_builder", "moved", "bundle_seen")
        )
        super().__init__(providers.InstallerBuildProvider(), name, {**props, "name": name, **outputs}, opts)


@dataclass(frozen=True)
class InstallerImageArgs:
    """What is built, where, and of which release. `ssh` is the login at the build machine, None for this machine.

    `owner` names the folder on the build machine, so that two stacks do not build in one; `root` is where paths begin.
    """

    build: ImageBuild
    builder: Builder
    ssh: Optional[Ssh]
    release: Release
    owner: str
    root: Path


class InstallerImage(pulumi.ComponentResource):
    """Provider image and ISOs of one release.

    `facts` are the `ImageFacts` as plain data, without files; `pack` the values of the OS pack in the cluster profile, for
    the image that is really there; `builder` and `workdir` say where the ISOs lie, `builder_isos` under which paths.
    """

    facts: Output[dict[str, Any]]
    pack: Output[dict[str, Any]]
    warnings: Output[list[str]]
    builder_isos: Output[dict[str, str]]

    def __init__(
        self, name: str, args: InstallerImageArgs, hooks: Hooks, opts: Optional[ResourceOptions] = None
    ) -> None:
        super().__init__(names.token("InstallerImage"), name, {"release": args.release.id}, opts)
        whole = build_request(args.build, args.builder, args.release)
        self.workdir = f"{args.builder.work_dir.rstrip('/')}/{args.owner}"
        request = replace(whole, workdir=self.workdir, accept_small=args.builder.accept_small)
        self.kinds = tuple(args.build.kinds)
        self.builder: dict[str, Any] = local_props()
        if isinstance(args.builder, SshBuilder):
            assert args.ssh is not None  # the settings refuse a build machine without a login
            self.builder = ssh_props(args.builder.address, args.builder.host_key, args.ssh, args.root)
        self.build = InstallerBuild(
            names.child(name, "build"),
            {"request": request.to_dict(), "builder": self.builder, "timeout": request.seconds + _BESIDE},
            ResourceOptions(parent=self, hooks=hooks.building()),
        )
        self.facts, self.builder_isos = self.build.facts, self.build.builder_isos
        self.warnings = self.build.warnings.apply(self._said)
        self.pack = self.facts.apply(_pack)
        self.register_outputs({"facts": self.facts})

    def _said(self, warnings: list[str]) -> list[str]:
        for warning in warnings:
            pulumi.log.warn(warning, self)
        return warnings


def _pack(facts: dict[str, Any]) -> dict[str, Any]:
    known = ImageFacts.from_dict(facts)
    image = parse(known.image)
    if image is None:
        return {}
    return dict(pack_values(image, os_distribution=known.os, os_version=known.os_version))
