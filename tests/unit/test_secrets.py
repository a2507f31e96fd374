"""The secrets of a stack: places in order, Pulumi's passphrase format, and nothing of a value in any message."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.errors import SecretsError
from edge.passphrase import Decrypter, passphrase_from
from edge.secrets import StackSecrets, open_secrets, variable_of

SECRET = "canary-secret-é\nsecond line"
PASSPHRASE = "correct horse"
# Made once with hashlib and AES-GCM by the documented format, not by the code under test.
SALT = "v1:AAECAwQFBgc=:v1:AAAAAAAAAAAAAAAA:H7LILabuyXE2ZimsewYiaUdXF8/kVQ=="
SEALED = "v1:AAECAwQFBgcICQoL:Pd/2JrEfDjIK1Rp+sfar7J08tTsQdQKMyla9/9mEJlmLw9LfqJ7YMkWkhp0="
STACK = (
    f"encryptionsalt: {SALT}\nconfig:\n  edge-hosts:sshPrivateKey:\n    secure: {SEALED}\n  edge-hosts:plain: text\n"
)

Opened = Callable[..., StackSecrets]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Return what opens the secrets of stack dev in an environment that has only what is given."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def open_(environ: dict[str, str] | None = None, stack: str = "dev", **more: Any) -> StackSecrets:
        return open_secrets(
            stack, tmp_path, environ={"EDGE_HOSTS_LAB": str(tmp_path / "lab"), **(environ or {})}, **more
        )

    return open_


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file of secrets and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def shown(caught: BaseException) -> str:
    """Return all that an error could show, locals of our frames and the chain included."""
    assert caught.__traceback__ is not None
    ours = caught.__traceback__.tb_next
    return "".join(traceback.TracebackException(type(caught), caught, ours, capture_locals=True).format())


def pulumi(tmp_path: Path, answer: str, code: int = 0, complaint: str = "") -> Path:
    """Put a `pulumi` on PATH and return the file with its arguments."""
    script = tmp_path / "bin" / "pulumi"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\npathlib.Path({str(tmp_path / 'log')!r}).write_text(' '.join(sys.argv[1:]))\n"
        f"sys.stderr.write({complaint!r})\nprint({answer!r})\nsys.exit({code})\n"
    )
    script.chmod(0o755)
    return tmp_path / "log"


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("sshPrivateKey", "EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY"),
        ("registrationToken", "EDGE_HOSTS_SECRET_REGISTRATION_TOKEN"),
        ("proxy-password", "EDGE_HOSTS_SECRET_PROXY_PASSWORD"),
    ],
)
def test_names_of_variables(name: str, variable: str) -> None:
    assert variable_of(name) == variable


def test_the_environment_comes_first(opened: Opened, tmp_path: Path) -> None:
    file = private(tmp_path / "s.json", json.dumps({"sshPrivateKey": "from-file"}))
    secrets = opened({"EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY": SECRET}, file=file)
    assert secrets.get("sshPrivateKey") == SECRET
    assert opened({"EDGE_HOSTS_SECRET_SSH_PRIVATE_KEY": ""}, file=file).get("sshPrivateKey") == "from-file"


def test_the_vendors_variable_holds_the_api_key(opened: Opened) -> None:
    assert opened({"SPECTROCLOUD_APIKEY": SECRET}).get("paletteApiKey") == SECRET


@pytest.mark.parametrize("text", ['{"a": "x", "b": "y"}', "a: x\nb: y\n", 'a: "x"\n'])
def test_a_private_file_of_either_form(opened: Opened, tmp_path: Path, text: str) -> None:
    assert opened(file=private(tmp_path / "s", text)).get("a") == "x"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_may_read_is_refused(opened: Opened, tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "s.json", json.dumps({"a": SECRET}), mode)
    with pytest.raises(SecretsError, match=rf"others may read it \(mode 0{mode:o}\).*chmod 600") as caught:
        opened(file=file).get("a")
    assert "canary" not in shown(caught.value)


@pytest.mark.parametrize(
    "text", [f"{{{SECRET}", f"- {SECRET!r}", f"a: [{SECRET!r}]", f"a: {{b: {SECRET!r}}}", "a: 1\n"]
)
def test_a_file_of_another_form_is_not_quoted(opened: Opened, tmp_path: Path, text: str) -> None:
    with pytest.raises(SecretsError, match="the secret a was not found") as caught:
        opened(file=private(tmp_path / "s", text)).get("a")
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_labs_own_values_serve_the_labs_own_stack_only(opened: Opened, tmp_path: Path) -> None:
    private(tmp_path / "lab" / "secrets.json", json.dumps({"a": "x"}))
    private(tmp_path / "lab" / "stack" / "Pulumi.lab.yaml", "config: {}\n")
    assert opened(stack="organization/edge-hosts/lab").get("a") == "x"
    with pytest.raises(SecretsError):
        opened(stack="prod").get("a")


@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_stack_file_is_read_with_pulumis_passphrase(opened: Opened, tmp_path: Path, how: str) -> None:
    private(tmp_path / "Pulumi.dev.yaml", STACK)
    (tmp_path / "phrase").write_text(f"{PASSPHRASE}\n")
    by = {
        "variable": {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE},
        "file": {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "phrase")},
    }
    secrets = opened(by[how])
    assert secrets.get("sshPrivateKey") == SECRET
    assert secrets.get("plain") == "text"
    for text in (repr(secrets), repr(vars(secrets)), repr([vars(place) for place in vars(secrets)["_places"][2:]])):
        assert "canary" not in text


def test_another_place_of_the_stack_file(opened: Opened, tmp_path: Path) -> None:
    elsewhere = private(tmp_path / "stack" / "mine.yaml", STACK)
    assert opened({"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}, stack_file=elsewhere).get("sshPrivateKey") == SECRET


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        (STACK, {}, "no passphrase is set"),
        (STACK, {"PULUMI_CONFIG_PASSPHRASE": ""}, "the passphrase does not fit"),
        (STACK, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/none"}, "names /none, which cannot be read"),
        (STACK.replace(SALT, "v2:x"), {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}, "encryptionsalt is of an unknown form"),
        (STACK.replace("AAECAwQFBgc=", "%%%"), {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}, "no base64"),
        (
            STACK.replace(SEALED, "v1:AAAA:AAAA"),
            {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE},
            "does not fit its encryptionsalt",
        ),
        (STACK.replace(SEALED, "AAAA"), {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}, "of an unknown form"),
        (STACK.replace("encryptionsalt", "encryptedkey"), {}, "not encrypted with a passphrase"),
        (STACK.replace("secure:", "other:"), {}, "sshPrivateKey is no secret text"),
        ("config: {}", {}, r"stack file Pulumi\.dev\.yaml \(not there\)"),
        ("- 1", {}, "no names and values"),
    ],
)
def test_why_the_stack_file_did_not_help(
    opened: Opened, tmp_path: Path, text: str, environ: dict[str, str], words: str
) -> None:
    private(tmp_path / "Pulumi.dev.yaml", text)
    with pytest.raises(SecretsError, match=words) as caught:
        opened(environ).get("sshPrivateKey")
    assert PASSPHRASE not in str(caught.value)


def test_a_tampered_value_is_noticed() -> None:
    decrypter = Decrypter(SALT, PASSPHRASE)
    assert decrypter.decrypt(SEALED) == SECRET
    assert PASSPHRASE not in repr(decrypter)
    with pytest.raises(SecretsError, match="does not fit its encryptionsalt") as caught:
        decrypter.decrypt(SEALED.replace("Pd/2", "Pd/3"))
    assert PASSPHRASE not in shown(caught.value)


def test_an_empty_passphrase_counts_as_set() -> None:
    assert passphrase_from({"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    assert passphrase_from({}) is None


def test_the_cli_is_the_last_place(opened: Opened, tmp_path: Path) -> None:
    log = pulumi(tmp_path, json.dumps({"value": SECRET, "secret": True}))
    assert opened().get("sshPrivateKey") == SECRET
    assert log.read_text() == "config get edge-hosts:sshPrivateKey --json --non-interactive --stack dev"


@pytest.mark.parametrize(
    ("code", "complaint", "words"),
    [
        (
            255,
            "error: configuration key 'x' not found for stack 'dev'",
            r"`pulumi config get edge-hosts:x` \(not there\)",
        ),
        (255, "error: failed to decrypt: incorrect passphrase", "`pulumi config get` failed"),
    ],
)
def test_a_cli_that_has_no_answer(opened: Opened, tmp_path: Path, code: int, complaint: str, words: str) -> None:
    pulumi(tmp_path, SECRET, code, complaint)
    with pytest.raises(SecretsError, match=words) as caught:
        opened().get("x")
    assert "canary" not in str(caught.value)


def test_one_clear_error_names_the_secret_and_every_place(opened: Opened, tmp_path: Path) -> None:
    file = private(tmp_path / "s.json", "{}")
    private(tmp_path / "Pulumi.dev.yaml", STACK)
    with pytest.raises(SecretsError) as caught:
        opened(file=file).get("proxyPassword")
    assert str(caught.value) == (
        "stack dev: the secret proxyPassword was not found; asked: environment variable EDGE_HOSTS_SECRET_PROXY_PASSWORD"
        f" (not there); file {file} (not there); stack file Pulumi.dev.yaml (not there); `pulumi config get"
        " edge-hosts:proxyPassword` (there is no `pulumi` on PATH: install the Pulumi CLI). Remedy: set"
        " EDGE_HOSTS_SECRET_PROXY_PASSWORD, or `pulumi config set --secret proxyPassword` for this stack."
    )
