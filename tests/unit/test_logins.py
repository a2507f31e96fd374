"""Keys and logins: every source of a key, and what a person reads when one cannot be used."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from edge.errors import HostError, SecretsError
from edge.logins import Logins
from edge.vm.hostkey import derive
from tests.unit.image_stacks import PINNED, mixed
from tests.unit.settings_helpers import HOST_KEY, OTHER_KEY, drop, load, put, site, vm_site

KEY = asyncssh.generate_private_key("ssh-ed25519")
PEM = KEY.export_private_key().decode()
LOCKED = KEY.export_private_key(passphrase="open canary").decode()


class Secrets:
    """Secrets that count how often they are asked for."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.asked: list[str] = []

    def get(self, name: str) -> str:
        self.asked.append(name)
        if name not in self.values:
            raise SecretsError(f"the secret {name} was not found.", remedy="set it")
        return self.values[name]


@pytest.mark.row("A3")
def test_a_key_from_a_secret_is_read_once_for_all_hosts(tmp_path: Path) -> None:
    settings, secrets = load(tmp_path, site()), Secrets(sshPrivateKey=PEM)
    logins = Logins(secrets, "plant")
    first, second = (logins.of(settings.host_view(name)) for name in settings.site.hosts)
    assert secrets.asked == ["sshPrivateKey"]
    assert first.key is second.key
    assert first.key is not None
    assert first.key.public_data == KEY.public_data
    assert (first.address, first.port, first.user, first.host_key) == ("10.200.0.11", 22, "edge", HOST_KEY)
    assert second.host_key == OTHER_KEY
    assert "PRIVATE" not in repr(first)


@pytest.mark.row("A3")
def test_a_key_from_a_file_with_a_passphrase(tmp_path: Path) -> None:
    (tmp_path / "id").write_text(LOCKED)
    ssh = {"user": "edge", "privateKey": {"file": "id"}, "passphrase": {"secret": "keyPassphrase"}}
    host = load(tmp_path, site(ssh=ssh)).host_view("plant-a")
    assert Logins(Secrets(keyPassphrase="open canary"), "plant").of(host).key is not None
    with pytest.raises(HostError, match="does not open with its passphrase") as caught:
        Logins(Secrets(keyPassphrase="wrong canary"), "plant").of(host)
    assert "canary" not in str(caught.value)


@pytest.mark.row("A3")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LOCKED, "needs a passphrase"),
        ("canary", "cannot be read as a key"),
        (PEM.replace("OPENSSH", "CANARY"), "cannot be read as a key"),
    ],
)
def test_a_key_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=words) as caught:
        Logins(Secrets(sshPrivateKey=text), "plant").of(load(tmp_path, site()).host_view("plant-a"))
    assert caught.value.where == "plant-a"
    assert "canary" not in str(caught.value).lower()


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    settings = load(tmp_path, site(ssh={"user": "edge", "privateKey": {"file": str(tmp_path / "none")}}))
    with pytest.raises(HostError, match="No such file"):
        Logins(Secrets(), "plant").of(settings.host_view("plant-a"))


@pytest.mark.row("A3")
def test_an_agent_holds_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = load(tmp_path, site(ssh={"user": "edge", "privateKey": "agent"})).host_view("plant-a")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    login = Logins(Secrets(), "plant").of(host)
    assert login.agent
    assert login.key is None
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(HostError, match="none runs here"):
        Logins(Secrets(), "plant").of(host)


def test_a_password_where_no_key_can_be_used(tmp_path: Path) -> None:
    ssh = {"user": "edge", "password": {"secret": "sshPassword"}}
    login = Logins(Secrets(sshPassword="canary"), "plant").of(load(tmp_path, site(ssh=ssh)).host_view("plant-a"))
    assert (login.password, login.key) == ("canary", None)
    assert "canary" not in repr(login)


@pytest.mark.row("A3")
def test_a_jump_host_uses_the_hosts_key_or_its_own(tmp_path: Path) -> None:
    jump = {"address": "10.200.0.9", "port": 2222, "hostKey": OTHER_KEY}
    settings = load(tmp_path, site(put("ssh.jumpHost", jump)))
    login = Logins(Secrets(sshPrivateKey=PEM), "plant").of(settings.host_view("plant-a"))
    assert login.jump is not None
    assert (login.jump.place, login.jump.user, login.jump.host_key) == ("10.200.0.9:2222", "edge", OTHER_KEY)
    assert login.jump.key is login.key
    own = {**jump, "user": "guard", "privateKey": {"secret": "jumpKey"}}
    settings = load(tmp_path, site(put("ssh.jumpHost", own)))
    secrets = Secrets(
        sshPrivateKey=PEM, jumpKey=asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    )
    login = Logins(secrets, "plant").of(settings.host_view("plant-a"))
    assert login.jump is not None
    assert login.jump.user == "guard"
    assert login.jump.key is not login.key


def test_a_missing_secret_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(SecretsError, match="sshPrivateKey was not found"):
        Logins(Secrets(), "plant").of(load(tmp_path, site()).host_view("plant-a"))


@pytest.mark.row("A3", "C1")
def test_the_host_key_of_a_virtual_machine_is_derived_and_pinned(tmp_path: Path) -> None:
    settings = load(tmp_path, vm_site(put("hosts.plant-a.generation", 3)))
    logins = Logins(Secrets(sshPrivateKey=PEM, hostKeySeed="a seed"), settings.site.name)
    wanted = derive("a seed", site=settings.site.name, host="plant-a", generation=3).public
    assert logins.of(settings.host_view("plant-a")).host_key == wanted
    with pytest.raises(SecretsError, match="hostKeySeed"):
        Logins(Secrets(sshPrivateKey=PEM), settings.site.name).of(settings.host_view("plant-a"))


@pytest.mark.row("A3", "B17")
def test_the_host_key_of_an_appliance_is_derived_and_pinned_on_bare_metal_too(tmp_path: Path) -> None:
    settings = load(tmp_path, mixed(put("hosts.plant-c.generation", 2)), release=PINNED)
    logins = Logins(Secrets(sshPrivateKey=PEM, hostKeySeed="a seed"), settings.site.name)
    for name, generation in (("plant-b", 1), ("plant-c", 2)):
        wanted = derive("a seed", site=settings.site.name, host=name, generation=generation).public
        assert logins.of(settings.host_view(name)).host_key == wanted


def test_an_existing_machine_in_agent_mode_has_the_host_key_of_the_settings_or_none(tmp_path: Path) -> None:
    settings = load(tmp_path, site(drop("hosts.plant-b.hostKey")))
    logins, keys = Logins(Secrets(sshPrivateKey=PEM), "plant"), []
    for name in settings.site.hosts:
        keys.append(logins.of(settings.host_view(name)).host_key)
    assert keys == [HOST_KEY, None]
