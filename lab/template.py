"""The template of the lab's VMs: what a person prepares once in vCenter, with cloud-init, netplan and networkd in it.

It is made from the other machines' root: a copy and the packages on top take a third of the time of a second bootstrap.
Nobody can log in to it: users, keys, name and address come with the guestinfo of each VM.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from edge.errors import LabError
from lab import cgroups
from lab.disk import mount_disk
from lab.guest import Fittings, outfit
from lab.machines import ASKING_USER, LOGIN_USER
from lab.paths import LabPaths
from lab.proc import last_words, run
from lab.record import Record
from lab.rootfs import Cache, Recipe, Say, download, forget_identity, write
from lab.takedown import remove_tree, unmount

PACKAGES = ("cloud-init", "cloud-guest-utils", "netplan.io", "systemd-resolved", "udev")
# Raised when what is done to the template after the packages changes.
_RECIPE = 1
_INSTALL = "apt-get -qq --yes --no-install-recommends -o APT::Sandbox::User=root install /debs/*.deb"
_INSTALL_SECONDS = 300.0


def ensure_template(cache: Cache, recipe: Recipe, base: Path, say: Say) -> Path:
    """Return the template's root file system, made from `base` (the root of `recipe`) if it is not in the cache."""
    name = recipe.name("template", json.dumps([_RECIPE, PACKAGES]))
    return cache.once(name, lambda partial: _build(partial, recipe, base, cache.cgroup, say))


def _build(root: Path, recipe: Recipe, base: Path, cgroup: Path, say: Say) -> None:
    say("template: copy of the root")
    run("cp", "--archive", "--reflink=auto", f"{base}/.", str(root), timeout=300)
    debs = root / "debs"
    debs.mkdir()
    download(debs, recipe, PACKAGES, root, cgroup, say)
    say(f"template: {' '.join(PACKAGES)}")
    install(root, cgroup)
    remove_tree(debs)
    _finish(root)


def install(root: Path, cgroup: Path, debs: Path | None = None) -> None:
    """Install packages inside a root, in a process and mount namespace that ends with it.

    They are those in the folder `debs` of this machine, or those that lie in `/debs` of the root already. Raises LabError.
    """
    if debs is not None:
        copied = root / "debs"
        copied.mkdir()
        for deb in debs.glob("*.deb"):
            shutil.copyfile(deb, copied / deb.name)
    chroot = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc", "chroot", str(root)]
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        cgroups.entering(
            cgroup, *chroot, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", path, "sh", "-c", _INSTALL
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(os.environ),
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise LabError(f"packages cannot be installed in {root.name}: {last_words(done.stdout)}")


def take_away_users(root: Path) -> None:
    """Take away what the other machines have of ours: nobody can log in any more."""
    for user in (LOGIN_USER, ASKING_USER):
        run("chroot", str(root), "userdel", "--remove", user)
    for name in ("etc/sudoers.d/lab-edge", "etc/sudoers.d/lab-asksudo", "etc/ssh/sshd_config.d/lab.conf"):
        (root / name).unlink()


def _finish(root: Path) -> None:
    """Set what every good template sets."""
    take_away_users(root)
    # The image has no other locale, and cloud-init would ask for en_US.
    write(root, "etc/cloud/cloud.cfg.d/50-template.cfg", "locale: C.UTF-8\n")
    # netplan asks for the permanent hardware address, which the cable of a container has not; cloud-init has already
    # given the name to the interface with the right address. Nothing announces IPv6 here: waiting takes 14 seconds.
    write(
        root,
        "etc/systemd/network/10-netplan-eth0.network.d/lab.conf",
        "[Match]\nPermanentMACAddress=\n[Network]\nIPv6AcceptRA=no\n",
    )
    run("systemctl", f"--root={root}", "--quiet", "enable", "systemd-networkd.service")
    forget_identity(root)
    write(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
    # Where systemd-resolved puts what networkd tells it.
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")


def template_layers(paths: LabPaths, template: Path, fittings: Fittings, record: Record) -> tuple[Path, ...]:
    """Return the folders, the upper one first, of the template as this lab's VMs see it, made if they are not there.

    The upper one holds what belongs to the lab: its public CA, trusted, and its package sources.
    """
    folder = paths.root / "template"
    complete = folder / "complete"
    if not complete.exists():
        remove_tree(folder)
        merged = mount_disk(f"{paths.prefix}-template", (template,), folder, record)
        outfit(merged, fittings)
        run("chroot", str(merged), "update-ca-certificates")
        unmount(merged)
        complete.touch()
    return folder / "upper", template
