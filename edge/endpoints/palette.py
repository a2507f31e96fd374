"""The Palette side of the table: SaaS or a dedicated instance, the images of the agent, and its installer.

A host only ever opens connections, to port 443. The vendor's preparation page says "inbound and outbound", its page of
ports lists no inbound one; so nothing here comes in.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.endpoints.model import Endpoint, EndpointQuery, Probe
from edge.endpoints.rows import ALWAYS, ECR_LAYERS, INSTALL, ONGOING, host_and_port, out

SAAS_DOMAIN = "spectrocloud.com"
PORTS_PAGE = "Palette docs, network ports"
DOMAINS_PAGE = "Palette docs, Palette IP addresses and domains"
AGENT_PAGE = "Palette docs, install agent host"

IMAGES_HOST = "us-docker.pkg.dev"
_IMAGES_ACCOUNT = "415789037893"
_IMAGES_REGIONS = ("us-east-1", "us-west-2")

# First name of each group, further names of the same group, and what it is for.
_GROUPS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("api", ("api1", "api2", "api3"), "Palette API"),
    ("message", ("message1", "message2", "message3"), "messages between Palette and the agent"),
    ("msg", ("msg1", "msg2", "msg3"), "messages between Palette and the agent"),
    ("registry", ("registry1", "registry2", "registry3"), "packs and profiles"),
    ("saas-repo.console", (), "packs and profiles"),
)
_CONSOLE = ("console", "proxy.console")
_GOLDEN = ("console", "maas", "openstack", "vmware")


def is_saas(query: EndpointQuery) -> bool:
    """Return whether hosts register with the vendor's SaaS and not with an instance of their own."""
    host, _ = host_and_port(query.palette_endpoint)
    return not query.dedicated and (host == SAAS_DOMAIN or host.endswith(f".{SAAS_DOMAIN}"))


def palette_rows(query: EndpointQuery) -> Iterator[Endpoint]:
    """Yield the rows of Palette, of the agent's images and of its installer."""
    host, port = host_and_port(query.palette_endpoint)
    reason = "Palette endpoint of the site: registration, configuration, health"
    yield _palette(host, reason, PORTS_PAGE, probe="https", port=port)
    yield from _saas() if is_saas(query) else ()
    yield from _images(query)
    if "agent" in query.modes:
        yield from _installer(query)
    for address in query.registries:
        name, registry_port = host_and_port(address)
        yield out(name, ALWAYS, "image registry of the site", AGENT_PAGE, peer="internet", port=registry_port)


def _palette(
    host: str, reason: str, source: str, *, condition: str = "", probe: Probe = "tls", port: int = 443
) -> Endpoint:
    return out(host, ALWAYS, reason, source, peer="palette", port=port, condition=condition, probe=probe)


def _saas() -> Iterator[Endpoint]:
    for first, others, reason in _GROUPS:
        main = f"{first}.{SAAS_DOMAIN}"
        yield _palette(main, reason, DOMAINS_PAGE, probe="https" if first == "api" else "tls")
        for other in others:
            condition = f"Palette sends the host here instead of {main}"
            yield _palette(f"{other}.{SAAS_DOMAIN}", reason, DOMAINS_PAGE, condition=condition)
    for name in _CONSOLE:
        reason = "web console, for people at the site"
        yield out(f"{name}.{SAAS_DOMAIN}", ONGOING, reason, DOMAINS_PAGE, peer="palette", optional=True)
    for name in _GOLDEN:
        bucket, reason = f"edgegoldenimage-{name}.s3.amazonaws.com", "golden images; Agent Mode uses none"
        yield out(bucket, INSTALL, reason, DOMAINS_PAGE, peer="palette", optional=True)


def _images(query: EndpointQuery) -> Iterator[Endpoint]:
    """The registries of the agent's own images; a dedicated instance needs them too, unless it mirrors them."""
    host = query.agent_image.split("/")[0] if query.agent_image else IMAGES_HOST
    name, port = host_and_port(host)
    reason = "payload image of the agent"
    yield _palette(name, reason, "agent-mode installer", port=port)
    mirrored = "" if is_saas(query) else "the instance does not serve these images itself"
    if name != IMAGES_HOST:
        condition = mirrored or "upgrades of the agent come from the vendor's registry"
        yield _palette(IMAGES_HOST, "images of the agent and of packs", DOMAINS_PAGE, condition=condition)
    for region in _IMAGES_REGIONS:
        registry = f"{_IMAGES_ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
        yield _palette(registry, "images of packs", DOMAINS_PAGE, condition=mirrored)
        layers = f"prod-{region}-starport-layer-bucket.s3.{region}.amazonaws.com"
        condition = mirrored or f"images are pulled from {registry}"
        yield _palette(layers, "layers of Palette's images", ECR_LAYERS, condition=condition)


def _installer(query: EndpointQuery) -> Iterator[Endpoint]:
    """Where the pinned installer and the agent binary are downloaded from."""
    host, port = host_and_port(query.installer_url)
    probe: Probe = "tcp" if query.installer_url.startswith("http://") else "https"
    reason = "installer and binary of the agent"
    yield out(host, INSTALL, reason, AGENT_PAGE, peer="internet", port=port, probe=probe)
    if host == "github.com":
        for name in ("objects.githubusercontent.com", "release-assets.githubusercontent.com"):
            reason, condition = "download of a release file", "GitHub redirects the download to this host"
            yield out(name, INSTALL, reason, "GitHub release downloads", peer="internet", condition=condition)
    reason = "support bundle script"
    source = "Palette docs, collect support bundles"
    yield out("software.spectrocloud.com", ONGOING, reason, source, peer="palette", optional=True)
