"""The values (`EH_...`) of the checks step: what a host is compared with, and what it may reach. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.canvos.images import registry_of
from edge.checks.policy import PolicyLevel, policy_tsv
from edge.endpoints import Endpoint, cilium_features, private_names, to_tsv
from edge.images.reference import image_reference
from edge.network import NetworkFacts
from edge.packages import services
from edge.releases import installer
from edge.settings.stack import HostSettings, StackSettings
from edge.steps_values import common_values, proxy_values


def checks_values(
    settings: StackSettings,
    host: HostSettings,
    network: NetworkFacts,
    endpoints: Iterable[Endpoint],
    *,
    secrets: Mapping[str, str] | None = None,
    known_ids: Iterable[tuple[str, str, str]] = (),
    write: bool = True,
    phases: str = "0 1",
    machine: str = "",
    instance_version: str | None = None,
    overrides: Mapping[str, PolicyLevel] | None = None,
) -> dict[str, str]:
    """Return every value of the checks step of one host.

    `endpoints` is the host's endpoint table; `secrets` holds the proxy's password where there is one; `known_ids` names the
    other hosts of the site with machine-id and product_uuid; `write` False is a look that leaves nothing on the host;
    `phases` is "0", "1" or both. Raises SecretsError when the proxy's password is missing.
    """
    table = tuple(endpoints)
    return {
        **common_values(settings, host, machine=machine),
        **proxy_values(settings, host, network, secrets or {}),
        **_network(host, network),
        "EH_PRIVATE_NAMES": " ".join(private_names(network, table)),
        **_host(settings, host),
        "EH_WRITE": _switch(write),
        "EH_PHASES": phases,
        "EH_MODE": host.mode,
        "EH_BIND_MOUNTS": " ".join(_bind_mounts(host)),
        "EH_POLICY": policy_tsv(settings.stage, overrides, host.mode),
        "EH_ENDPOINTS": to_tsv(table, host.proxy is not None),
        "EH_INSTALLER_URL": _installer_url(settings, host, instance_version),
        "EH_KNOWN_IDS": "".join(f"{name}\t{machine_id}\t{uuid}\n" for name, machine_id, uuid in sorted(known_ids)),
    }


def _network(host: HostSettings, network: NetworkFacts) -> dict[str, str]:
    address = str(host.address) if host.prefix is None else f"{host.address}/{host.prefix}"
    return {
        "EH_ADDRESS": address,
        "EH_CREDENTIAL_PROVIDER": network.credential_provider,
        "EH_REMOTE_NODE_CIDRS": " ".join(network.remote_node_cidrs),
        "EH_REMOTE_POD_CIDRS": " ".join(network.remote_pod_cidrs),
        "EH_SERVICE_CIDR": network.service_cidr,
        "EH_VPC_CIDRS": " ".join(network.vpc_cidrs),
        "EH_ENI_ADDRESSES": " ".join(network.eni_addresses),
        "EH_ENI_SUBNETS": " ".join(network.eni_subnets),
        "EH_OTHER_SITES": "".join(f"{site}\n" for site in network.other_sites),
        "EH_CLUSTER_ENDPOINT": network.cluster_endpoint,
        "EH_CLUSTER_CA": network.cluster_ca,
        "EH_ENDPOINT_MODE": network.endpoint_mode,
        "EH_PRIVATE_PATH": _switch(network.private_path),
        "EH_INBOUND_RESOLVERS": " ".join(network.inbound_resolvers),
    }


def _host(settings: StackSettings, host: HostSettings) -> dict[str, str]:
    site = settings.site
    return {
        "EH_ACCEPT_OS": " ".join(host.accept_os),
        "EH_ACCEPT_DHCP": _switch(host.accept_dhcp),
        "EH_CA_PEM": "\n".join(pem.strip("\n") for pem in host.ca_certs),
        "EH_CILIUM": " ".join(cilium_features(site.cilium)),
        "EH_INDEX_MAX_AGE": str(int(site.index_max_age.total_seconds())),
        "EH_LOGIN_USER": host.ssh.user,
        "EH_PALETTE_CA": site.palette.ca_cert_pem,
        "EH_PALETTE_HOST": site.palette.endpoint,
        "EH_PALETTE_INSECURE": _switch(site.palette.insecure_skip_verify),
        "EH_SERVICES": " ".join(services(site.palette.manages)),
        "EH_SET_BASH": _switch(site.set_bash_shell),
        "EH_VMXNET3": host.vmxnet3,
    }


def _installer_url(settings: StackSettings, host: HostSettings, instance_version: str | None) -> str:
    """Return what stands for the way out: the script, "" while the instance has not said which version it wants.

    An appliance gets its upgrades from the registry of its image, so that is asked there; "" while nothing names it.
    """
    if host.mode == "appliance":
        reference = image_reference(settings)
        return f"https://{registry_of(reference)}/v2/" if reference else ""
    agent = settings.release.agent
    if agent.version == "instance" and not instance_version:
        return ""
    return installer(agent, fips=host.fips, instance_version=instance_version).script_url


def _bind_mounts(host: HostSettings) -> tuple[str, ...]:
    """Return the folders that must outlive a reboot of an appliance, none for a host in Agent Mode."""
    if host.mode != "appliance":
        return ()
    from edge.appliance.userdata import BIND_MOUNTS  # brings the host keys along, which are slow to import

    return BIND_MOUNTS


def _switch(value: bool) -> str:
    return "1" if value else "0"
