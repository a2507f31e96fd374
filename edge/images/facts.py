"""What is known of an installer image: the one form in which a build stack exports it and a site takes it.

An image is a provider image in a registry, and one ISO per kind of machine: `poweroff` for VMs, `reboot` for bare metal.
An ISO lies under the same name on every datastore that the build was told; the name carries its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from edge.errors import FactsError, SettingsError
from edge.findings import Finding


@dataclass(frozen=True)
class IsoFile:
    """Where an ISO lies: `vcenter` is host[:port], `path` is relative to the datastore, without a leading slash."""

    vcenter: str
    datacenter: str
    datastore: str
    path: str

    @property
    def place(self) -> str:
        """Return the path as vSphere writes it: `[datastore] folder/name.iso`."""
        return f"[{self.datastore}] {self.path}"


@dataclass(frozen=True)
class IsoFacts:
    """One ISO: file name, sha256 in hexadecimal, size in bytes (0 where it is not known), and where it lies."""

    name: str
    sha256: str
    size: int = 0
    files: tuple[IsoFile, ...] = ()


@dataclass(frozen=True)
class ImageFacts:
    """An image. `image` is the reference of the provider image, `image_digest` `sha256:...` or "", `inputs` what it is of.

    `os_version` is as in the `.arg` file ("22.04"), "" for rhel; `isos` by kind (`poweroff`, `reboot`).
    """

    canvos_tag: str
    canvos_commit: str
    pe_version: str
    kubernetes: str
    os: str
    os_version: str
    image: str
    image_digest: str = ""
    inputs: str = ""
    isos: Mapping[str, IsoFacts] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as a stack exports it. No part is a secret."""
        data = asdict(self)
        for iso in data["isos"].values():
            iso["files"] = list(iso["files"])
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ImageFacts:
        """Return the facts out of what a stack exported; numbers may come as floats. Raises KeyError for a missing part."""
        isos = {
            str(kind): IsoFacts(
                str(iso["name"]),
                str(iso["sha256"]),
                int(iso.get("size") or 0),
                tuple(
                    IsoFile(**{key: str(file[key]) for key in ("vcenter", "datacenter", "datastore", "path")})
                    for file in iso.get("files") or ()
                ),
            )
            for kind, iso in (data.get("isos") or {}).items()
        }
        texts = {key: str(data[key]) for key in _NEEDED}
        more = {key: str(data.get(key) or "") for key in ("image_digest", "inputs")}
        return cls(**texts, **more, isos=isos)

    @classmethod
    def exported(cls, data: Mapping[str, Any], where: str) -> ImageFacts:
        """Return the facts out of what the stack `where` exported. Raises FactsError when a part is missing or no fact."""
        try:
            return cls.from_dict(data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problem = f"its output 'image' has another form ({type(error).__name__}: {error})."
            remedy = "run `pulumi up` for it with this version of the program."
            raise FactsError(problem, remedy=remedy, where=where) from None

    def iso(self, kind: str, where: str) -> IsoFacts:
        """Return the ISO of a kind. Raises SettingsError that names `where` when the image has none."""
        if kind not in self.isos:
            has = ", ".join(sorted(self.isos)) or "none"
            remedy = f"Build it: add {kind} to `kinds` of the image."
            raise SettingsError([Finding(where, kind, f"is a kind of ISO that the image lacks (it has {has})", remedy)])
        return self.isos[kind]

    def file_for(self, kind: str, *, vcenter: str, datacenter: str, datastore: str | None, where: str) -> IsoFile:
        """Return the file that a VM boots: on its own datastore if it lies there, else on another of its datacenter.

        Raises SettingsError that names `where` when no datastore of that datacenter has the ISO.
        """
        near = [
            file
            for file in self.iso(kind, where).files
            if (file.vcenter.partition(":")[0], file.datacenter) == (vcenter.partition(":")[0], datacenter)
        ]
        if not near:
            remedy = "Add a datastore of that datacenter to `datastores` of the build, or to the given image."
            problem = f"has no ISO of kind {kind} for datacenter {datacenter} of {vcenter}"
            raise SettingsError([Finding(where, None, problem, remedy)])
        return next((file for file in near if file.datastore == datastore), near[0])


def with_files(facts: Mapping[str, Any], files: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return exported facts with the files of their ISOs. A file has `kind`, and the parts of an `IsoFile`."""
    known = ImageFacts.from_dict(facts)
    isos = {}
    for kind, iso in known.isos.items():
        mine = [one for one in files if one["kind"] == kind]
        placed = [IsoFile(one["vcenter"], one["datacenter"], one["datastore"], one["path"]) for one in mine]
        isos[kind] = replace(iso, files=tuple(placed))
    return replace(known, isos=isos).to_dict()


_NEEDED = ("canvos_tag", "canvos_commit", "pe_version", "kubernetes", "os", "os_version", "image")
