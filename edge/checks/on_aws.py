"""Checks that AWS answers: the cluster, the way from its interfaces to the site and back, the hosts' identity."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, STRICT, Check

_API = "EKS API reference"
_CREATE = "EKS User Guide, hybrid nodes cluster creation"
_NETWORK = "EKS User Guide, hybrid nodes networking"
_PREREQUISITES = "EKS User Guide, hybrid nodes prerequisites"
_CREDENTIALS = "EKS User Guide, hybrid nodes credentials"
_PREPARE = "EKS User Guide, hybrid nodes cluster access"
_PRIVATE = "EKS User Guide, hybrid nodes private connectivity"
_VPC = "EKS User Guide, VPC and subnet requirements"

CLUSTER = (
    Check("aws.access", "AWS answers and lets everything be read", ("C2",), ALWAYS,
          "correct what the message names: credentials, Region, cluster, or the IAM action that is missing", "IAM User Guide",
          where="aws"),
    Check("aws.cluster", "The cluster is active", ("C2",), ALWAYS,
          "wait until it is: `aws eks wait cluster-active --name CLUSTER`", _API, where="aws"),
    Check("aws.family", "The cluster's address family is IPv4", ("A6", "C2"), ALWAYS,
          "use a cluster that was made with IPv4: the family of a cluster cannot be changed", _CREATE, where="aws"),
    Check("aws.kubernetes", "The cluster's version fits the release and hybrid nodes", ("A6", "C2"), ALWAYS,
          "choose a release that fits, or upgrade the cluster", "nodeadm source, internal/node/hybrid/versionskew_validator.go", where="aws"),
    Check("aws.authmode", "The cluster's authentication mode admits hybrid nodes", ("A6", "C2"), ALWAYS,
          "set it to API_AND_CONFIG_MAP, which cannot be taken back", _API, where="aws"),
    Check("aws.endpointmode", "The API server has one endpoint, public or private", ("A6", "C2"), ALWAYS,
          "turn one of the two endpoints off", _PREREQUISITES, where="aws"),
    Check("aws.publiccidrs", "A public API server does not answer the whole world", ("C2",), ADVICE,
          "allow the public addresses of the sites only", "EKS User Guide, cluster endpoint access", where="aws"),
    Check("aws.remotenetworks", "The cluster's remote networks hold those of the sites", ("A6", "C2"), ALWAYS,
          "write the remote networks of the cluster, all sites at once: the lists are replaced whole", _CREATE, where="aws"),
    Check("aws.overlap", "Remote networks, VPC and services share no address", ("A6", "C2"), ALWAYS,
          "choose blocks that share no address", _NETWORK, where="aws"),
)  # fmt: skip

NETWORK = (
    Check("aws.subnets", "The cluster's subnets are in two zones and have room", ("C2",), ALWAYS,
          "use private subnets of /27 or larger in two zones at least", _VPC, where="aws"),
    Check("aws.enis", "The control plane has its interfaces in the cluster's subnets", ("A6", "C2"), STRICT,
          "wait for the end of an update of the cluster, or look at its health: `aws eks describe-cluster`", _NETWORK, where="aws"),
    Check("aws.routes", "Every subnet of the cluster has a route to every remote network", ("A6", "C2"), ALWAYS,
          "add the route to each route table named: a missing one shows as time-outs of one interface only", _NETWORK, where="aws"),
    Check("aws.tunnels", "The VPN's tunnels are up", ("A6", "C2"), STRICT,
          "compare the VPN device with the downloaded configuration; UDP 500, UDP 4500 and ESP must pass",
          "AWS Site-to-Site VPN User Guide", where="aws"),
    Check("aws.securitygroups.in", "The cluster's security groups let hosts and pods in", ("A6", "C2"), ALWAYS,
          "add the rules to a security group of the cluster", _NETWORK, where="aws"),
    Check("aws.securitygroups.out", "The cluster's security groups let the control plane out to kubelets", ("A6", "C2"), ALWAYS,
          "add the rule as OUTBOUND to the cluster's security group; at the site the same connection is inbound", _NETWORK, where="aws"),
)  # fmt: skip

PRIVATE = (
    Check("aws.vpc.dns", "The VPC resolves private names", ("A6", "C2"), ALWAYS,
          "turn enableDnsSupport and enableDnsHostnames on", _PRIVATE, where="aws"),
    Check("aws.endpoints", "Every AWS service that hosts need answers inside the VPC", ("A6", "C2"), ALWAYS,
          "make an interface endpoint with private DNS in two zones, whose security group lets 443 in", _PRIVATE, where="aws"),
    Check("aws.resolver", "The site can ask the VPC for private names", ("A6", "C2"), STRICT,
          "make a Route 53 inbound endpoint with two addresses, and let UDP and TCP 53 in from the site", _PRIVATE, where="aws"),
)  # fmt: skip

IDENTITY = (
    Check("aws.role", "The hybrid nodes role may do what hosts need", ("A6", "C2"), ALWAYS,
          "correct the trust policy and the permissions of the role", _CREDENTIALS, where="aws"),
    Check("aws.accessentry", "The hybrid nodes role has its access entry", ("A6", "C2"), ALWAYS,
          "make an access entry of type HYBRID_LINUX for the role, beside aws-auth too", _PREPARE, where="aws"),
    Check("aws.activation", "The SSM activation is alive and has registrations left", ("C7",), ALWAYS,
          "make a new activation: neither life nor number of one that exists can be changed", "Systems Manager API, CreateActivation",
          where="aws"),
)  # fmt: skip
