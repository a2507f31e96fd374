"""Two root file systems for builds, made once and kept in the cache: that of the build machine, and that of appliances.

The build machine is the lab's bare machine with git, an ISO writer and what its tools need. An appliance is the template of
VMs, whose systemd, networkd and sshd it shares, with the packages that every edge host needs: an image is complete when it is
installed. Both are copies with packages on top, which takes less than a bootstrap.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.proc import run
from lab.rootfs import Cache, Recipe, Say, download, forget_identity, write
from lab.takedown import remove_tree
from lab.template import PACKAGES, install

BUILDER_PACKAGES = ("ca-certificates", "curl", "git", "jq", "python3", "python3-yaml", "xorriso", "zstd")
# Raised when what is done to a root after the packages changes.
_RECIPE = 1


def ensure_roots(cache: Cache, recipe: Recipe, base: Path, template: Path, debs: Path, say: Say) -> tuple[Path, Path]:
    """Return the roots of the build machine and of appliances, made from `base` and `template` where they are not there.

    `debs` are the packages that bare machines of the lab can install; an appliance has them.
    """
    of_builder = recipe.name("builder", json.dumps([_RECIPE, BUILDER_PACKAGES]))
    of_appliance = recipe.name("appliance", json.dumps([_RECIPE, PACKAGES, recipe.pool]))
    builder = cache.once(of_builder, lambda partial: _builder(partial, recipe, base, cache.cgroup, say))
    return builder, cache.once(of_appliance, lambda partial: _appliance(partial, template, debs, cache.cgroup, say))


def _builder(root: Path, recipe: Recipe, base: Path, cgroup: Path, say: Say) -> None:
    say("builder: copy of the root")
    _copy(base, root)
    folder = root / "debs"
    folder.mkdir()
    download(folder, recipe, BUILDER_PACKAGES, root, cgroup, say)
    say(f"builder: {' '.join(BUILDER_PACKAGES)}")
    install(root, cgroup)
    remove_tree(folder)
    forget_identity(root)


def _appliance(root: Path, template: Path, debs: Path, cgroup: Path, say: Say) -> None:
    say("appliance: copy of the template")
    _copy(template, root)
    say("appliance: packages of an edge host")
    install(root, cgroup, debs)
    remove_tree(root / "debs")
    # What it is set up by is its agent.
    write(root, "etc/cloud/cloud-init.disabled", "")
    hosts = (root / "etc/hosts").read_text("utf-8")
    forget_identity(root)
    write(root, "etc/hosts", hosts)
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")


def _copy(source: Path, target: Path) -> None:
    run("cp", "--archive", "--reflink=auto", f"{source}/.", str(target), timeout=300)
