"""The ISO of one appliance: what a Linux system sees in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.site_iso import VOLUME, content_digest, read_site_iso, site_iso

TEXT = "#cloud-config\nstylus:\n  site:\n    name: plant-12-b\n"


@pytest.mark.row("B8")
def test_volume_and_files_are_what_the_agent_looks_for() -> None:
    data = site_iso(TEXT)
    assert data[0x8001:0x8006] == b"CD001"
    assert data[0x8028:0x8048].decode().strip() == VOLUME
    assert read_site_iso(data) == {"user-data": TEXT, "meta-data": ""}


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=5000))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    whole = "#cloud-config\n" + text
    try:
        whole.encode()
    except UnicodeEncodeError:
        return
    assert read_site_iso(site_iso(whole))["user-data"] == whole


def test_joliet_names_are_there_too() -> None:
    assert "user-data".encode("utf-16-be") in site_iso(TEXT)


def test_what_is_no_user_data_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin with #cloud-config"):
        site_iso("stylus: {}\n")


@pytest.mark.parametrize("data", [b"", b"\0" * 70000])
def test_what_is_no_iso_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no ISO 9660"):
        read_site_iso(data)


def test_a_digest_is_that_of_the_text() -> None:
    assert content_digest(TEXT) == content_digest(str(TEXT))
    assert content_digest(TEXT) != content_digest(TEXT + " ")
