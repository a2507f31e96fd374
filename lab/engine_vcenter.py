"""The vCenter of a lab under the engine: started when the stack has virtual machines, and trusted by the provider.

The provider takes its authorities from its process alone: so the engine gets one file with those of this machine and those
of the settings, in the lab's own folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge.settings import StackSettings
from edge.vcenter.trust import VARIABLE, system_roots
from lab.keys import write_private
from lab.site import Site


def serve(site: Site, settings: StackSettings, folder: Path) -> dict[str, str]:
    """Start the vCenter if the stack uses one, and return the variables that the engine needs for it.

    The bundle is written into `folder`. Raises LabError where there is no Go toolchain, or the vCenter does not start.
    """
    if not settings.vcenters:
        return {}
    from lab.vcenter.server import bring_up

    bring_up(site)
    bundle = folder / "trust.pem"
    own = [vcenter.ca_cert for vcenter in settings.vcenters.values() if vcenter.ca_cert]
    parts = [system_roots(os.environ, bundle), *own]
    write_private(bundle, "\n".join(part.strip() for part in parts if part.strip()) + "\n")
    return {VARIABLE: str(bundle)}
