"""The derived host key of a virtual machine, and the public half of a login key."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import asyncssh
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from vm_samples import SEED

from edge.errors import SecretsError
from edge.vm.hostkey import check_seed, derive, public_of, stand_in_key

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
PLACES = st.tuples(st.text(min_size=1, max_size=40).filter(str.strip), NAMES, NAMES, st.integers(1, 10**6))


def key_of(place: tuple[str, str, str, int]) -> str:
    seed, site, host, generation = place
    return derive(seed, site=site, host=host, generation=generation).public


@pytest.mark.row("A2", "C1")
def test_the_text_is_the_same_for_ever() -> None:
    """The digest is of the first version: another text would make every host of every stack refuse its pinned key."""
    key = derive(SEED, site="plant", host="plant-a", generation=1)
    assert key == derive(f"{SEED}\n", site="plant", host="plant-a", generation=1)
    assert key.public == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILqwMzt0wqRc9XDEL6LgJHJJSx03N19rikZqhdPjnrTx"
    assert (
        hashlib.sha256(key.private.encode()).hexdigest()
        == "0b374a5f7034e31e589f535dda310256d2ca25c83740cd0b1035907eec829193"
    )
    assert key.private not in repr(key)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize("generation", range(1, 6))
def test_openssh_reads_it(tmp_path: Path, generation: int) -> None:
    key = derive(SEED, site="plant", host="plant-a", generation=generation)
    path = tmp_path / "key"
    path.write_text(key.private)
    path.chmod(0o600)
    done = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == key.public


@settings(deadline=None, max_examples=40)
@given(place=PLACES)
def test_every_reader_finds_the_public_half_in_it(place: tuple[str, str, str, int]) -> None:
    seed, site, host, generation = place
    key = derive(seed, site=site, host=host, generation=generation)
    read = asyncssh.import_private_key(key.private)
    assert read.export_public_key("openssh").decode().split()[:2] == key.public.split()
    assert public_of(key.private) == key.public
    assert key.private.endswith("\n")
    assert all(len(line) <= 70 for line in key.private.splitlines())


@settings(deadline=None, max_examples=150)
@given(one=PLACES, other=PLACES)
def test_any_other_place_has_another_key(one: tuple[str, str, str, int], other: tuple[str, str, str, int]) -> None:
    assume((one[0].strip(), *one[1:]) != (other[0].strip(), *other[1:]))
    assert key_of(one) != key_of(other)


@settings(deadline=None, max_examples=60)
@given(place=PLACES, at=st.integers(0, 3), text=NAMES)
def test_each_part_counts(place: tuple[str, str, str, int], at: int, text: str) -> None:
    changed: list[str | int] = list(place)
    changed[at] = place[3] + 1 if at == 3 else f"{place[at]}{text}"
    assert key_of(place) != key_of(tuple(changed))  # type: ignore[arg-type]


def test_parts_do_not_run_into_each_other() -> None:
    def public(site: str, host: str, generation: int) -> str:
        return derive(SEED, site=site, host=host, generation=generation).public

    assert public("plant-1", "1a", 1) != public("plant-11", "a", 1)
    assert public("plant", "a", 12) != public("plant", "a1", 2)


@pytest.mark.parametrize("seed", ["", "  \n"])
def test_an_empty_seed_names_the_secret_and_the_command(seed: str) -> None:
    with pytest.raises(SecretsError, match=r"hostKeySeed.*pulumi config set --secret hostKeySeed"):
        derive(seed, site="plant", host="plant-a", generation=1)


@pytest.mark.parametrize("seed", ["short", "a" * 64, "abababab" * 8, "x" * 31])
def test_a_seed_that_can_be_guessed_is_refused_and_not_repeated(seed: str) -> None:
    with pytest.raises(SecretsError, match="too easy to guess") as caught:
        check_seed(seed)
    assert seed not in str(caught.value)


def test_a_random_seed_is_good() -> None:
    check_seed("mDq0h1oFj8T1b1bJ6m5m9u1o1v8Q2p3r4s5t6u7v8w9=\n")


def test_a_stand_in_is_a_key_of_its_own() -> None:
    assert stand_in_key("a") == stand_in_key("a") != stand_in_key("b")
    assert public_of(stand_in_key("sshPrivateKey")).startswith("ssh-ed25519 ")


# --- the public half of a login key ---

KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa384": ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
FORMS = {"openssh": PrivateFormat.OpenSSH, "pkcs8": PrivateFormat.PKCS8, "pem": PrivateFormat.TraditionalOpenSSL}
LOCKED = BestAvailableEncryption(b"pass phrase")


@pytest.mark.row("A3")
@pytest.mark.parametrize(
    ("kind", "form"), [(kind, form) for kind in KEYS for form in FORMS if (kind, form) != ("ed25519", "pem")]
)
@pytest.mark.parametrize("locked", [False, True])
def test_every_kind_in_every_form(kind: str, form: str, locked: bool) -> None:
    key = KEYS[kind]
    text = key.private_bytes(Encoding.PEM, FORMS[form], LOCKED if locked else NoEncryption()).decode()
    wanted = key.public_key().public_bytes(Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    passphrase = "pass phrase\n" if locked else None
    assert public_of(text, passphrase) == wanted
    assert public_of("\n" + text.replace("\n", "\r\n") + "\n\n", passphrase) == wanted
    if not locked:
        assert public_of(text, "not needed") == wanted


@pytest.mark.parametrize("form", ["openssh", "pkcs8"])
def test_what_is_wrong_with_a_key_is_said_without_the_key(form: str) -> None:
    text = KEYS["ed25519"].private_bytes(Encoding.PEM, FORMS[form], LOCKED).decode()
    cases = {
        (text, None): "needs a passphrase.*ssh.passphrase",
        (text, "wrong"): "does not open with its passphrase",
        ("ssh-ed25519 AAAA", None): "cannot be read as a private key.*OpenSSH or PEM",
        ("", None): "cannot be read as a private key",
        (text[:200], None): "private key for the login",
    }
    for (given_text, passphrase), wanted in cases.items():
        with pytest.raises(SecretsError, match=wanted) as caught:
            public_of(given_text, passphrase, where="secret sshPrivateKey")
        said = str(caught.value)
        assert said.startswith("secret sshPrivateKey: ")
        assert "ssh.authorizedKeys" in said
        assert not any(line in said for line in text.splitlines()[1:-1])
        assert "wrong" not in said


def test_kinds_that_cannot_log_in_are_refused() -> None:
    old = dsa.generate_private_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    odd = ec.generate_private_key(ec.SECP256K1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for text in (old, odd):
        with pytest.raises(SecretsError, match="ssh-keygen -t ed25519"):
            public_of(text.decode())
