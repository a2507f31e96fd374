"""What a build is told: `.arg`, `ARG` lines of the Earthfile, the Kubernetes versions of the tag, the Dockerfile."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

BASE = Path("/usr/local/lib/edge-hosts-lab/base")
"""The layers of the root that images begin with: a folder per layer, and the file `id` that says what they hold."""
_ARG = re.compile(r"^ARG ([A-Z_]+)=(.*)$", re.MULTILINE)
_LINE = re.compile(r"\s*([A-Z][A-Z0-9_]*)=(.*)")
_SYSTEMS = ("ubuntu", "opensuse-leap", "rhel", "sles")
_NEEDS_BASE = ("rhel", "sles")


class BuildFailedError(Exception):
    """A build that ends with an error: the text is its last line."""


@dataclass(frozen=True)
class Arguments:
    """What a build in `folder` is told. `trusted` are the authorities of its BuildKit."""

    folder: Path
    values: dict[str, str]
    earthfile: dict[str, str]
    trusted: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, trusted: list[str]) -> Arguments:
        """Return what the files of a checkout say."""
        file = folder / ".arg"
        values = parse(file.read_text("utf-8")) if file.is_file() else {}
        earthfile = dict(_ARG.findall((folder / "Earthfile").read_text("utf-8")))
        return cls(folder, values, earthfile, tuple(trusted))

    @property
    def pe_version(self) -> str:
        """Return the agent that images are named after."""
        return self.earthfile["PE_VERSION"]

    @property
    def iso_name(self) -> str:
        """Return the name of the ISO, without `.iso`."""
        return self.values.get("ISO_NAME") or self.earthfile["ISO_NAME"]

    @property
    def image_tag(self) -> str:
        """Return what the installer image is called: the agent and, if there is one, the tag."""
        return f"{self.pe_version}{self._custom}"

    @property
    def _custom(self) -> str:
        custom = self.values.get("CUSTOM_TAG", "")
        return f"-{custom}" if custom else ""

    def check(self) -> None:
        """Raise BuildFailedError for what no build can be made of."""
        system = self.values.get("OS_DISTRIBUTION", "")
        if system not in _SYSTEMS:
            raise BuildFailedError(f"OS_DISTRIBUTION {system!r} is not known")
        fips = self.values.get("FIPS_ENABLED") == "true"
        if (system in _NEEDS_BASE or fips) and not self.values.get("BASE_IMAGE"):
            raise BuildFailedError(f"BASE_IMAGE is needed for {'FIPS' if fips else system}")
        if fips and self.values.get("UPDATE_KERNEL") == "true":
            raise BuildFailedError("UPDATE_KERNEL and FIPS_ENABLED exclude each other")
        self.kubernetes_versions()

    def kubernetes_versions(self) -> list[str]:
        """Return the versions that are built: the one of `.arg`, or all of the distribution. Raises BuildFailedError."""
        distribution, version = self.values.get("K8S_DISTRIBUTION", ""), self.values.get("K8S_VERSION", "")
        known: list[str] = json.loads((self.folder / "k8s_version.json").read_text("utf-8")).get(distribution, [])
        if not known or (version and version not in known):
            raise BuildFailedError(f"{distribution} {version} is not in k8s_version.json, which has {', '.join(known)}")
        return [version] if version else known

    def image_name(self, kubernetes: str) -> str:
        """Return the name of the provider image; an empty CUSTOM_TAG has no part in it."""
        registry, system = self.values.get("IMAGE_REGISTRY", ""), self.values.get("OS_DISTRIBUTION", "")
        repo = self.values.get("IMAGE_REPO") or system
        tag = f"{self.values.get('K8S_DISTRIBUTION', '')}-{kubernetes}-{self.pe_version}{self._custom}"
        return f"{registry}/{repo}:{tag}"

    def instructions(self) -> list[tuple[str, str]]:
        """Return the instructions of the Dockerfile: the word, and what follows it. A comment is none, whatever is in it."""
        found, joined = [], ""
        for line in (self.folder / "Dockerfile").read_text("utf-8").splitlines():
            if line.lstrip().startswith("#") or not (joined or line.strip()):
                continue
            joined += line.rstrip().removesuffix("\\") + ("\n" if line.rstrip().endswith("\\") else "")
            if not line.rstrip().endswith("\\"):
                word, _, rest = joined.strip().partition(" ")
                found.append((word.upper(), rest.replace("\n", " ").strip()))
                joined = ""
        return found

    def runs(self) -> list[str]:
        """Return the commands of RUN, in their order."""
        return [rest for word, rest in self.instructions() if word == "RUN"]

    def authorities(self) -> list[Path]:
        """Return the files of `certs/` that are taken up: those called `*.crt`."""
        return sorted((self.folder / "certs").glob("*.crt"))

    def labels(self, kubernetes: str) -> dict[str, str]:
        """Return what an image is made of, as its labels: one with the same is not made again."""
        made_of = [
            (BASE / "id").read_text("utf-8"), self.instructions(), [path.read_text("utf-8") for path in self.authorities()],
            self.trusted, self.values.get("BASE_IMAGE", ""),
        ]  # fmt: skip
        return {
            "lab.peVersion": self.pe_version,
            "lab.kubernetes": kubernetes,
            "lab.distribution": self.values.get("K8S_DISTRIBUTION", ""),
            "lab.os": f"{self.values.get('OS_DISTRIBUTION', '')} {self.values.get('OS_VERSION', '')}".strip(),
            "lab.buildkitTrusts": " ".join(self.trusted),
            "lab.madeOf": hashlib.sha256(json.dumps(made_of, default=str).encode()).hexdigest(),
        }


def parse(text: str) -> dict[str, str]:
    """Return the values of an `.arg` file: quotes are taken off, nothing is replaced."""
    values = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found:
            words = shlex.split(found[2], comments=True)
            values[found[1]] = words[0] if words else ""
    return values
