"""The user-data of a host: what the agent reads once, at its installation (Palette installer reference).

One function from settings to text, without I/O: equal settings give equal text, byte for byte, so that a difference on
the host means a difference in the settings. The token is the only secret that rotates; `core_digest` leaves it out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import yaml

from edge.endpoints import endpoint_table, no_proxy, query_for
from edge.errors import SecretsError, SettingsError
from edge.findings import Finding
from edge.network import NetworkFacts
from edge.owner import OWNER_TAG
from edge.settings.access import Proxy, SecretRef
from edge.settings.certificates import certificates
from edge.settings.extra import extra_findings, merge
from edge.settings.palette import StaticNetwork, User
from edge.settings.stack import HostSettings, StackSettings, is_reference
from edge.settings.yamltext import engine_scalar

HEADER = "#cloud-config\n"
LABEL_OWNER = OWNER_TAG
LABEL_GENERATION = "edge-hosts-generation"
LABEL_MACHINE = "edge-hosts-machine"
LABEL_EPOCH = "edge-hosts-epoch"

# What the kernel calls the adapter of a VM in the slot APPLIANCE_SLOT: VMware's slot numbers stand in the name.
APPLIANCE_SLOT = 160
APPLIANCE_NIC = f"ens{APPLIANCE_SLOT}"

_HASH = re.compile(r"\$(5|6|y|gy|2[aby])\$[A-Za-z0-9./$=,]+")
_OFFLOADS = ("tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation")
_FORBIDDEN_IN_UID = frozenset("/?#&+%,$~!@*(){}|=;:<>'.^\"")
_UID_LIMIT = 128


def render_userdata(
    host: HostSettings,
    settings: StackSettings,
    facts: NetworkFacts,
    *,
    token: str,
    epoch: str,
    machine_uuid: str,
    secrets: Mapping[str, str],
) -> str:
    """Return the whole text of the user-data of a host in Agent Mode, first line `#cloud-config`.

    `facts` say what needs no proxy, `token` is the registration token, `epoch` the id of this registration, `machine_uuid` "" for an existing machine,
    `secrets` the values of the secrets that the host's settings name. Raises SecretsError for a missing or unusable
    secret and SettingsError for settings that cannot be merged; neither ever holds a secret's value.
    """
    data = userdata_of(
        host, settings, facts, token=token, epoch=epoch, machine_uuid=machine_uuid, secrets=secrets,
        install={"reboot": True, "poweroff": False},
    )  # fmt: skip
    return HEADER + dump(data)


def userdata_of(
    host: HostSettings,
    settings: StackSettings,
    facts: NetworkFacts,
    *,
    token: str,
    epoch: str,
    machine_uuid: str,
    secrets: Mapping[str, str],
    install: Mapping[str, Any] | None = None,
    first_steps: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the user-data as plain data: `install` (left out when None), `stylus`, `stages`, and what the settings add.

    `first_steps` stand before all others of the stage `initramfs`. Raises what `render_userdata` raises.
    """
    palette = settings.site.palette
    findings = extra_findings(palette.user_data_extra)
    if findings:
        raise SettingsError(findings)
    data: dict[str, Any] = {} if install is None else {"install": dict(install)}
    data["stylus"] = _stylus(host, settings, facts, _token(token), epoch, machine_uuid, secrets)
    steps = [*first_steps, *_user_steps(host, secrets), *_offload_steps(host)]
    if steps:
        data["stages"] = {"initramfs": steps}
    data = merge(data, _filled(palette.user_data_extra, secrets))
    _validate(data, host.name)
    return data


def core_digest(text: str, token: str) -> str:
    """Return the sha256 of a user-data without its token, in hexadecimal: a rotated token leaves it as it is.

    Raises ValueError when the text does not carry that token.
    """
    data = yaml.safe_load(text)
    site = data["stylus"]["site"]
    if site["edgeHostToken"] != token.strip():
        raise ValueError("the user-data carries another token than the given one")
    site["edgeHostToken"] = ""
    return hashlib.sha256((HEADER + dump(data)).encode()).hexdigest()


def no_proxy_list(settings: StackSettings, host: HostSettings, facts: NetworkFacts) -> list[str]:
    """Return what a host reaches without its proxy: itself, VPC, service, node and pod networks, and the settings' own."""
    own = host.proxy.no_proxy if host.proxy else ()
    return list(no_proxy(facts, endpoint_table(query_for(settings, facts, host)), own))


def proxy_urls(proxy: Proxy, secrets: Mapping[str, str]) -> tuple[str, str]:
    """Return the addresses for http and https with the credentials in them: both are secrets when there is a password."""
    return _with_login(proxy.http_url, proxy, secrets), _with_login(proxy.https, proxy, secrets)


def _with_login(url: str, proxy: Proxy, secrets: Mapping[str, str]) -> str:
    if proxy.user is None or proxy.password is None:
        return url
    scheme, _, rest = url.partition("://")
    password = _secret(secrets, proxy.password, "proxy.password")
    return f"{scheme}://{quote(proxy.user, safe='')}:{quote(password, safe='')}@{rest}"


def _token(token: str) -> str:
    """Return the token without the line break that a file or a shell adds."""
    plain = token.strip()
    if not plain or any(char.isspace() for char in plain):
        raise SecretsError(
            "the registration token is empty or has blanks inside",
            where="registrationToken",
            remedy="copy it again from Palette, and set it with `pulumi config set --secret registrationToken`",
        )
    return plain


def _secret(secrets: Mapping[str, str], ref: SecretRef, where: str) -> str:
    value = secrets.get(ref.secret, "")
    if not value.strip("\n"):
        raise SecretsError(
            f"the stack has no secret {ref.secret!r}, or it is empty",
            where=where,
            remedy=f"run `pulumi config set --secret {ref.secret}`",
        )
    return value.rstrip("\n")


def _stylus(
    host: HostSettings,
    settings: StackSettings,
    facts: NetworkFacts,
    token: str,
    epoch: str,
    machine: str,
    secrets: Mapping[str, str],
) -> dict[str, Any]:
    palette = settings.site.palette
    site: dict[str, Any] = {"paletteEndpoint": palette.endpoint, "edgeHostToken": token}
    if palette.project_uid:
        site["projectUid"] = palette.project_uid
    elif palette.project:
        site["projectName"] = palette.project
    site |= {"name": host.name, "hostName": host.name}
    site["tags"] = {
        **host.tags,
        LABEL_OWNER: settings.owner,
        LABEL_GENERATION: str(host.generation),
        LABEL_MACHINE: machine,
        LABEL_EPOCH: epoch,
    }
    if palette.insecure_skip_verify:
        site["insecureSkipVerify"] = True
    authorities = _unique((*host.ca_certs, *certificates(palette.ca_cert_pem)))
    if authorities:
        site["caCerts"] = authorities
    network = _network(host, settings, facts, secrets)
    if network:
        site["network"] = network
    stylus: dict[str, Any] = {"vip": {"skip": palette.vip_skip}, "site": site}
    registry = palette.registry_credentials
    if registry:
        stylus["registryCredentials"] = {
            "domain": registry.domain,
            "username": registry.username,
            "password": _secret(secrets, registry.password, "site.palette.registryCredentials.password"),
            "insecure": registry.insecure,
        }
    return stylus


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _network(
    host: HostSettings, settings: StackSettings, facts: NetworkFacts, secrets: Mapping[str, str]
) -> dict[str, Any]:
    network: dict[str, Any] = {}
    if host.proxy:
        http, https = proxy_urls(host.proxy, secrets)
        network |= {"httpProxy": http, "httpsProxy": https, "noProxy": ",".join(no_proxy_list(settings, host, facts))}
    static = static_network(host)
    if static:
        network["nameserver"] = str(static.nameserver)
        network["interfaces"] = {
            static.interface: {
                "type": "static",
                "ipAddress": f"{host.address}/{host.prefix}",
                "gateway": str(static.gateway),
                "nameserver": str(static.nameserver),
            }
        }
    return network


def static_network(host: HostSettings) -> StaticNetwork | None:
    """Return the static network that the agent is told: that of the settings, or an appliance VM's own.

    An appliance knows no guestinfo, so its network comes from here. Its interface has the name that belongs to the slot
    in which the program puts the adapter. The settings give such a VM no other; what its machine was made with stays.
    """
    if host.static_network or host.vm is None or host.mode != "appliance":
        return host.static_network
    return StaticNetwork(interface=APPLIANCE_NIC, gateway=host.vm.gateway, nameserver=host.vm.nameservers[0])


def _user_steps(host: HostSettings, secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the step that makes the users, in the earliest stage that keeps them; there is no default user."""
    if not host.users:
        return []
    return [{"users": {name: _user(name, user, secrets) for name, user in sorted(host.users.items())}}]


def _user(name: str, user: User, secrets: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"groups": list(user.groups)}
    if user.ssh_authorized_keys:
        entry["ssh_authorized_keys"] = list(user.ssh_authorized_keys)
    if user.password_hash:
        where = f"users.{name}.passwordHash"
        value = _secret(secrets, user.password_hash, where)
        if not _HASH.fullmatch(value):
            raise SecretsError(
                f"the secret {user.password_hash.secret!r} is no hash of a password",
                where=where,
                remedy="make one with `mkpasswd -m sha-512` and set it again; never store the password itself",
            )
        entry["passwd"] = value
    return entry


def offload_commands(nic: str | None) -> list[str]:
    """Return the commands that switch UDP tunnel offloads off: on `nic`, or on every NIC whose driver is vmxnet3.

    The names of NICs are not known before the boot, and differ from host to host; the driver is the same everywhere.
    """
    if nic:
        return [f"ethtool --offload {nic} {feature} off" for feature in _OFFLOADS]
    switch = " ".join(f'ethtool --offload "${{nic##*/}}" {feature} off;' for feature in _OFFLOADS)
    return [
        'for nic in /sys/class/net/*; do driver=$(readlink "$nic/device/driver") || continue;'
        f' [ "${{driver##*/}}" = vmxnet3 ] || continue; {switch} done'
    ]


def _offload_steps(host: HostSettings) -> list[dict[str, Any]]:
    """Return the VMXNET3 step; for `auto` too, because on a host without such a NIC it does nothing."""
    if host.vmxnet3 == "off":
        return []
    return [{"name": "Disable UDP segmentation", "commands": offload_commands(host.vmxnet3_nic)}]


def _filled(value: Any, secrets: Mapping[str, str], where: str = "site.palette.userDataExtra") -> Any:
    """Return the extra user-data with the value of a secret wherever {secret: NAME} stands."""
    if is_reference(value):
        return _secret(secrets, SecretRef.model_validate(value), where)
    if isinstance(value, Mapping):
        return {str(key): _filled(inner, secrets, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, secrets, f"{where}[{index}]") for index, inner in enumerate(value)]
    return value


def _validate(data: Mapping[str, Any], name: str) -> None:
    """Refuse a result that could not register or would be unsafe, whatever it was merged from."""
    stylus, findings = data["stylus"], []
    if stylus.get("managementMode", "central") != "central":
        findings.append(_wrong("stylus.managementMode", "must be central for hybrid nodes", "Remove it"))
    if _FORBIDDEN_IN_UID & set(name) or len(name) > _UID_LIMIT or name != stylus["site"]["name"]:
        findings.append(_wrong("stylus.site.name", "is no valid id of an edge host", "Use a-z, 0-9 and inner '-'"))
    findings += [
        _wrong(path, "is a password in clear text", "Use {secret: NAME} with a hash made by `mkpasswd -m sha-512`")
        for path, value in _passwds(data)
        if not _HASH.fullmatch(str(value))
    ]
    if findings:
        raise SettingsError(findings)


def _passwds(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return every `passwd` in the user-data with its path."""
    if isinstance(value, Mapping):
        own = [(f"{path}.passwd".lstrip("."), value["passwd"])] if "passwd" in value else []
        return own + [found for key, inner in value.items() for found in _passwds(inner, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [found for index, inner in enumerate(value) for found in _passwds(inner, f"{path}[{index}]")]
    return []


def _wrong(where: str, problem: str, remedy: str) -> Finding:
    return Finding(where, None, problem, f"{remedy}.")


class _Dumper(yaml.SafeDumper):
    """Writes YAML that readers of both versions understand alike: text that looks like something else is quoted."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (the signature of the library)
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    theirs = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    plain = theirs == "tag:yaml.org,2002:str" and _is_plain(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _is_plain(text: str) -> bool:
    """Return whether text is text without quotes too; readers stumble over signs, dots and `_` that begin a number."""
    engine = engine_scalar(text)
    if type(engine) is not str or engine != text:
        return False
    return text[0].isalpha() or text[0] in "/$" or (text[0].isdigit() and "_" not in text)


_Dumper.add_representer(str, _text)


def dump(data: Mapping[str, Any]) -> str:
    """Return data as YAML in the order of its keys, one value per line, without references."""
    return yaml.dump(
        _plain(data), Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=False, width=4096
    )


def _plain(value: Any) -> Any:
    """Return JSON-like data; a value of another kind cannot be in user-data."""
    return json.loads(json.dumps(value))
