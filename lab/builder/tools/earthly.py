"""What runs the targets of the CanvOS repository in the lab: `earthly [OPTION...] +TARGET`, in the repository's folder.

Makes, as documented for each target: provider images in the local Docker, `build/ISO_NAME.iso` with its checksum file, the
judgement of `user-data`. Ends with 0 when all of it was made; what the vendor's script then makes of an error is its affair.
"""

from __future__ import annotations

import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from lab.builder.tools import iso
from lab.builder.tools.arguments import Arguments, BuildFailedError
from lab.builder.tools.oci import Image, Store
from lab.builder.tools.rootfs import image_root
from lab.builder.tools.validate import problems

FAULTS = Path(os.environ.get("LAB_BUILD_FAULTS", "/usr/local/lib/edge-hosts-lab/faults"))
INSTALLER = "palette-installer-image"
_TARGET = re.compile(r"^([a-z][a-z0-9-]*):\s*$", re.MULTILINE)
_PAUSE = 0.2
# The time that every file gets that is handed out, unless the Earthfile asks for the true one.
_HANDED_OUT = datetime(2020, 4, 16, 12, tzinfo=UTC).timestamp()
# A command is printed before it runs, as it stands in the Earthfile.
_VALIDATION = (
    "if [ -f /user-data ]; then /usr/local/bin/palette-edge-cli validate -f /user-data; "
    'else echo "user-data file does not exist."; fi'
)


class Build:
    """One call of the builder in one checkout."""

    def __init__(self, folder: Path, docker: Path, given: Arguments) -> None:
        self._folder, self._docker, self._given = folder, docker, given
        self._store = Store(docker / "oci")

    def run(self, target: str) -> None:
        """Make a target. Raises BuildFailedError."""
        known = _TARGET.findall((self._folder / "Earthfile").read_text("utf-8"))
        if target not in known:
            raise BuildFailedError(f"target +{target} not found; there are {', '.join(known)}")
        if target == "validate-user-data":
            self._validate()
            return
        self._given.check()
        say(f"+{target}", f"starting, agent {self._given.pe_version}")
        _play_faults()
        if target in ("build-all-images", "build-provider-images", "build-provider-images-fips", "provider-image"):
            self._provider_images()
        if target in ("build-all-images", "iso-image", "iso"):
            self._iso_image()
        if target in ("build-all-images", "iso"):
            self._validate()
            self._iso()
        say(f"+{target}", "done")

    def _provider_images(self) -> None:
        for version in self._given.kubernetes_versions():
            name = self._given.image_name(version)
            self._image(name, version)
            say("provider-image", f"Image {name} is there")

    def _iso_image(self) -> Image:
        name = f"{INSTALLER}:{self._given.image_tag}"
        return self._image(name, self._given.kubernetes_versions()[0])

    def _image(self, name: str, kubernetes: str) -> Image:
        """Return an image of this name: made, or another name of one that is made of the same already."""
        labels = self._given.labels(kubernetes)
        for known in self._store.images():
            # On a full disk nothing was kept that could be taken again.
            if self._store.config(known)["config"]["Labels"] == labels and not on("build-no-space"):
                say("base-image", "cached")
                return self._store.tag(known, name)
        with image_root(self._given, kubernetes, self._docker, small=on("build-no-space")) as made:
            return self._store.add(name, made.layer, made.diff_id, labels)

    def _validate(self) -> None:
        """Judge the user-data. Without one there is nothing to judge, which is no error here."""
        say("+validate-user-data", f"--> RUN {_VALIDATION}")
        file = self._folder / "user-data"
        if not file.is_file():
            say("+validate-user-data", "user-data file does not exist.")
            return
        found = problems(file.read_text("utf-8"))
        if found:
            raise BuildFailedError(f"Error: invalid JSON: {found[0]}")
        say("+validate-user-data", 'level=info msg="Validation successful"')

    def _iso(self) -> None:
        if self._given.values.get("ARCH") not in ("amd64", "arm64"):
            return  # no branch of the Earthfile fits, and none is taken
        image = self._iso_image()
        made = iso.write(
            self._folder, self._given.iso_name, self._store.layer(image), wrong_sum=on("iso-wrong-checksum")
        )
        for file in (made, made.with_name(f"{made.name}.sha256")):
            os.utime(file, (_HANDED_OUT, _HANDED_OUT))
        say("iso", f"Artifact {made.relative_to(self._folder)} is there")


def _play_faults() -> None:
    """Stand still while one fault is on; end with an error for another. Raises BuildFailedError."""
    if on("build-hangs"):
        say("base-image", "waiting for a lock that nobody gives back")
    while on("build-hangs"):
        time.sleep(_PAUSE)
    if on("build-fails"):
        raise BuildFailedError("the command '/bin/sh -c apt-get update' did not complete successfully. Exit code 100")


def on(fault: str) -> bool:
    """Return whether the lab has switched a fault of the builder on."""
    return (FAULTS / fault).exists()


def say(place: str, text: str) -> None:
    """Print one line of the log."""
    print(f"{place:>24} | {text}", flush=True)


def main(words: list[str]) -> int:
    """Run the targets that are named and return the exit code."""
    targets = [word.removeprefix("+") for word in words if word.startswith("+")]
    if not targets:
        print("Error: no target; name one such as +build-all-images", file=sys.stderr)
        return 1
    folder = Path.cwd()
    docker = Path(os.environ.get("LAB_DOCKER", "/var/lib/docker"))
    trusted = [name for name in os.environ.get("LAB_TRUSTED", "").split(",") if name]
    try:
        for target in targets:
            Build(folder, docker, Arguments.read(folder, trusted)).run(target)
    except BuildFailedError as error:
        print(f"Error: {error}" if not str(error).startswith("Error") else error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
