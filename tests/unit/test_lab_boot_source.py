"""From what a machine of the lab boots: its own order first, then the firmware's."""

from __future__ import annotations

import pytest

from lab.appliance.machine import boot_source


@pytest.mark.row("B14")
@pytest.mark.parametrize(
    ("order", "disk", "medium", "source"),
    [
        (("disk", "cdrom"), False, True, "cdrom"),
        (("disk", "cdrom"), True, True, "disk"),
        (("cdrom", "disk"), True, True, "cdrom"),
        (("cdrom", "disk"), True, False, "disk"),
        ((), True, True, "disk"),
        ((), False, True, "cdrom"),
        (("disk",), False, True, "cdrom"),
        (("cdrom",), True, False, "disk"),
        (("disk", "cdrom"), False, False, "none"),
    ],
)
def test_the_first_device_that_can_be_booted(order: tuple[str, ...], disk: bool, medium: bool, source: str) -> None:
    assert boot_source(order, disk=disk, medium=medium) == source
