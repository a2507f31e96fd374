"""Endpoint tables of every Region, and `edgectl check` of a large site: medians, and exit 1 when one is over its limit.

    python bench/endpoints.py [HOSTS] [ROUNDS]      needs no lab, no account and no network

Tables are made with every cache empty, for both credential providers, on FIPS hosts, which have the most rows. Imports are
told apart: botocore is imported with the first table, pydantic with the settings.
"""

from __future__ import annotations

import base64
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
BEGAN = time.perf_counter()

import botocore.endpoint_provider  # type: ignore[import-untyped]  # noqa: E402
import botocore.loaders  # type: ignore[import-untyped]  # noqa: E402, F401

from edge.endpoints import EndpointQuery, endpoint_table, names  # noqa: E402
from edge.endpoints.partitions import partition_of  # noqa: E402
from edge.network import NetworkFacts  # noqa: E402

TABLES_IMPORTED = time.perf_counter()

from edgectl import check  # noqa: E402

CHECK_IMPORTED = time.perf_counter()

TABLES_LIMIT = 0.5
CHECK_LIMIT = 1.0
_CACHED = (names._loader, names._rules, names.service_host, names.fips_host, names.botocore_regions, endpoint_table)


def facts(region: str, provider: str) -> NetworkFacts:
    """Return the facts of a cluster in a Region."""
    partition = partition_of(region)
    return NetworkFacts(
        region,
        partition.id,
        "bench",
        f"https://0123456789abcdef.gr7.{region}.eks.{partition.dns_suffix}",
        vpc_cidrs=("10.100.0.0/16",),
        eni_subnets=("10.100.0.0/24", "10.100.1.0/24"),
        eni_addresses=("10.100.0.10", "10.100.1.10"),
        service_cidr="172.20.0.0/16",
        remote_node_cidrs=("10.200.0.0/16",),
        remote_pod_cidrs=("192.168.0.0/16",),
        credential_provider=provider,
    )


def tables() -> int:
    """Make the tables of every Region of every partition, from nothing; return how many rows they have."""
    for cached in _CACHED:
        cached.cache_clear()
    regions = sorted(names.botocore_regions())
    queries = [
        EndpointQuery(facts(region, name), fips=True) for region in regions for name in ("ssm", "iamRolesAnywhere")
    ]
    return sum(len(endpoint_table(query)) for query in queries)


def site_of(hosts: int, folder: Path) -> str:
    """Write a project with the committed production stack, with `hosts` machines; return the stack's name."""
    stack = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text("utf-8"))
    site = stack["config"]["edge-hosts:site"]
    site["hosts"] = {
        f"plant-12-h{i}": {
            "address": f"10.200.{i // 200 + 1}.{i % 200 + 11}/24",
            "machine": "existing",
            "hostKey": _key(i),
            "allowReboot": True,
        }
        for i in range(hosts)
    }
    del site["vsphere"], site["vcenters"]
    (folder / "releases").symlink_to(ROOT / "releases")
    (folder / "Pulumi.yaml").symlink_to(ROOT / "Pulumi.yaml")
    (folder / "Pulumi.plant-12-prod.yaml").write_text(yaml.safe_dump(stack, sort_keys=False), "utf-8")
    return "plant-12-prod"


def _key(number: int) -> str:
    """Return a well-formed ed25519 host key that no other host has."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + number.to_bytes(32, "big")
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def median(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the medians of wall-clock and processor seconds."""
    wall, processor = [], []
    for _ in range(rounds):
        began, busy = time.perf_counter(), _busy()
        run()
        wall.append(time.perf_counter() - began)
        processor.append(_busy() - busy)
    return statistics.median(wall), statistics.median(processor)


def _busy() -> float:
    """Return the processor seconds of this process and of the ones it has waited for."""
    return sum(os.times()[:4])


def checked(stack: str, folder: Path) -> None:
    """Run the command once, in this process; it ends by itself when there is something to correct."""
    with redirect_stdout(io.StringIO()):
        check.command(stack, root=folder)


def process(stack: str, folder: Path) -> None:
    """Run the command as a person does."""
    command = [sys.executable, "-m", "edgectl", "check", stack, "--root", str(folder)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def main(hosts: int, rounds: int) -> int:
    """Measure, print, and return the exit code."""
    over = 0

    def told(what: str, run: Callable[[], object], limit: float | None = None) -> None:
        nonlocal over
        wall, processor = median(run, rounds)
        late = limit is not None and min(wall, processor) > limit
        over += late
        figure = f"limit {limit:.1f} s{', OVER' if late else ''}" if limit is not None else "no limit"
        print(f"{what:<52} {wall:.2f} s   processor {processor:.2f} s   {figure}", flush=True)

    rows = tables()
    regions = len(names.botocore_regions())
    print(
        f"imports: tables {TABLES_IMPORTED - BEGAN:.2f} s, check {CHECK_IMPORTED - TABLES_IMPORTED:.2f} s; {rounds} rounds"
    )
    told(f"tables of {regions} Regions, both providers, {rows} rows", tables, TABLES_LIMIT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stack = site_of(hosts, folder)
        told(f"edgectl check, {hosts} hosts", lambda: checked(stack, folder), CHECK_LIMIT)
        told(f"edgectl check, {hosts} hosts, with the start of Python", lambda: process(stack, folder))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 5))
