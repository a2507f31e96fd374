"""A scripted machine: a folder as its root, programs of its own on PATH, and a record of every call that was made.

The steps run in a real bash; what is scripted is what they talk to. Each program notes its arguments and its environment,
and reads its standard input to the end, as a careless program does. Systems that the lab cannot show are made so.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.packages import TIME_DAEMON, packages, services
from edge.steps import Step, bundle

STUBS = Path(__file__).parent / "stubs"
STATE = "/var/lib/edge-hosts"
REAL = (  # noqa: SIM905  (thirty quoted words read worse)
    "bash sh cat chmod cp mv rm rmdir mkdir ln readlink stat sort tail head od tr sed sha256sum timeout sleep date"
    " base64 gzip mktemp touch env dirname basename wc nproc df grep id"
).split()

OS_RELEASE = {
    "debian": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
    "ubuntu": 'ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04"\n',
    "rhel": 'ID="rhel"\nVERSION_ID="9.4"\nPRETTY_NAME="Red Hat Enterprise Linux 9.4"\n',
    "amzn": 'ID="amzn"\nVERSION_ID="2023"\nPRETTY_NAME="Amazon Linux 2023"\n',
}
BOOT_ONE = "11111111-1111-1111-1111-111111111111"
BOOT_TWO = "22222222-2222-2222-2222-222222222222"
TOKEN = "canary-token-of-this-test"
PROXY_PASSWORD = "canary-proxy-password"


# An agent that keeps the documented contract: version, install and uninstall, and a note of every call.
AGENT = """#!/bin/bash
printf 'palette-agent %s\\n' "$*" >>"@NOTES@/calls"
cat >/dev/null
case $1 in
  version) printf 'version: v%s\\nbuild: release\\nfips: false\\n' "$(cat "@ROOT@/opt/spectrocloud/version" 2>/dev/null || echo @VERSION@)" ;;
  install)
    mkdir -p "@ROOT@/opt/spectrocloud/bin" "@ROOT@/opt/spectrocloud/state" "@ROOT@/oem" "@NOTES@/units/spectro-stylus-agent.service"
    cp "$0" "@ROOT@/opt/spectrocloud/bin/palette-agent"
    cp "$5" "@ROOT@/oem/userdata"
    printf %s @VERSION@ >"@ROOT@/opt/spectrocloud/version"
    : >"@ROOT@/opt/spectrocloud/state/agent-mode"
    for pair in load=loaded active=active enabled=enabled; do
      printf %s "${pair#*=}" >"@NOTES@/units/spectro-stylus-agent.service/${pair%=*}"
    done
    : >"@NOTES@/stopping" ;;
  uninstall) rm -rf "@ROOT@/opt/spectrocloud" "@NOTES@/units/spectro-stylus-agent.service" ;;
esac
"""

# The vendor's script: fetches what URL names without a look at it, and runs it.
INSTALLER = """#!/bin/bash
set -e
VERSION=v@VERSION@
env >"@NOTES@/installer-environment"
cp "${URL#file://}" palette-agent
chmod +x palette-agent
./palette-agent install --source "${IMAGE:-example/stylus:$VERSION}" --config "$USERDATA"
"""


@dataclass(frozen=True)
class Ended:
    """How a step ended: exit code, both streams, and the report (the last line of stdout, parsed)."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert lines, f"no report; stderr: {self.err}"
        loaded = json.loads(lines[-1])
        assert isinstance(loaded, dict)
        return loaded

    @property
    def outcome(self) -> str:
        return str(self.report["outcome"])

    def row(self, check: str) -> dict[str, str]:
        return next(row for row in self.report["results"] if row["id"] == check)


class Machine:
    """One scripted host. `system` is a key of OS_RELEASE; the package manager follows from it."""

    def __init__(self, folder: Path, system: str = "debian") -> None:
        self.folder = folder
        self.system = system
        self.manager = "apt" if system in ("debian", "ubuntu") else "dnf"
        self.root = folder / "root"
        self.bin = folder / "bin"
        self.notes = folder / "notes"
        for path in (self.root, self.bin, self.notes, self.notes / "units", self.notes / "www"):
            path.mkdir(parents=True)
        self._programs()
        self._files()
        self.values = self._values()

    # --- making it ------------------------------------------------------------------------------------------------

    def _programs(self) -> None:
        for name in REAL:
            real = next((Path(d) / name for d in ("/usr/bin", "/bin") if (Path(d) / name).exists()), None)
            assert real is not None, name
            (self.bin / name).symlink_to(real)
        absent = {
            "apt": ("dnf", "rpm", "update-ca-trust"),
            "dnf": ("apt-get", "dpkg", "dpkg-query", "update-ca-certificates"),
        }
        for stub in STUBS.iterdir():
            if stub.name not in (*absent[self.manager], "common"):
                (self.bin / stub.name).symlink_to(stub)

    def _files(self) -> None:
        self.write("/etc/os-release", OS_RELEASE[self.system])
        self.write("/proc/sys/kernel/random/boot_id", BOOT_ONE + "\n")
        self.write("/proc/1/comm", "systemd\n")
        self.write("/etc/resolv.conf", "nameserver 10.9.9.9\n")
        self.write(f"{STATE}/checks.values", "EH_POLICY=''\nEH_PHASE1_DONE=1\n")
        (self.root / "run/systemd/system").mkdir(parents=True)
        (self.root / "opt").mkdir()
        (self.root / "root").mkdir()
        self.set_unit("ssh.service" if self.manager == "apt" else "sshd.service")
        self.write_note("passwd", "edge:x:1000:1000::/home/edge:/bin/bash\n")

    def _values(self) -> dict[str, str]:
        return {
            "EH_ROOT": str(self.root),
            "EH_HOST": "plant-12-a",
            "EH_OWNER": "edge-hosts.plant-12-prod",
            "EH_GENERATION": "1",
            "EH_MACHINE": "",
            "EH_STAGE": "prod",
            "EH_ENFORCE": "1",
            "EH_WRITE": "1",
            "EH_STATE_DIR": STATE,
            "EH_MANAGES": "",
            "EH_LOGIN_USER": "edge",
            "EH_PACKAGES_APT": " ".join(packages("apt")),
            "EH_PACKAGES_DNF": " ".join(packages("rhel")),
            "EH_PACKAGES_AMAZON": " ".join(packages("amazon")),
            "EH_TIME_APT": TIME_DAEMON.apt,
            "EH_TIME_DNF": TIME_DAEMON.rhel,
            "EH_SERVICES": " ".join(services()),
            "EH_LOCK_TIMEOUT": "2",
            "EH_RETRY_PAUSE": "1",
            "EH_REBOOT_GRACE": "1",
        }

    def managed(self, *manages: str) -> None:
        """Let Palette manage these things: packages and services follow."""
        self.values |= {
            "EH_MANAGES": " ".join(manages),
            "EH_PACKAGES_APT": " ".join(packages("apt", manages)),
            "EH_PACKAGES_DNF": " ".join(packages("rhel", manages)),
            "EH_SERVICES": " ".join(services(manages)),
        }

    # --- files ------------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(mode)
        return path

    def read(self, name: str) -> str:
        return self.path(name).read_text("utf-8")

    def write_note(self, name: str, text: str) -> None:
        path = self.notes / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def note(self, name: str) -> str:
        path = self.notes / name
        return path.read_text("utf-8") if path.exists() else ""

    def record(self) -> dict[str, str]:
        loaded = json.loads(self.read(f"{STATE}/install.json"))
        assert isinstance(loaded, dict)
        return loaded

    def snapshot(self) -> dict[str, tuple[int, int, str]]:
        """Return mode, time of change and content of every file of the root, the log of the state folder aside."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and path != self.path(f"{STATE}/log"):
                status = path.lstat()
                found[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes().hex())
        return found

    # --- what the programs do -----------------------------------------------------------------------------------------

    def set_unit(self, name: str, **more: str) -> None:
        """Make a unit: load=loaded, active=active, enabled=enabled, unless told otherwise."""
        for key, value in ({"load": "loaded", "active": "active", "enabled": "enabled"} | more).items():
            self.write_note(f"units/{name}/{key}", value)

    def remove_unit(self, name: str) -> None:
        shutil.rmtree(self.notes / "units" / name)

    def unit(self, name: str, key: str = "active") -> str:
        return self.note(f"units/{name}/{key}").strip()

    def install_packages(self, *names: str) -> None:
        with (self.notes / "packages").open("a") as file:
            file.writelines(f"ii  {name}\n" for name in names)

    def has_everything(self) -> None:
        """Make a host that needs nothing: packages, index, services, clock."""
        family = {"apt": "apt", "dnf": "amazon" if self.system == "amzn" else "rhel"}[self.manager]
        self.install_packages(*(entry.split("|")[0] for entry in packages(family)))  # type: ignore[arg-type]
        self.set_unit("rsyslog.service")
        self.set_unit("systemd-timesyncd.service" if self.manager == "apt" else "chronyd.service")
        self.write("/etc/ssl/certs/ca-certificates.crt", "")
        self.fresh_index()

    def fresh_index(self, age: int = 60) -> None:
        self.write("/var/lib/apt/lists/mirror_Packages", "x")
        self.write("/var/cache/dnf/base-1/repodata/repomd.xml", "x")
        subprocess.run(
            ["bash", "-c", f"date +%s -d '-{age} seconds' | tr -d '\\n' >'{self.path(STATE)}/index'"], check=True
        )

    def behaviour(self, program: str, text: str) -> None:
        """Let `program` run this shell text instead of (or, without an exit, before) its own behaviour."""
        self.write_note(f"behaviour/{program}", text)

    # --- the agent ------------------------------------------------------------------------------------------------------

    def filled(self, text: str, version: str) -> str:
        return text.replace("@ROOT@", str(self.root)).replace("@NOTES@", str(self.notes)).replace("@VERSION@", version)

    def offers(self, version: str = "4.9.38", baked: str | None = None) -> None:
        """Let the download server have this version, and the values ask for it."""
        script = self.filled(INSTALLER, baked or version)
        binary = self.filled(AGENT, baked or version)
        self.write_note("www/palette-agent-install.sh", script)
        self.write_note("www/palette-agent-linux-amd64", binary)
        base = f"https://download.example/v{version}"
        self.values |= {
            "EH_AGENT_VERSION": version,
            "EH_SCRIPT_URL": f"{base}/palette-agent-install.sh",
            "EH_SCRIPT_SHA256": hashlib.sha256(script.encode()).hexdigest(),
            "EH_BINARY_URL_AMD64": f"{base}/palette-agent-linux-amd64",
            "EH_BINARY_SHA256_AMD64": hashlib.sha256(binary.encode()).hexdigest(),
            "EH_ALLOW_REBOOT": "1",
        }

    def wants(self, epoch: str = "a" * 16, token: str = TOKEN, **tags: str) -> None:
        """Set the epoch and the user-data; `tags` are more tags in it."""
        more = "".join(f"      {name}: {value}\n" for name, value in tags.items())
        core = (
            "#cloud-config\ninstall:\n  reboot: true\nstylus:\n  site:\n    tags:\n"
            f"      edge-hosts-owner: {self.values['EH_OWNER']}\n      edge-hosts-generation: '{self.values['EH_GENERATION']}'\n"
            f"      edge-hosts-epoch: {epoch}\n{more}    edgeHostToken: "
        )
        digest = hashlib.sha256(core.encode()).hexdigest()
        self.values |= {"EH_EPOCH": epoch, "EH_USERDATA": f"{core}{token}\n", "EH_USERDATA_CORE_SHA": digest}

    def has_agent(self, version: str = "4.9.37") -> None:
        """Make a host with a running agent, however it came there."""
        self.write("/opt/spectrocloud/bin/palette-agent", self.filled(AGENT, version), 0o755)
        self.write("/opt/spectrocloud/state/agent-mode", "")
        self.set_unit("spectro-stylus-agent.service")

    def has_record(self, **more: str) -> None:
        """Write install.json as an installation of this stack would have left it."""
        values = {"owner": self.values["EH_OWNER"], "generation": "1", "machine": "", "epoch": "0" * 16} | more
        self.write(f"{STATE}/install.json", json.dumps(values, indent=2) + "\n", 0o600)

    def downloads(self) -> int:
        return len(self.calls("curl"))

    def restarts(self) -> int:
        return sum(call.startswith("systemctl restart") for call in self.calls("systemctl"))

    def started_units(self) -> list[str]:
        """Return the kinds of units that were started: install, reboot."""
        units = [word for call in self.calls("systemd-run") for word in call.split() if word.startswith("--unit=")]
        return [unit.split("-")[4] for unit in units if not unit.startswith("--unit=edge-hosts-ssh-")]

    # --- running --------------------------------------------------------------------------------------------------------

    def run(self, step: Step, verb: str = "run", **values: str) -> Ended:
        """Run a step as a host would: the whole text on the stdin of bash."""
        return self.feed(bundle(step, {**self.values, **values}), verb)

    def feed(self, text: str, verb: str) -> Ended:
        """Give a text to the stdin of bash."""
        done = subprocess.run(
            [self.bin / "bash", "-s", "--", verb],
            input=text.encode(),
            capture_output=True,
            env=self.environment(),
            cwd=self.folder,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.bin), "HOME": "/root", "MACHINE": str(self.notes), "IMAGE": "stray", "URL": "stray"}

    def calls(self, program: str = "") -> list[str]:
        """Return the calls so far, as `program argument...`, quoted like a shell would."""
        return [
            line for line in self.note("calls").splitlines() if line.split(" ")[0] == (program or line.split(" ")[0])
        ]

    def forget_calls(self) -> None:
        (self.notes / "calls").unlink(missing_ok=True)

    def everything_shown(self) -> str:
        """Return all that other people of the machine could see: arguments of every call."""
        return self.note("calls")

    def run_unit(self, *, installer: bool = True, kill: bool = False) -> int:
        """Do what systemd does with the unit that was started last; returns the exit code of its program."""
        lines = [line for line in self.calls("systemd-run") if "--on-active" not in line]
        words = shlex.split(lines[-1])
        quiet: dict[str, Any] = {"env": self.environment(), "check": False, "cwd": "/", "stdin": subprocess.DEVNULL}

        def part(name: str) -> list[str]:
            prefix = f"--property={name}="
            return next(word.removeprefix(prefix) for word in words if word.startswith(prefix)).split()

        subprocess.run(part("ExecStartPre"), **quiet)
        code = 137 if kill else 0
        if installer and not kill:
            program = words[words.index("/bin/bash") :]
            code = subprocess.run(program, **quiet).returncode
        result = {
            "SERVICE_RESULT": "success" if code == 0 else "signal" if kill else "exit-code",
            "EXIT_STATUS": str(code),
        }
        subprocess.run(part("ExecStopPost"), **quiet | {"env": self.environment() | result}, capture_output=True)
        return code

    def reboot(self, boot: str = BOOT_TWO) -> None:
        self.write("/proc/sys/kernel/random/boot_id", boot + "\n")
        for unit in (self.notes / "units").iterdir():
            if unit.name.startswith("edge-hosts-"):
                self.remove_unit(unit.name)
        self.set_unit("ssh.service" if self.manager == "apt" else "sshd.service")


def prepared(folder: Path, system: str = "debian") -> Machine:
    """Return a prepared machine without an agent, and values that ask for one."""
    machine = Machine(folder, system)
    machine.has_everything()
    machine.offers()
    machine.wants()
    return machine


def with_agent(folder: Path) -> Machine:
    """Return a machine on which the agent was installed, that has rebooted, and on which nothing differs."""
    machine = prepared(folder)
    assert machine.run("agent").code == 0
    assert machine.run_unit() == 0
    machine.reboot()
    machine.forget_calls()
    return machine


def effects(machine: Machine) -> dict[str, object]:
    """Return what a run did to the machine: downloads, restarts of the agent, units that were started."""
    return {"downloads": machine.downloads(), "restarts": machine.restarts(), "units": machine.started_units()}


NOTHING: dict[str, object] = {"downloads": 0, "restarts": 0, "units": []}
INSTALLS: dict[str, object] = {"downloads": 2, "restarts": 0, "units": ["install"]}
REBOOTS: dict[str, object] = {"downloads": 0, "restarts": 0, "units": ["reboot"]}
RESTARTS: dict[str, object] = {"downloads": 0, "restarts": 1, "units": []}


def canaries() -> tuple[str, ...]:
    """Return what no other user of the machine may ever see."""
    return (TOKEN, PROXY_PASSWORD)
