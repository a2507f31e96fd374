"""Rules about appliances: hosts that are installed from an image. What an agent host may, an appliance often may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.canvos.request import Power
from edge.findings import Finding
from edge.settings.extra import FIXED
from edge.settings.extra import WHERE as EXTRA
from edge.settings.hosts import ExistingHost, HostBase, VsphereHost
from edge.settings.image import BuiltImage, GivenImage, StackImage
from edge.settings.image_places import vcenter_of
from edge.settings.image_rules import (
    build_findings,
    builder_findings,
    datastore_findings,
    is_rhel_8,
    vcenter_findings,
    without_roles_anywhere,
)
from edge.settings.image_values import OS_VERSIONS
from edge.settings.logins import key_login_findings
from edge.settings.release import PLACEHOLDER, Release
from edge.settings.site import Site
from edge.settings.stack import HostSettings
from edge.settings.vm import merged, vcenter_name, written
from edge.stages import judge

IMAGE = "site.image"


def appliance_findings(site: Site, views: list[HostSettings], release: Release | None) -> list[Finding]:
    """Return what the rules say about the appliances of a site and their image: errors and warnings."""
    appliances = {name: host for name, host in site.hosts.items() if host.mode == "appliance"}
    found: list[Finding | None] = [*_agents(site), *_has_image(site, appliances)]
    for view in views:
        if view.name in appliances:
            found += _one(site, view, appliances[view.name])
    if appliances:
        found += _extra(site)
    if site.image is not None:
        found += _image(site, appliances, release)
    return [finding for finding in found if finding is not None]


def kinds_needed(hosts: Mapping[str, HostBase]) -> dict[Power, str]:
    """Return which kinds of ISO appliances need, each with the first host that does."""
    needed: dict[Power, str] = {}
    for name, host in hosts.items():
        needed.setdefault("poweroff" if isinstance(host, VsphereHost) else "reboot", name)
    return needed


def _agents(site: Site) -> Iterator[Finding]:
    """Yield what is for appliances only, and stands where there is none."""
    machines = [host for host in site.hosts.values() if isinstance(host, VsphereHost)]
    if site.vsphere and site.vsphere.firmware and not any(host.mode == "appliance" for host in machines):
        problem = "is not used: a cloned machine has the firmware of its template"
        yield Finding("site.vsphere.firmware", site.vsphere.firmware, problem, "Remove it.", "warning")
    for name, host in site.hosts.items():
        if host.mode == "appliance":
            continue
        if isinstance(host, VsphereHost) and host.vsphere and "firmware" in written(host.vsphere):
            problem = "cannot be chosen: a cloned machine has the firmware of its template"
            remedy = "Remove it, or write `mode: appliance`."
            yield Finding(f"site.hosts.{name}.vsphere.firmware", host.vsphere.firmware, problem, remedy)
        if host.install_timeout is not None:
            problem = "does nothing in Agent Mode"
            yield Finding(f"site.hosts.{name}.installTimeout", None, problem, "Remove it.", "warning")


def _has_image(site: Site, appliances: Mapping[str, HostBase]) -> Iterator[Finding]:
    if appliances and site.image is None:
        names = ", ".join(appliances)
        remedy = "Add `image: {source: stack, stack: NAME}` with the stack that builds it, or its values."
        yield Finding(IMAGE, None, f"is missing, but appliances boot one ({names})", remedy)
    if site.image is not None and not appliances:
        remedy = "Remove it, or write `mode: appliance` at a host."
        yield Finding(IMAGE, None, "is not used: no host is an appliance", remedy, "warning")


def _one(site: Site, view: HostSettings, host: HostBase) -> Iterator[Finding]:
    where = f"site.hosts.{view.name}"
    if isinstance(host, VsphereHost):
        if host.adopt is not None:
            problem = "cannot be: an appliance is installed from an image, which erases the machine"
            yield Finding(f"{where}.adopt", host.adopt, problem, "Remove it, or write `mode: agent`.")
        if host.static_network is not None:
            problem = "is given for an appliance VM, whose adapter the program puts in and names"
            remedy = "Remove it, and write `gateway` and `nameservers` below `vsphere`, of the site or of the host."
            yield Finding(f"{where}.staticNetwork", None, problem, remedy)
        return
    if isinstance(host, ExistingHost) and host.host_key is not None:
        problem = "is given for an appliance, whose host key the program derives"
        yield Finding(f"{where}.hostKey", host.host_key, problem, "Remove it.")
    if view.static_network is None and not view.accept_dhcp:
        problem = "is missing, and a bare-metal appliance has no other way to its address"
        remedy = (
            "Add `staticNetwork: {interface: NAME, gateway: ADDRESS, nameserver: ADDRESS}`, or `acceptDhcp: true` with a"
            " reservation."
        )
        yield Finding(f"{where}.staticNetwork", None, problem, remedy)
    yield from key_login_findings(site, view.name, host, "is installed by the program, which lets only keys log in")


def _extra(site: Site) -> Iterator[Finding]:
    """Yield every `install` key of the hosts' user-data: what the installer does stands in the shared ISO, and only there."""
    install = site.palette.user_data_extra.get("install")
    for key in install if isinstance(install, Mapping) else ():
        if ("install", key) in FIXED:
            continue  # refused for every host
        problem = "is not read by an appliance: `install` belongs to its image, `stages` and `stylus` to the host"
        remedy = f"Write it as `install: {{{key}: ...}}` below `build` of the image, and remove it here."
        yield Finding(f"{EXTRA}.install.{key}", None, problem, remedy)


def _image(site: Site, appliances: Mapping[str, HostBase], release: Release | None) -> Iterator[Finding | None]:
    image = site.image
    if isinstance(image, BuiltImage):
        yield judge("image.built.here", site.stage, f"{IMAGE}.source", "build")
        yield from builder_findings(image.builder, f"{IMAGE}.builder", site.stage, site.ssh)
        yield from build_findings(image.build, f"{IMAGE}.build", site.stage, release)
        yield from datastore_findings(image.datastores, site.vcenters, f"{IMAGE}.datastores")
        yield from _kinds(image.build.kinds, appliances, f"{IMAGE}.build.kinds")
        yield from _datacenters(
            site,
            appliances,
            _built_in(site, image),
            f"{IMAGE}.datastores",
            "Add one: {datacenter: NAME, datastore: NAME}.",
        )
    elif isinstance(image, GivenImage):
        yield from _given(site, image, appliances, release)
    yield from _roles_anywhere(site)
    if release:
        yield from _promoted(site, appliances, release)


def _kinds(has: tuple[Power, ...], appliances: Mapping[str, HostBase], where: str) -> Iterator[Finding]:
    for kind, name in kinds_needed(appliances).items():
        if kind not in has:
            machine = "virtual machine" if kind == "poweroff" else "bare-metal machine"
            problem = f"lacks {kind}, which the {machine} {name} is installed by"
            yield Finding(where, ", ".join(has), problem, f"Add {kind}.")


def _built_in(site: Site, image: BuiltImage) -> set[tuple[str, str]]:
    return {(vcenter_of(one, site.vcenters), one.datacenter) for one in image.datastores}


def _datacenters(
    site: Site, appliances: Mapping[str, HostBase], there: set[tuple[str, str]], where: str, remedy: str
) -> Iterator[Finding]:
    """Yield each datacenter that has appliances and no ISO, with the first host of it."""
    missing: dict[tuple[str, str], str] = {}
    for name, host in appliances.items():
        if not isinstance(host, VsphereHost):
            continue
        placed = merged(site, host)
        key = (vcenter_name(site, placed), placed.datacenter or "")
        if all(key) and key not in there:
            missing.setdefault(key, name)
    for (vcenter, datacenter), name in missing.items():
        problem = f"has no datastore of datacenter {datacenter} ({vcenter}), where {name} is made"
        yield Finding(where, None, problem, remedy)


def _given(
    site: Site, image: GivenImage, appliances: Mapping[str, HostBase], release: Release | None
) -> Iterator[Finding | None]:
    yield from _kinds(tuple(image.isos), appliances, f"{IMAGE}.isos")
    if image.os == "ubuntu" and image.os_version is not None and image.os_version not in OS_VERSIONS:
        remedy = 'Write "20.04", "22.04" or "24.04" in quotes.'
        yield Finding(f"{IMAGE}.osVersion", image.os_version, "is no Ubuntu that AWS supports", remedy)
    if image.os == "rhel" and image.os_version is not None and image.os_version.partition(".")[0] not in ("8", "9"):
        yield Finding(f"{IMAGE}.osVersion", image.os_version, "is no RHEL that AWS supports", 'Write "8" or "9".')
    home = site.vsphere.datacenter if site.vsphere else None
    for kind, iso in image.isos.items():
        where = f"{IMAGE}.isos.{kind}"
        if iso.sha256 == PLACEHOLDER:
            yield judge("image.checksum.placeholder", site.stage, f"{where}.sha256")
    yield from _given_places(site, image)
    if "poweroff" in image.isos:
        places = image.isos["poweroff"].places
        there = {(vcenter_of(one, site.vcenters), one.datacenter or home or "") for one in places}
        remedy = "Write `datastore:` (and `datacenter:`) there, or add the place of another one to `copies`."
        yield from _datacenters(site, appliances, there, f"{IMAGE}.isos.poweroff", remedy)
    if release and release.canvos:
        yield from _same_as_release(image, release)


def _given_places(site: Site, image: GivenImage) -> Iterator[Finding]:
    """Yield each place of a given ISO whose vCenter is not known."""
    if not site.vcenters:
        machines = any(isinstance(host, VsphereHost) for host in site.hosts.values())  # said for them already
        if not machines and any(iso.places for iso in image.isos.values()):
            remedy = (
                "Add `vcenters: {main: {server: vcenter.example.com, user: edge-hosts@vsphere.local}}`, or remove"
                " `datastore` and `copies` of the ISO: bare metal needs none."
            )
            yield Finding("site.vcenters", None, "is missing, but ISOs lie in datastores", remedy)
        return
    for kind, iso in image.isos.items():
        where = f"{IMAGE}.isos.{kind}"
        if iso.datastore is not None:
            yield from vcenter_findings(iso.vcenter, site.vcenters, where)
        for at, copy in enumerate(iso.copies):
            yield from vcenter_findings(copy.vcenter, site.vcenters, f"{where}.copies[{at}]")


def _same_as_release(image: GivenImage, release: Release) -> Iterator[Finding]:
    """Yield each value that is not the one that the release was tried with."""
    canvos = release.canvos
    if canvos is None:
        return
    place, remedy = (
        f"releases/{release.id}.yaml: canvos",
        "Write that one, or choose the release that was tried with this.",
    )
    recorded = canvos.isos.by_kind()
    for kind, iso in image.isos.items():
        tried = recorded.get(kind, iso.sha256)
        if tried != iso.sha256:
            problem = f"is not the ISO of the release ({place}.isos.{kind} is {tried[:12]}...)"
            yield Finding(f"{IMAGE}.isos.{kind}.sha256", iso.sha256, problem, remedy)
    if canvos.image is not None and canvos.image.digest != image.image_digest:
        problem = f"is not the image of the release ({place}.image.digest is {canvos.image.digest[:19]}...)"
        yield Finding(f"{IMAGE}.imageDigest", image.image_digest, problem, remedy)


def _roles_anywhere(site: Site) -> Iterator[Finding]:
    if site.network.credential_provider != "iamRolesAnywhere":
        return
    image, bad = site.image, None
    if isinstance(image, BuiltImage):
        bad = without_roles_anywhere(image.build, f"{IMAGE}.build")
    elif isinstance(image, GivenImage):
        place, version = f"{IMAGE}.osVersion", image.os_version
        if version is None and not is_rhel_8(image.os, image.image):
            problem = "is missing, and not every system works with IAM Roles Anywhere"
            yield Finding(place, None, problem, 'Add it in quotes, for example "22.04", or "9" for rhel.')
        elif image.os == "ubuntu" and version in ("20", "20.04"):
            bad = place, str(version), "Ubuntu 20.04"
        elif image.os == "rhel" and (version is None or version.partition(".")[0] == "8"):
            bad = place, version or image.image, "RHEL 8"
    if bad is not None:
        where, value, system = bad
        problem = f"is {system}, on which IAM Roles Anywhere does not work"
        yield Finding(where, value, problem, "Use `credentialProvider: ssm`, or a newer system.")


def _promoted(site: Site, appliances: Mapping[str, HostBase], release: Release) -> Iterator[Finding | None]:
    """Yield what the release does not pin of the image that a site boots."""
    canvos, place = release.canvos, f"releases/{release.id}.yaml: canvos"
    if isinstance(site.image, StackImage | GivenImage) and (canvos is None or canvos.commit is None):
        yield judge("canvos.commit.missing", site.stage, f"{place}.commit")
    if canvos is None or canvos.image is None:
        yield judge("image.digest.missing", site.stage, f"{place}.image.digest")
    recorded = canvos.isos.by_kind() if canvos is not None else {}
    for kind in kinds_needed(appliances):
        if kind not in recorded:
            yield judge("image.isos.missing", site.stage, f"{place}.isos.{kind}")
