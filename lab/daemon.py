"""The lab's one process: keeps the machines running and hosts the stand-ins. Started by `python -m lab up`.

It ends by SIGTERM, by POST /stop, or with its start when that fails. When it dies without a chance to clean up, its
machines go on without their power button; the record says what is left, and the next `up` or `down` ends them first.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys

from aiohttp import web

from edge.errors import LabError
from lab.api import application
from lab.paths import LabPaths, socket_address
from lab.proc import boot_id, start_time
from lab.record import Record
from lab.site import load_site
from lab.supervisor import Supervisor, lab_cgroup

_STOP_SECONDS = 20.0
# Long enough for `up` to fetch the message of a failed start.
_LAST_WORDS_SECONDS = 3.0


async def serve(paths: LabPaths) -> int:
    """Run the lab until somebody asks for its end; return the exit code."""
    site = load_site(paths)
    if site is None:
        raise LabError(f"{paths.site} is missing", remedy="start the lab by `python -m lab up`.")
    lab = Supervisor(site, lab_cgroup(site))
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    runner = web.AppRunner(application(lab, ending.set), access_log=None, handle_signals=False)
    await runner.setup()
    folder = await _listen(runner, paths)
    starting = asyncio.create_task(lab.start(), name="start")
    waiting = asyncio.create_task(ending.wait(), name="end")
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.exception() is not None:
            await asyncio.wait({waiting}, timeout=_LAST_WORDS_SECONDS)
            return 1
        await waiting
        return 0
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await asyncio.wait_for(lab.stop(), _STOP_SECONDS)
        await runner.cleanup()
        paths.socket.unlink(missing_ok=True)
        if folder is not None:
            os.close(folder)


async def _listen(runner: web.AppRunner, paths: LabPaths) -> int | None:
    paths.socket.unlink(missing_ok=True)
    address, folder = socket_address(paths.socket)
    previous = os.umask(0o177)
    try:
        await web.UnixSite(runner, address).start()
    finally:
        os.umask(previous)
    return folder


def main() -> int:
    """Take the lab's lock, write this process on the record, and serve. Return 8 when another daemon has the lock."""
    paths = LabPaths.find()
    lock = os.open(paths.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another daemon serves this lab", file=sys.stderr)
        return LabError.exit_code
    Record(paths.record).add("process", pid=os.getpid(), started=start_time(os.getpid()) or 0, boot=boot_id())
    return asyncio.run(serve(paths))


if __name__ == "__main__":
    sys.exit(main())
