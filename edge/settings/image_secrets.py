"""The secrets that building an image needs: the login at the build machine, and those at the vCenters of its datastores."""

from __future__ import annotations

from collections.abc import Mapping

from edge.settings.access import SecretRef, Ssh, ssh_secrets
from edge.settings.image import Builder, BuiltImage, IsoDatastore, SshBuilder
from edge.settings.image_places import vcenters_of
from edge.settings.site import BuildStack
from edge.settings.vsphere import Vcenter


def builder_secrets(builder: Builder, site: Ssh | None, where: str) -> dict[str, SecretRef]:
    """Return the secrets of the login at a build machine, by path; none where this machine builds."""
    login = builder.login(site) if isinstance(builder, SshBuilder) else None
    if login is None or not isinstance(builder, SshBuilder):
        return {}
    return ssh_secrets(login, f"{where}.ssh" if builder.ssh else "site.ssh")


def datastore_secrets(datastores: tuple[IsoDatastore, ...], vcenters: Mapping[str, Vcenter]) -> dict[str, SecretRef]:
    """Return the passwords of the vCenters that ISOs are uploaded to, by path."""
    return {f"site.vcenters.{name}.password": one.password for name, one in vcenters_of(datastores, vcenters).items()}


def built_image_secrets(image: BuiltImage, site: Ssh, vcenters: Mapping[str, Vcenter]) -> dict[str, SecretRef]:
    """Return the secrets of a site that builds its image itself, by path."""
    return builder_secrets(image.builder, site, "site.image.builder") | datastore_secrets(image.datastores, vcenters)


def build_stack_secrets(whole: BuildStack) -> dict[str, SecretRef]:
    """Return the secrets of a build stack, by path."""
    return builder_secrets(whole.builder, None, "site.builder") | datastore_secrets(whole.datastores, whole.vcenters)
