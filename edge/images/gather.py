"""What the stacks of a project say about ISOs: where they upload them, which they have made, which their hosts boot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import EdgeError, FactsError, SettingsError
from edge.facts import StackFacts, load_facts
from edge.findings import Finding
from edge.images.agree import recorded_isos
from edge.images.given import given_facts
from edge.images.known import appliance_iso, exported_image
from edge.images.stock import Claim, Folder, Stocked, stocked
from edge.secrets import StackSecrets, open_secrets
from edge.settings import BuildSettings, BuiltImage, GivenImage, ImageBuild, IsoDatastore, StackSettings, load_any
from edge.settings.image_places import vcenter_of
from edge.settings.release import known, load
from edge.settings.vsphere import Vcenter
from edge.vcenter.media import VcenterAccess, VsphereMedia, access_to, open_media

Facts = Callable[[str, Path], StackFacts]
Open = Callable[[VcenterAccess], AbstractContextManager[VsphereMedia]]
Secrets = Callable[[str, Path], StackSecrets]


@dataclass(frozen=True)
class Store:
    """A folder that ISOs are uploaded to, and how its vCenter is reached: by the settings of the stack that uploads."""

    folder: Folder
    vcenter: Vcenter


@dataclass(frozen=True)
class Gathered:
    """All stores of a project, and what every stack and release needs."""

    stores: tuple[Store, ...]
    claims: tuple[Claim, ...]
    releases: Mapping[str, frozenset[str]]


def stacks_of(root: Path) -> tuple[str, ...]:
    """Return the names of all stacks of a project that have a file, sorted."""
    return tuple(sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml")))


def gather(root: Path, *, ignored: tuple[str, ...] = (), facts: Facts | None = None) -> Gathered:
    """Return what is known of the ISOs of a project. `ignored` stacks count as using nothing: they are gone.

    A stack whose file is wrong, or whose exports cannot be read, may use everything. Raises SettingsError for an ignored
    stack that has no file, which would be a typing error.
    """
    names = stacks_of(root)
    missing = sorted(set(ignored) - set(names))
    if missing:
        there = ", ".join(names) or "none"
        raise SettingsError(
            [Finding("--ignore", one, "is no stack of this project", f"There are: {there}.") for one in missing]
        )
    stores: list[Store] = []
    claims: list[Claim] = []
    for name in names:
        try:
            settings = load_any(name, root)
        except EdgeError as error:
            if name not in ignored:
                claims.append(Claim(name, None, why=_reason(error)))
            continue
        stores += _stores(name, settings)
        if name not in ignored:
            claims += _claims(name, root, settings, facts or load_facts)
    return Gathered(tuple(stores), tuple(claims), dict(_releases(root)))


def _reason(error: EdgeError) -> str:
    return f"{error.where}: {error.message}".removeprefix(": ").splitlines()[0].rstrip(".:")


def _stores(name: str, settings: object) -> Iterator[Store]:
    if isinstance(settings, BuildSettings):
        yield from _uploads(name, settings.site.build, settings.site.datastores, settings.site.vcenters)
    elif isinstance(settings, StackSettings) and isinstance(settings.site.image, BuiltImage):
        image = settings.site.image
        yield from _uploads(name, image.build, image.datastores, settings.site.vcenters)


def _uploads(
    name: str, build: ImageBuild, datastores: tuple[IsoDatastore, ...], vcenters: Mapping[str, Vcenter]
) -> Iterator[Store]:
    for one in datastores:
        vcenter = vcenters[vcenter_of(one, vcenters)]
        folder = Folder(name, vcenter.server, one.datacenter, one.datastore, one.folder, build.iso_name)
        yield Store(folder, vcenter)


def _claims(name: str, root: Path, settings: object, facts: Facts) -> Iterator[Claim]:
    """Yield what a stack needs; nothing for one that has to do with no image."""
    if isinstance(settings, BuildSettings):
        yield _claim_of(name, root, facts, makes=True)
    elif isinstance(settings, StackSettings) and settings.site.image is not None and _boots_one(settings):
        yield _claim_of(name, root, facts, makes=isinstance(settings.site.image, BuiltImage))
        if isinstance(settings.site.image, GivenImage):
            given = given_facts(settings.site.image, settings)
            yield Claim(name, frozenset(iso.sha256 for iso in given.isos.values()))


def _boots_one(settings: StackSettings) -> bool:
    """Return whether a site has an appliance, in whatever state: without one no image is taken or exported."""
    return any(host.mode == "appliance" for host in settings.site.hosts.values())


def _claim_of(name: str, root: Path, facts: Facts, *, makes: bool) -> Claim:
    try:
        outputs = facts(name, root).outputs
        image = frozenset(iso.sha256 for iso in exported_image(name, outputs).isos.values())
    except FactsError as error:
        return Claim(name, None, why=_reason(error))
    hosts: Any = outputs.get("hosts")
    installed = {appliance_iso(host) for host in hosts.values()} if isinstance(hosts, Mapping) else set()
    has_hosts = isinstance(hosts, Mapping)
    return Claim(name, (image if has_hosts else frozenset()) | (installed - {""}), made=image if makes else frozenset())


def _releases(root: Path) -> Iterator[tuple[str, frozenset[str]]]:
    for name in known(root):
        yield name, frozenset(recorded_isos(load(name, root).canvos).values())


def look(
    gathered: Gathered, root: Path, *, opened: Open | None = None, secrets: Secrets | None = None
) -> list[Stocked]:
    """Return every ISO on the datastores of a project. Raises what the vCenters and the secrets raise."""
    listed = []
    for store in _each_place(gathered.stores):
        with (opened or open_media)(access_of(store, root, secrets)) as media:
            listed.append((store.folder, media.files(store.folder.datacenter, store.folder.path)))
    folders = [store.folder for store in gathered.stores]
    return stocked(listed, folders, gathered.claims, gathered.releases)


def remove(
    gathered: Gathered, wanted: Stocked, root: Path, *, opened: Open | None = None, secrets: Secrets | None = None
) -> None:
    """Delete one ISO. Raises ValueError for a file that something needs, or outside of the folders of the project."""
    if wanted.kept_by:
        raise ValueError(f"{wanted.file.place} {wanted.kept_by}")
    for store in _each_place(gathered.stores):
        if store.folder.file(wanted.file.path.rpartition("/")[2]) == wanted.file:
            with (opened or open_media)(access_of(store, root, secrets)) as media:
                media.delete_file(wanted.file.datacenter, wanted.file.place)
            return
    raise ValueError(f"{wanted.file.place} lies in no folder of this project")


def _each_place(stores: tuple[Store, ...]) -> list[Store]:
    return list({store.folder.place: store for store in reversed(stores)}.values())[::-1]


def access_of(store: Store, root: Path, secrets: Secrets | None = None) -> VcenterAccess:
    """Return the login to a store's vCenter, with the secret of the stack that uploads to it."""
    held = (secrets or open_secrets)(store.folder.stack, root)
    return access_to(store.vcenter, held.get(store.vcenter.password.secret))
