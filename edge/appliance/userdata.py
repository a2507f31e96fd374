"""The two user-data files of an appliance: one in the installer ISO, for every host; one in its own small ISO.

The agent merges both, and what it does with two lists under one key is not documented. So no key stands in both: every
`install` key in the build file, everything else in the site file. The build file holds nothing of one host and no secret,
because the ISO is shared (Palette docs, installer reference and site user-data).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from edge.canvos.request import Power
from edge.errors import SettingsError
from edge.findings import Finding
from edge.network import NetworkFacts
from edge.settings.image_rules import FIXED_INSTALL
from edge.settings.stack import HostSettings, StackSettings
from edge.userdata import HEADER, dump, userdata_of
from edge.vm.hostkey import HostKey

# Needed for EKS hybrid nodes: the root of an appliance is immutable, and these must outlive a reboot (Palette docs,
# prepare edge hosts). Neither list is shortened or added to.
EXTRA_DIRS = ("/eks-hybrid",)
BIND_MOUNTS = (
    "/eks-hybrid", "/etc/aws", "/etc/containerd", "/etc/eks", "/etc/iam", "/etc/modules-load.d", "/var/lib/amazon",
)  # fmt: skip
_DIRS_KEY = "extra-dirs-rootfs"

_SSH = "/etc/ssh/ssh_host_ed25519_key"
_SUDOERS = "/etc/sudoers.d/edge-hosts"


def build_file(power: Power, extra: Mapping[str, Any] | None = None) -> str:
    """Return the user-data of an installer ISO. `extra` are more `install` keys (`device`, `grub_options`, ...).

    A VM's installer powers off, so that its medium can be taken out before the next boot; bare metal reboots, because
    nobody would switch it on again. Exactly one of the two is written. Raises SettingsError for a fixed key in `extra`.
    """
    fixed = sorted(set(extra or {}) & set(FIXED_INSTALL))
    if fixed:
        remedy = "Remove it: hybrid nodes need it exactly as it is, and the power key belongs to the kind of ISO."
        raise SettingsError([Finding(f"build.install.{key}", None, "is fixed", remedy) for key in fixed])
    install: dict[str, Any] = {_DIRS_KEY: list(EXTRA_DIRS), "bind_mounts": list(BIND_MOUNTS), power: True}
    return HEADER + dump({"install": {**install, **(extra or {})}})


def site_file(
    host: HostSettings,
    settings: StackSettings,
    facts: NetworkFacts,
    *,
    token: str,
    epoch: str,
    machine_uuid: str,
    secrets: Mapping[str, str],
    host_key: HostKey,
    authorized_keys: Sequence[str],
) -> str:
    """Return the user-data of a host's own ISO: everything but `install`. A secret: it holds token and host key.

    `host_key` is the derived SSH host key, written by a step before sshd begins; `authorized_keys` may log in as the user
    of the settings, who gets sudo without a password. Raises what `edge.userdata` raises.
    """
    first = [{"name": "SSH host key", "files": _key_files(host_key)}, _login_step(host, authorized_keys)]
    data = userdata_of(
        host, settings, facts, token=token, epoch=epoch, machine_uuid=machine_uuid, secrets=secrets, first_steps=first
    )
    if data.pop("install", None):
        remedy = "Write it as `install` of the image: what the installer does stands in the shared ISO."
        raise SettingsError([Finding("site.palette.userDataExtra.install", None, "is not read by a host", remedy)])
    return HEADER + dump(data)


def _key_files(key: HostKey) -> list[dict[str, Any]]:
    return [
        {"path": _SSH, "permissions": 0o600, "owner": 0, "group": 0, "content": key.private},
        {"path": f"{_SSH}.pub", "permissions": 0o644, "owner": 0, "group": 0, "content": f"{key.public}\n"},
    ]


def _login_step(host: HostSettings, authorized_keys: Sequence[str]) -> dict[str, Any]:
    """Return the step that makes the login of the program; a user of that name in the settings is made after it."""
    keys = list(dict.fromkeys(key.strip() for key in authorized_keys if key.strip()))
    if not keys:
        problem = "no key may log in to this appliance, so no check could reach it"
        remedy = "List public keys as `ssh.authorizedKeys`, or let `ssh.privateKey` name a secret or a file."
        raise SettingsError([Finding(f"site.hosts.{host.name}.ssh", None, problem, remedy)])
    user = host.ssh.user
    step: dict[str, Any] = {"name": "Login", "users": {user: {"ssh_authorized_keys": keys}}}
    if user != "root":
        step["users"][user]["groups"] = ["sudo"]
        content = f"{user} ALL=(ALL) NOPASSWD:ALL\n"
        step["files"] = [{"path": _SUDOERS, "permissions": 0o440, "owner": 0, "group": 0, "content": content}]
    return step


def core_digest(text: str) -> str:
    """Return the sha256 of a site file without its token and the id of the registration, in hexadecimal.

    It says whether the settings of a host have changed since it was installed; another token or registration is no change.
    """
    data = yaml.safe_load(text)
    site = data["stylus"]["site"]
    site["edgeHostToken"] = ""
    site["tags"] = {key: value for key, value in site["tags"].items() if not key.startswith("edge-hosts-")}
    return hashlib.sha256((HEADER + dump(data)).encode()).hexdigest()
