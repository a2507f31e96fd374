"""The disk of a machine: a layer of its own over folders that it shares with others and never changes."""

from __future__ import annotations

from pathlib import Path

from lab.proc import run
from lab.record import Record
from lab.takedown import mounts_below


def mount_disk(name: str, layers: tuple[Path, ...], folder: Path, record: Record) -> Path:
    """Mount the disk kept in `folder` over its layers, the upper one first, and return where; again: nothing happens.

    `name` is what the mount table shows.
    """
    upper, work, merged = (folder / part for part in ("upper", "work", "merged"))
    for path in (upper, work, merged):
        path.mkdir(parents=True, exist_ok=True)
    if not mounts_below(merged):
        record.add("mount", path=str(merged))
        lower = ":".join(str(layer) for layer in layers)
        run("mount", "-t", "overlay", name, "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", str(merged))
    return merged
