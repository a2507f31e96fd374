"""Whether the machine of an appliance is what the settings say, by its own record in Palette (row B2).

The program does not make bare metal, so nobody has judged it before. What a record does not tell is not judged.
"""

from __future__ import annotations

from edge.errors import PaletteError
from edge.palette.models import EdgeHostRecord

# Palette docs, edge hardware requirements.
CPUS = 2
MEMORY_GIB = 8
DISK_GB = 100
# The kernel keeps some memory to itself, and a disk that is sold as 100 GB has 93 GiB.
_GRACE = 0.9
_MIB_PER_GIB = 1024


def judge_machine(record: EdgeHostRecord, address: str) -> None:
    """Raise PaletteError for a machine that is too small, or has another address than `address`."""
    judge_size(record)
    if address and record.addresses and address not in record.addresses:
        raise PaletteError(
            f"it registered with {', '.join(record.addresses)} instead of {address}.",
            remedy=(
                "correct `staticNetwork` (the interface has another name?) or `address`, then raise the generation;"
                " with `acceptDhcp`, correct the reservation."
            ),
            where=f"edge host {record.uid}",
        )


def judge_size(record: EdgeHostRecord) -> None:
    """Raise PaletteError for a machine that is too small: it may never become healthy, so nobody waits for that."""
    small = _small(record)
    if small:
        least = f"{CPUS} CPUs, {MEMORY_GIB} GiB of memory and a disk of {DISK_GB} GB"
        raise PaletteError(
            f"its machine is too small: {', '.join(small)}; an appliance needs {least}.",
            remedy="enlarge the machine, and run `pulumi up` again; a larger disk needs a raised generation too.",
            where=f"edge host {record.uid}",
        )


def _small(record: EdgeHostRecord) -> list[str]:
    found = []
    if 0 < record.cpus < CPUS:
        found.append(f"{record.cpus} CPU")
    if 0 < record.memory_mib < MEMORY_GIB * _MIB_PER_GIB * _GRACE:
        found.append(f"{record.memory_mib / _MIB_PER_GIB:.1f} GiB of memory")
    if 0 < record.disk_gb < DISK_GB * _GRACE:
        found.append(f"a disk of {record.disk_gb:.0f} GB")
    return found
