"""The firewall request of a build stack: what the build machine must reach to make, push and upload an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.canvos.images import registry_of
from edge.endpoints.rows import INSTALL, host_and_port
from edge.endpoints.rule import FirewallRule, order, rule_of

if TYPE_CHECKING:
    from edge.settings import Builder, BuildSettings, ImageBuild, Ssh
    from edge.settings.vsphere import Vcenter

_SOURCE = "CanvOS repository, Earthfile"
_NODEADM = "nodeadm puts both credential providers into the image"
_OWN = "docs/appliance.md"
_THIS = "the machine that runs this program"

# What a build pulls, beside the repository, the registry and the mirrors of its own settings.
_HOSTS: tuple[tuple[str, str], ...] = (
    ("us-docker.pkg.dev", "the builder, the agent and its parts"),
    ("us-east1-docker.pkg.dev", "parts of the image"),
    ("gcr.io", "a base image"),
    ("quay.io", "Kairos and the maker of the ISO"),
    ("*.quay.io", "layers of those images"),
    ("ghcr.io", "references of the provider"),
    ("pkg-containers.githubusercontent.com", "layers of those images"),
    ("registry-1.docker.io", "base images"),
    ("auth.docker.io", "base images"),
    ("production.cloudflare.docker.com", "layers of base images"),
    ("hybrid-assets.eks.amazonaws.com", _NODEADM),
    ("amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com", f"{_NODEADM}: the installer of the SSM agent"),
)
_UBUNTU = ("archive.ubuntu.com", "security.ubuntu.com")
_RHEL = ("subscription.rhsm.redhat.com", "cdn.redhat.com")


def build_rules(settings: BuildSettings) -> tuple[FirewallRule, ...]:
    """Return the firewall request of a build stack, sorted and unique. A proxy of the build stands as the way out."""
    site = settings.site
    return tuple(sorted(builder_rules(site.build, site.builder, settings.ssh, settings.vcenters), key=order))


def builder_rules(
    build: ImageBuild, builder: Builder, login: Ssh | None, vcenters: Mapping[str, Vcenter]
) -> set[FirewallRule]:
    """Return what a build machine needs; `login` is None where the machine that runs the program builds."""
    name = getattr(builder, "address", "") or _THIS
    return {*_out(build, name), *_uploads(name, vcenters), *_login(name, login)}


def _out(build: ImageBuild, builder: str) -> Iterator[FirewallRule]:
    via_proxy = build.proxy is not None
    wanted = list(_HOSTS)
    repository, _ = host_and_port(build.repository)
    wanted.append((repository, "the CanvOS repository"))
    if repository != "github.com":
        wanted.append(("github.com", "files that the build downloads"))
    wanted.append(("objects.githubusercontent.com", "files that the build downloads"))
    wanted += [(host, "packages of the image") for host in (_UBUNTU if build.os == "ubuntu" else _RHEL)]
    if build.push:
        wanted.append((registry_of(f"{build.registry}/{build.repo}"), "push of the provider images"))
    if build.base_image:
        wanted.append((registry_of(build.base_image), "the base image"))
    for address, reason in wanted:
        host, port = host_and_port(address) if "*" not in address else (address, 443)
        ports = "80, 443" if host in _UBUNTU else str(port)
        rule = rule_of("builder", "out", "tcp", ports, (builder, host), reason, _SOURCE, phase=INSTALL)
        yield _by(rule, via_proxy)
    if build.proxy is not None:
        for url in sorted({build.proxy.https, build.proxy.http_url}):
            host, port = host_and_port(url)
            ends = (builder, host)
            yield rule_of("builder", "out", "tcp", str(port), ends, "proxy of the build", _OWN, phase=INSTALL)


def _by(rule: FirewallRule, via_proxy: bool) -> FirewallRule:
    return replace(rule, via="proxy") if via_proxy else rule


def _uploads(builder: str, vcenters: Mapping[str, Vcenter]) -> Iterator[FirewallRule]:
    """Yield the way of the ISOs: the program gets a ticket from the vCenter, with which the build machine uploads."""
    for vcenter in vcenters.values():
        host, port = host_and_port(vcenter.server)
        for start, reason in (
            (builder, "upload of the ISOs"),
            (_THIS, "tickets for uploads, and looking at the files"),
        ):
            ends = (start, host)
            yield rule_of("builder", "out", "tcp", str(port), ends, reason, "vSphere Web Services API", phase=INSTALL)


def _login(builder: str, ssh: Ssh | None) -> Iterator[FirewallRule]:
    if ssh is None:
        return
    section, start, reason = "login-builder", _THIS, "SSH while `up` runs"
    if ssh.jump_host is not None:
        ends = (start, ssh.jump_host.address)
        yield rule_of(section, "in", "tcp", str(ssh.jump_host.port), ends, "SSH to the jump host", _OWN, phase=INSTALL)
        start = ssh.jump_host.address
    yield rule_of(section, "in", "tcp", str(ssh.port), (start, builder), reason, _OWN, phase=INSTALL)
