"""A folder that plays a host: the lab's installer and agent run in it, with systemd scripted and every call recorded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from service_stand import PORTS, TOKEN, Stand

from lab.services import vendor

# Tools whose arguments are recorded, to see that no secret is ever among them.
WATCHED = ("curl", "jq", "awk", "base64", "sh")


MISSING = [tool for tool in ("curl", "jq", "sha256sum") if shutil.which(tool) is None]
NEEDED = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {', '.join(MISSING)}")


class AgentHost:
    """One host below `root`. `user_data` changes what is installed, `proxied` leaves it the proxy as its only way."""

    def __init__(self, root: Path, stand: Stand, name: str = "edge-1", *, proxied: bool = False) -> None:
        self.root = root / "fs"
        self.work = root / "work"
        self.name = name
        self.stand = stand
        self.proxied = proxied
        self._bin = root / "bin"
        self._calls = root / "calls"
        self._agent: subprocess.Popen[str] | None = None
        for folder in (self.root / "etc/systemd/system", self.work, self._bin, root / "home"):
            folder.mkdir(parents=True)
        self._calls.touch()
        shutil.copy("/etc/os-release", self.root / "etc/os-release")
        self._stub("systemctl", "")
        self._stub("id", 'echo "${FAKE_UID:-0}"')
        for tool in ("rsync", "zstd"):
            self._stub(tool, "")
        for tool in WATCHED:
            self._stub(tool, f'exec {shutil.which(tool)} "$@"')
        place = f"{stand.config.services_ip}:{PORTS.https}"
        (root / "home/.curlrc").write_text("" if proxied else f'connect-to = "::{place}"\n')
        self._home = root / "home"
        self.site: dict[str, object] = {
            "edgeHostToken": TOKEN,
            "paletteEndpoint": "palette.lab.internal",
            "name": name,
            "tags": {"edge-hosts-owner": "edge-hosts.lab", "edge-hosts-generation": 1},
        }
        self.user_data: dict[str, object] = {
            "install": {"reboot": True, "poweroff": False},
            "stylus": {"site": self.site},
        }

    def _stub(self, tool: str, body: str) -> None:
        path = self._bin / tool
        path.write_text(f'#!/bin/bash\nprintf "%s\\n" "{tool} $*" >>"{self._calls}"\n{body}\n')
        path.chmod(0o755)

    def calls(self, tool: str = "") -> list[str]:
        """Return the recorded calls of a tool, in order."""
        return [line for line in self._calls.read_text().splitlines() if line.startswith(tool)]

    def environment(self, **more: str) -> dict[str, str]:
        """Return an exact environment: nothing of the test's own gets in."""
        authority = "corporate" if self.proxied else "public"
        exact = {
            "PATH": f"{self._bin}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self._home),
            "EDGE_AGENT_ROOT": str(self.root),
            "EDGE_AGENT_INTERVAL": "0.3",
            "EDGE_AGENT_REBOOT_DELAY": "0",
            "CURL_CA_BUNDLE": str(self.stand.config.ca_dir / f"{authority}.pem"),
        }
        if self.proxied:
            exact |= {"https_proxy": self.proxy_url(), "HTTPS_PROXY": self.proxy_url()}
        return exact | more

    def proxy_url(self) -> str:
        """Return the proxy with its credentials."""
        return f"http://site:p%40ss@{self.stand.config.gateway_ip}:{PORTS.proxy}"

    def userdata_text(self) -> str:
        """Return the user-data as a file."""
        return "#cloud-config\n" + yaml.safe_dump(self.user_data, sort_keys=False)

    def install(self, *, text: str | None = None, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the installer script of the current version in the work folder."""
        script = vendor.asset(env.pop("SCRIPT_VERSION", "4.9.38"), "palette-agent-install.sh")
        assert script is not None
        (self.work / "install.sh").write_bytes(script)
        (self.work / "user-data").write_text(self.userdata_text() if text is None else text)
        more = {"USERDATA": "./user-data"} | env
        return self.run("bash", "install.sh", timeout=timeout, **more)

    def run(self, *command: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the host."""
        return subprocess.run(
            list(command), cwd=self.work, env=self.environment(**env), capture_output=True, text=True, check=False,
            timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def binary(self) -> Path:
        """Return where the agent lies."""
        return self.root / "opt/spectrocloud/bin/palette-agent"

    def agent(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the installed agent to its end."""
        return self.run(str(self.binary), *arguments, **env)

    def boot(self) -> None:
        """Do what the units do at a boot, and leave the agent running."""
        self.agent("start")
        for stage in ("initramfs", "boot", "network"):
            self.agent("stage", stage)
        self.agent("bootstrap")
        self.start_agent()

    def start_agent(self) -> None:
        """Start the agent's service. A service has none of the caller's proxy settings."""
        exact = {key: value for key, value in self.environment().items() if "proxy" not in key.lower()}
        if self.proxied:
            del exact["CURL_CA_BUNDLE"]
        log = (self.root / "agent.log").open("a")
        self._agent = subprocess.Popen(
            [str(self.binary), "agent"], cwd=self.work, env=exact, stdout=log, stderr=log, text=True,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        log.close()

    def stop_agent(self) -> None:
        """Stop the agent's service with everything that it started."""
        if self._agent is not None:
            os.killpg(self._agent.pid, signal.SIGKILL)
            self._agent.wait(10)
            self._agent = None

    def log(self) -> str:
        """Return what the agent's service said."""
        return (self.root / "agent.log").read_text()

    def record(self) -> dict[str, object] | None:
        """Return the host's record in Palette."""
        return self.stand.services.palette.record(self.name)

    def health(self) -> str:
        """Return the health in the record, empty without one."""
        record = self.stand.services.palette.record(self.name)
        return str(record["status"].get("health", {}).get("state", "")) if record else ""


MakeHost = Callable[..., AgentHost]


def wait(what: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait until something is so, and return whether it became so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return what()
