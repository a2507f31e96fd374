"""From the settings of an image to what the builder is asked for: arguments, user-data, Dockerfile lines. Pure.

The arguments stand in the order of the vendor's page, then those that only some builds have.
"""

from __future__ import annotations

from edge.appliance.userdata import build_file
from edge.canvos.build import BuildRequest
from edge.canvos.tags import DISTRIBUTION
from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings.image import Builder, ImageBuild
from edge.settings.image_arguments import argument_text
from edge.settings.release import Canvos, Release


def build_request(build: ImageBuild, builder: Builder, release: Release) -> BuildRequest:
    """Return what is built of these settings, with the CanvOS tag and the Kubernetes version of the release.

    Raises SettingsError for a release without a CanvOS tag, and for a fixed `install` key.
    """
    canvos = _canvos(release)
    return BuildRequest(
        workdir=builder.work_dir,
        repository=build.repository,
        tag=canvos.tag,
        arg=arguments(build, release),
        user_data={power: build_file(power, build.install) for power in build.kinds},
        registry=build.registry,
        repo=build.repo,
        kubernetes=release.kubernetes,
        custom_tag=build.custom_tag,
        iso_name=build.iso_name,
        commit=canvos.commit or "",
        dockerfile=build.dockerfile,
        certificates=build.certificates,
        bundle=build.content_bundle or "",
        push=build.push,
        earthly=builder.earthly,
        seconds=int(builder.timeout.total_seconds()),
    )


def arguments(build: ImageBuild, release: Release) -> dict[str, str]:
    """Return the values of the `.arg` file by name, in order. The name of the ISO is that without its kind."""
    values = {
        "CUSTOM_TAG": build.custom_tag,
        "IMAGE_REGISTRY": build.registry,
        "OS_DISTRIBUTION": build.os,
        "IMAGE_REPO": build.repo,
    }
    if build.built_os_version:
        values["OS_VERSION"] = build.built_os_version
    values |= {
        "K8S_DISTRIBUTION": DISTRIBUTION,
        "K8S_VERSION": release.kubernetes,
        "ISO_NAME": build.iso_name,
        "ARCH": build.arch,
        "UPDATE_KERNEL": argument_text(build.update_kernel),
    }
    if build.base_image is not None:
        values["BASE_IMAGE"] = build.base_image
    values |= {
        name: "true" for name, on in (("FIPS_ENABLED", build.fips), ("CIS_HARDENING", build.cis_hardening)) if on
    }
    if build.proxy is not None:
        values |= {"HTTP_PROXY": build.proxy.http_url, "HTTPS_PROXY": build.proxy.https}
        if build.proxy.no_proxy:
            values["NO_PROXY"] = ",".join(build.proxy.no_proxy)
    return values | {name: argument_text(value) for name, value in sorted(build.arguments.items())}


def _canvos(release: Release) -> Canvos:
    if release.canvos is None:
        remedy = f"Add `canvos: {{tag: v4.9.38}}` to releases/{release.id}.yaml, or choose another release."
        raise SettingsError([Finding("release", release.id, "names no CanvOS tag, so it cannot be built from", remedy)])
    return release.canvos
