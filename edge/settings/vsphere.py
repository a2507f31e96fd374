"""The vSphere side of a site: where its virtual machines are made, and how large they are. Not built yet."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from edge.settings.base import Model, refuse
from edge.settings.scalars import Address, DnsName, Gibibytes, Text, Whole

MINIMUM_MEMORY_GIB = 4
MINIMUM_DISK_GIB = 32


def _at_least(minimum: int, what: str) -> AfterValidator:
    def check(value: int) -> int:
        if value < minimum:
            raise refuse(
                f"is too small for an edge host ({what} under {minimum} GiB)",
                f"Write {minimum}GiB or more; {what} is best at twice that or more",
            )
        return value

    return AfterValidator(check)


class Vsphere(Model):
    """Where virtual machines are made, and their size."""

    server: DnsName | None = Field(
        default=None, description="vCenter, when it is not given by the provider's configuration."
    )
    datacenter: Text = Field(description="Datacenter.")
    cluster: Text = Field(description="Compute cluster.")
    datastore: Text = Field(description="Datastore of the disks.")
    network: Text = Field(description="Port group of the machines.")
    folder: Text | None = Field(
        default=None, description="Folder that the stack owns; the site's name when it is not given."
    )
    template: Text | None = Field(
        default=None, description="Template to clone; that of the release when it is not given."
    )
    gateway: Address = Field(description="Default gateway of the machines.")
    nameservers: tuple[Address, ...] = Field(min_length=1, description="DNS servers of the machines.")
    cpus: Annotated[Whole, Field(ge=2, le=256)] = Field(default=4, description="CPUs of each machine.")
    memory: Annotated[Gibibytes, _at_least(MINIMUM_MEMORY_GIB, "memory")] = Field(
        default=8, description="Memory of each machine, for example 16GiB."
    )
    disk: Annotated[Gibibytes, _at_least(MINIMUM_DISK_GIB, "disk")] = Field(
        default=100, description="Disk of each machine, for example 150GiB."
    )
