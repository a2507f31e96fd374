"""What the lab's AWS tells of its cluster: the committed stack of the lab looks it up, and mocks have no AWS.

A test of the lab's account compares it with what a look-up really reads there.
"""

from __future__ import annotations

from edge.network import NetworkFacts

# A sample: the lab makes its own.
CA = """\
-----BEGIN CERTIFICATE-----
MIIByjCCAW+gAwIBAgIUQneKUva6zuwZu0PlP0YJ/OuDzYMwCgYIKoZIzj0EAwIw
UTEbMBkGA1UECgwSZWRnZS1ob3N0cyBleGFtcGxlMTIwMAYDVQQDDClTYW1wbGUg
Y2x1c3RlciBDQSwgb3ZlcndyaXR0ZW4gYnkgdGhlIGxhYjAgFw0yNjAxMDEwMDAw
MDBaGA8yMDU2MDEwMTAwMDAwMFowUTEbMBkGA1UECgwSZWRnZS1ob3N0cyBleGFt
cGxlMTIwMAYDVQQDDClTYW1wbGUgY2x1c3RlciBDQSwgb3ZlcndyaXR0ZW4gYnkg
dGhlIGxhYjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOOMsZT5GzUsfv5Z3gfN
EC04W+vjNPDvZKzuNPFPsBdGm4BfI23VIN7eZfchyX1aRXxqMrDDMmAhWBSWw91s
xZWjIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMAoGCCqGSM49
BAMCA0kAMEYCIQDnbl8w4S9oxwFnMn15ji1Qax/igiwmnvoOeZj/d3+w0wIhAOB5
ory171/SJZ+YtDqXGtjXB2E63NMg+YfEEsNZaGq1
-----END CERTIFICATE-----
"""

LAB_FACTS = NetworkFacts(
    region="eu-central-1",
    partition="aws",
    cluster_name="lab",
    cluster_endpoint="https://ab0123456789abcdef0123456789abcd.gr7.eu-central-1.eks.amazonaws.com",
    cluster_ca=CA,
    endpoint_mode="private",
    auth_mode="API_AND_CONFIG_MAP",
    vpc_cidrs=("10.231.78.0/24",),
    eni_subnets=("10.231.78.0/27", "10.231.78.32/27"),
    eni_addresses=("10.231.78.11", "10.231.78.43"),
    security_groups=("sg-b518c902042b9475b", "sg-ddeca73551e44713e"),
    service_cidr="172.20.0.0/16",
    remote_node_cidrs=("10.231.76.0/23", "10.231.79.0/24"),
    remote_pod_cidrs=("10.232.0.0/16",),
    credential_provider="ssm",
    kubernetes_version="1.31",
    account_id="111122223333",
    vpc_id="vpc-dfa3526284be7f735",
    hybrid_role_arn="arn:aws:iam::111122223333:role/AmazonEKSHybridNodesRole",
    tunnel_addresses=("198.51.100.11", "198.51.100.12"),
)
