"""The installer ISO: ISO 9660 with Rock Ridge, and the file with its checksum beside it.

Volume `COS_LIVE`; `config.yaml` is the user-data of the build, if there is one, `rootfs.tar.zst` the whole root file system of
the installed machine, `SHA256SUMS` the sums of both, as sha256sum writes them. Content bundles lie in their folders.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.builder.tools.arguments import BuildFailedError

VOLUME = "COS_LIVE"
ROOT, CONFIG, SUMS = "rootfs.tar.zst", "config.yaml", "SHA256SUMS"


def write(folder: Path, name: str, layer: Path, *, wrong_sum: bool = False) -> Path:
    """Write `build/NAME.iso` and its checksum file below `folder` and return the ISO. Raises BuildFailedError."""
    target = folder / "build" / f"{name}.iso"
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".iso-", dir=target.parent))
    try:
        content = {ROOT: layer}
        if (folder / "user-data").is_file():
            content[CONFIG] = Path(shutil.copyfile(folder / "user-data", work / CONFIG))
        (work / SUMS).write_text("".join(f"{sha256(path)}  {where}\n" for where, path in content.items()), "utf-8")
        content[SUMS] = work / SUMS
        for path in sorted(folder.glob("content-*/*.zst")):
            # Nothing beyond the workspace is there inside the builder's container: a link out of it leads nowhere.
            if path.resolve().is_relative_to(folder.resolve()):
                content[f"{path.parent.name}/{path.name}"] = path
        words = ["xorriso", "-as", "mkisofs", "-quiet", "-volid", VOLUME, "-rock", "-joliet", "-output", str(target)]
        # Where a file lies in the ISO, and where it comes from.
        done = subprocess.run(
            [*words, "-graft-points", *(f"{where}={path}" for where, path in content.items())],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "FAILURE" in line or "FATAL" in line]
            raise BuildFailedError(f"xorriso ended with {done.returncode}: {(said or ['it said nothing'])[-1]}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    stated = hashlib.sha256(b"another ISO").hexdigest() if wrong_sum else sha256(target)
    target.with_name(f"{name}.iso.sha256").write_text(f"{stated}  {name}.iso\n", "utf-8")
    return target


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
