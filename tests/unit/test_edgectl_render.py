"""`edgectl render`: what a host would get, and no secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from settings_helpers import HASH, HOST_KEY, ROOT, SITE, STACKS, project, put, site
from vm_samples import vm_site

from edge.network_source import Answer, instead_of_aws
from edge.settings import load_stack
from edgectl import app
from edgectl.render import MASK
from tests.components.lab_facts import LAB_FACTS

PROXY = {"https": "http://10.0.0.2:3128", "user": "edge", "password": {"secret": "proxyPassword"}}


# What `render` shows of a host of each mode: nothing is installed on an appliance.
SHOWN = {
    "agent": ("#cloud-config", "packages and services", "palette-agent-install.sh", "step checks", "step agent"),
    "appliance": ("#cloud-config", "the host's own ISO (cidata)", "\nimage  ", "step checks"),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = app.main(["render", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.row("A15")
@pytest.mark.parametrize("stack", STACKS)
def test_every_host_of_the_committed_stacks_can_be_shown(capsys: pytest.CaptureFixture[str], stack: str) -> None:
    settings = load_stack(stack, ROOT)
    for host in settings.site.hosts:
        with instead_of_aws(lambda _question: Answer(LAB_FACTS)):  # the lab's stack looks its cluster up
            code, out, _ = run(capsys, stack, host, "--root", str(ROOT))
        assert code == 0
        for part in SHOWN[settings.host_view(host).mode]:
            assert part in out, part
        assert f"edgeHostToken: {MASK}" in out


@pytest.mark.row("A14", "A15", "A16")
def test_every_secret_is_masked_in_every_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    raw = site(
        put("proxy", PROXY),
        put("palette.users", {"op": {"passwordHash": {"secret": "opHash"}}}),
        put("palette.registryCredentials", {"domain": "r", "username": "u", "password": {"secret": "registry"}}),
    )
    project(tmp_path, raw)
    code, out, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--full")
    assert code == 0
    assert f"http://edge:{MASK}@10.0.0.2:3128" in out
    assert f"passwd: {MASK}" in out
    assert f"password: {MASK}" in out
    assert "ehmasked" not in out
    assert "%E2" not in out
    proxies = [line for line in out.splitlines() if line.startswith("EH_PROXY_")]
    assert proxies
    assert all(MASK in line for line in proxies)


def test_only_the_user_data_is_yaml(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, site(put("palette.users", {"op": {"passwordHash": {"secret": "opHash"}}})))
    _, out, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--user-data")
    data = yaml.safe_load(out)
    assert data["stages"]["initramfs"][0]["users"]["op"]["passwd"] == MASK
    assert HASH not in out


def test_values_of_many_lines_are_shown_by_their_size_or_in_full(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    project(tmp_path, SITE)
    _, short, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path))
    _, full, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--full")
    (line,) = [line for line in short.splitlines() if line.startswith("EH_ENDPOINTS")]
    assert "--full shows them" in line
    assert "ssm.eu-central-1.amazonaws.com" not in short.partition("step checks")[2]
    assert "ssm.eu-central-1.amazonaws.com" in full.partition("step checks")[2]


@pytest.mark.row("A18")
def test_the_version_of_an_instance_is_named_as_such(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    release = {"id": "r-1", "agent": {"version": "instance"}, "kubernetes": "1.31.0"}
    project(tmp_path, SITE, release=release)
    code, out, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path))
    assert code == 0
    assert "/vVERSION-OF-THE-INSTANCE/palette-agent-install.sh" in out
    assert "not pinned" in out


def test_a_host_that_is_not_there_names_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, SITE)
    code, _, err = run(capsys, "plant-dev", "plant-c", "--root", str(tmp_path))
    assert code == 2
    assert "Did you mean plant-" in err


def test_wrong_settings_are_said_before_anything_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, site(put("colour", "red")))
    code, out, err = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path))
    assert (code, out) == (2, "")
    assert "site.colour" in err


# A virtual machine


@pytest.mark.row("A2", "A3", "C1")
def test_a_machine_shows_what_it_gets_before_its_first_boot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, vm_site())
    code, out, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path))
    assert code == 0
    for part in (
        "VM metadata",
        "instance-id: edge-hosts.plant-dev-plant-a-g1",
        "10.200.0.11/24",
        "VM user-data",
        f"ed25519_private: {MASK}",
        "(public half of the secret sshPrivateKey)",
        "edge-hosts.owner",
        "guestinfo.userdata.encoding",
        "EH_MACHINE",
        "uuid-of-the-machine",
    ):
        assert part in out, part
    assert "PRIVATE KEY" not in out
    assert "ehmasked" not in out


@pytest.mark.parametrize(
    ("ssh", "shown"),
    [
        ({"user": "edge", "privateKey": "agent", "authorizedKeys": [HOST_KEY]}, HOST_KEY),
        ({"user": "edge", "privateKey": {"file": "keys/login"}}, "keys/login"),
        ({"user": "edge", "privateKey": {"secret": "plantKey"}}, "(public half of the secret plantKey)"),
    ],
)
def test_who_may_log_in_is_named_and_no_key_is_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ssh: dict[str, object], shown: str
) -> None:
    project(tmp_path, vm_site(put("ssh", ssh)))
    code, out, err = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--vm-user-data")
    assert code == 0, err
    (key,) = yaml.safe_load(out)["users"][0]["ssh_authorized_keys"]
    assert shown in key


def test_each_document_alone_is_yaml_and_always_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, vm_site())
    _, first, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--vm-metadata")
    _, again, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--vm-metadata")
    assert first == again
    assert yaml.safe_load(first)["local-hostname"] == "plant-a"
    _, both, _ = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--vm-metadata", "--vm-user-data")
    metadata, user_data = yaml.safe_load_all(both)
    assert metadata["network"]["version"] == 2
    assert user_data["ssh_keys"]["ed25519_private"] == MASK


def test_a_host_that_is_no_machine_of_ours_has_no_metadata(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project(tmp_path, SITE)
    code, out, err = run(capsys, "plant-dev", "plant-a", "--root", str(tmp_path), "--vm-metadata")
    assert (code, out) == (2, "")
    assert "site.hosts.plant-a.machine" in err
