"""Replaces files in one step: whoever reads one, also after a crash, sees the old text or the new one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edge.errors import EdgeError


def replace_file(path: Path, text: str, *, what: str = "the file", remedy: str = "check its access rights") -> None:
    """Write a file, with its folders. Access rights are kept, and so is a symbolic link; a new file may be read by all.

    Raises EdgeError that names `what`, when it cannot be written; nothing is left of the attempt.
    """
    target = path.resolve()
    draft: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        draft = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        draft.replace(target)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        problem = f"{what} cannot be written: {error.strerror or error}."
        raise EdgeError(problem, remedy=remedy, where=str(path)) from None
