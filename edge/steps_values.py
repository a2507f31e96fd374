"""The values (`EH_...`) that the steps prepare, agent and started get on stdin: from settings, network and secrets. Pure.

What changes often and matters to the checks only (endpoint table, network interfaces of the control plane) is no value
here: the preparation finds it in the state folder on the host, so that such a change touches the checks alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.network import NetworkFacts
from edge.packages import TIME_DAEMON, packages, services
from edge.releases import installer
from edge.settings.stack import HostSettings, StackSettings
from edge.steps import STATE_DIR
from edge.userdata import core_digest, no_proxy_list, proxy_urls, render_userdata

# Seconds that AgentStarted waits for the agent's unit. Its boot is over by then, or the login would have been refused.
STARTED_TIMEOUT = 300


def common_values(settings: StackSettings, host: HostSettings, *, machine: str) -> dict[str, str]:
    """Return the values that every remote step has. `machine` is the VM's uuid, "" for an existing machine."""
    return {
        "EH_HOST": host.name,
        "EH_OWNER": settings.owner,
        "EH_GENERATION": str(host.generation),
        "EH_MACHINE": machine,
        "EH_STAGE": settings.stage,
        "EH_ENFORCE": _switch(settings.site.preflight == "enforce"),
        "EH_STATE_DIR": STATE_DIR,
        "EH_FIPS": _switch(host.fips),
        "EH_MANAGES": " ".join(settings.site.palette.manages),
        "EH_WRITE": "1",
    }


def proxy_values(
    settings: StackSettings, host: HostSettings, network: NetworkFacts, secrets: Mapping[str, str]
) -> dict[str, str]:
    """Return the proxy and what is reached without it (row A14); empty values where the host has no proxy.

    The addresses carry the login and are secrets when there is one. Raises SecretsError for a missing password.
    """
    if host.proxy is None:
        return {"EH_PROXY_HTTP": "", "EH_PROXY_HTTPS": "", "EH_NO_PROXY": ""}
    http, https = proxy_urls(host.proxy, secrets)
    direct = no_proxy_list(settings, host, network)
    return {"EH_PROXY_HTTP": http, "EH_PROXY_HTTPS": https, "EH_NO_PROXY": ",".join(direct)}


def prepare_values(
    settings: StackSettings,
    host: HostSettings,
    network: NetworkFacts,
    secrets: Mapping[str, str],
    *,
    machine: str = "",
) -> dict[str, str]:
    """Return the values of the preparation (rows A8, A10, A12, A14). `network` says which blocks need no proxy."""
    manages = settings.site.palette.manages
    extra = settings.release.packages
    return {
        **common_values(settings, host, machine=machine),
        **proxy_values(settings, host, network, secrets),
        "EH_CA_PEM": "\n".join(pem.strip("\n") for pem in host.ca_certs),
        "EH_PACKAGES_APT": " ".join((*packages("apt", manages), *extra.apt)),
        "EH_PACKAGES_DNF": " ".join((*packages("rhel", manages), *extra.rhel)),
        "EH_PACKAGES_AMAZON": " ".join((*packages("amazon", manages), *extra.amazon)),
        "EH_TIME_APT": TIME_DAEMON.apt,
        "EH_TIME_DNF": TIME_DAEMON.rhel,
        "EH_SERVICES": " ".join(services(manages)),
        "EH_INDEX_MAX_AGE": str(int(settings.site.index_max_age.total_seconds())),
        "EH_SET_BASH": _switch(settings.site.set_bash_shell),
        "EH_LOGIN_USER": host.ssh.user,
        "EH_PALETTE_HOST": settings.site.palette.endpoint,
    }


def agent_values(
    settings: StackSettings,
    host: HostSettings,
    network: NetworkFacts,
    secrets: Mapping[str, str],
    *,
    token: str,
    epoch: str,
    machine: str = "",
    instance_version: str | None = None,
) -> dict[str, str]:
    """Return the values of the installation (rows A15 to A19): user-data with the token in it, and what to download.

    `instance_version` is what a dedicated instance answers, needed when the release says `instance`. Both addresses and
    digests of the binary are given: only the host knows its architecture.
    Raises SecretsError or SettingsError as `edge.userdata` does, ValueError as `edge.releases.installer` does.
    """
    text = render_userdata(host, settings, network, token=token, epoch=epoch, machine_uuid=machine, secrets=secrets)
    what = installer(settings.release.agent, fips=host.fips, instance_version=instance_version)
    per_arch = {
        f"EH_BINARY_{kind}_{arch.upper()}": by_arch[arch]
        for kind, by_arch in (("URL", what.binary_urls), ("SHA256", what.binary_sha256))
        for arch in by_arch
    }
    return {
        **common_values(settings, host, machine=machine),
        **proxy_values(settings, host, network, secrets),
        **per_arch,
        "EH_USERDATA": text,
        "EH_USERDATA_CORE_SHA": core_digest(text, token),
        "EH_EPOCH": epoch,
        "EH_AGENT_VERSION": what.version,
        "EH_AGENT_IMAGE": what.image,
        "EH_SCRIPT_URL": what.script_url,
        "EH_SCRIPT_SHA256": what.script_sha256,
        "EH_ALLOW_REBOOT": _switch(host.allow_reboot),
    }


def started_values(
    settings: StackSettings,
    host: HostSettings,
    *,
    epoch: str,
    machine: str = "",
    instance_version: str | None = None,
) -> dict[str, str]:
    """Return the values of the look after the reboot (rows A17, A20): no secret is among them."""
    what = installer(settings.release.agent, fips=host.fips, instance_version=instance_version)
    return {
        **common_values(settings, host, machine=machine),
        "EH_EPOCH": epoch,
        "EH_AGENT_VERSION": what.version,
        "EH_VMXNET3": host.vmxnet3,
        "EH_VMXNET3_NIC": host.vmxnet3_nic or "",
        "EH_STARTED_TIMEOUT": str(STARTED_TIMEOUT),
    }


def _switch(value: bool) -> str:
    return "1" if value else "0"
