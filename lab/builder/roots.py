"""Two root file systems for builds, made once and kept in the cache: that of the build machine, and that of appliances.

Both are the lab's bare machine with packages on top, which takes less than a bootstrap: the build machine has git, an ISO
writer and what its tools need, an appliance those that every edge host needs, because an image is complete when it is
installed. Nobody can log in to an appliance: users and keys come with its user-data.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.proc import run
from lab.rootfs import Cache, Recipe, Say, download, forget_identity
from lab.takedown import remove_tree
from lab.template import install, take_away_users

BUILDER_PACKAGES = ("ca-certificates", "curl", "git", "jq", "python3", "python3-yaml", "xorriso", "zstd")
# Raised when what is done to a root after the packages changes.
_RECIPE = 1


def ensure_roots(cache: Cache, recipe: Recipe, base: Path, debs: Path, say: Say) -> tuple[Path, Path]:
    """Return the roots of the build machine and of appliances, made from `base` where they are not there.

    `debs` are the packages that bare machines of the lab can install; an appliance has them.
    """
    of_builder = recipe.name("builder", json.dumps([_RECIPE, BUILDER_PACKAGES]))
    of_appliance = recipe.name("appliance", json.dumps([_RECIPE, recipe.pool]))
    builder = cache.once(of_builder, lambda partial: _builder(partial, recipe, base, cache.cgroup, say))
    return builder, cache.once(of_appliance, lambda partial: _appliance(partial, base, debs, cache.cgroup, say))


def _builder(root: Path, recipe: Recipe, base: Path, cgroup: Path, say: Say) -> None:
    _copy(base, root)
    folder = root / "debs"
    folder.mkdir()
    download(folder, recipe, BUILDER_PACKAGES, root, cgroup, say)
    say(f"builder: {' '.join(BUILDER_PACKAGES)}")
    install(root, cgroup)
    remove_tree(folder)
    forget_identity(root)


def _appliance(root: Path, base: Path, debs: Path, cgroup: Path, say: Say) -> None:
    say("appliance: packages of an edge host")
    _copy(base, root)
    install(root, cgroup, debs)
    remove_tree(root / "debs")
    take_away_users(root)
    forget_identity(root)


def _copy(source: Path, target: Path) -> None:
    run("cp", "--archive", "--reflink=auto", f"{source}/.", str(target), timeout=300)
