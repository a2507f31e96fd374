"""What cloud-init reads at the first boot: golden files, a schema of our own, and what the claim froze.

The golden files in tests/golden/vm are written anew with EDGE_HOSTS_WRITE_GOLDEN=1, and then reviewed. cloud-init's own
schema is asked where cloud-init is, on the machines of the lab.
"""

from __future__ import annotations

import io
import os
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from settings_helpers import HOST_KEY, OTHER_KEY, ROOT, put
from vm_samples import LOGIN_KEY, SEED, TEMPLATE, vm_host, vm_stack

from edge.errors import SettingsError
from edge.settings import StackSettings
from edge.vm.guestinfo import (
    METADATA,
    PLAIN_LIMIT,
    USER_DATA,
    GuestNetwork,
    decoded,
    encoded,
    extra_config,
    labels,
    metadata,
    schema_documents,
    user_data,
)
from edge.vm.hostkey import HostKey, derive
from edge.vm.made_from import MadeFrom

GOLDEN = ROOT / "tests" / "golden" / "vm"
# The shape of a key file, and no key: a golden file must not look like a secret to those who search for them.
KEY = HostKey("first line\nsecond line\n", HOST_KEY)

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "nameservers": {
        "vsphere": {"nameservers": ["10.200.0.2", "10.200.0.3"], "searchDomains": ["plant.example", "example.com"]}
    },
    "root": {"ssh": {"user": "root"}},
    "agent-keys": {"ssh": {"privateKey": "agent", "authorizedKeys": [f"{OTHER_KEY} anna@plants", f"{HOST_KEY} ben"]}},
    "jump-host": {"ssh": {"jumpHost": {"address": "10.0.0.1", "hostKey": HOST_KEY}}},
    "proxy": {"proxy": {"https": "http://10.0.0.2:3128", "user": "edge", "password": {"secret": "proxyPassword"}}},
    "second-generation": {"generation": 2, "mac": "00:50:56:12:34:56", "address": "10.200.0.130/25"},
}
NETWORKS = {"second-generation": {"gateway": "10.200.0.129"}}


def stack(folder: Path, case: str) -> StackSettings:
    given_host = dict(CASES[case])
    vsphere = {**given_host.pop("vsphere", {}), **NETWORKS.get(case, {})}
    return vm_stack(folder, vsphere=vsphere, **given_host)


def keys(config: StackSettings) -> list[str]:
    return list(config.host_view("plant-a").ssh.authorized_keys or [LOGIN_KEY])


def rendered(config: StackSettings) -> dict[str, str]:
    host = config.host_view("plant-a")
    return {"metadata": metadata(host, config), "user-data": user_data(host, KEY, keys(config))}


@pytest.mark.row("A2", "C1")
@pytest.mark.parametrize("case", CASES)
def test_golden(tmp_path: Path, case: str) -> None:
    for name, text in rendered(stack(tmp_path, case)).items():
        path = GOLDEN / f"{case}.{name}.yaml"
        if os.environ.get("EDGE_HOSTS_WRITE_GOLDEN"):
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8")
    assert rendered(stack(tmp_path, case)) == rendered(stack(tmp_path, case))


def test_every_golden_file_has_a_case() -> None:
    assert {path.name.split(".")[0] for path in GOLDEN.glob("*.yaml")} == set(CASES)


@pytest.mark.parametrize("case", ["jump-host", "proxy"])
def test_how_a_host_is_reached_and_reaches_out_is_no_business_of_the_first_boot(tmp_path: Path, case: str) -> None:
    """The proxy comes with the steps, which can change it later; cloud-init downloads nothing."""
    assert rendered(stack(tmp_path, case)) == rendered(stack(tmp_path, "plain"))


# What cloud-init takes, in the forms that we use; nothing else may stand there.

TEXT = {"type": "string", "minLength": 1}
ADDRESS = {"type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+$"}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def some(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": item}


ETHERNET = closed(
    {
        "match": closed({"macaddress": {"type": "string", "pattern": "^00:50:56:[0-3][0-9a-f](:[0-9a-f]{2}){2}$"}}),
        "set-name": {"const": "eth0"},
        "dhcp4": {"const": False},
        "dhcp6": {"const": False},
        "addresses": {**some({"type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+/\d+$"}), "maxItems": 1},
        "routes": {**some(closed({"to": {"const": "0.0.0.0/0"}, "via": ADDRESS})), "maxItems": 1},
        "nameservers": closed({"addresses": some(ADDRESS)}, search=some(TEXT)),
    }
)
METADATA_SCHEMA = closed(
    {
        "instance-id": {"type": "string", "pattern": "^[A-Za-z0-9._-]+-g[1-9][0-9]*$"},
        "local-hostname": {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"},
        "cleanup-guestinfo": {"const": ["userdata", "vendordata"]},
        "network": closed({"version": {"const": 2}, "ethernets": closed({"eth0": ETHERNET})}),
    }
)
USER = closed(
    {"name": TEXT, "lock_passwd": {"const": True}, "ssh_authorized_keys": some(TEXT)},
    shell={"const": "/bin/bash"},
    sudo={"const": "ALL=(ALL) NOPASSWD:ALL"},
)
USER_DATA_SCHEMA = closed(
    {
        "users": {**some(USER), "maxItems": 1},
        "disable_root": {"type": "boolean"},
        "ssh_pwauth": {"const": False},
        "ssh_deletekeys": {"const": True},
        "ssh_keys": closed({"ed25519_private": TEXT, "ed25519_public": {"type": "string", "pattern": "^ssh-ed25519 "}}),
        "preserve_hostname": {"const": False},
        "manage_etc_hosts": {"const": "localhost"},
        "growpart": closed(
            {"mode": {"const": "auto"}, "devices": {"const": ["/"]}, "ignore_growroot_disabled": {"const": False}}
        ),
        "resize_rootfs": {"const": True},
        "apt": closed({"preserve_sources_list": {"const": True}}),
    }
)


@pytest.mark.row("A2", "C1")
@pytest.mark.parametrize("case", CASES)
def test_both_documents_keep_the_schema_for_readers_of_both_versions(tmp_path: Path, case: str) -> None:
    texts = rendered(stack(tmp_path, case))
    assert texts["user-data"].startswith("#cloud-config\n")
    for name, schema in (("metadata", METADATA_SCHEMA), ("user-data", USER_DATA_SCHEMA)):
        data = yaml.safe_load(texts[name])
        jsonschema.Draft202012Validator(schema).validate(data)
        assert data == YAML(typ="safe", pure=True).load(io.StringIO(texts[name]))
        assert "&id" not in texts[name]


@pytest.mark.row("A2")
def test_the_address_is_static_and_the_gateway_reachable(tmp_path: Path) -> None:
    for case in CASES:
        ethernet = yaml.safe_load(rendered(stack(tmp_path, case))["metadata"])["network"]["ethernets"]["eth0"]
        (address,) = ethernet["addresses"]
        assert IPv4Address(ethernet["routes"][0]["via"]) in IPv4Interface(address).network
        assert (ethernet["dhcp4"], ethernet["dhcp6"]) == (False, False)


def test_what_would_hang_or_break_a_boot_is_not_there(tmp_path: Path) -> None:
    texts = rendered(stack(tmp_path, "nameservers"))
    for word in ("wait-on-network", "gateway4", "default", "ssh_genkeytypes", "package_update", "fqdn"):
        assert word not in texts["metadata"] + texts["user-data"], word


@pytest.mark.row("A3")
def test_root_gets_the_key_only_where_the_login_is_root(tmp_path: Path) -> None:
    for case in CASES:
        data = yaml.safe_load(rendered(stack(tmp_path, case))["user-data"])
        (user,) = data["users"]
        assert data["disable_root"] == (user["name"] != "root")
        assert ("sudo" in user) == (user["name"] != "root")
        assert case != "root" or user["name"] == "root"


@pytest.mark.row("A3")
def test_keys_stand_there_once_and_in_order(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    text = user_data(host, KEY, [f" {OTHER_KEY} b\n", HOST_KEY, "", f"{OTHER_KEY} b"])
    assert yaml.safe_load(text)["users"][0]["ssh_authorized_keys"] == [f"{OTHER_KEY} b", HOST_KEY]


def test_a_machine_that_nobody_could_log_in_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"site\.hosts\.plant-a\.ssh: no key may log in.*authorizedKeys"):
        user_data(vm_host(tmp_path), KEY, [" "])


def test_a_host_that_is_no_machine_of_ours_is_refused(tmp_path: Path) -> None:
    config = vm_stack(tmp_path, put("hosts.plant-x", {"address": "10.200.0.12/24", "machine": "existing"}))
    with pytest.raises(SettingsError, match=r"site\.hosts\.plant-x\.machine"):
        metadata(config.host_view("plant-x"), config)


# What reaches vSphere


def config_keys(config: StackSettings, made: MadeFrom | None = None) -> dict[str, str]:
    host = config.host_view("plant-a")
    key = derive(SEED, site="plant", host="plant-a", generation=host.generation)
    return extra_config(config, host, key, keys(config), made)


@pytest.mark.row("C1")
def test_the_keys_in_vsphere(tmp_path: Path) -> None:
    config = stack(tmp_path, "plain")
    host = config.host_view("plant-a")
    found = config_keys(config)
    assert set(found) == {
        METADATA,
        f"{METADATA}.encoding",
        USER_DATA,
        f"{USER_DATA}.encoding",
        "edge-hosts.owner",
        "edge-hosts.host",
        "edge-hosts.generation",
    }
    assert decoded(found, METADATA) == metadata(host, config)
    key = derive(SEED, site="plant", host="plant-a", generation=1)
    assert decoded(found, USER_DATA) == user_data(host, key, [LOGIN_KEY])
    assert yaml.safe_load(decoded(found, USER_DATA))["ssh_keys"]["ed25519_private"] == key.private
    assert labels(host, config) == {
        "edge-hosts.owner": "edge-hosts.plant-dev",
        "edge-hosts.host": "plant-a",
        "edge-hosts.generation": "1",
    }
    assert all(isinstance(value, str) and "\n" not in value for value in found.values())
    assert found == config_keys(config)


def test_only_the_user_data_holds_the_private_key(tmp_path: Path) -> None:
    found = config_keys(stack(tmp_path, "plain"))
    private = derive(SEED, site="plant", host="plant-a", generation=1).private.splitlines()[1]
    assert private in decoded(found, USER_DATA)
    rest = {name: value for name, value in found.items() if name != USER_DATA}
    assert private not in decoded(rest, METADATA) + "".join(rest.values())


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400), times=st.sampled_from([1, 200]))
def test_any_document_comes_back_as_it_was(text: str, times: int) -> None:
    found = encoded(USER_DATA, text * times)
    assert decoded(found, USER_DATA) == text * times
    packed = len((text * times).encode()) > PLAIN_LIMIT
    assert found[f"{USER_DATA}.encoding"] == ("gzip+base64" if packed else "base64")
    assert found == encoded(USER_DATA, text * times)


def test_what_the_guest_has_cleared_is_empty_and_what_is_not_ours_is_said() -> None:
    assert decoded({USER_DATA: "---", f"{USER_DATA}.encoding": ""}, USER_DATA) == ""
    assert decoded({}, USER_DATA) == ""
    with pytest.raises(ValueError, match="encoding 'rot13'"):
        decoded({USER_DATA: "x", f"{USER_DATA}.encoding": "rot13"}, USER_DATA)


def test_the_documents_for_cloud_inits_own_tools(tmp_path: Path) -> None:
    documents = schema_documents(config_keys(stack(tmp_path, "nameservers")))
    assert set(documents) == {"cloud-config", "network-config"}
    assert documents["cloud-config"].startswith("#cloud-config\n")
    assert list(yaml.safe_load(documents["network-config"])) == ["network"]


# What the claim froze


@pytest.mark.row("A2", "C1")
def test_a_machine_that_is_made_again_gets_the_network_that_the_claim_froze(tmp_path: Path) -> None:
    """The VM was deleted behind our back after the settings had changed: we will log in where the claim says."""
    old = vm_host(tmp_path, vsphere={"nameservers": ["10.200.0.9"]})
    assert old.vm is not None
    made = MadeFrom.of(old, old.vm, host_key=HOST_KEY, template=TEMPLATE)
    new = vm_stack(tmp_path, vsphere={"gateway": "10.200.1.1"}, address="10.200.1.11/24", mac="00:50:56:00:00:01")
    assert GuestNetwork.of(new.host_view("plant-a"), made) == GuestNetwork.of(old)
    assert yaml.safe_load(metadata(new.host_view("plant-a"), new, made))["network"] == GuestNetwork.of(old).config()
    assert "10.200.1.11" not in decoded(config_keys(new, made), METADATA)


def test_a_claim_of_an_older_program_froze_no_network(tmp_path: Path) -> None:
    host = vm_host(tmp_path)
    old = MadeFrom.from_json('{"machine": "vsphere", "mode": "agent", "hostKey": ""}')
    assert GuestNetwork.of(host, old) == GuestNetwork.of(host)


@given(
    interface=st.tuples(st.integers(0x0A000001, 0x0AFFFFFE), st.integers(8, 30)),
    mac=st.integers(0, 2**22 - 1),
    servers=st.lists(st.ip_addresses(v=4), min_size=1, max_size=4, unique=True),
)
def test_any_network_reads_back_as_it_was_written(
    interface: tuple[int, int], mac: int, servers: list[IPv4Address]
) -> None:
    from edge.userdata import dump

    address, prefix = IPv4Address(interface[0]), interface[1]
    octets = (0, 0x50, 0x56, mac >> 16, mac >> 8 & 0xFF, mac & 0xFF)
    network = GuestNetwork(
        mac=":".join(f"{octet:02x}" for octet in octets),
        address=str(address),
        prefix=prefix,
        gateway=str(address + 1),
        nameservers=tuple(str(one) for one in servers),
        search_domains=(),
    )
    config = network.config()
    assert yaml.safe_load(dump(config)) == config == YAML(typ="safe", pure=True).load(io.StringIO(dump(config)))
    jsonschema.Draft202012Validator(ETHERNET).validate(config["ethernets"]["eth0"])
    assert IPv4Interface(config["ethernets"]["eth0"]["addresses"][0]).ip == address
