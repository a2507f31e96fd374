"""Downloads: nothing runs that is not what the release says, and the proxy is used by all of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.scripts.step_machine import PROXY_PASSWORD, STATE, Machine, prepared


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a prepared machine without an agent."""
    return prepared(tmp_path)


@pytest.mark.row("A18")
def test_a_missing_version_never_runs_anything(machine: Machine) -> None:
    (machine.notes / "www/palette-agent-linux-amd64").unlink()
    done = machine.run("agent")
    assert done.code == 30
    assert "HTTP 404" in done.err
    assert "there is no such version" in done.err
    assert machine.started_units() == []
    assert not machine.path(f"{STATE}/install.json").exists()


@pytest.mark.row("A18")
@pytest.mark.parametrize("name", ["palette-agent-install.sh", "palette-agent-linux-amd64"])
@pytest.mark.parametrize("page", ["<html>not found</html>", "\n<!DOCTYPE html>", "{}"])
def test_a_page_instead_of_a_program_never_runs(machine: Machine, name: str, page: str) -> None:
    machine.write_note(f"www/{name}", page)
    done = machine.run("agent", EH_SCRIPT_SHA256="", EH_BINARY_SHA256_AMD64="")
    assert done.code == 31
    assert "an error page" in done.err
    assert machine.started_units() == []
    assert [path.name for path in machine.path("/opt/palette-agent").iterdir() if path.name == name] == []


@pytest.mark.row("A18")
@pytest.mark.parametrize("name", ["palette-agent-install.sh", "palette-agent-linux-amd64"])
def test_a_wrong_checksum_never_runs(machine: Machine, name: str) -> None:
    machine.write_note(f"www/{name}", machine.note(f"www/{name}") + "# one byte more\n")
    done = machine.run("agent")
    assert done.code == 31
    assert "the release says" in done.err
    assert machine.started_units() == []


@pytest.mark.row("A18")
def test_without_a_pin_a_program_is_taken_and_asked_for_again_each_time(machine: Machine) -> None:
    values = {"EH_SCRIPT_SHA256": "", "EH_BINARY_SHA256_AMD64": ""}
    assert machine.run("agent", **values).code == 0
    machine.run_unit(kill=True)
    machine.reboot()
    machine.forget_calls()
    assert machine.run("agent", **values).code == 0
    assert machine.downloads() == 2


@pytest.mark.row("A18")
def test_curl_fails_on_http_errors_and_speaks_https_only(machine: Machine) -> None:
    machine.run("agent")
    for call in machine.calls("curl"):
        words = call.split()
        assert words[1] == "--disable"
        for option in ("--fail", "--location", "--proto", "=https", "--proto-redir", "--max-time", "--retry"):
            assert option in words


@pytest.mark.row("A14")
def test_the_download_goes_through_the_proxy_and_its_login_is_on_no_command_line(machine: Machine) -> None:
    proxy = f"http://edge:{PROXY_PASSWORD}@10.0.0.2:3128"
    done = machine.run("agent", EH_PROXY_HTTP=proxy, EH_PROXY_HTTPS=proxy)
    assert done.code == 0
    assert f"curl: https_proxy={proxy}\n" in machine.note("environment")
    assert PROXY_PASSWORD not in machine.everything_shown()


@pytest.mark.row("A14")
def test_a_proxy_that_wants_a_login_says_so(machine: Machine) -> None:
    machine.behaviour(
        "curl", "echo 'curl: (56) Received HTTP code 407 from proxy after CONNECT' >&2\nprintf 000\nexit 56\n"
    )
    done = machine.run("agent")
    assert done.code == 30
    assert "set proxy.user and proxy.password" in done.err


@pytest.mark.row("A18")
def test_the_binary_that_runs_is_the_one_that_was_verified(machine: Machine) -> None:
    """The server has another one by now: it is not asked again."""
    assert machine.run("agent").code == 0
    machine.write_note("www/palette-agent-linux-amd64", "#!/bin/bash\ntouch /tmp/never\n")
    assert machine.run_unit() == 0
    ran = machine.path("/opt/palette-agent/palette-agent").read_bytes()
    assert hashlib.sha256(ran).hexdigest() == machine.values["EH_BINARY_SHA256_AMD64"]


@pytest.mark.row("A18")
def test_another_architecture_is_named(machine: Machine) -> None:
    machine.behaviour("uname", "echo riscv64\nexit 0\n")
    done = machine.run("agent")
    assert done.code == 30
    assert "riscv64" in done.err


@pytest.mark.row("A18")
def test_the_fips_installer_of_rhel_is_downloaded_by_its_own_name(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "rhel")
    machine.has_everything()
    machine.offers()
    machine.wants()
    for plain, fips in (
        ("palette-agent-install", "palette-agent-install-fips"),
        ("palette-agent-linux", "palette-agent-fips-linux"),
    ):
        for name in ("EH_SCRIPT_URL", "EH_BINARY_URL_AMD64"):
            machine.values[name] = machine.values[name].replace(plain, fips)
    www = machine.notes / "www"
    (www / "palette-agent-install.sh").rename(www / "palette-agent-install-fips.sh")
    (www / "palette-agent-linux-amd64").rename(www / "palette-agent-fips-linux-amd64")
    assert machine.run("agent", EH_FIPS="1").code == 0
    assert machine.run_unit() == 0
    assert machine.unit("sshd.service") == "inactive"


def test_a_work_folder_in_which_nothing_may_run_is_passed_over_aloud(machine: Machine) -> None:
    machine.write("/opt/palette-agent", "a file where a folder should be")
    done = machine.run("agent")
    assert done.code == 0
    assert "using /root/palette-agent" in done.err
    assert (machine.root / "root/palette-agent/agent-verified").exists()
