"""Guest variables on their way into the environment, and what cloud-init's cleaning leaves of them."""

from __future__ import annotations

import base64
import gzip

import pytest

from edge.errors import LabError
from lab.guestinfo import EMPTIED, cleaned, decoded, environment

METADATA = "instance-id: a\ncleanup-guestinfo: [userdata, vendordata]\n"


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def test_plain_text_travels_in_base64() -> None:
    found = environment({"guestinfo.metadata": METADATA})
    assert found["VMX_GUESTINFO"] == "1"
    assert base64.b64decode(found["VMX_GUESTINFO_METADATA"]).decode() == METADATA
    assert found["VMX_GUESTINFO_METADATA_ENCODING"] == "base64"


@pytest.mark.parametrize("encoding", ["gzip+base64", "gz+b64"])
def test_packed_text_travels_as_it_is(encoding: str) -> None:
    text = packed("#cloud-config\n")
    found = environment({"userdata": text, "userdata.encoding": encoding})
    assert found == {
        "VMX_GUESTINFO": "1",
        "VMX_GUESTINFO_USERDATA": text,
        "VMX_GUESTINFO_USERDATA_ENCODING": encoding,
    }


@pytest.mark.parametrize("text", ["", "---", " "])
def test_nothing_is_told_of_an_empty_variable(text: str) -> None:
    assert environment({"guestinfo.userdata": text, "guestinfo.userdata.encoding": " "}) == {}


def test_a_text_that_no_environment_carries_is_refused() -> None:
    with pytest.raises(LabError, match="compress it"):
        environment({"guestinfo.userdata": "x" * 100_000})


@pytest.mark.parametrize("prefix", ["", "guestinfo."])
def test_what_the_metadata_names_is_emptied(prefix: str) -> None:
    given = {
        f"{prefix}metadata": base64.b64encode(METADATA.encode()).decode(),
        f"{prefix}metadata.encoding": "base64",
        f"{prefix}userdata": packed("#cloud-config\n"),
        f"{prefix}userdata.encoding": "gzip+base64",
    }
    left = cleaned(given)
    assert left[f"{prefix}userdata"] == left[f"{prefix}vendordata"] == EMPTIED
    assert left[f"{prefix}userdata.encoding"] == " "
    assert decoded(left, "metadata") == METADATA
    assert decoded(left, "userdata") == ""
    assert cleaned(left) == left


@pytest.mark.parametrize("metadata", ["", "instance-id: a\n", "- a list\n", "a: b: c\n"])
def test_without_a_wish_nothing_is_emptied(metadata: str) -> None:
    given = {"guestinfo.metadata": metadata, "guestinfo.userdata": "#cloud-config\n"}
    assert cleaned(given) == given


def test_broken_base64_is_left_alone() -> None:
    given = {"guestinfo.metadata": "!", "guestinfo.metadata.encoding": "gzip+base64"}
    assert cleaned(given) == given
