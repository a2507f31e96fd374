"""Rules about what an image is built of, on which machine, and where its ISOs go: for build stacks, and sites that build.

Sources: Palette docs, Edge Artifact Build Configurations and prepare edge hosts; EKS User Guide, operating systems of
hybrid nodes; CanvOS repository, Earthfile and earthly.sh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from edge.canvos.request import NEWEST
from edge.canvos.tags import number
from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings.access import Ssh
from edge.settings.extra import passwords
from edge.settings.image import Builder, ImageBuild, IsoDatastore, SshBuilder
from edge.settings.image_arguments import argument_findings
from edge.settings.image_places import vcenter_of
from edge.settings.image_values import OS_VERSIONS
from edge.settings.release import Release
from edge.settings.vsphere import Vcenter
from edge.stages import Stage, judge

TTL = "ttl.sh"
# What hybrid nodes need of the installer; `edge.appliance.userdata` writes it.
FIXED_INSTALL: Mapping[str, str] = {
    "extra-dirs-rootfs": "Remove it: hybrid nodes need this list exactly as it is",
    "bind_mounts": "Remove it: hybrid nodes need this list exactly as it is",
    "poweroff": "Remove it, and write `kinds: [poweroff]`",
    "reboot": "Remove it, and write `kinds: [reboot]`",
}
_OTHER_SYSTEM = re.compile(r"(^|[/:._-])(opensuse|suse|sles?|debian|rocky|alma|centos|fedora|alpine)", re.IGNORECASE)
_RHEL_8 = re.compile(r"(rhel|ubi|el)[-_./]?8([^0-9]|$)|rhel[^:]*:v?8([^0-9]|$)", re.IGNORECASE)
_OLD_KERNEL_LIMIT = 32  # RHEL 8's kernel and Kubernetes 1.32 (Palette docs, known issues)
SUPPORTED = "AWS lists Ubuntu 20.04, 22.04 and 24.04, RHEL 8 and 9 for hybrid nodes that boot an image"


def build_findings(build: ImageBuild, where: str, stage: Stage, release: Release | None) -> list[Finding]:
    """Return what is wrong with what an image is built of; `where` is the path of `build`."""
    found: list[Finding | None] = [
        *_system(build, where),
        *_fips(build, where),
        *_trusted_boot(build, where),
        *_install(build, where),
        *argument_findings(build.arguments, f"{where}.arguments"),
        *_dockerfile(build, where),
        *(_release(build, where, stage, release) if release else ()),
    ]
    if build.repository.startswith("http://"):
        found.append(judge("image.repository.plain", stage, f"{where}.repository", build.repository))
    if build.registry.partition("/")[0].partition(":")[0] == TTL:
        found.append(judge("image.registry.ttl", stage, f"{where}.registry", build.registry))
    return [finding for finding in found if finding is not None]


def _system(build: ImageBuild, where: str) -> Iterator[Finding]:
    version, base = build.os_version, build.base_image
    if build.os == "ubuntu" and version is not None and version not in OS_VERSIONS:
        yield Finding(
            f"{where}.osVersion", version, "is no Ubuntu that can be built", 'Write "22.04" or "24.04" in quotes.'
        )
    if build.os == "rhel":
        if version is not None:
            problem = "is for Ubuntu only: the version of rhel is that of `baseImage`"
            yield Finding(f"{where}.osVersion", version, problem, "Remove it.")
        if base is None:
            remedy = "Name an image that you have built from the vendor's rhel-core-images, and pushed."
            yield Finding(f"{where}.baseImage", None, "is missing, and rhel has no base image of its own", remedy)
    if base is not None and _OTHER_SYSTEM.search(base):
        yield Finding(f"{where}.baseImage", base, "looks like a system that AWS does not support", f"{SUPPORTED}.")


def _fips(build: ImageBuild, where: str) -> Iterator[Finding]:
    if not build.fips:
        return
    if build.os != "rhel":
        yield Finding(f"{where}.fips", True, f"does not fit `os: {build.os}`", "Write `os: rhel`, or remove `fips`.")
        if build.base_image is None:
            remedy = "Name an image with FIPS modules, or remove `fips`."
            yield Finding(
                f"{where}.baseImage", None, "is missing, and a FIPS build has no base image of its own", remedy
            )
    if build.update_kernel:
        problem = "does not fit `fips: true`: the new kernel would not be the certified one"
        yield Finding(f"{where}.updateKernel", True, problem, "Keep one of the two.")


def _trusted_boot(build: ImageBuild, where: str) -> Iterator[Finding]:
    if build.trusted_boot:
        problem = (
            "is another target of the builder: its ISO has no checksum file to verify, and its keys and their enrolment in"
            " the firmware belong to one site"
        )
        remedy = "Remove it, or build such an image by hand and install these hosts without this program."
        yield Finding(f"{where}.trustedBoot", True, problem, remedy)


def _install(build: ImageBuild, where: str) -> Iterator[Finding]:
    place = f"{where}.install"
    for key, instead in FIXED_INSTALL.items():
        if key in build.install:
            yield Finding(f"{place}.{key}", build.install[key], "is a fixed part of the installer", f"{instead}.")
    for path in _references(build.install):
        problem = "names a secret, but the installer is shared by all hosts and by everyone who has its ISO"
        yield Finding(f"{place}{path}", None, problem, "Remove it; what is secret belongs to a host.")
    for finding in passwords(build.install, place):
        yield Finding(finding.where, None, "is a password in the shared installer", "Remove it.")


def _references(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of all {secret: NAME} objects."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"}:
            yield path
            return
        for key, inner in value.items():
            yield from _references(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _references(inner, f"{path}[{at}]")


def _dockerfile(build: ImageBuild, where: str) -> Iterator[Finding]:
    lines = build.dockerfile
    if lines and lines[-1].endswith("\\"):
        problem = "is the last line and ends in a backslash, so it would swallow the vendor's next one"
        yield Finding(f"{where}.dockerfile[{len(lines) - 1}]", lines[-1], problem, "Remove the backslash.")
    for at, line in enumerate(lines):
        if line.split()[0].upper() == "FROM":
            problem = "begins another image, and what the vendor's lines have made would be lost"
            yield Finding(f"{where}.dockerfile[{at}]", line, problem, "Use `baseImage` for another base.")


def _release(build: ImageBuild, where: str, stage: Stage, release: Release) -> Iterator[Finding | None]:
    place = f"releases/{release.id}.yaml"
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", release.kubernetes):
        remedy = f'Write all three numbers there, for example "{release.kubernetes}.0".'
        yield Finding(f"{place}: kubernetes", release.kubernetes, "is no whole version, which an image needs", remedy)
    found = re.match(r"1\.([0-9]+)", release.kubernetes)
    if is_rhel_8(build.os, build.base_image) and found and int(found[1]) >= _OLD_KERNEL_LIMIT:
        problem = f"is RHEL 8, whose kernel cannot run Kubernetes {release.kubernetes}"
        yield Finding(f"{where}.baseImage", build.base_image, problem, "Use RHEL 9, or a release with 1.31 or older.")
    canvos = release.canvos
    if canvos is None:
        remedy = f"Add `canvos: {{tag: v4.9.38}}` to {place}, or choose another release."
        yield Finding("release", release.id, "names no CanvOS tag, so it cannot be built from", remedy)
        return
    if number(canvos.tag) is None:
        rule = "canvos.tag.newest" if canvos.tag == NEWEST else "canvos.tag.unplain"
        yield judge(rule, stage, f"{place}: canvos.tag", canvos.tag)
    if canvos.commit is None:
        yield judge("canvos.commit.missing", stage, f"{place}: canvos.commit")
    if build.certificates:
        from edge.canvos.certs import certificate_files  # it reads these settings, too

        try:
            certificate_files(build.certificates, canvos.tag, "", f"{where}.certificates")
        except SettingsError as error:
            yield from error.findings


def is_rhel_8(os: str, image: str | None) -> bool:
    """Return whether an image says by its name that it is RHEL 8; nothing else tells before it is built."""
    return os == "rhel" and image is not None and _RHEL_8.search(image) is not None


def without_roles_anywhere(build: ImageBuild, where: str) -> tuple[str, str, str] | None:
    """Return place, value and name of a system on which IAM Roles Anywhere does not work, None for all others."""
    if build.os == "ubuntu" and build.built_os_version in ("20", "20.04"):
        return f"{where}.osVersion", build.built_os_version, "Ubuntu 20.04"
    if is_rhel_8(build.os, build.base_image):
        return f"{where}.baseImage", str(build.base_image), "RHEL 8"
    return None


def builder_findings(builder: Builder, where: str, stage: Stage, site: Ssh | None) -> list[Finding]:
    """Return what is wrong with a build machine and the login there; `site` is the login of a site, None without one."""
    found: list[Finding | None] = []
    if builder.accept_small:
        found.append(judge("builder.small", stage, f"{where}.acceptSmall", True))
    if isinstance(builder, SshBuilder):
        found += _login(builder, where, stage, site)
    return [finding for finding in found if finding is not None]


def _login(builder: SshBuilder, where: str, stage: Stage, site: Ssh | None) -> Iterator[Finding | None]:
    login = builder.login(site)
    if login is None:
        yield Finding(f"{where}.ssh", None, "is missing", "Add `ssh: {user: NAME}`.")
        return
    if builder.host_key is None:
        yield judge("host.key.unpinned", stage, f"{where}.hostKey")
    if builder.ssh is None:
        return  # the site's own login is judged with the site
    if login.password is not None:
        yield judge("ssh.password", stage, f"{where}.ssh.password")
    if login.jump_host and not login.jump_host.host_key:
        yield judge("host.key.unpinned", stage, f"{where}.ssh.jumpHost.hostKey")
    if login.authorized_keys:
        problem = "are not used: nobody is let in to the build machine by the program"
        yield Finding(f"{where}.ssh.authorizedKeys", None, problem, "Remove them.", "warning")


def datastore_findings(
    datastores: Sequence[IsoDatastore], vcenters: Mapping[str, Vcenter], where: str
) -> Iterator[Finding]:
    """Yield datastores of vCenters that are not there, and those that stand there twice."""
    if datastores and not vcenters:
        remedy = "Add `vcenters: {main: {server: vcenter.example.com, user: edge-hosts@vsphere.local}}`."
        yield Finding("site.vcenters", None, "is missing, but ISOs go to datastores", remedy)
        return
    seen: dict[tuple[str, str, str], int] = {}
    for at, one in enumerate(datastores):
        place = f"{where}[{at}]"
        yield from vcenter_findings(one.vcenter, vcenters, place)
        key = (vcenter_of(one, vcenters), one.datacenter, one.datastore)
        if key in seen:
            problem = f"is the datastore of {where}[{seen[key]}] again"
            yield Finding(f"{place}.datastore", one.datastore, problem, "Remove one of the two.")
        seen.setdefault(key, at)


def vcenter_findings(chosen: str | None, vcenters: Mapping[str, Vcenter], where: str) -> Iterator[Finding]:
    """Yield a vCenter that is not there, or that has to be chosen."""
    if chosen is not None and chosen not in vcenters:
        yield Finding(
            f"{where}.vcenter", chosen, "is no vCenter of this stack", f"Write one of: {', '.join(vcenters) or 'none'}."
        )
    elif chosen is None and len(vcenters) > 1:
        problem = "is missing, and the stack has several vCenters"
        yield Finding(f"{where}.vcenter", None, problem, f"Write one of: {', '.join(vcenters)}.")
