"""Rules about a stack of kind `build`."""

from __future__ import annotations

from collections.abc import Iterator

from edge.findings import Finding
from edge.settings.image_places import vcenters_of
from edge.settings.image_rules import build_findings, builder_findings, datastore_findings, without_roles_anywhere
from edge.settings.names import name_findings
from edge.settings.release import Release
from edge.settings.site import BuildStack
from edge.settings.vm_rules import pin_findings


def build_stack_findings(stack: str, project: str, whole: BuildStack, release: Release | None) -> list[Finding]:
    """Return what the rules say about a build stack of the right shape: errors and warnings."""
    return [
        *name_findings(stack, project, whole.name, whole.stage),
        *builder_findings(whole.builder, "site.builder", whole.stage, None),
        *build_findings(whole.build, "site.build", whole.stage, release),
        *_roles_anywhere(whole),
        *datastore_findings(whole.datastores, whole.vcenters, "site.datastores"),
        *pin_findings(whole.vcenters),
        *_places(whole),
    ]


def _roles_anywhere(whole: BuildStack) -> Iterator[Finding]:
    bad = without_roles_anywhere(whole.build, "site.build")
    if bad is not None:
        place, value, system = bad
        problem = f"is {system}, on which only `credentialProvider: ssm` works"
        yield Finding(place, value, problem, "Take a newer system, unless all its sites use SSM.", "warning")


def _places(whole: BuildStack) -> Iterator[Finding]:
    used = vcenters_of(whole.datastores, whole.vcenters)
    undecided = any(one.vcenter is None for one in whole.datastores) and len(whole.vcenters) > 1
    for name in whole.vcenters:
        if name not in used and not undecided:
            problem = "is not used: no datastore of this vCenter gets an ISO"
            yield Finding(f"site.vcenters.{name}", None, problem, "Remove it, or add a datastore.", "warning")
    if "poweroff" in whole.build.kinds and not whole.datastores:
        problem = "is missing, so the ISO for virtual machines stays on the build machine"
        remedy = "Add a datastore of each datacenter, or write `kinds: [reboot]` for bare metal alone."
        yield Finding("site.datastores", None, problem, remedy, "warning")
