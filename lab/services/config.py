"""What the stand-ins need to know: addresses, folder, names and secrets of one lab.

Everything has a place under `root`, so that taking the lab down is removing one folder. Ports can be overridden because
the tests run on loopback addresses without root.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.aws.facts import PORT, AwsFacts

DEFAULT_VERSION = "4.9.38"
"""The agent version that the lab's Palette recommends and that `latest` means on its download server."""


@dataclass(frozen=True)
class Ports:
    """The ports of the stand-ins; the defaults are the real ones and need root."""

    dns: int = 53
    http: int = 80
    https: int = 443
    proxy: int = 3128
    aws: int = PORT


@dataclass(frozen=True)
class ServicesConfig:
    """The settings of the stand-ins of one lab.

    `services_ip` has certificates of the public CA, `corporate_ip` the same services with certificates of the corporate
    CA; `gateway_ip` carries the CONNECT proxy; each of `eni_ips` answers as the API server of the cluster. `silent_ip`
    is an address for the fault `endpoint-silent` on which nothing else may listen. `debs_dir` holds the `.deb` files
    that the package repository offers as `suite`. `clients` are the addresses from which machines come, by the names under
    which a fault may name them. A host counts as unhealthy `unhealthy_after` seconds after its last report: a little
    less than the 30 s within which the lab shows a stopped agent. Without `aws` there is no AWS API, without
    `registry_password` nobody can push to the image registry.
    """

    root: Path
    services_ip: str
    corporate_ip: str
    gateway_ip: str
    eni_ips: tuple[str, ...]
    region: str
    suite: str
    debs_dir: Path
    proxy_user: str
    proxy_password: str = field(repr=False)
    api_key: str = field(repr=False)
    ports: Ports = Ports()
    silent_ip: str | None = None
    registration_token: str = field(default="", repr=False)
    token_project: str = "Default"  # noqa: S105 - a project
    projects: tuple[str, ...] = ("Default", "Plants", "Lab")
    extra_names: tuple[str, ...] = ()
    clients: Mapping[str, str] = field(default_factory=dict)
    agent_version: str = DEFAULT_VERSION
    unhealthy_after: float = 25.0
    palette_rate: float = 10.0
    palette_burst: int = 50
    aws: AwsFacts | None = None
    registry_password: str = field(default="", repr=False)

    @property
    def ca_dir(self) -> Path:
        """Return the folder of the lab's certificate authorities."""
        return self.root / "ca"

    @property
    def log_dir(self) -> Path:
        """Return the folder of the request logs."""
        return self.root / "log"

    @property
    def canvos_dir(self) -> Path:
        """Return the folder of the CanvOS repository."""
        return self.root / "canvos" / "CanvOS.git"

    @property
    def registry_dir(self) -> Path:
        """Return the folder in which the image registry keeps its state."""
        return self.root / "registry"

    @property
    def build_faults_dir(self) -> Path:
        """Return the folder in which the faults of builds lie as files, which the build machine sees."""
        return self.root / "build-faults"

    @property
    def palette_file(self) -> Path:
        """Return the file in which the Palette stand-in keeps its state."""
        return self.root / "palette.json"


def deb_architecture() -> str:
    """Return Debian's name of this machine's architecture."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
