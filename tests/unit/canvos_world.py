"""A CanvOS repository, a Docker and a build machine in a temporary folder: real git, real jobs, the vendor's traps kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from edge.canvos.build import Build, BuildRequest, Built, Waiting
from edge.canvos.dockerfile import MARKER
from edge.canvos.shell import Done, LocalShell

# As at v4.5.15: a failed build is not noticed, the manifest is printed all the same, and the script ends with 0. A missing
# login file becomes a folder, as Docker makes one for a mount that is not there. Earthly prints each command before it runs it,
# and gives the files that it hands out a time of 2020.
EARTHLY = r"""#!/bin/bash
source .arg
docker info >/dev/null 2>&1 || { echo "docker is needed"; exit 1; }
ALPINE_IMG=public.example/alpine:3.20
if ! docker run --rm --privileged "$ALPINE_IMG" sh -c 'echo test' &>/dev/null; then
  echo "Privileged containers are not allowed for the current user."; exit 1
fi
[ -e ~/.docker/config.json ] || mkdir -p ~/.docker/config.json
if [ "$1" = +validate-user-data ]; then
  echo "+validate-user-data |$([ ! -e "$CANVOS_WORLD/cached" ] || echo ' *cached*') --> RUN if [ -f /user-data ]; then /usr/local/bin/palette-edge-cli validate -f /user-data; else echo \"user-data file does not exist.\"; fi"
  if [ ! -f user-data ]; then echo "user-data file does not exist."
  elif grep -q null user-data; then echo "Error: invalid JSON: install.device: Invalid type. Expected: string, given: null"
  elif [ -e "$CANVOS_WORLD/cached" ]; then :
  elif [ ! -e "$CANVOS_WORLD/silent" ]; then echo "+validate-user-data | $(cat "$CANVOS_WORLD/words" 2>/dev/null || echo 'level=info msg="Validation successful"')"; fi
  exit 0
fi
PE=$(sed -n 's/^ARG PE_VERSION=//p' Earthfile)
echo "building $1"
# Docker's client sets the modes of its terminal; a process in the background would be stopped by that.
if [ -t 0 ] && [ -t 1 ]; then stty raw && stty sane && echo "with a terminal"; else echo "without a terminal"; fi
build() {
  [ ! -e "$CANVOS_WORLD/fail" ] || grep -qvx -- "$1" "$CANVOS_WORLD/fail" || { echo "no space left on device"; return 1; }
  sleep "$(cat "$CANVOS_WORLD/slow" 2>/dev/null || echo 0)"
  case $1 in
    +build-all-images | +build-provider-images)
      docker made "$IMAGE_REGISTRY/$IMAGE_REPO:$K8S_DISTRIBUTION-$K8S_VERSION-$PE${CUSTOM_TAG:+-$CUSTOM_TAG}" "$(grep -c 'RUN ours' Dockerfile)"
      ;;
  esac
  case $1 in
    +build-all-images | +iso)
      mkdir -p build
      { [ -f user-data ] && cat user-data || echo "user-data file does not exist."; cat Dockerfile; } > build/config
      { head -c 2097152 /dev/zero; cat build/config; ls -d content-* 2>/dev/null; } > "build/$ISO_NAME.iso"
      (cd build && sha256sum "$ISO_NAME.iso" > "$ISO_NAME.iso.sha256" && touch -d 2020-04-16T12:00Z *)
      ;;
  esac
}
build "$1"
if $? -ne 0; then echo "build failed"; exit 1; fi
echo "pack:"
"""
DOCKER = r"""#!/bin/bash
store=$CANVOS_WORLD/images
case $1 in
  run) [ ! -e "$CANVOS_WORLD/unprivileged" ] || { echo "docker: Error response from daemon: privileged mode is incompatible with user namespaces." >&2; exit 125; } ;;
  info) [ ! -e "$CANVOS_WORLD/docker-off" ] ;;
  # As a new image of an old name takes the name away from the old one. The number is what it was made of.
  made) grep -v "^$2 " "$store" >"$store.new" 2>/dev/null; echo "$2 sha256:$3-$RANDOM" >>"$store.new"; mv "$store.new" "$store" ;;
  image)
    name=${!#}
    grep -q "^$name " "$store" 2>/dev/null || { echo "Error response from daemon: No such image: $name" >&2; exit 1; }
    case $2 in
      rm) grep -v "^$name " "$store" >"$store.new"; mv "$store.new" "$store" ;;
      inspect) [ "$3 $4" = "--format {{.Id}}" ] || exit 64; grep "^$name " "$store" | cut -d' ' -f2 ;;
    esac
    ;;
  images) echo "alpine:3"; [ ! -f "$store" ] || cut -d' ' -f1 "$store" ;;
  push)
    [ ! -e "$CANVOS_WORLD/push-denied" ] || { echo "denied: requested access to the resource is denied" >&2; exit 1; }
    digest=$(printf %s "$2" | sha256sum | cut -d' ' -f1)
    echo "latest: digest: sha256:$digest size: 19917"
    ;;
esac
"""
# The size of the machine, so that tests do not hang on the one they run on.
NPROC = '#!/bin/bash\ncat "$CANVOS_WORLD/cpus" 2>/dev/null || echo 8\n'
DF = (
    "#!/bin/bash\necho Filesystem\n"
    'echo "/dev/sda 1 1 $(( $(cat "$CANVOS_WORLD/gib" 2>/dev/null || echo 200) * 1048576 )) 1% /"\n'
)
EARTHFILE = "VERSION 0.6\nARG PE_VERSION={version}\nvalidate-user-data:\n"
DOCKERFILE = f"ARG BASE\nFROM $BASE\n\n##### {MARKER} ######\n\n#### Examples ####\n#    mkdir /var/lib/wpa"
VERSIONS = '{"k3s": ["1.30.4"], "nodeadm": ["1.29.0", "1.30.0", "1.31.0"]}\n'
ARG = {
    "CUSTOM_TAG": "eks-hybrid", "IMAGE_REGISTRY": "registry.example:5000/edge", "OS_DISTRIBUTION": "ubuntu",
    "IMAGE_REPO": "ubuntu", "OS_VERSION": "22.04", "K8S_DISTRIBUTION": "nodeadm", "K8S_VERSION": "1.31.0",
    "ARCH": "amd64", "UPDATE_KERNEL": "false",
}  # fmt: skip


@dataclass
class World:
    """The folder of one test. `ran` holds every script that the machine was asked to run."""

    folder: Path
    ran: list[str] = field(default_factory=list)
    name: str = "builder"
    _template: ClassVar[Path | None] = None

    def __post_init__(self) -> None:
        tools = self.folder / "bin"
        tools.mkdir(parents=True)
        (self.folder / "home").mkdir()
        for name, text in {"docker": DOCKER, "nproc": NPROC, "df": DF}.items():
            self.tool(name, text)
        self.repository = self.folder / "CanvOS.git"
        if World._template is not None:
            shutil.copytree(World._template, self.repository)  # six commands of git for each world are what takes long
            return
        self.repository.mkdir()
        self.git("init", "-q", "-b", "main")
        self.tag("v4.5.14")
        self.tag("v4.5.15")
        World._template = Path(tempfile.mkdtemp()) / "CanvOS.git"
        shutil.copytree(self.repository, World._template)

    def tool(self, name: str, text: str) -> None:
        """Put a program on the machine's path."""
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=vendor", "-c", "user.email=vendor@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.repository, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def tag(self, tag: str, *, inside: str = "", force: bool = False, annotated: bool = False) -> str:
        """Commit the vendor's files as they are at a tag, and return the commit."""
        files = {
            "Earthfile": EARTHFILE.format(version=inside or tag), "Dockerfile": DOCKERFILE, "k8s_version.json": VERSIONS,
            "earthly.sh": EARTHLY, ".gitignore": "*user-data\n*.arg\nbuild/\n", "README.md": f"{tag} {time.time_ns()}\n",
        }  # fmt: skip
        for name, text in files.items():
            (self.repository / name).write_text(text)
        (self.repository / "earthly.sh").chmod(0o755)
        self.git("add", "-A")
        self.git("commit", "-qm", tag)
        self.git("tag", *(["-f"] if force else []), *(["-a", "-m", tag] if annotated else []), tag)
        return self.git("rev-parse", "HEAD")

    def run(self, script: str, stdin: str = "") -> Done:
        """Run a script as the machine would: with its own tools and home."""
        self.ran.append(script)
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        env = f"export PATH={path} HOME={self.folder / 'home'} CANVOS_WORLD={self.folder}\n"
        return LocalShell().run(env + script, stdin)

    def put(self, name: str, text: str = "") -> Path:
        """Make a file that changes how the tools behave.

        fail (with the one target that does, or empty), words (of the check), slow, docker-off, push-denied, unprivileged,
        silent, cached; cpus and gib say how large the machine is.
        """
        path = self.folder / name
        path.write_text(text)
        return path

    def request(self, **changes: object) -> BuildRequest:
        """Return a build of the newest tag."""
        given: dict[str, object] = {
            "workdir": str(self.folder / "work"), "repository": str(self.repository), "tag": "v4.5.15", "arg": ARG,
            "user_data": {"poweroff": "#cloud-config\ninstall:\n  poweroff: true\n"}, "registry": "registry.example:5000/edge",
            "repo": "ubuntu", "kubernetes": "1.31.0", "custom_tag": "eks-hybrid", "iso_name": "palette-edge-installer",
            "seconds": 30, **changes,
        }  # fmt: skip
        return BuildRequest(**given)  # type: ignore[arg-type]

    def built(self, request: BuildRequest, *, tries: int = 300) -> Built:
        """Look again and again until the build is done; a new object each time, as after a kill."""
        for _ in range(tries):
            now = Build(self, request).advance()
            if isinstance(now, Built):
                return now
            assert isinstance(now, Waiting)
            time.sleep(0.05)
        raise AssertionError(f"the build did not end: {now}")
