"""The build machine: what it must have before a build begins. Gathered by one script, judged here.

Sources: Palette docs, prepare edge hosts (4 CPUs, 8 GB, 50 GB, x86_64, git, Docker or Earthly) and build installer ISO
(150 GB); CanvOS repository, earthly.sh (Docker socket, privileged containers, `~/.docker/config.json`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from edge.canvos.shell import Shell, checked
from edge.findings import Finding

CPUS, MEMORY_MIB = 4, 8192
DISK_LEAST, DISK_ENOUGH = 50, 150
# The kernel keeps a part of the memory for itself.
_TOLERANCE = 0.9

_GATHER = r"""
set -u
say() { printf '%s=%s\n' "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1 && echo yes || echo no; }
say arch "$(uname -m)"
say cpus "$(nproc)"
say memory_kib "$(awk '/^MemTotal:/ {print $2}' /proc/meminfo)"
folder=$WORK
while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
say disk_gib "$(df -Pk "$folder" | awk 'NR==2 {printf "%d", $4 / 1048576}')"
say writable "$([ -w "$folder" ] && echo yes || echo no)"
for tool in git earthly docker crane script setsid timeout; do say "$tool" "$(has "$tool")"; done
say root "$([ "$(id -u)" = 0 ] && echo yes || { sudo -n true 2>/dev/null && echo sudo || echo no; })"
SUDO=
[ "$(id -u)" = 0 ] || SUDO="sudo -n"
[ "$(has earthly)" = yes ] && SUDO=
if [ "$(has docker)" = yes ]; then
  say docker_answers "$(timeout 20 $SUDO docker info >/dev/null 2>&1 && echo yes || echo no)"
  home=$($SUDO sh -c 'echo ~')
  say docker_config "$($SUDO sh -c "if [ -d '$home/.docker/config.json' ]; then echo folder; elif [ -f '$home/.docker/config.json' ]; then echo file; else echo none; fi")"
fi
"""


def gather(shell: Shell, workdir: str) -> dict[str, str]:
    """Return the facts of a build machine, as text by name. Changes nothing. Raises HostError when it cannot be asked."""
    out = checked(
        shell,
        f"WORK={shlex.quote(workdir)}\n{_GATHER}",
        "looking at the build machine",
        "check that bash and coreutils are there",
    )
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def machine_findings(facts: Mapping[str, str], name: str, *, push: bool) -> list[Finding]:
    """Return what a build machine lacks, all at once. `push`: images are pushed from it."""
    return [*_size(facts, name), *_tools(facts, name, push=push)]


def _size(facts: Mapping[str, str], name: str) -> list[Finding]:
    findings = []
    if facts.get("arch") != "x86_64":
        remedy = "Build on a machine with an x86_64 processor: the builder makes images for amd64 there only."
        findings.append(Finding(f"{name}: processor", facts.get("arch"), "is not x86_64", remedy))
    cpus = _number(facts, "cpus")
    if cpus < CPUS:
        findings.append(Finding(f"{name}: CPUs", cpus, f"are fewer than {CPUS}", "Take a larger machine."))
    memory = _number(facts, "memory_kib") // 1024
    if memory < MEMORY_MIB * _TOLERANCE:
        findings.append(Finding(f"{name}: memory", f"{memory} MiB", "is less than 8 GB", "Take a larger machine."))
    disk = _number(facts, "disk_gib")
    if disk < DISK_ENOUGH:
        small = disk < DISK_LEAST
        problem = f"is less than {DISK_LEAST if small else DISK_ENOUGH} GB; a build that runs full fails without a word"
        remedy = "Make room, or name another `workDir`."
        findings.append(Finding(f"{name}: free disk", f"{disk} GB", problem, remedy, "error" if small else "warning"))
    if facts.get("writable") == "no" and facts.get("root") == "no":
        remedy = "Name a `workDir` of the login user, or allow sudo without a password."
        findings.append(Finding(f"{name}: workDir", None, "cannot be written to", remedy))
    return findings


def _tools(facts: Mapping[str, str], name: str, *, push: bool) -> list[Finding]:
    findings = []
    for tool in ("git", "setsid", "timeout", "script"):
        if facts.get(tool) != "yes":
            package = {"git": "git", "script": "bsdutils or util-linux"}.get(tool, "coreutils and util-linux")
            findings.append(Finding(f"{name}: {tool}", None, "is not installed", f"Install {package}."))
    earthly, docker = facts.get("earthly") == "yes", facts.get("docker") == "yes"
    if not earthly and not docker:
        problem = "are both missing, so nothing can be built"
        findings.append(
            Finding(f"{name}: earthly and docker", None, problem, "Install Docker, or Earthly with BuildKit.")
        )
        return findings
    if not earthly and facts.get("root") == "no":
        problem = "needs root without Earthly, and sudo asks for a password"
        remedy = "Allow sudo without a password for the login user, log in as root, or install Earthly."
        findings.append(Finding(f"{name}: docker", None, problem, remedy))
    elif not earthly and facts.get("docker_answers") != "yes":
        findings.append(
            Finding(f"{name}: docker", None, "does not answer", "Start it: `systemctl enable --now docker`.")
        )
    if facts.get("docker_config") == "folder":
        problem = "is a folder: an earlier build without a login has made it, and no login works any more"
        remedy = "Remove that folder, and log in to the registry again."
        findings.append(Finding(f"{name}: ~/.docker/config.json", None, problem, remedy))
    if push and not docker and facts.get("crane") != "yes":
        problem = "is needed to push images, or crane"
        findings.append(Finding(f"{name}: docker", None, problem, "Install Docker or crane."))
    return findings


def _number(facts: Mapping[str, str], name: str) -> int:
    text = facts.get(name, "")
    return int(text) if text.isdigit() else 0
