"""What the claim freezes of a machine, and what older programs wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings_helpers import HOST_KEY, load, site
from vm_samples import TEMPLATE, vm_host

from edge.vm.made_from import MadeFrom

OLD = '{"hostKey": "ssh-ed25519 AAAA", "machine": "existing", "mode": "agent"}'


def made(folder: Path, **host: object) -> MadeFrom:
    view = vm_host(folder, **host)
    assert view.vm is not None
    return MadeFrom.of(view, view.vm, host_key=HOST_KEY, template=TEMPLATE)


@pytest.mark.row("C1")
def test_everything_that_reaches_a_machine_once_stands_there(tmp_path: Path) -> None:
    data = json.loads(made(tmp_path).to_json())
    assert data == {
        "machine": "vsphere",
        "mode": "agent",
        "hostKey": HOST_KEY,
        "template": TEMPLATE["id"],
        "templateName": "ubuntu-22.04",
        "guestId": "ubuntu64Guest",
        "firmware": "efi",
        "secureBoot": True,
        "scsiType": "pvscsi",
        "vcenter": "main",
        "datacenter": "DC1",
        "mac": "00:50:56:02:83:a4",
        "address": "10.200.0.11",
        "prefix": 24,
        "gateway": "10.200.0.1",
        "nameservers": ["10.200.0.2"],
    }
    assert list(data) == sorted(data)
    assert str(made(tmp_path).ip) == "10.200.0.11"


def test_it_comes_back_from_the_claim(tmp_path: Path) -> None:
    one = made(tmp_path, vsphere={"searchDomains": ["plant.example"]})
    assert MadeFrom.from_json(one.to_json()) == one
    floats = json.dumps({**json.loads(one.to_json()), "prefix": 24.0})
    assert MadeFrom.from_json(floats) == one


def test_an_existing_machine_is_written_as_it_always_was(tmp_path: Path) -> None:
    """Another text would be a difference in the claim of every stack that is deployed."""
    assert MadeFrom.from_json(OLD).to_json() == OLD
    host = load(tmp_path, site()).host_view("plant-a")
    assert MadeFrom.from_json(host.made_from).to_json() == host.made_from


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "null", "no JSON", "7", object(), '{"prefix": "x"}'])
def test_what_is_no_claim_of_ours_is_nothing(text: object) -> None:
    assert MadeFrom.from_json(text) == MadeFrom()


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner, max_size=3), max_leaves=6), st.data())  # fmt: skip
def test_no_value_of_a_claim_breaks_the_reading(value: object, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["machine", "prefix", "secureBoot", "nameservers", "address", "later"]))
    read = MadeFrom.from_json(json.dumps({key: value}))
    assert MadeFrom.from_json(read.to_json()) == read


@pytest.mark.row("C1")
def test_a_machine_is_made_again_only_from_all_that_it_was_made_from(tmp_path: Path) -> None:
    assert made(tmp_path).makes("agent") and not made(tmp_path).makes("appliance")
    for told in (OLD, "{}", None, object(), '{"machine": "vsphere", "mode": "agent"}'):
        assert not MadeFrom.from_json(told).makes("agent")


def test_what_a_raised_generation_would_bring_is_named(tmp_path: Path) -> None:
    frozen = made(tmp_path)
    wanted = made(
        tmp_path, vsphere={"template": "ubuntu-24.04", "nameservers": ["10.200.0.3"]}, address="10.200.0.12/24"
    )
    assert frozen.differences(wanted) == ("templateName", "address", "nameservers")
    assert frozen.differences(frozen) == ()
    assert MadeFrom.from_json(OLD).differences(MadeFrom.from_json(OLD)) == ()
