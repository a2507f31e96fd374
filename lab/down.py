"""Takes a lab down: the daemon, its machines, networks and mounts, and the lab's folder except its cache."""

from __future__ import annotations

from pathlib import Path

from edge.errors import LabError
from lab.client import LabClient
from lab.lock import locked
from lab.paths import MARKER, LabPaths
from lab.record import Made, Record
from lab.takedown import layers_over, remove_tree, take_down
from lab.voice import Voice


def clear_remains(paths: LabPaths, record: Record) -> bool:
    """Take down what an earlier run left in the kernel; disks stay. Return whether there was anything.

    Only called while no daemon answers and the lab's lock is held.
    """

    def on_disk(made: Made) -> bool:
        return made.kind == "folder" and Path(made.text("path")).is_relative_to(paths.root)

    return take_down(record, keep=on_disk) > 0


def bring_down(paths: LabPaths, voice: Voice, *, purge: bool = False) -> None:
    """Remove everything that the lab made; with `purge` the cache too.

    Works at any moment of a lab's life, also after a crash. Raises LabError for the first thing that cannot be removed;
    a second call goes on from there.
    """
    if not (paths.root / MARKER).exists():
        voice.line(f"there is no lab in {paths.root}", "same")
        return
    with locked(paths, "down"):
        if purge:
            _refuse_to_tear(paths)
        _ask_daemon_to_end(paths)
        count = take_down(Record(paths.record))
        _empty(paths, purge=purge)
    kept = paths.cache.exists()
    if count or not kept:
        voice.line(f"taken down: {count} things on the record, and the folder {paths.root}")
    else:
        voice.line("nothing to take down", "same")
    if kept:
        voice.line(f"kept: the cache {paths.cache}", "info")


def _refuse_to_tear(paths: LabPaths) -> None:
    """Raise LabError when machines of another lab run on the root file systems in this lab's cache."""
    others = [point for point in layers_over(paths.cache) if not point.is_relative_to(paths.root)]
    if others and paths.cache.is_relative_to(paths.root):
        raise LabError(
            f"machines of another lab run on the cache {paths.cache}, for example {others[0]}",
            remedy="take that lab down first, or leave --purge out.",
        )


def _ask_daemon_to_end(paths: LabPaths) -> None:
    """Let the daemon end in its own order; the record ends it otherwise."""
    try:
        LabClient(paths).stop()
    except LabError:
        return


def _empty(paths: LabPaths, *, purge: bool) -> None:
    """Remove what is in the lab's folder: everything but the cache, or the folder itself."""
    cache_inside = paths.cache.is_relative_to(paths.root)
    keep = {paths.root / MARKER, paths.lock}
    if cache_inside and not purge:
        keep.add(paths.root / paths.cache.relative_to(paths.root).parts[0])
    for path in sorted(paths.root.iterdir()):
        if path not in keep:
            remove_tree(path)
    if not any(path.is_dir() for path in keep):
        # The mark goes last: until then, a second call knows that the folder is the lab's.
        paths.lock.unlink(missing_ok=True)
        (paths.root / MARKER).unlink()
        paths.root.rmdir()
