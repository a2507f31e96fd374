"""A small valid site as raw data, and reading it as a stack of a project in a temporary folder."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings import StackSettings, load_stack

ROOT = Path(__file__).resolve().parent.parent.parent
STACKS = ("dev", "staging", "prod", "lab")

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE6fH5O+Vb5/7mkLdPT0r1y/0L8DPj2vGEQ2r3JUJ6z2"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPxnc7jG48RsFvii+QINx5GqUrcJ7enV6Rh5dVJRhUjx"
HASH = "$6$saltsalt$" + "a" * 86
DIGEST = "ab" * 32

RELEASE: dict[str, Any] = {
    "id": "r-1",
    "agent": {
        "version": "4.9.38",
        "script": {"sha256": DIGEST},
        "binary": {"amd64": {"sha256": DIGEST}, "arm64": {"sha256": DIGEST}},
    },
    "vm": {"template": "edge-template"},
    "kubernetes": "1.31.0",
}

SITE: dict[str, Any] = {
    "name": "plant",
    "stage": "dev",
    "palette": {"project": "Default"},
    "network": {
        "source": "given",
        "clusterName": "plants",
        "clusterEndpoint": "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
        "vpcCidrs": ["10.100.0.0/16"],
        "eniSubnets": ["10.100.0.0/24", "10.100.1.0/24"],
        "eniAddresses": ["10.100.0.10", "10.100.1.10"],
        "serviceCidr": "172.20.0.0/16",
        "remoteNodeCidrs": ["10.200.0.0/16"],
        "remotePodCidrs": ["192.168.0.0/16"],
        "kubernetesVersion": "1.31",
    },
    "ssh": {"user": "edge"},
    "hosts": {
        "plant-a": {"address": "10.200.0.11/24", "hostKey": HOST_KEY, "allowReboot": True},
        "plant-b": {"address": "10.200.0.12", "hostKey": OTHER_KEY, "allowReboot": True},
    },
}


def site(*changes: Callable[[dict[str, Any]], None], **top: Any) -> dict[str, Any]:
    """Return the small site, with keys replaced and with changes made to it."""
    raw = {**copy.deepcopy(SITE), **copy.deepcopy(top)}
    for change in changes:
        change(raw)
    return raw


VSPHERE: dict[str, Any] = {
    "datacenter": "DC1",
    "cluster": "edge",
    "datastore": "ssd-1",
    "network": "vlan-200",
    "gateway": "10.200.0.1",
    "nameservers": ["10.200.0.2"],
}
VCENTER: dict[str, Any] = {"server": "vcenter.example.com", "user": "edge-hosts@vsphere.local"}


def vm_site(*changes: Callable[[dict[str, Any]], None], **top: Any) -> dict[str, Any]:
    """Return a small site of two virtual machines and one machine that exists, with changes made to it."""
    hosts = {
        "plant-a": {"address": "10.200.0.21/24"},
        "plant-b": {"address": "10.200.0.22/24"},
        "plant-c": {"address": "10.200.0.13/24", "machine": "existing", "hostKey": HOST_KEY, "allowReboot": True},
    }
    return site(*changes, vcenters={"main": VCENTER}, vsphere=VSPHERE, hosts=hosts, **top)


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that sets the value at a dotted path, making mappings on the way."""

    def change(raw: dict[str, Any]) -> None:
        *above, last = path.split(".")
        here = raw
        for part in above:
            here = here.setdefault(part, {})
        here[last] = value

    return change


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that removes the key at a dotted path."""

    def change(raw: dict[str, Any]) -> None:
        *above, last = path.split(".")
        here = raw
        for part in above:
            here = here[part]
        del here[last]

    return change


def project(folder: Path, raw: Any, *, release: Mapping[str, Any] = RELEASE, **config: Any) -> Path:
    """Write a project with one stack, named as the site and its stage, and return the stack's file."""
    (folder / "releases").mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: edge-hosts\nruntime: python\n")
    (folder / "releases" / "r-1.yaml").write_text(yaml.safe_dump(dict(release)))
    stage = raw.get("stage", "dev") if isinstance(raw, dict) else "dev"
    path = folder / f"Pulumi.plant-{stage}.yaml"
    values = {"aws:region": "eu-central-1", "edge-hosts:release": "r-1", "edge-hosts:site": raw}
    values |= {key.replace("__", ":"): value for key, value in config.items()}
    path.write_text(yaml.safe_dump({"config": values}, sort_keys=False))
    return path


def load(folder: Path, raw: Any, *, release: Mapping[str, Any] = RELEASE, **config: Any) -> StackSettings:
    """Return the settings of such a project."""
    path = project(folder, raw, release=release, **config)
    return load_stack(path.stem.removeprefix("Pulumi."), folder)


def refused(folder: Path, raw: Any, *, release: Mapping[str, Any] = RELEASE, **config: Any) -> dict[str, Finding]:
    """Return what keeps a site from being used, by place. Fails when nothing does."""
    try:
        load(folder, raw, release=release, **config)
    except SettingsError as error:
        return {finding.where: finding for finding in error.findings}
    raise AssertionError("the settings were accepted")


def levels(path: Path, reader: Callable[[str, Path], Any] = load_stack) -> dict[str, str]:
    """Return the level of everything that is said about a stack file, errors and warnings, by place."""
    try:
        found = reader(path.stem.removeprefix("Pulumi."), path.parent).warnings
    except SettingsError as error:
        found = error.findings
    return {finding.where: finding.level for finding in found}


def refused_text(folder: Path, text: str, stack: str = "plant-dev") -> dict[str, Finding]:
    """Return what keeps a stack file from being used that is given as text."""
    project(folder, SITE)
    (folder / f"Pulumi.{stack}.yaml").write_text(text)
    try:
        load_stack(stack, folder)
    except SettingsError as error:
        return {finding.where: finding for finding in error.findings}
    raise AssertionError("the settings were accepted")


def authority(name: str = "Test CA", *, ca: bool = True) -> str:
    """Return a new self-signed certificate as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), start)
    builder = builder.not_valid_after(start + dt.timedelta(days=9000))
    signed = builder.add_extension(x509.BasicConstraints(ca, None), critical=True).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def private_key_pem() -> str:
    """Return a new private key as PEM text, of a kind that must never be accepted as a certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


# Places all over a site, for tests that put something there.
CASES_OF_PLACES = (
    "kind", "name", "stage", "palette", "network", "ssh", "proxy", "caCerts", "acceptOs", "cilium", "vsphere", "hosts", "fips",
    "indexMaxAge", "vmxnet3", "palette.endpoint", "palette.project", "palette.tags", "palette.users", "palette.users.op",
    "palette.registrationToken", "palette.caCert", "palette.userDataExtra", "palette.userDataExtra.stylus",
    "palette.userDataExtra.stages", "palette.manages", "palette.staticNetwork", "network.source", "network.vpcCidrs",
    "network.serviceCidr", "network.remoteNodeCidrs", "network.eniAddresses", "network.region", "network.clusterCa",
    "network.kubernetesVersion", "ssh.privateKey", "ssh.jumpHost", "ssh.port", "hosts.plant-a", "hosts.plant-a.address",
    "hosts.plant-a.hostKey", "hosts.plant-a.proxy", "hosts.plant-a.ssh", "hosts.plant-a.machine", "hosts.plant-a.mode",
    "vcenters", "vcenters.main", "vsphere.cpus", "vsphere.gateway", "hosts.plant-a.vsphere", "hosts.plant-a.mac",
    "image", "image.source", "image.isos", "image.isos.poweroff", "image.build", "image.builder", "image.datastores",
    "installTimeout", "hosts.plant-a.installTimeout", "vsphere.firmware",
    "hosts.plant-a.state", "hosts.plant-a.generation", "hosts.plant-a.caCerts", "hosts.plant-a.users", "hosts.plant-c",
)  # fmt: skip
