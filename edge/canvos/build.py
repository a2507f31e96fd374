"""One build from a tag to pushed images and ISOs, as a row of short looks: each does what can be done now and says what waits.

Nothing is believed but what is there: a build is good when its files and images are, whatever its exit code. A build of the
same inputs that is good already is not repeated. Killed at any point, the next look goes on.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from edge.canvos import arg
from edge.canvos.artefacts import BUILD, BuiltFile, Wanted, verify
from edge.canvos.certs import certificate_files
from edge.canvos.dockerfile import customized
from edge.canvos.images import ImageName
from edge.canvos.inputs import BuildInputs
from edge.canvos.repository import Checkout, check_out, fetch_script, look_at
from edge.canvos.shell import Job, JobStatus, Shell, checked, read_file, write_file
from edge.canvos.tags import check_kubernetes, number, pe_version
from edge.errors import BuildError, HostError

Power = Literal["poweroff", "reboot"]
_FETCH_SECONDS, _PUSH_SECONDS = 900, 3600
# From this tag on the vendor's script mounts the login of the registry only where there is one.
_LOGIN_OPTIONAL_SINCE = (4, 6, 24)


@dataclass(frozen=True)
class BuildRequest:
    """What is built. `arg` are the arguments without those that belong to one ISO; `user_data` one text per kind of ISO.

    `commit` pins the tag ("" = as it is), `bundle` is the folder of a content bundle on the build machine ("" = none),
    `seconds` the most that a build may take.
    """

    workdir: str
    repository: str
    tag: str
    arg: Mapping[str, str]
    user_data: Mapping[Power, str]
    registry: str
    repo: str
    kubernetes: str
    custom_tag: str
    iso_name: str
    commit: str = ""
    dockerfile: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    bundle: str = ""
    push: bool = True
    earthly: bool = False
    seconds: int = 3600

    def iso_of(self, power: Power) -> str:
        """Return the name of the ISO of one kind, without `.iso`; with one kind only, the plain name."""
        return self.iso_name if len(self.user_data) == 1 else f"{self.iso_name}-{power}"


@dataclass(frozen=True)
class Built:
    """What a build has made: everything that a site needs to know of it. Digests are sha256, in hexadecimal."""

    tag: str
    commit: str
    pe_version: str
    image: str
    image_digest: str
    isos: Mapping[str, Mapping[str, str]]
    inputs: str
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Waiting:
    """Not done yet: what is going on, for how many seconds, and its last lines."""

    what: str
    seconds: int
    tail: str = ""


class Build:
    """One build on one machine. `advance` is called again and again until it answers `Built`."""

    def __init__(self, shell: Shell, request: BuildRequest) -> None:
        self._shell, self._request = shell, request
        self._folder = f"{request.workdir}/CanvOS"
        self._fetch = Job(shell, f"{request.workdir}/jobs/fetch")
        self._make = Job(shell, f"{request.workdir}/jobs/build")
        self._push = Job(shell, f"{request.workdir}/jobs/push")
        self._result = f"{request.workdir}/built.json"

    def advance(self) -> Built | Waiting:
        """Do what can be done now. Raises HostError, SettingsError or BuildError when it cannot go on."""
        running = self._make.status()
        if running.state == "running":
            return Waiting("building", running.seconds, running.tail)
        fetched = self._fetched()
        if fetched is not None:
            return fetched
        request = self._request
        checkout = look_at(self._shell, self._folder, request.tag, pinned=request.commit)
        inputs = self._inputs(checkout)
        known = self._known(inputs)
        if known is not None and self._is_whole(known):
            return known
        # A build whose ISO somebody has removed is ended and good, but has to be made again.
        if known is not None or (running.state, running.key) != ("ended", inputs.digest):
            return self._begin(checkout, inputs, running)
        return self._finish(checkout, inputs, running)

    def _fetched(self) -> Waiting | None:
        """Return what waits while the repository is fetched, None when the wanted commit is there."""
        request = self._request
        key = f"{request.repository} {request.tag} {request.commit}"
        job = self._fetch.status()
        if job.state == "running":
            return Waiting("fetching CanvOS", job.seconds, job.tail)
        if job.state == "ended" and job.key == key and job.code == 0:
            return None
        if job.state == "ended" and job.key == key:
            last = job.tail.strip().splitlines()[-1:] or [f"exit code {job.code}"]
            self._forget(self._fetch)
            raise HostError(
                f"fetching {request.repository} failed: {last[0]}",
                remedy="check `repository` and the way from the build machine to it (proxy, certificates)",
                where=self._shell.name,
            )
        self._fetch.start(key, fetch_script(self._folder, request.repository), _FETCH_SECONDS)
        return Waiting("fetching CanvOS", 0)

    def _forget(self, job: Job) -> None:
        """Let a failed job be started again by the next run."""
        checked(
            self._shell, f"rm -f {shlex.quote(job.log.removesuffix('log') + 'key')}", "clearing a job", "look there"
        )

    def _image(self, checkout: Checkout) -> ImageName:
        request = self._request
        version = pe_version(checkout.earthfile) or checkout.tag
        return ImageName(request.registry, request.repo, request.kubernetes, version, request.custom_tag)

    def _inputs(self, checkout: Checkout) -> BuildInputs:
        request = self._request
        files, more = certificate_files(request.certificates, request.tag, "certificates")
        return BuildInputs(
            commit=checkout.commit,
            arg=arg.render({**request.arg, **more, "ISO_NAME": request.iso_name}),
            dockerfile=request.dockerfile,
            user_data={str(power): text for power, text in request.user_data.items()},
            certificates=files,
            bundle=self._bundle(),
        )

    def _bundle(self) -> str:
        """Return the digest of a content bundle: over the names and digests of its files."""
        if not self._request.bundle:
            return ""
        place = shlex.quote(self._request.bundle)
        script = f"cd {place} && find . -type f -name '*.zst' -print0 | sort -z | xargs -0 -r sha256sum | sha256sum"
        out = checked(
            self._shell, script, "reading the content bundle", "check `contentBundle`: a folder of .zst files"
        )
        return out.split()[0]

    def _known(self, inputs: BuildInputs) -> Built | None:
        """Return what an earlier build has made of the same inputs, None when there is no such build."""
        text = read_file(self._shell, self._result)
        try:
            data = json.loads(text or "null")
        except ValueError:
            return None
        return Built(**data) if isinstance(data, dict) and data.get("inputs") == inputs.digest else None

    def _is_whole(self, built: Built) -> bool:
        """Return whether the ISOs of a build are still there; a digest of gigabytes at every look would take too long."""
        for iso in built.isos.values():
            script = f"stat -c '%s' -- {shlex.quote(iso['path'])} 2>/dev/null"
            if self._shell.run(script).out.strip() != iso["size"]:
                return False
        return True

    def _begin(self, checkout: Checkout, inputs: BuildInputs, before: JobStatus) -> Waiting:
        """Write everything into a clean checkout and start the build."""
        request = self._request
        check_kubernetes(request.kubernetes, request.tag, checkout.versions, "kubernetes")
        checked(
            self._shell, f"rm -f {shlex.quote(self._result)}", "forgetting the last build", "look who owns the folder"
        )
        check_out(self._shell, checkout)
        self._write(checkout, inputs)
        self._make.start(inputs.digest, self._script(), request.seconds, terminal=self._needs_terminal(inputs))
        again = " again" if before.key == inputs.digest else ""
        return Waiting(f"building{again}", 0)

    def _needs_terminal(self, inputs: BuildInputs) -> bool:
        """With a proxy or certificates the vendor's script runs a command that fails without a terminal."""
        return bool(inputs.certificates) or any(key.endswith("_PROXY") for key in self._request.arg)

    def _write(self, checkout: Checkout, inputs: BuildInputs) -> None:
        write_file(self._shell, f"{self._folder}/{arg.FILE}", inputs.arg, "0600")
        write_file(self._shell, f"{self._folder}/Dockerfile", customized(checkout.dockerfile, self._request.dockerfile))
        for path, pem in inputs.certificates.items():
            write_file(self._shell, f"{self._folder}/{path}", pem)
        for power, text in inputs.user_data.items():
            write_file(self._shell, f"{self._folder}/.edge-hosts/{power}", text, "0600")

    def _script(self) -> str:
        """Return the build: images first, then one ISO per kind, each with its user-data and name."""
        request = self._request
        earthly = "earthly" if request.earthly else "sudo_ ./earthly.sh"
        lines = [
            "set -u",
            'sudo_() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }',
            f"cd {shlex.quote(self._folder)}",
            *self._login_lines(),
        ]
        if request.bundle:
            name = shlex.quote(f"content-{request.bundle.rstrip('/').rpartition('/')[2].removeprefix('content-')}")
            lines.append(f"ln -sfn {shlex.quote(request.bundle)} {name} || exit 71")
        kinds = list(request.user_data)
        target = "+build-provider-images" if request.bundle or not kinds else "+build-all-images"
        for at, power in enumerate(kinds or [None]):
            if power is not None:
                lines += [
                    # Without a file of this name the build goes on, and its ISO knows nothing.
                    f"cp .edge-hosts/{power} user-data && head -n 1 user-data | grep -qx '#cloud-config' || exit 72",
                    f"sed -i 's/^ISO_NAME=.*/ISO_NAME={request.iso_of(power)}/' {arg.FILE} || exit 73",
                ]
            if at == 0:
                lines.append(f"{earthly} {target} || exit 74")
            if power is not None and (at > 0 or request.bundle):
                lines.append(f"{earthly} +iso || exit 75")
        # Without Earthly everything belongs to root; it must stay readable for the login user.
        lines.append(f'[ ! -d {BUILD} ] || sudo_ chown -R "$(id -u):$(id -g)" {BUILD}')
        return "\n".join(lines) + "\n"

    def _login_lines(self) -> list[str]:
        """Return what keeps Docker from making a folder in the place of a missing login file."""
        version = number(self._request.tag)
        if self._request.earthly or (version is not None and version >= _LOGIN_OPTIONAL_SINCE):
            return []
        inner = '[ -e ~/.docker/config.json ] || { mkdir -p ~/.docker; echo "{}" > ~/.docker/config.json; }'
        return [f"sudo_ sh -c {shlex.quote(inner)}"]

    def _finish(self, checkout: Checkout, inputs: BuildInputs, ran: JobStatus) -> Built | Waiting:
        """Verify what an ended build left, push the image, and keep the result."""
        request, image = self._request, self._image(checkout)
        files, sums = self._built_files(), self._checksums()
        local = self._images()
        began = datetime.fromtimestamp(int(read_file(self._shell, f"{request.workdir}/jobs/build/began") or 0), UTC)
        found = []
        for power in request.user_data:
            name = request.iso_of(power)
            found += verify(Wanted(name, None, began), files, sums.get(f"{name}.iso"), local, self._make.log)
        found += verify(Wanted(None, image, began), files, None, local, self._make.log)
        if found:
            self._forget(self._make)
            code = "" if ran.code == 0 else f" (exit code {ran.code})"
            where = f"the build{code} on {self._shell.name}"
            raise BuildError(found, where=where)
        digest = ""
        if request.push:
            pushed = self._pushed(image, inputs.digest)
            if isinstance(pushed, Waiting):
                return pushed
            digest = pushed
        return self._keep(checkout, inputs, image, digest, files)

    def _built_files(self) -> dict[str, BuiltFile]:
        """Return size, moment and digest of what lies in the build folder."""
        script = (
            f"cd {shlex.quote(self._folder)}/{BUILD} 2>/dev/null || exit 0; "
            'for f in *.iso; do [ -f "$f" ] || continue; '
            'printf \'%s %s %s\\n\' "$(stat -c \'%s %Y\' -- "$f")" "$(sha256sum -- "$f" | cut -d\' \' -f1)" "$f"; done'
        )
        files = {}
        for line in self._shell.run(script).out.splitlines():
            size, moment, digest, name = line.split(" ", 3)
            files[name] = BuiltFile(int(size), datetime.fromtimestamp(int(moment), UTC), digest)
        return files

    def _checksums(self) -> dict[str, str]:
        """Return the checksum files by the name of their ISO."""
        found = {}
        for power in self._request.user_data:
            name = f"{self._request.iso_of(power)}.iso"
            text = read_file(self._shell, f"{self._folder}/{BUILD}/{name}.sha256")
            if text is not None:
                found[name] = text
        return found

    def _sudo(self) -> str:
        return "" if self._request.earthly else '$([ "$(id -u)" = 0 ] || echo sudo -n) '

    def _images(self) -> list[str]:
        script = f"{self._sudo()}docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'"
        return checked(self._shell, script, "listing the images", "start Docker on the build machine").split()

    def _pushed(self, image: ImageName, key: str) -> str | Waiting:
        """Return the digest of the pushed image, or what waits."""
        job, mine = self._push.status(), f"{key} {image.reference}"
        if job.state == "running":
            return Waiting("pushing", job.seconds, job.tail)
        if job.state != "ended" or job.key != mine:
            self._push.start(mine, f"{self._sudo()}docker push {shlex.quote(image.reference)}\n", _PUSH_SECONDS)
            return Waiting("pushing", 0)
        log = read_file(self._shell, self._push.log) or ""
        digest = next(
            (word for line in log.splitlines()[::-1] for word in line.split() if word.startswith("sha256:")), ""
        )
        if job.code == 0 and len(digest) == len("sha256:") + 64:
            return digest
        self._forget(self._push)
        last = log.strip().splitlines()[-1:] or [f"exit code {job.code}"]
        raise HostError(
            f"pushing {image.reference} failed: {last[0]}",
            remedy="log in to the registry on the build machine (as the user that builds) with the right to push",
            where=self._shell.name,
        )

    def _keep(
        self, checkout: Checkout, inputs: BuildInputs, image: ImageName, digest: str, files: Mapping[str, BuiltFile]
    ) -> Built:
        """Write down and return what was made; nothing refers to a build before this file is there."""
        isos = {}
        for power in self._request.user_data:
            name = f"{self._request.iso_of(power)}.iso"
            path = f"{self._folder}/{BUILD}/{name}"
            isos[str(power)] = {
                "name": name, "path": path, "sha256": files[name].sha256, "size": str(files[name].size),
            }  # fmt: skip
        built = Built(
            checkout.tag,
            checkout.commit,
            image.pe_version,
            image.reference,
            digest,
            isos,
            inputs.digest,
            inputs.parts(),
        )
        write_file(self._shell, self._result, json.dumps(vars(built), indent=2, sort_keys=True) + "\n", "0600")
        return built
