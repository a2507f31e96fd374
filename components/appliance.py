"""The dynamic resources of an appliance: is its installer there, its way to the first boot, and its media afterwards.

What they do stands in `edge.images` and `edge.appliance`; the provider classes, whose names are a format of the state, in
`components.providers`. Each is updated in place and never replaced.
"""

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from components import providers

Props = dict[str, Input[object]]


class InstallerIsoCheck(Resource, module="edge", name="InstallerIsoCheck"):
    """Looks whether an installer ISO lies where the image says (`place`, `[datastore] path`), with its size.

    Fails with one error before there is a VM. Delete leaves that ISO to the build; after the VM has gone, it removes what the
    host's own ISOs have left on the datastore of its VMs (`store`).
    """

    place: Output[str]

    def __init__(self, name: str, props: Props, opts: ResourceOptions) -> None:
        super().__init__(providers.InstallerIsoCheckProvider(), name, {**props, "name": name}, opts)


class ApplianceBoot(Resource, module="edge", name="ApplianceBoot"):
    """Takes a VM from its installation to the first boot from disk, with the host's own ISO in its drive.

    Outputs: `site_iso` (the path of that ISO on the datastore), `site_digest` (what stands in it, without the token).
    """

    site_iso: Output[str]
    site_digest: Output[str]

    def __init__(self, name: str, props: Props, opts: ResourceOptions) -> None:
        outputs = dict.fromkeys(("site_iso", "site_digest"))
        super().__init__(providers.ApplianceBootProvider(), name, {**props, "name": name, **outputs}, opts)


class SiteIsoFile(Resource, module="edge", name="SiteIsoFile"):
    """The own ISO of a bare-metal appliance, as a file of the machine that runs the program. Readable by its user only.

    Outputs: `path`, `site_digest`.
    """

    path: Output[str]
    site_digest: Output[str]

    def __init__(self, name: str, props: Props, opts: ResourceOptions) -> None:
        outputs = dict.fromkeys(("path", "site_digest"))
        super().__init__(providers.SiteIsoFileProvider(), name, {**props, "name": name, **outputs}, opts)


class ApplianceMedia(Resource, module="edge", name="ApplianceMedia"):
    """Takes the host's own ISO out of the drive and deletes it, once the host is healthy. Output: `removed`, its path."""

    removed: Output[str]

    def __init__(self, name: str, props: Props, opts: ResourceOptions) -> None:
        super().__init__(providers.ApplianceMediaProvider(), name, {**props, "name": name, "removed": None}, opts)
