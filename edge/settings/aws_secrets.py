"""The secrets that the AWS side of a stack names: pre-shared keys of VPN tunnels, the code of an activation that exists."""

from __future__ import annotations

from collections.abc import Mapping

from edge.settings.access import SecretRef
from edge.settings.identity import Activation, GivenActivation
from edge.settings.managed import Vpn
from edge.settings.network import ManagedNetwork, Network
from edge.settings.site import NetworkStack


def vpn_secrets(vpn: Vpn | None, where: str) -> dict[str, SecretRef]:
    """Return the secrets of a VPN, by path."""
    tunnels = vpn.tunnels if vpn else ()
    return {
        f"{where}.tunnels[{at}].presharedKey": tunnel.preshared_key
        for at, tunnel in enumerate(tunnels)
        if tunnel.preshared_key
    }


def network_secrets(network: Network, activation: Activation | None = None) -> dict[str, SecretRef]:
    """Return the secrets of a site's AWS side, by path."""
    found = vpn_secrets(network.vpn, "site.network.vpn") if isinstance(network, ManagedNetwork) else {}
    if isinstance(activation, GivenActivation) and activation.code:
        found["site.activation.code"] = activation.code
    return found


def network_stack_secrets(whole: NetworkStack) -> dict[str, SecretRef]:
    """Return the secrets of a network stack, by path."""
    found = network_secrets(whole.network)
    for name, site in whole.sites.items():
        found |= vpn_secrets(site.vpn, f"site.sites.{name}.vpn")
    return found


def by_name(found: Mapping[str, SecretRef]) -> dict[str, tuple[str, ...]]:
    """Return the secrets by their names, each with the sorted paths that name it."""
    uses: dict[str, set[str]] = {}
    for path, ref in found.items():
        uses.setdefault(ref.secret, set()).add(path)
    return {name: tuple(sorted(paths)) for name, paths in sorted(uses.items())}
