"""The chains of appliances, asserted resource by resource on a mixed site."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from components.errors import ProgramError
from components.testing import Recording
from edge.canvos.images import pack_values, parse
from edge.errors import PaletteError
from edge.registration import claim_diff, claim_update
from edge.vm.made_from import MadeFrom
from tests.components.appliance_rules import CHAINS, problems
from tests.components.appliance_site import (
    BARE,
    CLAIM,
    GIVEN,
    IMAGE,
    ISO_FILE,
    OTHER_SHA,
    SHA,
    STATIC,
    VM,
    other_image,
    record,
    site,
)  # fmt: skip
from tests.components.harness import canary, recorded
from tests.components.rules import problems as agent_problems
from tests.components.test_chain import EXPECTED
from tests.programs.network_programs import REFERENCE


@functools.cache
def mixed() -> Recording:
    return record()


def frozen_claims(recording: Recording) -> dict[str, dict[str, Any]]:
    """Return what claims answer after a first run, by type and name: what they were asked to freeze."""
    wanted = {host: recording.get(f"{host}-claim").plain("made_from_wanted") for host in CHAINS}
    return {f"{CLAIM}::{host}-claim": {"made_from": text} for host, text in wanted.items()}


@functools.cache
def later(what: str = "") -> Recording:
    """Return a later run, with one change of the settings, in which claims still hold what hosts were installed from."""
    return record(_changes()[what] if what else site(), outputs=frozen_claims(mixed()))


def inputs_of(recording: Recording, host: str, *roles: str) -> dict[str, Any]:
    return {role: recording.get(f"{host}-{role}").inputs for role in roles}


@pytest.mark.row("B14", "B17")
def test_a_mixed_site_keeps_every_rule_of_both_chains() -> None:
    assert problems(mixed()) == []
    assert agent_problems(mixed(), EXPECTED["lab"]) == []


@pytest.mark.row("B14", "B17")
def test_protection_lies_on_claim_machine_installation_and_readiness() -> None:
    raw = site(hosts={VM: {"protect": True}, BARE: {"protect": True}})
    assert problems(record(raw), protect=True) == []
    retired = site(hosts={name: {"protect": True, "state": "retired"} for name in CHAINS})
    assert problems(record(retired)) == []


@pytest.mark.row("B17")
def test_red_checks_of_a_healthy_machine_do_not_keep_its_own_iso() -> None:
    assert f"{BARE}-checks" not in mixed().get(f"{BARE}-media").dependencies


@pytest.mark.row("B14", "B17", "C3")
def test_a_lost_appliance_stores_force() -> None:
    recording = record(site(hosts={name: {"state": "lost"} for name in CHAINS}))
    lost = {recording.get(f"{name}-healthy").inputs["lost"] for name in CHAINS}
    stored = {recording.get(f"{name}-{role}").inputs["force"] for name in CHAINS for role in ("claim", "healthy")}
    assert (lost, stored) == ({True}, {True})


@pytest.mark.row("B14")
def test_agent_hosts_are_as_they_are_without_appliances_beside_them() -> None:
    alone = {one.name: one for one in recorded("lab").resources}
    beside = {one.name: one for one in mixed().resources}
    steps = [name for name in alone if name.rpartition("-")[0] in EXPECTED["lab"]]
    assert len(steps) > 25
    assert [name for name in steps if alone[name] != beside[name]] == []


def test_a_preview_of_a_new_site_runs_with_unknown_outputs() -> None:
    assert {one.name for one in record(preview=True).resources} == {one.name for one in mixed().resources}


@pytest.mark.row("B1", "B17", "C7")
def test_exports_say_what_an_appliance_was_installed_from() -> None:
    exports = mixed().exports
    facts = exports["hosts"][VM]
    assert facts["appliance"]["isoSha256"] == SHA and facts["appliance"]["image"] == IMAGE
    assert facts["appliance"]["waits"] == [] and len(facts["appliance"]["siteDigest"]) == 64
    assert facts["vm"]["firmware"] == "bios" and facts["address"] == "10.231.76.22"
    assert exports["image"]["isos"]["poweroff"]["files"][0]["path"] == "isos/edge-poweroff.iso"
    assert "appliance" not in exports["hosts"]["bare"]
    assert canary("registrationToken") not in json.dumps(exports)


@pytest.mark.row("B17")
def test_what_somebody_does_by_hand_is_exported_before_the_host_is_healthy() -> None:
    media = mixed().exports["media"]
    assert list(media) == [BARE]
    assert media[BARE]["iso"] == "edge-reboot.iso" and media[BARE]["isoSha256"] == "d4" * 32
    assert media[BARE]["places"] == ["[ssd-1] isos/edge-reboot.iso"] and media[BARE]["siteIso"] == ISO_FILE
    words = " ".join(media[BARE]["steps"])
    for needed in ("sha256", "Attach both", "Boot", "Installation Complete", "healthy"):
        assert needed in words
    assert mixed().exports["hosts"][BARE]["appliance"]["media"] == media[BARE]


@pytest.mark.row("B11")
def test_the_profile_gets_the_values_of_the_real_image_and_keeps_those_of_agents() -> None:
    profile = mixed().exports["profile"]
    name = parse(IMAGE)
    assert name is not None
    values = pack_values(name, os_distribution="ubuntu", os_version="22.04")
    assert profile["osAppliance"] == {"pack": "edge-native-byoi", "values": values}
    assert profile["os"] == recorded("lab").exports["profile"]["os"]
    raw = site()
    raw["hosts"] = {name: raw["hosts"][name] for name in CHAINS}
    assert "os" not in record(raw).exports["profile"]


def _changes() -> dict[str, Any]:
    """Return changes of the settings that must not reach an installed machine, by what is changed."""
    raw = site()
    palette = raw["palette"]
    proxy = {"https": "http://10.231.76.1:3128"}
    return {
        "image": site(image=other_image()),
        "tags": site(palette={**palette, "tags": {"site": "other"}}),
        "users": site(palette={**palette, "users": {"operator": {"groups": ["sudo"], "sshAuthorizedKeys": [_KEY]}}}),
        "proxy": site(hosts={name: {"proxy": proxy} for name in CHAINS}),
        "address": site(hosts={VM: {"address": "10.231.76.32/24"}, BARE: {"address": "10.231.76.33/24"}}),
        "static": site(hosts={BARE: {"staticNetwork": {**STATIC, "gateway": "10.231.76.9"}}}),
        "mac": site(hosts={VM: {"mac": "00:50:56:01:02:03"}}),
        "firmware": site(vsphere={**raw["vsphere"], "firmware": "efi"}),
        "gateway": site(vsphere={**raw["vsphere"], "gateway": "10.231.76.9", "nameservers": ["10.231.76.9"]}),
        "os": site(image={**GIVEN, "osVersion": "24.04"}),
    }


_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILgYy5xp3vvwNOa+K9A3eIx5NeZoztypZFn2YZQQgpv1"
_MADE = {VM: ("installer", "vm", "registration", "media"), BARE: ("registration", "media")}
# A changed user-data is stored with the resource, whose own `diff` takes it for no difference.
_GIVERS = {VM: "boot", BARE: "site-iso"}


@pytest.mark.row("B14", "B17", "C3")
@pytest.mark.parametrize("what", sorted(_changes()))
@pytest.mark.parametrize("host", [VM, BARE])
def test_only_a_raised_generation_reinstalls(what: str, host: str) -> None:
    """Nothing that makes, boots or registers the machine has another input, and what installs it sees no difference."""
    from edge.appliance import boot, iso_file

    before, after = later(), later(what)
    assert inputs_of(before, host, *_MADE[host]) == inputs_of(after, host, *_MADE[host])
    olds, news = (one.get(f"{host}-{_GIVERS[host]}") for one in (before, after))
    act = boot if host == VM else iso_file
    assert not act.diff(olds.inputs, news.inputs)
    waiting = {**olds.inputs, "user_data": None} == {**news.inputs, "user_data": None}
    assert waiting and before.get(f"{host}-checks").plain("connection") == after.get(f"{host}-checks").plain(
        "connection"
    )
    claim_news, claim_olds = after.get(f"{host}-claim").inputs, before.get(f"{host}-claim").inputs
    assert claim_diff({**claim_olds, "made_from": claim_olds["made_from_wanted"]}, claim_news) == []


@pytest.mark.row("B14", "B17", "C3")
@pytest.mark.parametrize("host", [VM, BARE])
def test_a_raised_generation_reaches_what_installs(host: str) -> None:
    from edge.appliance import boot, iso_file

    before = later()
    after = record(site(image=other_image(), hosts={host: {"generation": 2}}))  # the claim has frozen anew
    olds, news = (one.get(f"{host}-{_GIVERS[host]}") for one in (before, after))
    assert (boot if host == VM else iso_file).diff(olds.inputs, news.inputs)
    assert json.loads(after.get(f"{host}-claim").plain("made_from_wanted"))["isoSha256"] == OTHER_SHA
    if host == VM:
        vm = after.get(f"{VM}-vm")
        assert vm.plain("replaceTrigger") == "2" and vm.plain("cdroms")[0]["path"] == "isos/later-poweroff.iso"
        assert after.get(f"{VM}-installer").plain("sha256") == OTHER_SHA
    keys = {one.get(f"{host}-checks").plain("connection")["hostKey"] for one in (before, after)}
    assert len(keys) == 2


@pytest.mark.row("B14", "B17")
@pytest.mark.parametrize(
    ("what", "host", "told"),
    [
        ("image", VM, "iso a1a1a1a1a1a1 -> b2b2b2b2b2b2"),
        ("image", BARE, "iso d4d4d4d4d4d4 -> b2b2b2b2b2b2"),
        ("address", VM, "address 10.231.76.22 -> 10.231.76.32"),
        ("firmware", VM, "firmware bios -> efi"),
        ("static", BARE, "gateway 10.231.76.1 -> 10.231.76.9"),
    ],
)
def test_what_waits_for_a_raised_generation_is_exported(what: str, host: str, told: str) -> None:
    assert later().exports["hosts"][host]["appliance"]["waits"] == []
    assert told in later(what).exports["hosts"][host]["appliance"]["waits"]


@pytest.mark.row("B14")
def test_another_user_data_waits_in_one_word() -> None:
    digest = "f" * 64
    outputs = {**frozen_claims(mixed()), "pulumi-python:dynamic/edge:ApplianceBoot": {
        "site_iso": "[x] y", "site_digest": digest,
    }}  # fmt: skip
    assert record(site(), outputs=outputs).exports["hosts"][VM]["appliance"]["waits"] == ["its own user-data"]


@pytest.mark.row("B14")
def test_an_image_that_is_about_to_be_built_changes_nothing_of_what_is_installed_in_a_preview() -> None:
    """In a preview with a new image its facts are unknown. What the claim froze is known, and so is everything after it."""
    import asyncio

    from pulumi import Output
    from pulumi.runtime.stack import wait_for_rpcs

    from components.vm_parts import frozen
    from tests.components.test_vsphere_machine import nothing_under_mocks

    told = frozen_claims(mixed())[f"{CLAIM}::{VM}-claim"]["made_from"]

    async def chosen() -> tuple[Any, bool]:
        nothing_under_mocks(preview=True)
        unknown: Any = asyncio.get_running_loop().create_future()
        unknown.set_result(None)
        no: Any = asyncio.get_running_loop().create_future()
        no.set_result(False)
        found = frozen(Output.from_input(told), Output(set(), unknown, no, no), "appliance")
        answer = await found.future(), await found.is_known()
        await wait_for_rpcs()
        return answer

    made, known = asyncio.run(chosen())
    assert known and made == MadeFrom.from_json(told)


@pytest.mark.row("B14", "C3")
def test_a_changed_mode_is_refused_before_anything_is_done() -> None:
    olds = {"host": "a", "owner": "o", "generation": 1, "made_from": '{"machine": "vsphere", "mode": "agent"}'}
    news = {**olds, "generation": 2, "made_from_wanted": frozen_claims(mixed())[f"{CLAIM}::{VM}-claim"]["made_from"]}
    words = "its mode becomes appliance, but its machine was made with mode agent.*nothing was changed"
    with pytest.raises(PaletteError, match=words):
        claim_diff(olds, {**news, "generation": 1})
    with pytest.raises(PaletteError, match=words):
        claim_update(None, olds, news)  # type: ignore[arg-type]  # nobody is asked
    assert claim_diff(olds, {**olds, "made_from_wanted": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}) == []


def from_stack(image: dict[str, Any]) -> Recording:
    """Return the run of a site whose image is that of a build stack, which exports `image`."""
    outputs = {REFERENCE: {"outputs": {"kind": "build", "image": image}, "secretOutputNames": []}}
    return record(site(image={"source": "stack", "stack": "images-dev"}), outputs=outputs)


@pytest.mark.row("B14")
def test_an_image_of_a_build_stack_is_the_same_to_a_host_as_a_given_one() -> None:
    recording = from_stack(mixed().exports["image"])
    assert problems(recording) == []
    assert recording.exports["image"] == mixed().exports["image"]


@pytest.mark.row("B14")
def test_an_iso_that_lies_in_no_datastore_of_the_datacenter_is_one_error() -> None:
    image = copy.deepcopy(mixed().exports["image"])
    image["isos"]["poweroff"]["files"][0]["datacenter"] = "ELSEWHERE"
    with pytest.raises(ProgramError) as caught:
        from_stack(image)
    assert "has no ISO of kind poweroff for datacenter LAB" in str(caught.value)
    assert "datastores" in str(caught.value)


@pytest.mark.row("B17")
def test_the_program_says_what_is_to_be_done_while_the_file_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pulumi

    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda message, *_args, **_more: said.append(message))
    monkeypatch.setattr("components.appliance_host.ISO_FOLDER", str(tmp_path))
    record()
    assert said == []
    file = tmp_path / "lab" / f"{BARE}.iso"
    file.parent.mkdir()
    file.write_bytes(b"")
    record()
    assert len(said) == 1 and said[0].startswith(f"{BARE} waits for its installation")
    record(preview=True)
    assert len(said) == 1
