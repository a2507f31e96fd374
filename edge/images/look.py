"""What is asked about a site's image before the first `up`: is it known, is it that of the release, do the ISOs lie there?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from edge.checks.catalogue import CATALOGUE
from edge.checks.model import Result
from edge.errors import EdgeError, SettingsError
from edge.images.agree import disagreements
from edge.images.facts import ImageFacts, IsoFile
from edge.images.known import has_appliances, image_of
from edge.secrets import StackSecrets
from edge.settings import BuiltImage, HostSettings, StackSettings
from edge.vcenter.media import VcenterAccess, VsphereMedia, access_to, open_media

Open = Callable[[VcenterAccess], AbstractContextManager[VsphereMedia]]

_KNOWN, _THERE = "control.image", "vsphere.iso"


def image_results(
    settings: StackSettings, root: Path, file: Path | None = None
) -> tuple[ImageFacts | None, list[Result]]:
    """Return the image of a site, None when it is not known, and the rows of `control.image`.

    `file` holds exported facts of the stack that builds it. A site without appliances has no row.
    """
    if not has_appliances(settings):
        return None, []
    try:
        image = image_of(settings, root, file)
    except EdgeError as error:
        if isinstance(settings.site.image, BuiltImage):
            return None, [Result(_KNOWN, "", "skip", "this stack builds it, and has not yet")]
        return None, [_error(_KNOWN, settings, error)]
    if image is None:
        return None, []
    found = disagreements(settings.release, image, "site.image", complete=settings.stage == "prod")
    rows = []
    for one in found:
        seen = f"{one.where} {one.problem}" + (f" (got {one.value})" if one.value is not None else "")
        rows.append(_red(_KNOWN, settings, seen, remedy=one.remedy))
    made = ", ".join(sorted(image.isos))
    return image, rows or [Result(_KNOWN, "", "pass", f"{image.image} ({made})")]


def iso_results(
    settings: StackSettings,
    secrets: StackSecrets,
    image: ImageFacts | None,
    hosts: Sequence[HostSettings],
    *,
    opened: Open | None = None,
) -> list[Result]:
    """Return a row of `vsphere.iso` for each appliance that is a virtual machine: its file is there, of the right size.

    A vCenter that cannot be asked gives a red row for each of its hosts, no exception.
    """
    machines = [one for one in hosts if one.mode == "appliance" and one.vm is not None]
    if image is None:
        return [Result(_THERE, one.name, "skip", "the image is not known") for one in machines]
    rows: dict[str, Result] = {}
    wanted: dict[str, list[tuple[HostSettings, IsoFile]]] = {}
    for host in machines:
        try:
            name, file = _file_of(settings, image, host)
        except SettingsError as error:
            (finding,) = error.findings
            rows[host.name] = _red(_THERE, settings, f"{finding.where} {finding.problem}", host.name, finding.remedy)
        else:
            wanted.setdefault(name, []).append((host, file))
    for name, files in wanted.items():
        rows |= _ask(settings, secrets, name, image, files, opened or open_media)
    return [rows[one.name] for one in machines]


def _file_of(settings: StackSettings, image: ImageFacts, host: HostSettings) -> tuple[str, IsoFile]:
    assert host.vm is not None
    server = settings.vcenter(host.vm.vcenter).server
    where = f"site.hosts.{host.name}"
    datacenter = host.vm.datacenter
    file = image.file_for("poweroff", vcenter=server, datacenter=datacenter, datastore=host.vm.datastore, where=where)
    return host.vm.vcenter, file


def _ask(
    settings: StackSettings,
    secrets: StackSecrets,
    name: str,
    image: ImageFacts,
    files: Sequence[tuple[HostSettings, IsoFile]],
    opened: Open,
) -> Mapping[str, Result]:
    vcenter, wanted = settings.vcenter(name), image.isos["poweroff"].size
    try:
        password = secrets.get(vcenter.password.secret)
        with opened(access_to(vcenter, password)) as media:
            sizes = {file: media.file_size(file.datacenter, file.place) for _, file in files}
    except EdgeError as error:
        return {host.name: _error(_THERE, settings, error, host.name) for host, _ in files}
    rows = {}
    for host, file in files:
        size, there = sizes[file], f"{file.place} in {file.datacenter}"
        if size is None:
            rows[host.name] = _red(_THERE, settings, f"{there} is not there", host.name)
        elif wanted and size != wanted:
            seen = f"{there} has {size} bytes, the image {wanted}"
            rows[host.name] = _red(_THERE, settings, seen, host.name)
        else:
            rows[host.name] = Result(_THERE, host.name, "pass", there)
    return rows


def _red(check: str, settings: StackSettings, seen: str, host: str = "", remedy: str = "") -> Result:
    entry = CATALOGUE[check]
    return Result(check, host, entry.level(settings.stage), seen, entry.title.lower(), remedy)


def _error(check: str, settings: StackSettings, error: EdgeError, host: str = "") -> Result:
    seen = f"{error.where}: {error.message}" if error.where else error.message
    return _red(check, settings, seen.rstrip("."), host, error.remedy)
