"""The parts of the lab that need no machine: addresses, record, folder, stack file, login details."""

from __future__ import annotations

import json
import os
import socket
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import LabError
from lab.aws.facts import ACCESS_KEY, PORT, SERVICES
from lab.block import DEFAULT_NETWORK, Block, choose_block
from lab.client import LabClient
from lab.lock import locked
from lab.machines import plans
from lab.network import Network
from lab.paths import LabPaths, socket_address
from lab.record import Record
from lab.services.ca import ensure_ca
from lab.site import CLUSTER, Site, load_site, new_site
from lab.stackfile import COMMITTED, render
from lab.takedown import remove_tree

OTHER = Block(IPv4Network("172.29.8.0/22"))


@pytest.fixture
def paths(tmp_path: Path) -> LabPaths:
    return LabPaths(tmp_path / "lab", tmp_path / "lab" / "cache")


@pytest.fixture
def site(paths: LabPaths) -> Site:
    paths.claim()
    ensure_ca(paths.root / "ca")
    return new_site(
        paths, OTHER, suite="trixie", os_id="debian-13", base=paths.cache / "root", debs=paths.cache / "debs"
    )


def test_the_default_block_is_chosen_when_it_is_free() -> None:
    assert choose_block([IPv4Network("10.0.0.0/16"), IPv4Network("192.168.0.0/24")]).network == DEFAULT_NETWORK


@given(st.lists(st.sampled_from(list(IPv4Network("10.231.0.0/16").subnets(new_prefix=22))), max_size=40))
def test_a_chosen_block_overlaps_nothing(taken: list[IPv4Network]) -> None:
    chosen = choose_block(taken).network
    assert not any(chosen.overlaps(network) for network in taken)
    assert chosen.is_private


def test_no_free_block_is_one_clear_error() -> None:
    with pytest.raises(LabError, match="no free network of 1024 addresses"):
        choose_block([IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")])


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("10.231.76.11/24", "172.29.8.11/24"),
        ("http://10.231.76.1:3128", "http://172.29.8.1:3128"),
        ("[10.231.78.11, 10.231.79.255]", "[172.29.10.11, 172.29.11.255]"),
        ("10.231.76.0/23", "172.29.8.0/23"),
        (
            "10.231.80.1 10.232.0.0/16 110.231.76.1 10.231.76.1111",
            "10.231.80.1 10.232.0.0/16 110.231.76.1 10.231.76.1111",
        ),
        ("version 10.231.76.1.2, 10.231.76.300", "version 10.231.76.1.2, 10.231.76.300"),
    ],
)
def test_addresses_move_with_the_block_and_nothing_else_does(text: str, moved: str) -> None:
    assert OTHER.moved(text) == moved


def test_interface_names_fit_the_kernel(paths: LabPaths) -> None:
    network = Network(paths, Record(paths.record), Block())
    names = {network.cable_name(plan.name, index) for plan in plans(Block()) for index in range(2)}
    assert len(names) == 2 * len(plans(Block()))
    assert all(len(name) <= 15 for name in (*names, *network.bridges.values()))


@pytest.mark.row("A3")
def test_the_stack_file_has_the_labs_addresses_keys_and_authorities(site: Site) -> None:
    config = yaml.safe_load(render(site))["config"]
    settings = config["edge-hosts:site"]
    assert settings["hosts"]["bare"]["address"] == "172.29.8.11/24"
    assert settings["hosts"]["bare"]["hostKey"] == site.ssh("bare").host_key
    jump = settings["hosts"]["jumped"]["ssh"]["jumpHost"]
    assert (jump["address"], jump["hostKey"]) == ("172.29.8.10", site.ssh("jump").host_key)
    assert settings["acceptOs"] == ["debian-13"]
    assert set(config["aws:endpoints"][0].values()) == {f"http://172.29.10.1:{PORT}"}
    assert set(config["aws:endpoints"][0]) == set(SERVICES)
    assert config["aws:accessKey"] == ACCESS_KEY
    assert settings["network"] == {"source": "lookup", "cluster": CLUSTER, "credentialProvider": "ssm"}
    assert config["edge-hosts:corporateCa"] == (site.paths.root / "ca" / "corporate.pem").read_text("utf-8")
    assert "10.231.7" not in render(site)


def test_only_what_differs_from_lab_to_lab_differs_from_the_committed_file(paths: LabPaths) -> None:
    paths.claim()
    ensure_ca(paths.root / "ca")
    same = new_site(paths, Block(), suite="x", os_id="debian-12", base=paths.cache, debs=paths.cache)
    committed, rendered = yaml.safe_load(COMMITTED.read_text("utf-8")), yaml.safe_load(render(same))
    for hosts in (committed["config"]["edge-hosts:site"]["hosts"], rendered["config"]["edge-hosts:site"]["hosts"]):
        for host in hosts.values():
            host["hostKey"] = host.get("ssh", {}).get("jumpHost", {})["hostKey"] = "any"
    for config in (committed["config"], rendered["config"]):
        config["edge-hosts:site"]["image"]["builder"]["hostKey"] = "any"
        for authority in ("paletteCa", "corporateCa"):
            config[f"edge-hosts:{authority}"] = "any"
    assert rendered == committed


def test_a_system_that_aws_lists_needs_no_override(paths: LabPaths) -> None:
    paths.claim()
    ensure_ca(paths.root / "ca")
    ubuntu = new_site(paths, Block(), suite="noble", os_id="ubuntu-24.04", base=paths.cache, debs=paths.cache)
    assert "acceptOs" not in yaml.safe_load(render(ubuntu))["config"]["edge-hosts:site"]


def test_a_committed_file_without_one_of_the_machines_is_refused(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "Pulumi.lab.yaml"
    other.write_text(COMMITTED.read_text("utf-8").replace("10.231.76.11/24", "10.231.76.99/24"), "utf-8")
    with pytest.raises(LabError, match=r"machine bare.*10\.231\.76\.11"):
        render(site, other)


@pytest.mark.row("B1")
def test_the_build_machine_is_found_where_the_image_is_built(site: Site, tmp_path: Path) -> None:
    """A site without a build needs none; one that builds must name the lab's."""
    builder = yaml.safe_load(render(site))["config"]["edge-hosts:site"]["image"]["builder"]
    assert (builder["address"], builder["hostKey"]) == ("172.29.8.14", site.ssh("builder").host_key)
    other = tmp_path / "Pulumi.lab.yaml"
    text = COMMITTED.read_text("utf-8").replace("10.231.76.14", "10.231.76.15")
    other.write_text(text, "utf-8")
    with pytest.raises(LabError, match=r"machine builder.*image\.builder.*10\.231\.76\.14"):
        render(site, other)
    other.write_text(text.replace("source: build", "source: given"), "utf-8")
    assert "172.29.8.15" in render(site, other)


def test_a_site_is_the_same_when_it_is_read_again(site: Site) -> None:
    assert load_site(site.paths) == site
    assert site.paths.secrets.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(site.paths.secrets.read_text("utf-8"))) >= {
        "sshPrivateKey", "paletteApiKey", "proxyPassword", "hostKeySeed", "registrationToken",
    }  # fmt: skip


def test_login_details_name_the_jump_host(site: Site) -> None:
    target = site.ssh("jumped", user="root")
    assert (target.host, target.user) == ("172.29.9.13", "root")
    assert target.via is not None
    assert (target.via.host, target.via.user) == ("172.29.8.10", "edge")
    assert "ProxyJump jump" in (site.paths.ssh / "config").read_text("utf-8")
    with pytest.raises(LabError, match="its machines are bare, proxied, jump, jumped"):
        site.ssh("nobody")


def test_no_secret_is_shown_by_accident(site: Site) -> None:
    for value in (*site.secrets.values(), site.identities["bare"].host_key):
        assert value not in repr(site)


def test_the_record_survives_a_line_cut_by_a_crash(paths: LabPaths) -> None:
    paths.claim()
    record = Record(paths.record)
    first = record.add("link", name="a")
    second = record.add("mount", path="/b")
    with paths.record.open("a", encoding="utf-8") as stream:
        stream.write('{"number": "9.9", "kind": "li')
    third = Record(paths.record).add("link", name="c")
    assert [made.facts for made in record.entries()] == [first.facts, second.facts, third.facts]
    record.gone(second)
    record.compact()
    assert [made.text("name") for made in record.entries()] == ["a", "c"]
    record.gone(first)
    record.gone(third)
    record.compact()
    assert not paths.record.exists()


def test_a_folder_with_other_things_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(LabError, match="other things in it"):
        LabPaths(tmp_path, tmp_path / "cache").claim()


def test_a_folder_with_only_the_cache_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    LabPaths(tmp_path, tmp_path / "cache").claim()


def test_the_environment_names_folder_and_cache(tmp_path: Path) -> None:
    own = LabPaths.find({"EDGE_HOSTS_LAB": str(tmp_path)})
    shared = LabPaths.find({"EDGE_HOSTS_LAB": str(tmp_path), "EDGE_HOSTS_LAB_CACHE": "/var/cache/x"})
    assert (own.root, own.cache, shared.cache) == (tmp_path, tmp_path / "cache", Path("/var/cache/x"))
    assert own.prefix == shared.prefix
    assert own.prefix != LabPaths.find({}).prefix


def test_a_short_or_strange_folder_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for path in (Path("/"), Path("/etc"), tmp_path / "link"):
        with pytest.raises(LabError, match="no folder that a lab may remove"):
            remove_tree(path)
    assert (tmp_path / "real").exists()


def test_a_long_path_still_has_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    address, folder = socket_address(deep / "daemon.sock")
    assert folder is not None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
    os.close(folder)
    assert (deep / "daemon.sock").is_socket()


def test_two_commands_on_one_lab_are_told_apart(paths: LabPaths) -> None:
    paths.claim()
    with (
        locked(paths, "up"),
        pytest.raises(LabError, match=rf"`lab up` \(process {os.getpid()}\) is at work"),
        locked(paths, "down"),
    ):
        pass


def test_a_lab_that_is_not_running_says_how_to_start_it(paths: LabPaths) -> None:
    client = LabClient(paths)
    assert not client.alive()
    with pytest.raises(LabError, match="not running") as caught:
        client.status()
    assert "make lab" in caught.value.remedy
    assert caught.value.exit_code == 8
