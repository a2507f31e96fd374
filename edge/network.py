"""The facts of the AWS side of a site, and every rule that they must keep.

Whatever they come from (the stack file, a look-up, another stack, objects made here), the facts have one shape; the
endpoint table, the firewall request and the checks on the hosts follow from it alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from edge.cidr import address_findings, cidr_findings, swallowed_findings
from edge.cidr_sites import other_site_findings, own_network_findings
from edge.cluster_rules import cluster_findings, fit_findings
from edge.endpoints.partitions import BY_ID, partition_of
from edge.errors import FactsError, SettingsError
from edge.findings import Finding

if TYPE_CHECKING:
    from edge.settings import StackSettings
    from edge.settings.network import Network
    from edge.settings.network_stack import NetworkSettings


@dataclass(frozen=True)
class NetworkFacts:
    """The AWS networking of a site. CIDR blocks and addresses are text, so that every wrong one can be named at once.

    `cluster_endpoint` is the URL of the API server, `cluster_ca` the PEM text of its CA ("" when unknown);
    `endpoint_mode` is `private`, `public` or `publicAndPrivate`, `auth_mode` what EKS calls the authentication mode,
    `credential_provider` `ssm` or `iamRolesAnywhere`. `private_path`: AWS services are reached by interface endpoints
    in the VPC; `inbound_resolvers` are the addresses of its Route 53 inbound endpoint, `endpoint_services` the services
    (`com.amazonaws.eu-central-1.ssm`) that answer there under their public names. `hybrid_role_arn` is the role of the
    hosts, `trust_anchor_arn` and `profile_arn` belong to IAM Roles Anywhere. `tunnel_addresses` are the outside addresses
    of the VPN's AWS ends. `other_sites` are networks of further sites of the same cluster, each as `NAME CIDR`.
    """

    region: str
    partition: str
    cluster_name: str
    cluster_endpoint: str
    cluster_ca: str = ""
    endpoint_mode: str = "private"
    auth_mode: str = "API_AND_CONFIG_MAP"
    vpc_cidrs: tuple[str, ...] = ()
    eni_subnets: tuple[str, ...] = ()
    eni_addresses: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    service_cidr: str = ""
    remote_node_cidrs: tuple[str, ...] = ()
    remote_pod_cidrs: tuple[str, ...] = ()
    credential_provider: str = "ssm"
    private_path: bool = False
    inbound_resolvers: tuple[str, ...] = ()
    kubernetes_version: str = ""
    account_id: str = ""
    vpc_id: str = ""
    hybrid_role_arn: str = ""
    trust_anchor_arn: str = ""
    profile_arn: str = ""
    endpoint_services: tuple[str, ...] = ()
    tunnel_addresses: tuple[str, ...] = ()
    other_sites: tuple[str, ...] = ()

    @property
    def cluster_arn(self) -> str:
        """The ARN of the cluster, "" while its account is not known."""
        if not self.account_id:
            return ""
        return BY_ID[self.partition].arn("eks", self.region, self.account_id, f"cluster/{self.cluster_name}")

    @property
    def api_is_direct(self) -> bool:
        """Whether hosts reach the API server's name inside the VPC, and so never by a proxy."""
        inside = self.endpoint_mode == "publicAndPrivate" and bool(self.inbound_resolvers)
        return self.endpoint_mode == "private" or inside

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `from_dict` gives the same facts back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkFacts:
        """Return the facts of `to_dict`. Raises FactsError when a field is missing, unknown or of another kind."""
        known = {field.name: field for field in fields(cls)}
        missing = [name for name, field in known.items() if field.default is MISSING and name not in data]
        unknown = sorted(set(data) - set(known))
        if missing or unknown:
            wrong = [*(f"no {name}" for name in missing), *(f"unknown {name}" for name in unknown)]
            raise FactsError(f"the network facts are of another version ({', '.join(wrong)})", remedy=_AGAIN)
        return cls(**{name: _as_field(known[name].type, name, value) for name, value in data.items()})

    @classmethod
    def given(cls, settings: StackSettings | NetworkSettings) -> NetworkFacts:
        """Return the facts that the stack file gives under `site.network`. Raises SettingsError for another source."""
        return cls.written(settings.site.network, settings.region)

    @classmethod
    def written(cls, model: Network, region: str) -> NetworkFacts:
        """Return the facts that stand in a network of source `given`. Raises SettingsError for another source."""
        source = getattr(model, "source", None)
        if source != "given":
            problem = "does not write the values down, so they cannot be read from the stack file"
            raise SettingsError(
                [Finding("site.network.source", source, problem, "Write `source: given` with the values.")]
            )
        region = getattr(model, "region", None) or region
        values = {name: _from_model(model, name) for name in (field.name for field in fields(cls))}
        values |= {"region": region, "partition": partition_of(region).id}
        return cls(**{name: value for name, value in values.items() if value is not None})


_AGAIN = "Run `pulumi up` for the stack with this version of the program, so that its facts are written again."


def _from_model(model: object, name: str) -> Any:
    """Return a value of the settings as facts keep it: networks and addresses as text, None when it was not written."""
    value = getattr(model, name, None)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list | tuple | frozenset):
        return tuple(str(item) for item in value)
    return str(value)


def _as_field(kind: object, name: str, value: object) -> Any:
    """Return one value of JSON data as its field wants it."""
    wanted = str(kind)
    if wanted == "bool" and isinstance(value, bool):
        return value
    if wanted == "str" and isinstance(value, str):
        return value
    if wanted.startswith("tuple") and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise FactsError(f"the network fact {name} is {value!r}, but a {wanted} is expected", remedy=_AGAIN)


def network_rules(
    facts: NetworkFacts,
    addresses: Mapping[str, IPv4Address],
    stage: str,
    *,
    kubernetes: str = "",
    os_names: Collection[str] = (),
    others: Mapping[str, IPv4Address] | None = None,
    own: Mapping[str, IPv4Network] | None = None,
    judged: bool = False,
) -> list[Finding]:
    """Return everything that is wrong with the network of a site, all at once; an empty list is a clean site.

    `addresses`: host name -> its address. `kubernetes`: version that the release installs on the hosts ("" = not
    judged). `os_names`: such as `ubuntu-22.04`, as far as known. `others`: addresses of the site that hosts must go on
    reaching (proxy, DNS servers), by YAML path. `own`: networks that the hosts stand in, by YAML path. `judged`: the facts
    were read from AWS, and what was read is judged by `edge.aws.rules`, so that nothing is said twice. `where` of a
    finding is the YAML path of the value.
    Sources: EKS User Guide, hybrid nodes networking and prerequisites; EKS API reference, RemoteNetworkConfigRequest
    and KubernetesNetworkConfigRequest.
    """
    found = [
        *cluster_findings(facts, stage, judged=judged),
        *fit_findings(facts, kubernetes, os_names, judged=judged),
        *cidr_findings(facts, stage, len(addresses), judged=judged),
        *address_findings(facts, addresses),
        *other_site_findings(facts, addresses),
        *swallowed_findings(facts, others or {}),
        *own_network_findings(facts, own or {}),
    ]
    return [replace(finding, remedy=f"{finding.remedy}.") for finding in found]
