"""The AWS side of the table: what nodeadm, the credential provider, kubelet and the images need, Region by Region."""

from __future__ import annotations

from collections.abc import Iterator

from edge.endpoints.model import Endpoint, EndpointQuery, Peer
from edge.endpoints.names import fips_host, service_host
from edge.endpoints.partitions import Partition, partition_of
from edge.endpoints.regions import Registry, registry_of
from edge.endpoints.rows import (
    ALWAYS,
    ECR_LAYERS,
    INSTALL,
    INSTALL_JOIN,
    JOIN_ONGOING,
    ONGOING,
    PRIVATE_GUIDE,
    USER_GUIDE,
    aws,
    host_and_port,
    out,
)

# nodeadm takes the SSM installer from the bucket of its --region, which Palette never passes, so of this default.
INSTALLER_REGION = "us-west-2"

_ECR_GUIDE = "EKS User Guide, container image registries for add-ons"
_NODEADM = "nodeadm source"
_FIPS_SERVICES = ("eks", "ecr", "ssm", "rolesanywhere", "sts", "logs", "eks-auth")
_FIPS_CONDITION = "the AWS SDKs on the host are told to use FIPS endpoints (AWS_USE_FIPS_ENDPOINT=true)"


def aws_rows(query: EndpointQuery) -> Iterator[Endpoint]:
    """Yield the rows of the EKS service, the images, the credential provider, and the cluster itself."""
    partition = partition_of(query.facts.region)
    yield from _artifacts(query, partition)
    yield from _images(query, registry_of(query.facts.region))
    yield from _credentials(query, partition)
    yield from _services(query, partition)
    if query.fips:
        yield from _fips(query)
    yield from _cluster(query)


def _artifacts(query: EndpointQuery, partition: Partition) -> Iterator[Endpoint]:
    reason = "nodeadm, its manifest, kubelet, kubectl, CNI plugins and credential helpers"
    yield aws(query, "hybrid-assets.eks.amazonaws.com", INSTALL_JOIN, reason)
    if partition.id == "aws-cn":
        # `init` knows the Region and takes China's manifest; `install` does not, and takes the one above.
        reason, source = "manifest that nodeadm reads in China", f"{_NODEADM}, internal/aws/manifest.go"
        yield aws(query, "eks-hybrid-assets.awsstatic.cn", INSTALL_JOIN, reason, source)
    reason = "DescribeCluster and ListAccessEntries: Palette's node configuration names the cluster only"
    yield aws(query, service_host("eks", query.facts.region), ALWAYS, reason, service="eks")


def _images(query: EndpointQuery, registry: Registry) -> Iterator[Endpoint]:
    region, home = query.facts.region, registry.region
    reason = "token for the image registry"
    yield aws(query, service_host("ecr", region), ALWAYS, reason, service="ecr.api")
    images = "pause, kube-proxy, CoreDNS and add-on images"
    layers = "layers of those images; a gateway endpoint for S3 does not help a host outside the VPC"
    if not registry.known:
        images += f"; nodeadm does not know {region} and falls back on this registry"
        yield aws(query, service_host("ecr", home), ALWAYS, reason, service="ecr.api", region=home)
    yield aws(query, registry.host, ALWAYS, images, _ECR_GUIDE, service="ecr.dkr", region=home)
    yield aws(query, registry.layers_host, ALWAYS, layers, ECR_LAYERS, service="s3", region=home)
    if query.fips:
        # No interface endpoint answers under this name, and no mirror replaces it: nodeadm asks for it alone.
        reason = "image registry on a host in FIPS mode: nodeadm fails when this name does not resolve"
        source = f"{_NODEADM}, internal/aws/ecr/ecr.go"
        yield out(registry.fips_host, ALWAYS, reason, source, peer="aws")


def _credentials(query: EndpointQuery, partition: Partition) -> Iterator[Endpoint]:
    region, suffix = query.facts.region, partition.dns_suffix
    if query.facts.credential_provider == "ssm":
        source = f"{_NODEADM}, internal/ssm/source.go"
        reason = "installer of the SSM agent: Palette runs `nodeadm install` without a Region, which means us-west-2"
        bucket = f"amazon-ssm-{INSTALLER_REGION}.s3.{INSTALLER_REGION}.amazonaws.com"
        yield aws(query, bucket, INSTALL, reason, source, service="s3", region=INSTALLER_REGION)
        reason = "packages of the SSM agent from the cluster's Region"
        yield aws(query, f"amazon-ssm-{region}.s3.{region}.{suffix}", INSTALL_JOIN, reason, service="s3")
        reason = "registration of the host, credentials, and a heartbeat every five minutes"
        yield aws(query, service_host("ssm", region), ALWAYS, reason, service="ssm")
        for service, reason in (
            ("ssmmessages", "Session Manager and Run Command"),
            ("ec2messages", "Run Command of older SSM agents"),
        ):
            name = service_host(service, region)
            yield aws(query, name, ONGOING, reason, PRIVATE_GUIDE, service=service, optional=True)
        return
    yield aws(query, "rolesanywhere.amazonaws.com", INSTALL, "aws_signing_helper, which gets the credentials")
    reason = "CreateSession: credentials of the host, again and again"
    yield aws(query, service_host("rolesanywhere", region), JOIN_ONGOING, reason, service="rolesanywhere")
    reason = "listed by Palette beside Roles Anywhere"
    yield aws(query, service_host("iam", region), ONGOING, reason, "Palette docs, prepare network", optional=True)


def _services(query: EndpointQuery, partition: Partition) -> Iterator[Endpoint]:
    region = query.facts.region
    reason = "GetCallerIdentity in nodeadm's check of the cluster access; tokens for pods with IAM roles"
    source = f"{_NODEADM}, internal/node/hybrid/hybrid_role_validator.go"
    yield aws(query, service_host("sts", region), JOIN_ONGOING, reason, source, service="sts")
    reason, pod = "credentials of pods", "pods use EKS Pod Identity"
    yield aws(query, service_host("eks-auth", region), ONGOING, reason, service="eks-auth", condition=pod)
    if partition.id == "aws-eusc":
        # The SDKs' rules and their older list do not agree for the sovereign cloud, and no guide decides it.
        reason = "credentials of pods: the name in the SDKs' older endpoint list"
        name = f"eks-auth.{region}.{partition.dns_suffix}"
        yield aws(query, name, ONGOING, reason, "botocore endpoint list", service="eks-auth", condition=pod)
    for name in (f"oidc.eks.{region}.{partition.dns_suffix}", f"oidc-eks.{region}.{partition.api_suffix}"):
        reason, condition = "issuer of service account tokens", "pods use IAM roles for service accounts"
        yield aws(query, name, ONGOING, reason, PRIVATE_GUIDE, service="oidc-eks", condition=condition)
    name = service_host("logs", region)
    yield aws(query, name, ONGOING, "CloudWatch add-on", PRIVATE_GUIDE, service="logs", optional=True)
    # The private names of the S3 endpoint are those of its Region; the global one always leads out.
    for name, service in ((service_host("s3", region), "s3"), (f"s3.{partition.dns_suffix}", "")):
        reason = "S3, for add-ons that use it"
        yield aws(query, name, ONGOING, reason, "Palette docs, prepare network", service=service, optional=True)


def _fips(query: EndpointQuery) -> Iterator[Endpoint]:
    """FIPS names, only where AWS lists them; in GovCloud some are the plain names, and the rows become one."""
    provider = {"ssm": "rolesanywhere", "iamRolesAnywhere": "ssm"}.get(query.facts.credential_provider)
    for service in _FIPS_SERVICES:
        name = None if service == provider else fips_host(service, query.facts.region)
        if name is not None:
            reason, source = f"FIPS endpoint of {service}", "AWS FIPS endpoints, botocore endpoint list"
            yield aws(query, name, JOIN_ONGOING, reason, source, condition=_FIPS_CONDITION)


def _cluster(query: EndpointQuery) -> Iterator[Endpoint]:
    """The API server by its name, and the interfaces in the VPC that pods and hosts talk to by address."""
    facts = query.facts
    if facts.cluster_endpoint:
        name, port = host_and_port(facts.cluster_endpoint)
        reason = f"API server of the cluster, for kubelet and kube-proxy (endpoint mode {facts.endpoint_mode})"
        direct = facts.api_is_direct
        peer: Peer = "vpc" if direct else "aws"
        yield out(name, JOIN_ONGOING, reason, USER_GUIDE, port=port, peer=peer, probe="apiserver", via_proxy=not direct)
    reason = "control plane's interface: pods reach the API through it, whatever the endpoint mode; never by a proxy"
    source = "nodeadm source, internal/kubernetes/validate.go"
    for address in facts.eni_addresses:
        yield out(address, JOIN_ONGOING, reason, source, peer="vpc", probe="tcp", via_proxy=False)
    reason = "subnet of the control plane's interfaces, whose addresses change with every upgrade"
    for subnet in facts.eni_subnets or facts.vpc_cidrs:
        yield out(subnet, JOIN_ONGOING, reason, USER_GUIDE, peer="vpc", via_proxy=False)
