"""Checks of what a host must reach, by proxy or directly: one per side, over the rows of the endpoint table."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, STRICT, Check

_PALETTE = "Palette docs, network ports and domains"
_AWS = "EKS User Guide, hybrid nodes networking"
_PRIVATE = "EKS User Guide, hybrid nodes private connectivity"
_PROXY = "EKS User Guide, hybrid nodes proxy"
_API = "nodeadm source (aws/eks-hybrid), internal/kubernetes"
_OPEN = "open tcp 443 from the host to the names listed (`edgectl firewall` writes the request)"

ENDPOINTS = (
    Check("host.endpoints.installer", "The installer's server is reachable", ("A4",), ALWAYS,
          f"{_OPEN}, or set `proxy`, or give `agent.baseUrl` a mirror", "Palette docs, prepare edge hosts"),
    Check("host.endpoints.palette", "Palette is reachable", ("A5",), ALWAYS, f"{_OPEN}; nothing needs to come in", _PALETTE),
    Check("host.endpoints.eks", "The EKS service is reachable", ("A6",), ALWAYS, _OPEN, _AWS),
    Check("host.endpoints.ecr", "The registry of the EKS images is reachable", ("A6",), ALWAYS,
          f"{_OPEN}; the layers come from S3, where a gateway endpoint does not help", _AWS),
    Check("host.endpoints.credentials", "The credential provider is reachable", ("A6",), ALWAYS,
          f"{_OPEN}; the SSM installer comes from us-west-2 in every region", _AWS),
    Check("host.endpoints.cluster", "The API server is reachable by its name", ("A6",), ALWAYS,
          "check VPN or Direct Connect, the routes to the VPC, and the cluster's security group (tcp 443 from the node network)", _AWS),
    Check("host.endpoints.enis", "The control plane's interfaces are reachable", ("A6",), ALWAYS,
          "route the subnets of the interfaces to the VPC in both directions, in every subnet's table; open tcp 443", _AWS),
    Check("host.endpoints.resolvers", "The inbound resolvers are reachable", ("A6",), ALWAYS,
          "route to them and open tcp and udp 53 in their security group", _PRIVATE),
    Check("host.endpoints.repositories", "The package repositories are reachable", ("A8",), ALWAYS,
          f"{_OPEN}, or use the site's own mirror", "EKS User Guide, hybrid nodes prerequisites"),
    Check("host.endpoints.other", "The site's further registries are reachable", ("A5", "A6"), ALWAYS, _OPEN, _PALETTE),
    Check("host.endpoints.optional", "Endpoints that may be needed are reachable", ("A5", "A6"), ADVICE,
          "open them if the site uses what they are for (the endpoint table says when)", _AWS),
    Check("host.cluster.answers", "The API server answers", ("A6",), ALWAYS,
          "compare `clusterEndpoint` and `clusterCa` with `aws eks describe-cluster`; nothing between may open the TLS", _API, phase=1),
)  # fmt: skip

WEB = (
    Check("host.tls.palette", "Palette and the installer are trusted and answer", ("A5", "A16"), ALWAYS,
          "give the CA that signs at this site in `caCerts` (or `palette.caCert`), or take the TLS inspection away", _PALETTE, phase=1),
    Check("host.tls.aws", "AWS is trusted and answers", ("A6", "A16"), ALWAYS,
          "give the CA that signs at this site in `caCerts`, or take the TLS inspection away for AWS names", _AWS, phase=1),
    Check("host.tls.other", "The other endpoints are trusted and answer", ("A16",), STRICT,
          "give the CA that signs at this site in `caCerts`", _AWS, phase=1),
    Check("host.tls.interception", "Nobody opens the TLS to AWS", ("A5", "A6"), ADVICE,
          "let the names of AWS and Palette pass unopened: inspection breaks the agent's gRPC", "Palette docs, gRPC and proxies", phase=1),
    Check("host.download.installer", "The installer can be downloaded", ("A4", "A18"), ALWAYS,
          "check the release's `agent.version` and `agent.baseUrl`; a login page of a proxy also looks like this",
          "spectrocloud/agent-mode, releases", phase=1),
)  # fmt: skip

PROXY = (
    Check("host.proxy.reachable", "The proxy is reachable", ("A14",), ALWAYS,
          "correct `proxy.https`, or open the way from the host to it", _PROXY),
    Check("host.proxy.login", "The proxy accepts the login", ("A14",), ALWAYS,
          "correct `proxy.user` and the secret that `proxy.password` names", _PROXY),
    Check("host.proxy.files", "No file on the host names another proxy", ("A14",), STRICT,
          "remove the lines, or write the same proxy into the settings", _PROXY),
    Check("host.proxy.past", "The host's NO_PROXY keeps private addresses off the proxy", ("A6", "A14"), STRICT,
          "add the names and networks to NO_PROXY in both cases: a proxy on the internet side cannot reach them", _PROXY),
    Check("host.proxy.cases", "Proxy variables agree in both cases", ("A14",), STRICT,
          "write each variable in /etc/environment in upper and lower case with one value: nodeadm compares them", _PROXY),
)  # fmt: skip
