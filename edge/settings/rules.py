"""Rules across the settings: what no single value can know, and what the stage allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.findings import Finding
from edge.network import NetworkFacts, network_rules
from edge.settings.access import Ssh
from edge.settings.appliance_rules import appliance_findings
from edge.settings.aws_rules import aws_findings
from edge.settings.extra import extra_findings, twice_findings
from edge.settings.hosts import ExistingHost
from edge.settings.names import name_findings
from edge.settings.network import GivenNetwork, ManagedNetwork
from edge.settings.network_rules import at_its_place, site_source_findings, without_unknown
from edge.settings.release import Release
from edge.settings.site import Site
from edge.settings.stack import HostSettings, StackSettings, view
from edge.settings.surroundings import addresses_around, networks_around
from edge.settings.vm_rules import vm_findings
from edge.stages import judge

# Judged only when the region is known; without one the others are judged as in some commercial Region.
_BY_REGION = ("site.network.region", "site.network.clusterEndpoint")
_SOME_REGION = "us-east-1"


def site_findings(stack: str, project: str, site: Site, release: Release | None, region: str | None) -> list[Finding]:
    """Return what the rules say about a site of the right shape: errors and warnings. `region` is None when unknown."""
    views = [view(site, name, release) for name in site.hosts]
    found: list[Finding | None] = [
        *name_findings(stack, project, site.name, site.stage),
        *site_source_findings(site),
        *_palette(site),
        *_addresses(views),
        *_static_networks(site, views),
        *vm_findings(site, release),
        *appliance_findings(site, views, release),
        *_fips(site, release),
        *extra_findings(site.palette.user_data_extra),
        *_twice(site, views),
        *_stage(site, views),
        *(_release_stage(site, release) if release else ()),
        *_network(stack, project, site, release, region, views),
        *aws_findings(site),
    ]
    return [finding for finding in found if finding is not None]


def _palette(site: Site) -> Iterator[Finding]:
    palette = site.palette
    if palette.project and palette.project_uid:
        yield Finding(
            "site.palette.projectUid",
            palette.project_uid,
            "stands beside `project`; Palette would take only one",
            "Keep one of the two.",
        )
    if palette.dedicated and palette.is_saas:
        yield Finding(
            "site.palette.dedicated",
            True,
            f"does not fit {palette.endpoint}, which is the vendor's SaaS",
            "Remove `dedicated: true`, or write the host name of your instance as `endpoint`.",
        )
    if not palette.dedicated and not palette.is_saas:
        yield Finding("site.palette.endpoint", palette.endpoint, "is not the vendor's SaaS",
                      "Add `dedicated: true` if this is your own instance.")  # fmt: skip


def _addresses(views: list[HostSettings]) -> Iterator[Finding]:
    for name, first in _repeated({host.name: host.address for host in views}):
        where = f"site.hosts.{name}.address"
        yield Finding(where, None, f"is also the address of {first}", "Give every host an address of its own.")
    remedy = "Make new keys on the copy: remove /etc/ssh/ssh_host_*, then run `ssh-keygen -A`."
    for name, first in _repeated({host.name: host.host_key for host in views if host.host_key}):
        problem = f"is also the host key of {first}, so one machine is a copy of the other"
        yield Finding(f"site.hosts.{name}.hostKey", None, problem, remedy)


def _repeated(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield every name whose value an earlier one has already, with that earlier name."""
    first: dict[object, str] = {}
    for name, value in values.items():
        if value in first:
            yield name, first[value]
        first.setdefault(value, name)


def _static_networks(site: Site, views: list[HostSettings]) -> Iterator[Finding]:
    given = [host for host in views if host.static_network is not None]
    # Only in Agent Mode does Palette have to be told that it manages the network of an operating system of others.
    if any(host.mode == "agent" for host in given) and "staticIp" not in site.palette.manages:
        problem = "does not have staticIp, but a static network is given"
        remedy = "Add `staticIp` to `palette.manages`, or remove `staticNetwork`."
        yield Finding("site.palette.manages", list(site.palette.manages), problem, remedy)
    for host in given:
        if host.prefix is None:
            remedy = f"Write it with its prefix length, for example {host.address}/24."
            problem = "has no prefix length, which a static network needs"
            yield Finding(f"site.hosts.{host.name}.address", str(host.address), problem, remedy)


def _twice(site: Site, views: list[HostSettings]) -> list[Finding]:
    return twice_findings(
        site.palette.user_data_extra,
        tags=sorted({tag for host in views for tag in host.tags}),
        static=any(host.static_network or (host.vm and host.mode == "appliance") for host in views),
        skips=site.palette.insecure_skip_verify,
    )


def _fips(site: Site, release: Release | None) -> Iterator[Finding]:
    if release and site.fips != release.agent.fips:
        wanted = "the FIPS build" if site.fips else "the ordinary build"
        yield Finding(
            "site.fips",
            site.fips,
            f"wants {wanted}, but the digests of release {release.id} are those of the other one",
            "Choose a release made for it (its `agent.fips`), or change `fips`.",
        )
    if site.fips:
        for name in site.hosts:
            others = [one for one in view(site, name).accept_os if not one.startswith("rhel-")]
            if others:
                yield Finding(f"site.hosts.{name}.acceptOs", others, "are not RHEL, where alone the FIPS build runs",
                              "Remove them, or write `fips: false`.")  # fmt: skip


def _stage(site: Site, views: list[HostSettings]) -> Iterator[Finding | None]:
    stage = site.stage
    palette = site.palette
    if palette.insecure_skip_verify:
        yield judge("tls.unverified", stage, "site.palette.insecureSkipVerify", True)
    if palette.api_base.startswith("http://"):
        yield judge("tls.unverified", stage, "site.palette.apiUrl", palette.api_base)
    if palette.registry_credentials and palette.registry_credentials.insecure:
        yield judge("tls.unverified", stage, "site.palette.registryCredentials.insecure", True)
    if _skips_verification(palette.user_data_extra):
        yield judge("tls.unverified", stage, "site.palette.userDataExtra.stylus.site.insecureSkipVerify", True)
    if site.preflight == "report":
        yield judge("preflight.reported", stage, "site.preflight", "report")
    yield from _ssh_stage(site.ssh, "site.ssh", site)
    for host in views:
        yield from _host_stage(site, host)


def _skips_verification(extra: dict[str, Any]) -> bool:
    stylus = extra.get("stylus")
    site = stylus.get("site") if isinstance(stylus, dict) else None
    return isinstance(site, dict) and bool(site.get("insecureSkipVerify"))


def _ssh_stage(ssh: Ssh, where: str, site: Site) -> Iterator[Finding | None]:
    if ssh.password:
        yield judge("ssh.password", site.stage, f"{where}.password")
    if ssh.jump_host and not ssh.jump_host.host_key:
        yield judge("host.key.unpinned", site.stage, f"{where}.jumpHost.hostKey")


def _host_stage(site: Site, host: HostSettings) -> Iterator[Finding | None]:
    raw, stage, mine = site.hosts[host.name], site.stage, f"site.hosts.{host.name}"
    if raw.ssh and host.ssh != site.ssh:
        yield from _ssh_stage(host.ssh, f"{mine}.ssh", site)
    if isinstance(raw, ExistingHost) and raw.mode == "agent":
        if raw.host_key is None:
            yield judge("host.key.unpinned", stage, f"{mine}.hostKey")
        if raw.allow_reboot is None:
            yield judge("reboot.unstated", stage, f"{mine}.allowReboot")
    if raw.allow_reboot is False:
        yield judge("reboot.forbidden", stage, f"{mine}.allowReboot", False)
    if host.accept_os:
        yield judge(
            "os.accepted", stage, f"{mine}.acceptOs" if raw.accept_os else "site.acceptOs", ", ".join(host.accept_os)
        )
    if host.accept_dhcp:
        yield judge("dhcp.accepted", stage, f"{mine}.acceptDhcp" if raw.accept_dhcp else "site.acceptDhcp", True)
    if raw.force:
        yield judge("force.set", stage, f"{mine}.force", True)
    if raw.protect is False:
        yield judge("protect.off", stage, f"{mine}.protect", False)
    for name, user in host.users.items():
        if user.password_hash:
            where = f"{mine}.users.{name}" if name in raw.users else f"site.palette.users.{name}"
            yield judge("user.password", stage, f"{where}.passwordHash")


def _release_stage(site: Site, release: Release) -> Iterator[Finding | None]:
    agent, where = release.agent, f"releases/{release.id}.yaml: agent"
    if not agent.is_pinned:
        yield judge("agent.version.unpinned", site.stage, f"{where}.version", agent.version)
    elif agent.script.sha256 is None or agent.binary.amd64.sha256 is None:
        yield judge(
            "agent.checksum.missing",
            site.stage,
            f"{where}.script.sha256 and {where.rpartition(' ')[2]}.binary.amd64.sha256",
        )
    if agent.script.is_placeholder or agent.binary.amd64.is_placeholder or agent.binary.arm64.is_placeholder:
        yield judge("agent.checksum.placeholder", site.stage, where)
    if agent.base_url.startswith("http://"):
        yield judge("agent.download.plain", site.stage, f"{where}.baseUrl", agent.base_url)


def _network(
    stack: str, project: str, site: Site, release: Release | None, region: str | None, views: list[HostSettings]
) -> list[Finding]:
    """Return what the rules of AWS say about the networks; they stand with the facts that they judge."""
    known, more = _known_facts(stack, project, site, release, region or _SOME_REGION)
    if known is None or release is None:
        return []
    found = network_rules(
        known,
        {host.name: host.address for host in views},
        site.stage,
        kubernetes=release.kubernetes,
        os_names=sorted({name for host in views for name in host.accept_os}),
        others=addresses_around(site, views, release),
        own=networks_around(site),
    )
    if isinstance(site.network, ManagedNetwork):
        found = [at_its_place(one, known, site.network) for one in without_unknown(found, known)]
        found += more if region else []
    return [finding for finding in found if region or finding.where not in _BY_REGION]


def _known_facts(
    stack: str, project: str, site: Site, release: Release | None, region: str
) -> tuple[NetworkFacts | None, list[Finding]]:
    """Return what is known of the network without asking anybody: what is given, or will be made; and what is wrong with
    the making.
    """
    if isinstance(site.network, GivenNetwork):
        return NetworkFacts.written(site.network, region), []
    if not isinstance(site.network, ManagedNetwork) or release is None or not site.network.remote_node_cidrs:
        return None, []
    from edge.aws.plan import planned_facts  # they need these settings, too
    from edge.network_question import question_of
    from edge.network_source import plan_findings

    settings = StackSettings(stack=stack, project=project, root=Path(), site=site, release=release, region=region)
    question = question_of(settings)
    return planned_facts(question), plan_findings(question)
