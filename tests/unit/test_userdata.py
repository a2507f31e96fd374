"""User-data: golden files, reading back with every reader, merging, and what is never let through.

The golden files in tests/golden/userdata are written anew with EDGE_HOSTS_WRITE_GOLDEN=1, and then reviewed.
"""

from __future__ import annotations

import io
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from settings_helpers import HASH, HOST_KEY, ROOT, SITE, authority, load, put, site

from edge.errors import SecretsError, SettingsError
from edge.network import NetworkFacts
from edge.settings import StackSettings
from edge.settings.access import with_named_secrets
from edge.settings.extra import extra_findings, twice_findings
from edge.userdata import HEADER, core_digest, dump, no_proxy_list, offload_commands, proxy_urls, render_userdata

GOLDEN = ROOT / "tests" / "golden" / "userdata"
TOKEN = "t0ken-of-the-tenant"
EPOCH = "0123456789abcdef"
SECRETS = {"proxyPassword": "p@ss:w/rd %41", "opHash": HASH, "registry": "reg-secret", "ext": "ext-secret"}
CA = (ROOT / "Pulumi.lab.yaml").read_text("utf-8")

PROXY = {
    "https": "http://10.0.0.2:3128",
    "http": "http://10.0.0.2:3129",
    "noProxy": [".plant.example"],
    "user": "edge",
    "password": {"secret": "proxyPassword"},
}

CASES: dict[str, dict[str, Any]] = {
    "minimal": site(put("vmxnet3", "off")),
    "proxied": site(put("proxy", PROXY), put("vmxnet3", "off")),
    "ca": site(put("vmxnet3", "off"), caCerts=[yaml.safe_load(CA)["config"]["edge-hosts:corporateCa"]]),
    "static": site(
        put("vmxnet3", "off"),
        put("palette.manages", ["staticIp"]),
        put("hosts", {"plant-a": {"address": "10.200.0.11/24"}}),
        put("palette.staticNetwork", {"interface": "ens160", "gateway": "10.200.0.1", "nameserver": "10.200.0.2"}),
    ),
    "vmxnet3": site(),
    "vmxnet3-nic": site(put("vmxnet3", "on"), put("vmxnet3Nic", "ens160")),
    "users": site(
        put("vmxnet3", "off"),
        put("palette.users", {"operator": {"groups": ["sudo", "adm"], "sshAuthorizedKeys": [f"{HOST_KEY} op"]}}),
        put("hosts.plant-a.users", {"console": {"passwordHash": {"secret": "opHash"}}}),
    ),
    "everything": site(
        put("palette", {
            "endpoint": "palette.example.com", "dedicated": True, "projectUid": "0123456789abcdef01234567",
            "insecureSkipVerify": True, "tags": {"line": "paint"}, "vipSkip": True,
            "users": {"operator": {"sshAuthorizedKeys": [HOST_KEY]}},
            "registryCredentials": {"domain": "r.example/x", "username": "u", "password": {"secret": "registry"}},
            "userDataExtra": {
                "stylus": {
                    "site": {"ntpServers": ["10.0.0.3"], "tags": {"hall": "7"}},
                    "externalRegistries": {"registries": [{"domain": "e.example", "password": {"secret": "ext"}}]},
                },
                "stages": {"initramfs": [{"name": "Own", "commands": ["true"]}], "boot": [{"name": "Boot"}]},
            },
        }),
        put("proxy", PROXY),
    ),
}  # fmt: skip


def rendered(config: StackSettings, name: str = "plant-a", **more: Any) -> str:
    given = {"token": TOKEN, "epoch": EPOCH, "machine_uuid": "", "secrets": SECRETS, **more}
    return render_userdata(config.host_view(name), config, NetworkFacts.given(config), **given)


@pytest.mark.row("A14", "A15", "A16", "A17")
@pytest.mark.parametrize("case", CASES)
def test_golden(tmp_path: Path, case: str) -> None:
    text = rendered(load(tmp_path, CASES[case]))
    path = GOLDEN / f"{case}.yaml"
    if os.environ.get("EDGE_HOSTS_WRITE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
    assert text == rendered(load(tmp_path, CASES[case]))


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)


@pytest.mark.row("A15")
def test_the_minimal_one_is_the_vendors_sample_without_its_default_password(tmp_path: Path) -> None:
    sample = yaml.safe_load(
        """
        install: {reboot: true, poweroff: false}
        stylus:
          vip: {skip: false}
          site: {edgeHostToken: TOKEN, paletteEndpoint: api.spectrocloud.com, projectName: Default}
        """
    )
    sample["stylus"]["site"]["edgeHostToken"] = TOKEN
    data = yaml.safe_load(rendered(load(tmp_path, CASES["minimal"])))
    own = data["stylus"]["site"]
    assert (own.pop("name"), own.pop("hostName")) == ("plant-a", "plant-a")
    assert own.pop("tags") == {
        "edge-hosts-owner": "edge-hosts.plant-dev",
        "edge-hosts-generation": "1",
        "edge-hosts-machine": "",
        "edge-hosts-epoch": EPOCH,
    }
    assert data == sample


@pytest.mark.parametrize("case", CASES)
def test_every_reader_reads_the_same(tmp_path: Path, case: str) -> None:
    text = rendered(load(tmp_path, CASES[case]))
    assert text.startswith(HEADER)
    assert yaml.safe_load(text) == YAML(typ="safe", pure=True).load(io.StringIO(text))
    lines = text.splitlines()
    assert sum(line == "stages:" for line in lines) <= 1
    assert "&id" not in text


@pytest.mark.row("A16")
def test_palettes_own_authority_is_trusted_too(tmp_path: Path) -> None:
    own, palette = authority("own"), authority("palette")
    raw = site(put("palette.caCert", palette), caCerts=[own, palette])
    data = yaml.safe_load(rendered(load(tmp_path, raw)))
    assert data["stylus"]["site"]["caCerts"] == [own, palette]


@pytest.mark.row("A14")
def test_credentials_of_the_proxy_are_encoded(tmp_path: Path) -> None:
    config = load(tmp_path, CASES["proxied"])
    proxy = config.host_view("plant-a").proxy
    assert proxy is not None
    http, https = proxy_urls(proxy, SECRETS)
    assert https == "http://edge:p%40ss%3Aw%2Frd%20%2541@10.0.0.2:3128"
    assert http.endswith("@10.0.0.2:3129")


@pytest.mark.row("A14")
def test_what_is_reached_without_the_proxy(tmp_path: Path) -> None:
    config = load(tmp_path, CASES["proxied"])
    words = no_proxy_list(config, config.host_view("plant-a"), NetworkFacts.given(config))
    assert {"localhost", "127.0.0.1", ".svc", ".plant.example"} <= set(words)
    assert {"10.100.0.0/16", "172.20.0.0/16", "10.200.0.0/16", "192.168.0.0/16"} <= set(words)
    assert "0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com" in [word.lower() for word in words]
    assert len(words) == len(set(words))


@pytest.mark.row("A17")
def test_the_loop_finds_network_cards_by_their_driver(tmp_path: Path) -> None:
    """The command of the stage runs in a shell over a made-up /sys, with an ethtool that writes down its calls."""
    for nic, driver in (("ens160", "vmxnet3"), ("ens192", "vmxnet3"), ("eth0", "virtio_net"), ("lo", None)):
        folder = tmp_path / "sys" / nic
        folder.mkdir(parents=True)
        if driver:
            (folder / "device").mkdir()
            (folder / "device" / "driver").symlink_to(f"../../../drivers/{driver}")
    tool = tmp_path / "ethtool"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    tool.chmod(0o755)
    (command,) = offload_commands(None)
    script = command.replace("/sys/class/net", str(tmp_path / "sys"))
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [
        f"--offload {nic} {feature} off"
        for nic in ("ens160", "ens192")
        for feature in ("tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation")
    ]


def test_the_core_digest_knows_everything_but_the_token(tmp_path: Path) -> None:
    config = load(tmp_path, SITE)
    one, other = rendered(config, token="a"), rendered(config, token="b-longer:#token")
    assert one != other
    assert core_digest(one, "a") == core_digest(other, "b-longer:#token")
    assert core_digest(rendered(config, epoch="f" * 16), TOKEN) != core_digest(rendered(config), TOKEN)
    with pytest.raises(ValueError, match="another token"):
        core_digest(one, "b")


def test_a_token_that_is_part_of_another_value_changes_nothing_else(tmp_path: Path) -> None:
    config = load(tmp_path, SITE)
    assert core_digest(rendered(config, token="plant"), "plant") == core_digest(rendered(config), TOKEN)


@pytest.mark.row("A13")
@pytest.mark.parametrize("token", ["", "  \n", "a b", "a\nb"])
def test_a_token_that_is_none(tmp_path: Path, token: str) -> None:
    with pytest.raises(SecretsError, match="registrationToken"):
        rendered(load(tmp_path, SITE), token=token)


def test_a_line_break_after_the_token_is_dropped(tmp_path: Path) -> None:
    config = load(tmp_path, SITE)
    assert rendered(config, token=f"{TOKEN}\n") == rendered(config)


@pytest.mark.row("A15")
@pytest.mark.parametrize("value", ["kairos", "", "$6$", "5f4dcc3b5aa765d61d8327deb882cf99"])
def test_a_secret_that_is_no_hash_is_refused_and_not_repeated(tmp_path: Path, value: str) -> None:
    with pytest.raises(SecretsError) as caught:
        rendered(load(tmp_path, CASES["users"]), secrets={"opHash": value})
    assert "opHash" in str(caught.value)
    assert not value or value not in str(caught.value).replace("opHash", "")


@pytest.mark.parametrize("case", ["proxied", "users", "everything"])
def test_a_missing_secret_names_the_command_that_sets_it(tmp_path: Path, case: str) -> None:
    with pytest.raises(SecretsError, match="pulumi config set --secret"):
        rendered(load(tmp_path, CASES[case]), secrets={})


def test_extra_parts_are_checked_again_when_they_are_merged(tmp_path: Path) -> None:
    config = load(tmp_path, SITE)
    wrong = config.site.palette.model_copy(update={"user_data_extra": {"stylus": {"managementMode": "local"}}})
    broken = config.model_copy(update={"site": config.site.model_copy(update={"palette": wrong})})
    with pytest.raises(SettingsError, match="managementMode"):
        rendered(broken)


def test_a_password_that_came_in_as_a_secret_must_be_a_hash_too(tmp_path: Path) -> None:
    extra = {"stages": {"boot": [{"users": {"k": {"passwd": {"secret": "ext"}}}}]}}
    with pytest.raises(SettingsError, match=r"stages\.boot\[0\]\.users\.k\.passwd"):
        rendered(load(tmp_path, site(put("palette.userDataExtra", extra))))
    ok = rendered(load(tmp_path, site(put("palette.userDataExtra", extra))), secrets={"ext": HASH})
    assert yaml.safe_load(ok)["stages"]["boot"][0]["users"]["k"]["passwd"] == HASH


def test_steps_of_one_stage_are_one_list_ours_first(tmp_path: Path) -> None:
    steps = yaml.safe_load(rendered(load(tmp_path, CASES["everything"])))["stages"]["initramfs"]
    assert [step.get("name", "users") for step in steps] == ["users", "Disable UDP segmentation", "Own"]


# Any text must arrive as it was written, for readers of both versions of YAML.

NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["on", "off", "yes", "1.30", "066635153087", "0o17", "1e3", "12:30:45", "2027-01-31", "~", "null",
                     "- a", "a: b", "#x", "'", '"', "\\", "{a}", "[b", "@", "`", "%", "!x", "&a", "*a", " x ", "x\n",
                     "\n", "|", ">", "?", "=", "<<", "0x1F", "1_000", ".5", "+1", "\u2028", "\x85", "\t", "x #y", "é"]),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(st.dictionaries(NASTY, st.one_of(NASTY, st.booleans(), st.integers(), st.lists(NASTY, max_size=3)), max_size=5))
def test_any_data_reads_back_the_same_in_both_versions(data: dict[str, Any]) -> None:
    text = dump(data)
    assert yaml.safe_load(text) == data
    assert YAML(typ="safe", pure=True).load(io.StringIO(text)) == data


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60
)
@given(token=st.from_regex(r"[!-~]{1,60}", fullmatch=True), password=st.text(min_size=1, max_size=30))
def test_any_secret_arrives_as_it_is(tmp_path: Path, token: str, password: str) -> None:
    config = load(tmp_path, CASES["everything"])
    if not password.strip("\n"):
        return
    text = rendered(config, token=token, secrets={**SECRETS, "registry": password})
    for data in (yaml.safe_load(text), YAML(typ="safe", pure=True).load(io.StringIO(text))):
        assert data["stylus"]["site"]["edgeHostToken"] == token
        assert data["stylus"]["registryCredentials"]["password"] == password.rstrip("\n")
    assert core_digest(text, token)


_WORDS = (
    "stylus", "site", "network", "nameserver", "interfaces", "httpProxy", "vip", "skip", "tags", "line", "install", "reboot",
    "device", "stages", "initramfs", "boot", "name", "hostName", "caCerts", "registryCredentials", "insecureSkipVerify", "secret",
)  # fmt: skip
_LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "ext", "x"])
_BELOW = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=3),
    max_leaves=6,
)
_SITE_PART = st.fixed_dictionaries({"stylus": st.fixed_dictionaries({"site": _BELOW}) | _BELOW})
_EXTRA = _SITE_PART | st.dictionaries(st.sampled_from(("stylus", "install", "stages")), _BELOW, max_size=2)


def missing_from(more: Any, base: Any, path: str = "") -> list[str]:
    """Return where `more` has lost or changed something of `base`; it may only have more keys, and more steps."""
    if isinstance(base, dict) and isinstance(more, dict):
        return [one for key in base for one in missing_from(more.get(key, "nothing"), base[key], f"{path}.{key}")]
    if isinstance(base, list) and isinstance(more, list) and path.startswith(".stages."):
        return [] if more[: len(base)] == base else [path]
    return [] if more == base and type(more) is type(base) else [path]


@pytest.mark.row("A15")
@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(extra=_EXTRA)
def test_no_extra_user_data_that_is_accepted_takes_anything_away(tmp_path: Path, extra: dict[str, Any]) -> None:
    config = _whole(tmp_path)
    try:
        with_named_secrets(extra)
    except PydanticCustomError:
        return
    if extra_findings(extra) or twice_findings(extra, tags=["line"], static=True, skips=True):
        return
    palette = config.site.palette.model_copy(update={"user_data_extra": extra})
    changed = config.model_copy(update={"site": config.site.model_copy(update={"palette": palette})})
    try:
        text = rendered(changed)
    except SecretsError:
        return  # it names a secret that is not there
    assert missing_from(yaml.safe_load(text), yaml.safe_load(rendered(config))) == []
    core_digest(text, TOKEN)


@cache
def _whole(folder: Path) -> StackSettings:
    """Return settings of which the program writes every part that it can write."""
    palette = {
        **CASES["everything"]["palette"], "userDataExtra": {}, "manages": ["staticIp"],
        "staticNetwork": {"interface": "ens160", "gateway": "10.200.0.1", "nameserver": "10.200.0.2"},
    }  # fmt: skip
    hosts = {"plant-a": {"address": "10.200.0.11/24"}}
    return load(
        folder,
        site(put("palette", palette), put("proxy", PROXY), put("hosts", hosts), *[put("caCerts", [authority()])]),
    )
