"""Installer ISOs and site ISOs made by hand, from a small root of the lab's own: what a build makes elsewhere."""

from __future__ import annotations

import hashlib
import io
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pycdlib
from lab_hand import LabHand, until
from vm_hand import USER, VmHand

from edge.site_iso import site_iso
from lab.appliance import overlay
from lab.appliance.iso import CONFIG, INSTALLER, ROOTFS, SUMS
from lab.guest import outfit
from lab.keys import new_key
from lab.machines import vm_address

DATACENTER = "LAB"
POWEROFF = "#cloud-config\ninstall:\n  poweroff: true\n  bind_mounts: [/etc/eks]\n  extra-dirs-rootfs: [/eks-hybrid]\n"
REBOOT = POWEROFF.replace("poweroff", "reboot")
NEITHER = "#cloud-config\ninstall:\n  bind_mounts: [/etc/eks]\n"


def packed_root(lab: LabHand, place: Path) -> Path:
    """Return the root file system of an appliance as `rootfs.tar.zst`, made in `place`."""
    packed = place / ROOTFS
    root = place / "root"
    subprocess.run(["cp", "--archive", str(lab.site.base), str(root)], check=True)
    debs = root / "debs"
    debs.mkdir()
    for deb in lab.site.debs.glob("*.deb"):
        (debs / deb.name).write_bytes(deb.read_bytes())
    install = "DEBIAN_FRONTEND=noninteractive dpkg --install --force-unsafe-io /debs/*.deb >/dev/null"
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    isolated = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        f"--mount-proc={root}/proc",
        "chroot",
        str(root),
    ]
    subprocess.run([*isolated, "env", path, "sh", "-c", f"{install}; rm -rf /debs"], check=True, capture_output=True)
    outfit(root, lab.site.fittings())
    subprocess.run(["chroot", str(root), "env", path, "update-ca-certificates"], check=True, capture_output=True)
    overlay.write(root)
    tar = f"tar --create --numeric-owner --xattrs --directory={root} . | zstd -q -1 -T0 -o {packed}"
    subprocess.run(["bash", "-o", "pipefail", "-c", tar], check=True)
    subprocess.run(["rm", "-rf", "--one-file-system", str(root)], check=True)
    return packed


def installer_iso(rootfs: Path, config: str, out: Path, *, change: bool = False) -> Path:
    """Return an installer ISO with this root and user-data; with `change`, one byte of the root differs from its sum."""
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in ((CONFIG, config.encode()), (ROOTFS, rootfs.read_bytes()))
    )
    content = bytearray(rootfs.read_bytes())
    if change:
        content[len(content) // 2] ^= 1
    iso: Any = pycdlib.PyCdlib()
    iso.new(interchange_level=3, rock_ridge="1.09", vol_ident=INSTALLER)
    for name, data in ((CONFIG, config.encode()), (SUMS, sums.encode()), (ROOTFS, bytes(content))):
        plain = "/" + name.upper().replace(".", "", name.count(".") - 1) + ";1"
        iso.add_fp(io.BytesIO(data), len(data), plain, rr_name=name)
    iso.write(str(out))
    iso.close()
    return out


@dataclass(frozen=True)
class Appliance(VmHand):
    """One appliance VM by hand: its host key is that which its site ISO brings."""

    private_key: str = field(repr=False)

    def state(self) -> dict[str, Any]:
        """Return what it has come to: source, console, installed, installations, diskBoots."""
        found: dict[str, Any] = self.shown()["appliance"]
        return found

    def define(self, **changes: Any) -> None:
        self.definition.update(changes)
        self.lab.client.define_vm(self.definition)

    def off(self, seconds: float = 90) -> None:
        """Return when it has powered itself off."""
        until(lambda: self.shown()["state"] == "poweredOff", seconds, "power off")

    def says(self, command: str) -> str:
        """Run a command over ssh as soon as the machine lets somebody in."""
        until(self.answers, 40, "a login")
        return super().says(command)


def appliance(lab: LabHand, name: str, number: int, **other: Any) -> Appliance:
    """Define a VM with a blank disk; its address is the one of that number."""
    uuid = str(uuid4())
    private, public = new_key(name)
    known = {"id": uuid, "uuid": uuid, "name": name, "mac": f"00:50:56:3f:ab:{number:02x}"}
    extra = {"ethernet0.pciSlotNumber": "160"}
    made = Appliance(lab, {**known, "extra": extra, **other}, str(vm_address(lab.site.block, number)), public, private)
    made.define()
    return made


def site_file(made: Appliance, *, name: str, nic: str = "ens160", more: str = "") -> str:
    """Return a site user-data by hand: token, name, network, host key and login."""
    block, site = made.lab.site.block, made.lab.site
    login = site.fittings().authorized_key
    key = made.private_key.strip().replace("\n", "\n        ")
    return f"""\
#cloud-config
stylus:
  site:
    paletteEndpoint: api.spectrocloud.com
    edgeHostToken: "{site.secrets["registrationToken"]}"
    projectName: Lab
    name: {name}
    hostName: {name}
    tags: {{plant: "12"}}
    network:
      interfaces:
        {nic}: {{type: static, ipAddress: {made.address}/24, gateway: {block.gateway}, nameserver: {block.services}}}
stages:
  initramfs:
  - name: SSH host key
    files:
    - path: /etc/ssh/ssh_host_ed25519_key
      permissions: 384
      owner: 0
      group: 0
      content: |
        {key}
  - name: Login
    users:
      {USER}: {{groups: [sudo], ssh_authorized_keys: ["{login}"]}}
    files:
    - {{path: /etc/sudoers.d/keeper, permissions: 288, content: "{USER} ALL=(ALL) NOPASSWD:ALL\\n"}}
{more}"""


def site_medium(lab: LabHand, text: str, path: str) -> str:
    """Put a site ISO on a datastore; return its path."""
    place = lab.paths.datastores / path.split("] ")[0].strip("[") / path.split("] ")[1]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(site_iso(text))
    return path


def registered(lab: LabHand, name: str) -> dict[str, Any] | None:
    """Return Palette's record of a host."""
    found: dict[str, Any] | None = lab.client.palette("record", uid=name)
    return found
