"""Judging a copy of the code again and again, each time as its files are: one process loads the libraries, and forks.

Libraries take seconds to load, and none of ours is among them. Of our files only those are compiled again that are not
what they were: each holds the digest of its source, so a file that is broken for a moment is never taken for another.
"""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path
from types import TracebackType

_LOOP = """
import json, os, sys
{libraries}

{judge}

for _ in sys.stdin:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            found = judge()
        except BaseException as error:
            found = [f"the program fails: {{error!r}}"]
        os.write(write, json.dumps([one[:200] for one in found[:20]]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        print(answer.read(), flush=True)
    os.waitpid(child, 0)
"""


class Judge:
    """A copy of the code in `folder`, and the process that judges it.

    `libraries` are lines that import what is not ours, `judge` the text of a function of that name that returns problems.
    """

    def __init__(self, folder: Path, libraries: str, judge: str) -> None:
        self.folder = folder
        for name in ("components", "edge", "tests/components"):
            mode = py_compile.PycInvalidationMode.CHECKED_HASH
            compileall.compile_dir(folder / name, quiet=2, invalidation_mode=mode)
        environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _LOOP.format(libraries=libraries, judge=judge)],
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def problems(self) -> list[str]:
        """Return the rules that the files break as they are now."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("judge\n")
        self._process.stdin.flush()
        found: list[str] = json.loads(self._process.stdout.readline())
        return found

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout
        self._process.stdout.close()
