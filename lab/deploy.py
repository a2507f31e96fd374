"""The main job of `lab up`: the project's own program takes the machines of the lab to Healthy."""

from __future__ import annotations

import importlib
import importlib.util

from lab.site import Site
from lab.voice import Voice


def deploy(site: Site, voice: Voice) -> int:
    """Run the program for the lab's site and return its exit code.

    The rehearsal runs `__main__.py` with acting mocks. It is looked up late, so that machines and stand-ins can be
    brought up, and taken down, without importing the program and its engine's SDK.
    """
    if importlib.util.find_spec("lab.rehearsal") is None:
        voice.line("there is no rehearsal to run: the machines are up and bare", "warning")
        return 0
    rehearsal = importlib.import_module("lab.rehearsal")
    return int(rehearsal.run(site))
