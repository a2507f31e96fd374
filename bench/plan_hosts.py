"""Plans one site with many hosts under mocks: seconds and memory. Usage: python bench/plan_hosts.py [HOSTS]"""

from __future__ import annotations

import base64
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
BEGAN = time.monotonic()

from tests.components.harness import record_stack  # noqa: E402

IMPORTED = time.monotonic()


def _key(number: int) -> str:
    """Return a well-formed ed25519 host key that no other host has."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + number.to_bytes(32, "big")
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def main(count: int) -> None:
    """Plan the production stack with `count` hosts."""
    hosts = {
        f"plant-12-h{i}": {"address": f"10.200.{i // 200}.{i % 200 + 11}/24", "hostKey": _key(i), "allowReboot": True}
        for i in range(count)
    }
    record_stack("prod", site={"hosts": hosts} if count else None)
    done = time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count or 'as committed'} hosts: import {IMPORTED - BEGAN:.2f} s, plan {done - IMPORTED:.2f} s, peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
