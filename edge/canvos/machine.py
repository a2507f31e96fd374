"""The build machine: what it must have before a build begins. Gathered by one script, judged here.

Sources: Palette docs, prepare edge hosts (4 CPUs, 8 GB, 50 GB, x86_64, git, Docker or Earthly) and build installer ISO
(150 GB); CanvOS repository, earthly.sh (Docker socket, privileged containers, `~/.docker/config.json`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from edge.canvos.images import registry_of
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
for tool in git earthly docker script setsid flock timeout ps; do say "$tool" "$(has "$tool")"; done
say root "$([ "$(id -u)" = 0 ] && echo yes || { sudo -n true 2>/dev/null && echo sudo || echo no; })"
SUDO=
[ "$(id -u)" = 0 ] || SUDO="sudo -n"
[ "$EARTHLY" = yes ] && SUDO=
if [ "$(has docker)" = yes ]; then
  say docker_answers "$(timeout 5 $SUDO docker info >/dev/null 2>&1 && echo yes || echo no)"
  home=$($SUDO sh -c 'echo ~')
  say docker_config "$($SUDO sh -c "if [ -d '$home/.docker/config.json' ]; then echo folder; elif [ -f '$home/.docker/config.json' ]; then echo file; else echo none; fi")"
  # Names only: what stands beside them are the logins.
  names=$($SUDO sh -c "grep -oE '\"[^\"]*\"[[:space:]]*:' '$home/.docker/config.json' 2>/dev/null" | sed 's/^"//; s/"[[:space:]]*:$//')
  login=no
  printf '%s\n' "$names" | grep -qxE 'credsStore|credHelpers' && login=helper
  printf '%s\n' "$names" | grep -qxF -e "$REGISTRY" -e "https://$REGISTRY" -e "https://$REGISTRY/v1/" -e "https://$REGISTRY/v2/" && login=yes
  say login "$login"
fi
"""
# How Docker calls its own registry among the logins.
HUB = "index.docker.io"


def gather(shell: Shell, workdir: str, *, registry: str = "", earthly: bool = False) -> dict[str, str]:
    """Return the facts of a build machine, as text by name. Changes nothing, and reads no login.

    `earthly`: the build uses an installed Earthly, so Docker is asked as the login user and not as root. Raises HostError
    when the machine cannot be asked.
    """
    given = {"WORK": workdir, "REGISTRY": registry_of(f"{registry}/", HUB), "EARTHLY": "yes" if earthly else "no"}
    out = checked(
        shell,
        "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items()) + _GATHER,
        "looking at the build machine",
        "check that bash and coreutils are there",
    )
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def machine_findings(
    facts: Mapping[str, str],
    name: str,
    *,
    push: bool,
    earthly: bool = False,
    accept_small: bool = False,
    accept_full: bool = False,
) -> list[Finding]:
    """Return what a build machine lacks, all at once.

    `push`: images are pushed from it; `earthly`: it builds with an installed Earthly. `accept_small` makes warnings of too
    few processors, too little memory and too little disk, `accept_full` of too little disk.
    """
    size = _size(facts, name)
    lenient = {f"{name}: CPUs", f"{name}: memory", f"{name}: free disk"} if accept_small else set()
    lenient |= {f"{name}: free disk"} if accept_full else set()
    size = [replace(one, level="warning") if one.where in lenient else one for one in size]
    return [*size, *_tools(facts, name, push=push, wants_earthly=earthly)]


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


def _tools(facts: Mapping[str, str], name: str, *, push: bool, wants_earthly: bool) -> list[Finding]:
    findings = []
    for tool in ("git", "setsid", "flock", "timeout", "script", "ps"):
        if facts.get(tool) != "yes":
            packages = {"git": "git", "script": "bsdutils or util-linux", "ps": "procps"}
            package = packages.get(tool, "coreutils and util-linux")
            findings.append(Finding(f"{name}: {tool}", None, "is not installed", f"Install {package}."))
    earthly, docker = facts.get("earthly") == "yes", facts.get("docker") == "yes"
    if not earthly and not docker:
        problem = "are both missing, so nothing can be built"
        return [
            *findings,
            Finding(f"{name}: earthly and docker", None, problem, "Install Docker, or Earthly with BuildKit."),
        ]
    if wants_earthly and not earthly:
        remedy = "Install Earthly there, or remove `earthly: true` from the builder."
        findings.append(Finding(f"{name}: earthly", None, "is not installed, but the settings want it", remedy))
    if not docker:
        # Earthly leaves the images in Docker's store: without one nothing could be found, judged or pushed.
        problem = "is not installed, and what is built is kept, judged and pushed there"
        return [*findings, Finding(f"{name}: docker", None, problem, "Install Docker; Earthly alone does not do.")]
    return [*findings, *_docker(facts, name, push=push, as_root=not wants_earthly)]


def _docker(facts: Mapping[str, str], name: str, *, push: bool, as_root: bool) -> list[Finding]:
    findings = []
    if as_root and facts.get("root") == "no":
        problem = "needs root without Earthly, and sudo asks for a password"
        remedy = "Allow sudo without a password for the login user, log in as root, or build with Earthly."
        findings.append(Finding(f"{name}: docker", None, problem, remedy))
    elif facts.get("docker_answers") != "yes":
        findings.append(
            Finding(f"{name}: docker", None, "does not answer", "Start it: `systemctl enable --now docker`.")
        )
    if facts.get("docker_config") == "folder":
        problem = "is a folder: an earlier build without a login has made it, and no login works any more"
        remedy = "Remove that folder, and log in to the registry again."
        findings.append(Finding(f"{name}: ~/.docker/config.json", None, problem, remedy))
    elif push and facts.get("login", "no") == "no":
        problem = "has no login for the registry, so a push works only where none is asked"
        who = "root" if as_root else "the login user"
        remedy = f"Log in there as {who} (`docker login`) with an account that may push."
        findings.append(Finding(f"{name}: ~/.docker/config.json", None, problem, remedy, "warning"))
    return findings


def _number(facts: Mapping[str, str], name: str) -> int:
    text = facts.get(name, "")
    return int(text) if text.isdigit() else 0
