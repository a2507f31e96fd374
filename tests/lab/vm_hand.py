"""VMs made by hand for the tests: guest variables that nobody's program wrote, and a login that checks the host key."""

from __future__ import annotations

import base64
import gzip
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from lab_hand import LabHand, until

from lab.keys import new_key
from lab.machines import vm_address

USER = "keeper"

_METADATA = """\
instance-id: {name}-1
local-hostname: {name}
cleanup-guestinfo: [userdata, vendordata]
network:
  version: 2
  ethernets:
    eth0:
      match: {{macaddress: "{mac}"}}
      set-name: eth0
      dhcp4: false
      addresses: [{address}/24]
      routes: [{{to: 0.0.0.0/0, via: {gateway}}}]
      nameservers: {{addresses: [{nameserver}]}}
"""
_USER_DATA = """\
#cloud-config
users:
- name: {user}
  shell: /bin/bash
  lock_passwd: true
  sudo: "ALL=(ALL) NOPASSWD:ALL"
  ssh_authorized_keys: ["{login}"]
ssh_pwauth: false
apt: {{preserve_sources_list: true}}
ssh_keys:
  ed25519_public: {public}
  ed25519_private: |
    {private}
growpart: {{mode: auto, devices: [/]}}
"""


@dataclass(frozen=True)
class VmHand:
    """One VM of a lab, by its definition and the host key that it was given."""

    lab: LabHand
    definition: dict[str, Any]
    address: str
    host_key: str

    @property
    def id(self) -> str:
        return str(self.definition["id"])

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    def shown(self) -> dict[str, Any]:
        """Return what the daemon tells of the VM."""
        return next(vm for vm in self.lab.client.vms() if vm["id"] == self.id)

    def power(self, action: str) -> dict[str, Any]:
        return self.lab.client.power_vm(self.id, action)

    def ssh(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest over ssh; only the host key of the definition is trusted."""
        with tempfile.TemporaryDirectory() as folder:
            known = Path(folder, "known_hosts")
            known.write_text(f"{self.address} {self.host_key}\n", "utf-8")
            given = ["-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", *options]
            key = str(self.lab.paths.private_key)
            return subprocess.run(
                ["ssh", "-F", "none", "-i", key, *given, f"{USER}@{self.address}", command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

    def says(self, command: str) -> str:
        done = self.ssh(command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def answers(self) -> bool:
        return self.ssh("true").returncode == 0

    def wait(self, boots: int = 1) -> None:
        """Return when cloud-init is done with a boot."""

        def done() -> bool:
            vm = self.shown()
            return vm["boots"] >= boots and vm["cloudInit"]["state"] in ("done", "failed")

        until(done, 60, f"cloud-init of {self.name}")


def defined(lab: LabHand, name: str, number: int, **other: Any) -> VmHand:
    """Define a VM with guest variables written by hand; its address is the one of that number."""
    block = lab.site.block
    private, public = new_key(name)
    facts = {
        "name": name,
        "mac": f"00:50:56:3f:aa:{number:02x}",
        # Apart from those of the lab's own site, whose appliance may have been there a moment ago, or still be.
        "address": str(vm_address(block, 40 + number)),
        "gateway": str(block.gateway),
        "nameserver": str(block.services),
        "user": USER,
        "login": lab.site.fittings().authorized_key,
        "public": public,
        "private": private.strip().replace("\n", "\n    "),
    }
    guestinfo = {
        "guestinfo.metadata": base64.b64encode(_METADATA.format(**facts).encode()).decode(),
        "guestinfo.metadata.encoding": "base64",
        "guestinfo.userdata": base64.b64encode(gzip.compress(_USER_DATA.format(**facts).encode())).decode(),
        "guestinfo.userdata.encoding": "gzip+base64",
    }
    uuid = str(uuid4())
    known = {"id": uuid, "uuid": uuid, "name": name, "mac": facts["mac"], "template": "debian-12-edge"}
    definition = {**known, "guestinfo": guestinfo, **other}
    lab.client.define_vm(definition)
    return VmHand(lab, definition, facts["address"], " ".join(public.split()[:2]))


@contextmanager
def running(lab: LabHand, name: str, number: int) -> Iterator[VmHand]:
    """Make a VM, boot it, and destroy it at the end."""
    vm = defined(lab, name, number)
    try:
        vm.power("on")
        vm.wait()
        yield vm
    finally:
        lab.client.destroy_vm(vm.id)
