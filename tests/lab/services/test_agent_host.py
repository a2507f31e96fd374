"""What the lab's installer and agent do on a host: traces, stages, uninstall, and how an installation can end badly."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from agent_host import NEEDED, AgentHost
from service_stand import TOKEN

from lab.services import vendor

pytestmark = NEEDED


@pytest.mark.row("A10", "A18")
@pytest.mark.parametrize("tool", ["systemctl", "rsync", "zstd"])
def test_a_missing_tool_is_exit_1(host: AgentHost, tool: str) -> None:
    """The installer tests its tools and names the one that is missing."""
    (host.work.parent / "bin" / tool).unlink()
    folders = host.work.parent / "only"
    folders.mkdir()
    for name in ("bash", "uname", "jq", "curl", "cat", "chmod"):
        (folders / name).symlink_to(f"/usr/bin/{name}")
    done = host.install(PATH=f"{host.work.parent / 'bin'}:{folders}")
    assert done.returncode == 1
    assert f"{tool} is not installed" in done.stdout


@pytest.mark.row("A18", "A19")
def test_install_leaves_the_documented_traces(host: AgentHost) -> None:
    """Binary, marker, user-data, environment and units are where the vendor's are; then comes the reboot."""
    done = host.install(VERSION="v1.2.3")
    assert done.returncode == 0, done.stderr
    for path in ("oem/80_stylus.yaml", "oem/userdata"):
        file = host.root / path
        assert file.read_text().rstrip() == host.userdata_text().rstrip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (host.root / "etc/spectro/environment").read_text() == "STYLUS_ROOT=/\n"
    assert (host.root / "opt/spectrocloud/state/agent-mode").exists()
    units = {path.stem for path in (host.root / "etc/systemd/system").glob("spectro*.service")}
    assert {"spectro-stylus-agent", "spectro-stylus-operator", "spectro-palette-agent-initramfs"} <= units
    assert host.agent("version").stdout == "version: v4.9.38\nbuild: release\nfips: false\n"
    systemctl = host.calls("systemctl")
    assert systemctl[0] == "systemctl daemon-reload"
    assert systemctl[-1] == "systemctl reboot"
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.row("A15")
@pytest.mark.parametrize(
    ("install", "last"), [({"reboot": False}, ""), ({"reboot": False, "poweroff": True}, "systemctl poweroff")]
)
def test_reboot_is_what_the_user_data_says(host: AgentHost, install: dict[str, bool], last: str) -> None:
    """No reboot without the key, power-off on request."""
    host.user_data["install"] = install
    assert host.install().returncode == 0
    assert [call for call in host.calls("systemctl") if call.split()[1] in ("reboot", "poweroff")] == (
        [last] if last else []
    )


@pytest.mark.row("A18")
def test_a_page_is_saved_and_run(host: AgentHost) -> None:
    """As with the real one, a page that says 404 is made executable and started."""
    done = host.install(URL="https://github.com/spectrocloud/agent-mode/releases/download/v0/palette-agent-linux-amd64")
    assert done.returncode != 0
    assert "<html>" in (host.work / "palette-agent").read_text()
    assert not host.binary.exists()


@pytest.mark.row("A18")
def test_the_binary_can_come_from_a_file(host: AgentHost) -> None:
    """URL may be any URL that curl knows, so a checked file can be handed in; IMAGE names another payload."""
    binary = vendor.asset("4.9.39", "palette-agent-linux-amd64")
    assert binary is not None
    (host.work / "checked").write_bytes(binary)
    image = "us-docker.pkg.dev/palette-images/edge/stylus-agent-mode-linux-amd64:v4.9.39"
    assert host.install(URL=f"file://{host.work}/checked", IMAGE=image).returncode == 0
    assert "version: v4.9.39" in host.agent("version").stdout
    assert (host.root / "opt/spectrocloud/stylus/VERSION").read_text() == "v4.9.39\n"


@pytest.mark.row("A19")
@pytest.mark.parametrize(("fault", "code"), [("agent-crash", 137), ("agent-fails", 1)])
def test_an_installer_that_dies_half_way(host: AgentHost, fault: str, code: int) -> None:
    """Half of the traces are there, no reboot comes, and the next run without the fault ends well."""
    host.stand.fault(fault)
    assert host.install().returncode == code
    assert (host.root / "oem/userdata").exists()
    assert not (host.root / "opt/spectrocloud/state/agent-mode").exists()
    assert "systemctl reboot" not in host.calls()
    host.stand.fault(fault, on=False)
    assert host.install().returncode == 0


@pytest.mark.row("A20")
def test_an_installer_that_forgets_the_reboot(host: AgentHost) -> None:
    """It ends well, and nothing reboots."""
    host.stand.fault("agent-no-reboot")
    assert host.install().returncode == 0
    assert "systemctl reboot" not in host.calls()


@pytest.mark.row("A15")
@pytest.mark.parametrize("text", ["install: {}\n", "#cloud-config\na: [\n", "#cloud-config\na: *b\n"])
def test_bad_user_data_is_refused(host: AgentHost, text: str) -> None:
    """A file that is no cloud-config does not get onto the host."""
    assert host.install(text=text).returncode == 1
    assert not (host.root / "oem").exists()


@pytest.mark.row("A15", "A17")
def test_stages_run_at_boot(host: AgentHost) -> None:
    """Commands, conditions and files of a stage are carried out; a failing command does not stop the next."""
    mark = host.work / "mark"
    host.user_data["stages"] = {
        "initramfs": [
            {"name": "first", "commands": ["false", f"echo one >>{mark}", f"printf '%s\\n' 'two lines' >>{mark}"]},
            {"if": "[ -e /no/such/file ]", "commands": [f"echo never >>{mark}"]},
            {"files": [{"path": "/etc/made", "permissions": "0600", "content": "a: b\n"}]},
        ],
        "boot.after": [{"commands": [f"echo after >>{mark}"]}],
    }
    host.install()
    host.boot()
    assert mark.read_text() == "one\ntwo lines\nafter\n"
    made = host.root / "etc/made"
    assert made.read_text() == "a: b\n"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert (host.root / "etc/hostname").read_text() == "edge-1\n"


def test_users_are_made(host: AgentHost) -> None:
    """A user gets groups, hashed password and keys; the password is on nobody's command line."""
    for tool in ("getent", "useradd", "groupadd", "usermod", "passwd"):
        body = 'case "$*" in "passwd plant") [ -e made ] && echo plant:x:1:1::/home/plant: || { touch made; exit 2; } ;; *) exit 2 ;; esac'
        host._stub(tool, body if tool == "getent" else "")
    host._stub("chpasswd", "cat >>chpasswd.in")
    user = {
        "groups": ["sudo"],
        "passwd": "$6$salt$hash",
        "lock_passwd": False,
        "ssh_authorized_keys": ["ssh-ed25519 AAAA me"],
    }
    host.user_data["stages"] = {"initramfs": [{"users": {"plant": user}}]}
    host.install()
    host.boot()
    assert "useradd --create-home --shell /bin/bash plant" in host.calls()
    assert "usermod --append --groups sudo plant" in host.calls()
    assert "chpasswd --encrypted" in host.calls()
    assert (host.work / "chpasswd.in").read_text() == "plant:$6$salt$hash\n"
    assert (host.root / "home/plant/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA me\n"


def test_uninstall(host: AgentHost) -> None:
    """It wants --force without a terminal, a rehearsal changes nothing, and afterwards only the user-data is left."""
    host.install()
    assert host.agent("uninstall").returncode == 1
    assert host.agent("uninstall", "--force", FAKE_UID="1000").returncode == 1
    dry = host.agent("uninstall", "--dry-run")
    assert dry.returncode == 0 and "rm -rf" in dry.stdout
    assert host.binary.exists()
    (host.work / "copy").write_bytes(host.binary.read_bytes())
    assert host.agent("uninstall", "--force").returncode == 0
    assert not host.binary.exists()
    assert not list((host.root / "etc/systemd/system").glob("spectro*"))
    assert not (host.root / "etc/spectro").exists()
    assert not (host.root / "oem/80_stylus.yaml").exists()
    assert (host.root / "oem/userdata").exists()
    assert "systemctl disable --now spectro-stylus-agent.service" in host.calls()


def test_stylus_path_moves_the_installation(host: AgentHost) -> None:
    """With `stylus.path` everything lies below that folder, and uninstall finds it."""
    host.user_data["stylus"] = {"path": "/persistent", "site": host.site}
    assert host.install().returncode == 0
    moved = host.root / "persistent/opt/spectrocloud"
    assert (moved / "state/agent-mode").exists()
    unit = (host.root / "etc/systemd/system/spectro-stylus-agent.service").read_text()
    assert "ExecStart=/persistent/opt/spectrocloud/bin/palette-agent agent" in unit
    assert host.run(str(moved / "bin/palette-agent"), "uninstall", "--force").returncode == 0
    assert not moved.exists()


def test_the_texts_are_clean(tmp_path: Path) -> None:
    """shellcheck finds nothing in installer and agent."""
    for name in ("palette-agent-install.sh", "palette-agent-linux-amd64"):
        content = vendor.asset("4.9.38", name)
        assert content is not None
        (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            [str(Path(sys.executable).with_name("shellcheck")), "-s", "bash", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
