"""A vCenter's media in memory: datastores as dictionaries. It refuses what it was not told to expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge.vcenter.media import VcenterAccess


@dataclass
class FakeMedia:
    """Files by datacenter and path (`[datastore] folder/name`), with their sizes; `deleted` keeps what was deleted."""

    stored: dict[tuple[str, str], int] = field(default_factory=dict)
    deleted: list[tuple[str, str]] = field(default_factory=list)
    logins: list[VcenterAccess] = field(default_factory=list)

    @contextmanager
    def open(self, access: VcenterAccess) -> Iterator[FakeMedia]:
        """Note a login, and give the media."""
        self.logins.append(access)
        yield self

    def files(self, datacenter: str, folder: str) -> Mapping[str, int]:
        """Return the files right inside a folder."""
        inside = {}
        for (center, path), size in self.stored.items():
            above, _, name = path.rpartition("/")
            if (center, above) == (datacenter, folder):
                inside[name] = size
        return inside

    def file_size(self, datacenter: str, path: str) -> int | None:
        """Return the size of a file."""
        return self.stored.get((datacenter, path))

    def delete_file(self, datacenter: str, path: str) -> None:
        """Delete a file that is there; the real one takes a missing file for deleted, which here would hide a mistake."""
        del self.stored[(datacenter, path)]
        self.deleted.append((datacenter, path))
