"""Where a lab keeps its things: one folder, and one prefix for every name outside of it.

The folder is `.lab` in the checkout, or the one named by EDGE_HOSTS_LAB. Bridges, cgroups and machines carry a prefix
derived from that folder, so that the labs of two checkouts live side by side and each takes down only its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
MARKER = ".edge-hosts-lab"
# The address of a unix socket holds 107 bytes; beyond that it is reached through an open folder.
_SOCKET_LIMIT = 100


@dataclass(frozen=True)
class LabPaths:
    """The files and folders of one lab. `cache` may be shared by several labs, everything else is its own."""

    root: Path
    cache: Path

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> LabPaths:
        """Return the paths of the lab that the environment names.

        EDGE_HOSTS_LAB is the folder (default `.lab` in the checkout), EDGE_HOSTS_LAB_CACHE the one for root file
        systems and packages (default `cache` inside it).
        """
        root = Path(environ.get("EDGE_HOSTS_LAB") or CHECKOUT / ".lab").expanduser().resolve()
        cache = environ.get("EDGE_HOSTS_LAB_CACHE")
        return cls(root, Path(cache).expanduser().resolve() if cache else root / "cache")

    @property
    def prefix(self) -> str:
        """Return `eh` and four hex digits: the first part of every name that the lab uses outside of its folder."""
        return "eh" + hashlib.sha256(str(self.root).encode()).hexdigest()[:4]

    @property
    def record(self) -> Path:
        """Return the file that lists what was made."""
        return self.root / "made.jsonl"

    @property
    def site(self) -> Path:
        """Return the file with the facts of the site: addresses, host keys, suite."""
        return self.root / "site.json"

    @property
    def secrets(self) -> Path:
        """Return the file with the secret values of the stack (mode 0600)."""
        return self.root / "secrets.json"

    @property
    def stack_file(self) -> Path:
        """Return the stack file of the lab, with the real addresses and keys."""
        return self.root / "stack" / "Pulumi.lab.yaml"

    @property
    def facts(self) -> Path:
        """Return the file in which a rehearsal leaves the facts of the deployed stack."""
        return self.root / "facts" / "lab.json"

    @property
    def machines(self) -> Path:
        """Return the folder with one folder per machine."""
        return self.root / "machines"

    @property
    def vms(self) -> Path:
        """Return the folder with one folder per VM."""
        return self.root / "vms"

    @property
    def datastores(self) -> Path:
        """Return the folder with one folder per datastore."""
        return self.root / "datastores"

    @property
    def netns(self) -> Path:
        """Return the folder in which the network namespaces are held."""
        return self.root / "netns"

    @property
    def ssh(self) -> Path:
        """Return the folder with the login key, `config` and `known_hosts`."""
        return self.root / "ssh"

    @property
    def private_key(self) -> Path:
        """Return the private key that opens every machine of the lab (mode 0600)."""
        return self.ssh / "id_ed25519"

    @property
    def socket(self) -> Path:
        """Return the unix socket of the daemon."""
        return self.root / "daemon.sock"

    @property
    def log(self) -> Path:
        """Return the log of the daemon."""
        return self.root / "daemon.log"

    @property
    def lock(self) -> Path:
        """Return the lock that `up` and `down` hold while they work."""
        return self.root / "lock"

    @property
    def daemon_lock(self) -> Path:
        """Return the lock that a living daemon holds."""
        return self.root / "daemon.lock"

    def claim(self) -> None:
        """Make the lab's folder and mark it as the lab's.

        Raises LabError when the folder has other things in it: `down` removes everything that it finds there.
        """
        marker = self.root / MARKER
        if marker.exists():
            return
        if self.root.exists() and any(path != self.cache for path in self.root.iterdir()):
            raise LabError(
                f"the folder {self.root} has other things in it, and a lab removes everything in its folder at the end",
                remedy="name a new or empty folder in EDGE_HOSTS_LAB.",
            )
        self.root.mkdir(parents=True, exist_ok=True)
        marker.write_text("Everything in this folder was made by the lab and goes with it.\n", "utf-8")


def socket_address(path: Path) -> tuple[str, int | None]:
    """Return an address for a unix socket at `path`, and the open folder that a long one goes through, to be closed."""
    if len(os.fsencode(path)) <= _SOCKET_LIMIT:
        return str(path), None
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    return f"/proc/self/fd/{folder}/{path.name}", folder


def shown(path: Path) -> str:
    """Return a path as a person in the checkout would write it."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)
