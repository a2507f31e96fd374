"""The appliance's own files over a plain Debian root: agent, units, and what every image of an appliance decides.

The agent is put together from the scripts of the Agent Mode stand-in and those of the appliance. Units have the names
of an appliance (Palette docs, troubleshooting of edge hosts), not those of Agent Mode.
"""

from __future__ import annotations

from pathlib import Path

from lab.services.config import DEFAULT_VERSION
from lab.services.vendor import VENDOR

PACKAGES = (
    "bash", "ca-certificates", "conntrack", "curl", "ethtool", "iptables", "jq", "rsync", "rsyslog", "systemd-resolved",
    "systemd-timesyncd", "zstd",
)  # fmt: skip
"""What the root needs beside systemd, openssh-server, sudo and iproute2."""

AGENT = "opt/spectrocloud/bin/palette-agent"
_UNITS = "etc/systemd/system"
_SHARED = ("00-common.sh", "10-yaml.sh", "20-palette.sh", "30-stages.sh")
# Before sshd and networkd: host key, users and network come with the user-data.
_BEFORE_ALL = "Before=cos-setup-initramfs.service ssh.service ssh.socket systemd-networkd.service"
_ONCE = ("Type=oneshot", "RemainAfterExit=yes")
_ALWAYS = ("Restart=always", "RestartSec=5")


def agent(version: str = DEFAULT_VERSION) -> str:
    """Return the text that plays the agent of an appliance."""
    parts = [(VENDOR / "agent" / name).read_text("utf-8") for name in _SHARED]
    parts += [path.read_text("utf-8") for path in sorted((VENDOR / "appliance").glob("*.sh"))]
    text = "\n".join(parts)
    for mark, value in {"@VERSION@": version, "@FIPS@": "false", "@ARCH@": "amd64"}.items():
        text = text.replace(mark, value)
    return text


def write(root: Path, version: str = DEFAULT_VERSION) -> None:
    """Make a plain Debian root with `PACKAGES` the root of an appliance, whose agent says that it is of `version`.

    The root has no identity: no host keys, no name, no user that may log in. Whoever installs it adds the user-data as
    `oem/90_custom.yaml`. Whoever packs it adds the authorities that a machine of this lab trusts (`lab.guest.outfit`, then
    `update-ca-certificates` inside). Writing again changes nothing.
    """
    _write(root, AGENT, agent(version), 0o755)
    for name, lines in _units().items():
        _write(root, f"{_UNITS}/{name}.service", "\n".join(lines) + "\n")
        _enable(root, f"{name}.service", f"/{_UNITS}/{name}.service")
    for name in ("systemd-networkd.service", "systemd-resolved.service"):
        if (root / "lib/systemd/system" / name).exists():
            _enable(root, name, f"/lib/systemd/system/{name}")
    _link(root, f"{_UNITS}/network-online.target.wants/{_ONLINE}", f"/lib/systemd/system/{_ONLINE}")
    _write(root, f"{_UNITS}/{_ONLINE}.d/wait.conf", _WAIT)
    # The image holds no host keys: those that the user-data does not bring are made at the first boot.
    _write(root, f"{_UNITS}/ssh.service.d/keys.conf", _SSH)
    _write(
        root, "etc/ssh/sshd_config.d/appliance.conf", "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    for name in ("etc/ssh/sshd_config.d/lab.conf", "etc/sudoers.d/lab-edge", "etc/sudoers.d/lab-asksudo"):
        (root / name).unlink(missing_ok=True)  # of the lab's other machines
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    if (root / "etc/cloud").is_dir():
        _write(root, "etc/cloud/cloud-init.disabled", "")
    _write(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
    _link(root, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    _write(root, "etc/spectro/environment", "STYLUS_ROOT=/\n")
    (root / "oem").mkdir(mode=0o700, exist_ok=True)


_ONLINE = "systemd-networkd-wait-online.service"
_WAIT = """\
[Service]
ExecStart=
ExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=30
"""
_SSH = """\
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
"""


def _units() -> dict[str, list[str]]:
    """Return the units by name, in the order of a boot."""
    start = _unit("Palette appliance: user-data", ("After=local-fs.target", _BEFORE_ALL), (*_ONCE, _run("start")))
    found = {"cos-setup-rootfs": start}
    before = "cos-setup-rootfs.service"
    for stage, order in (
        ("initramfs", "Before=ssh.service ssh.socket systemd-networkd.service"),
        ("boot", "After=systemd-networkd.service"),
        ("network", "Wants=network-online.target\nAfter=network-online.target"),
    ):
        name = f"cos-setup-{stage}"
        found[name] = _unit(
            f"Palette appliance: stage {stage}", (f"After={before}", order), (*_ONCE, _run(f"stage {stage}"))
        )
        before = f"{name}.service"
    for name, what in (("stylus-agent", "agent"), ("stylus-operator", "operator"), ("palette-tui", "tui")):
        found[name] = _unit(f"Palette appliance: {what}", (f"After={before}",), (*_ALWAYS, _run(what)))
    return found


def _unit(description: str, order: tuple[str, ...], service: tuple[str, ...]) -> list[str]:
    head = ["[Unit]", f"Description={description}", *order]
    return [*head, "", "[Service]", *service, "", "[Install]", "WantedBy=multi-user.target"]


def _run(command: str) -> str:
    return f"ExecStart=/{AGENT} {command}"


def _enable(root: Path, name: str, target: str) -> None:
    _link(root, f"{_UNITS}/multi-user.target.wants/{name}", target)


def _link(root: Path, name: str, target: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _write(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
