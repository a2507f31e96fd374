"""Which DNS names exist in the lab, and who answers them.

Real zones do not resolve nonsense, and a check relies on that: so names of the large zones are matched by the pattern of
a real service (service, then a region), not by their suffix. The names themselves are the public ones that EKS Hybrid
Nodes, Palette and the operating systems document.
"""

from __future__ import annotations

import re
from typing import Literal

Site = Literal["palette", "github", "assets", "images", "packages", "registry", "apiserver", "generic"]

PALETTE_HOSTS = ("palette.lab.internal", "api.spectrocloud.com")
PACKAGES_HOST = "packages.lab.internal"
GITHUB_HOST = "github.com"
ASSETS_HOSTS = ("objects.githubusercontent.com", "release-assets.githubusercontent.com")
IMAGES_HOST = "us-docker.pkg.dev"
REGISTRY_HOST = "registry.lab.internal"

_REGION = r"(?:[a-z]{2,4}(?:-[a-z]+)+-\d)"
_DNS_SUFFIX = r"(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu)"
_LABELS = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_SERVICE = (
    r"(?:(?:api\.ecr|ec2|ec2messages|eks|eks-auth|iam|logs|rolesanywhere|s3|ssm|ssmmessages|sts)(?:-fips)?|"
    rf"ecr-fips|fips\.eks|oidc\.eks|\d{{12}}\.dkr\.ecr(?:-fips)?|{_LABELS}\.s3(?:-fips)?(?:\.dualstack)?)"
)

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_SERVICE}\.{_REGION}\.{_DNS_SUFFIX}",
        rf"(?:hybrid-assets\.eks|rolesanywhere|s3|ssm|sts|{_LABELS}\.s3)\.{_DNS_SUFFIX}",
        rf"iam\.(?:cn-north-1\.|us-gov\.|eusc-de-east-1\.)?{_DNS_SUFFIX}",
        rf"(?:eks-auth|oidc-eks|eks|ssm|sts|ecr)\.{_REGION}\.api\.(?:aws|amazonwebservices\.(?:com\.cn|eu))",
        r"eks-hybrid-assets\.awsstatic\.cn",
        r"(?:api|message|msg|registry)[1-3]?\.spectrocloud\.com",
        r"(?:console|proxy\.console|saas-repo\.console|software|pod-registry)\.spectrocloud\.com",
        r"(?:[a-z0-9-]+\.)?(?:github\.com|githubusercontent\.com|pkg\.dev|gcr\.io|ghcr\.io|quay\.io)",
        r"(?:public\.ecr\.aws|helm\.cilium\.io|docker\.io|(?:download|registry-1|auth|index)\.docker\.(?:com|io))",
        r"(?:[a-z]{2}\.)?(?:archive|security|ports|esm|motd|keyserver)\.ubuntu\.com",
        r"(?:api\.snapcraft\.io|(?:[a-z0-9-]+\.)*snapcraftcontent\.com|[a-z0-9-]+\.cloudfront\.net)",
        r"(?:cdn|subscription\.rhsm|cdn-ubi|sso|cert-api\.access)\.redhat\.com",
        r"(?:cdn|al2023-repos-[a-z0-9-]+)\.amazonlinux\.com",
        r"(?:palette|packages|proxy|gateway|registry)\.lab\.internal",
    )
)
_CLUSTER = re.compile(rf"[0-9a-z]+\.(?:gr7|sk1|yl4)\.{_REGION}\.eks\.{_DNS_SUFFIX}")


class Names:
    """The names of one lab: the documented ones and `extra` exact names."""

    def __init__(self, extra: tuple[str, ...] = ()) -> None:
        self._extra = frozenset(normal(name) for name in extra)

    def known(self, name: str) -> bool:
        """Return whether the name exists in the lab."""
        plain = normal(name)
        return self.is_cluster(plain) or plain in self._extra or any(p.fullmatch(plain) for p in _PATTERNS)

    @staticmethod
    def is_cluster(name: str) -> bool:
        """Return whether the name is the endpoint of an EKS cluster, which resolves to its network interfaces."""
        return _CLUSTER.fullmatch(normal(name)) is not None

    def private(self) -> ClusterNames:
        """Return the names that a site's own DNS knows where nothing else may be resolved."""
        return ClusterNames()

    def site(self, name: str) -> Site:
        """Return who answers HTTP requests for a host name."""
        plain = normal(name)
        if plain in PALETTE_HOSTS:
            return "palette"
        if plain == GITHUB_HOST:
            return "github"
        if plain in ASSETS_HOSTS:
            return "assets"
        if plain == IMAGES_HOST:
            return "images"
        if plain == PACKAGES_HOST:
            return "packages"
        if plain == REGISTRY_HOST:
            return "registry"
        return "apiserver" if self.is_cluster(plain) else "generic"


def normal(name: str) -> str:
    """Return a DNS name in lower case, without its final dot."""
    return name.strip().rstrip(".").lower()


class ClusterNames(Names):
    """Only the endpoint of the cluster: what a site without a way out still resolves, over its VPN."""

    def known(self, name: str) -> bool:
        return self.is_cluster(normal(name))
