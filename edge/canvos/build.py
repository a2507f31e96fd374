"""One build from a tag to pushed images and ISOs, as a row of short looks: each does what can be done now and says what waits.

Nothing is believed but what is there: a build is good when its files and images are, whatever its exit code. A build of the
same inputs that is good already is not repeated. Killed at any point, the next look goes on; a machine that has booted
meanwhile begins the lost part again.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from edge.canvos import arg, build_script, report
from edge.canvos.artefacts import BUILD
from edge.canvos.certs import certificate_files
from edge.canvos.dockerfile import customized
from edge.canvos.images import ImageName
from edge.canvos.inputs import BuildInputs, changed
from edge.canvos.machine import DISK_LEAST, gather, machine_findings
from edge.canvos.repository import Checkout, check_out, fetch_script, look_at, newest_tag
from edge.canvos.request import NEWEST, BuildRequest, Built, Power, Waiting
from edge.canvos.shell import Job, JobStatus, Shell, checked, last_line, read_file, write_file, write_files
from edge.canvos.tags import check_kubernetes, pe_version
from edge.errors import BuildError, HostError
from edge.findings import Finding, errors

__all__ = ["Build", "BuildRequest", "Built", "Power", "Waiting"]
_FETCH_SECONDS, _PUSH_SECONDS = 1800, 3600
# What was fetched serves the looks of one run; a later run asks again, because tags move.
_FRESH_SECONDS = 600
# The report after a build that ran into its limit: digests of what is there.
_REPORT_SECONDS = 300


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
        ran = self._make.status()
        if ran.state == "running":
            return Waiting("building", ran.seconds, ran.tail)
        ended = self._ended(ran)
        if ended is not None:
            return ended
        fetched = self._fetched()
        if fetched is not None:
            return fetched
        checkout = self._checkout()
        inputs = self._inputs(checkout)
        known = self.known()
        if known is not None and known.inputs == inputs.digest and self.is_whole(known):
            return self._pushed(self._with_bundle(known))
        return self._begin(checkout, inputs, ran)

    def known(self) -> Built | None:
        """Return what the last good build on this machine has made, None when there is none."""
        return Built.from_text(read_file(self._shell, self._result))

    def is_whole(self, built: Built) -> bool:
        """Return whether the ISOs of a build are still there; a digest of gigabytes at every look would take too long."""
        for iso in built.isos.values():
            script = f"stat -c '%s' -- {shlex.quote(iso['path'])} 2>/dev/null"
            if self._shell.run(script).out.strip() != iso["size"]:
                return False
        return True

    def _attempt(self) -> dict[str, Any] | None:
        """Return what an ended build that nobody has judged yet was started with."""
        try:
            data = json.loads(self._make.file("attempt") or "null")
        except ValueError:
            return None
        return data if isinstance(data, dict) and "request" in data else None

    def _machine(self) -> list[Finding]:
        """Return the warnings about the build machine. Raises BuildError, with everything that it lacks."""
        request, name = self._request, self._shell.name
        facts = gather(self._shell, request.workdir, registry=request.registry, earthly=request.earthly)
        # A good build fills the disk; whether there is room for another one is asked again when one begins.
        found = machine_findings(
            facts,
            name,
            push=request.push,
            earthly=request.earthly,
            accept_small=request.accept_small,
            accept_full=self.known() is not None,
        )
        if errors(found):
            raise BuildError(errors(found), where=f"the build machine {name}")
        place = shlex.quote(request.workdir)
        make = f'mkdir -p {place} 2>/dev/null; [ -w {place} ] || {{ sudo -n mkdir -p {place} && sudo -n chown "$(id -u):$(id -g)" {place}; }}'
        remedy = "name a `workDir` of the login user, or allow sudo without a password"
        checked(self._shell, make, f"making {request.workdir}", remedy)
        return found

    def _fetched(self) -> Waiting | None:
        """Return what waits while the repository is fetched, None when the wanted commit is there."""
        request = self._request
        key = f"{request.repository} {request.tag} {request.commit} {request.bundle}"
        job = self._fetch.status()
        if job.state == "running":
            return Waiting("fetching CanvOS", job.seconds, job.tail)
        if job.state == "ended" and job.key == key and job.code == 0 and job.seconds < _FRESH_SECONDS:
            return None
        if job.state == "ended" and job.key == key and job.code != 0:
            self._fetch.forget()
            raise self._not_fetched(job)
        warnings = self._machine()
        script = fetch_script(self._folder, request.repository) + build_script.bundle_lines(request.bundle)
        self._keep_text("jobs/fetch/warnings", json.dumps([str(one) for one in warnings]))
        self._fetch.start(key, script, _FETCH_SECONDS)
        return Waiting("fetching CanvOS", 0)

    def _not_fetched(self, job: JobStatus) -> HostError:
        said = last_line(job.tail) or f"exit code {job.code}"
        if job.code == build_script.NO_BUNDLE:
            return HostError(said, remedy="correct `build.contentBundle`", where=self._shell.name)
        late = f"it did not end within {_FETCH_SECONDS} s" if job.code == build_script.LATE else said
        return HostError(
            f"fetching {self._request.repository} failed: {late}",
            remedy="check `repository` and the way from the build machine to it (proxy, certificates)",
            where=self._shell.name,
        )

    def _checkout(self) -> Checkout:
        request = self._request
        tag = newest_tag(self._shell, self._folder) if request.tag == NEWEST else request.tag
        return look_at(self._shell, self._folder, tag, pinned=request.commit)

    def _inputs(self, checkout: Checkout) -> BuildInputs:
        request = self._request
        files, more = certificate_files(request.certificates, checkout.tag, self._folder, "certificates")
        return BuildInputs(
            commit=checkout.commit,
            arg=arg.render({**request.arg, **more, "ISO_NAME": request.iso_name}),
            dockerfile=request.dockerfile,
            user_data={str(power): text for power, text in request.user_data.items()},
            certificates=files,
            bundle=self._bundle(),
        )

    def _bundle(self, seen: str = "") -> str:
        """Return the digest of the content bundle as it was fetched, or its fingerprint; "" without one."""
        return (self._fetch.file(f"bundle{seen}") or "").strip() if self._request.bundle else ""

    def _with_bundle(self, built: Built) -> Built:
        """Return a build that is good already, with the fingerprint that its content bundle has now: times may be others."""
        seen = self._bundle("-seen")
        if seen == built.bundle_seen:
            return built
        now = replace(built, bundle_seen=seen)
        self._keep(now)
        return now

    def _begin(self, checkout: Checkout, inputs: BuildInputs, before: JobStatus) -> Waiting:
        """Write everything into a clean checkout and start the build."""
        request = replace(self._request, tag=checkout.tag)
        check_kubernetes(request.kubernetes, checkout.tag, checkout.versions, "kubernetes")
        why = _why(self.known(), inputs)
        self._forget_result()
        check_out(self._shell, checkout)
        self._write(checkout, inputs)
        name = ImageName(
            request.registry,
            request.repo,
            request.kubernetes,
            pe_version(checkout.earthfile) or checkout.tag,
            request.custom_tag,
        )
        machine = json.loads(self._fetch.file("warnings") or "[]")
        attempt = {
            "request": self._request.digest, "tag": checkout.tag, "commit": checkout.commit, "image": asdict(name),
            "inputs": inputs.digest, "parts": inputs.parts(),
            "warnings": [*machine, *(str(one) for one in checkout.warnings)], "bundle_seen": self._bundle("-seen"),
        }  # fmt: skip
        self._keep_text("jobs/build/attempt", json.dumps(attempt))
        script = build_script.build_script(
            request,
            self._folder,
            name.reference,
            least_gib=0 if request.accept_small else DISK_LEAST,
            terminal=bool(inputs.certificates) or any(key.endswith("_PROXY") for key in request.arg),
        )
        limit = request.seconds + _REPORT_SECONDS
        self._make.start(inputs.digest, script, limit)
        return Waiting(f"building again{why}" if why or before.key == inputs.digest else "building", 0)

    def _write(self, checkout: Checkout, inputs: BuildInputs) -> None:
        files = {
            arg.FILE: (inputs.arg, 0o600),
            "Dockerfile": (customized(checkout.dockerfile, self._request.dockerfile), 0o644),
            **{path: (pem, 0o644) for path, pem in inputs.certificates.items()},
            **{f".edge-hosts/{power}": (text, 0o600) for power, text in inputs.user_data.items()},
        }
        write_files(self._shell, self._folder, files)

    def _keep_text(self, name: str, text: str) -> None:
        write_file(self._shell, f"{self._request.workdir}/{name}", text, "0600")

    def _ended(self, ran: JobStatus) -> Built | Waiting | None:
        """Return what an ended build of this request comes to, None when there is none, or its ISOs are gone again."""
        attempt = self._attempt() if ran.state == "ended" else None
        if attempt is None or attempt["request"] != self._request.digest:
            return None
        known = self.known()
        if known is None or known.inputs != attempt["inputs"]:
            return self._pushed(self._judged(attempt, ran))
        if self.is_whole(known):
            return self._pushed(known)
        self._make.forget()
        return None

    def _judged(self, attempt: Mapping[str, Any], ran: JobStatus) -> Built:
        """Return what an ended build has made, and keep it. Raises BuildError, with everything that is wrong with it."""
        image = ImageName(**attempt["image"])
        text, machine = self._make.file("report"), self._shell.name
        said = report.parse(text) if text else None
        began = datetime.fromtimestamp(int(self._make.file("began") or 0), UTC)
        found = report.findings(self._request, image, said, began, machine, self._make.log, ran.tail)
        if found or said is None:
            self._forget()
            code = "" if ran.code == 0 else f" (exit code {ran.code})"
            raise BuildError(found, where=f"the build{code} on {machine}")
        built = self._made(attempt, image, said)
        self._keep(built)
        return built

    def _forget(self) -> None:
        """Let the next run fetch and build anew."""
        self._make.forget()
        self._fetch.forget()

    def _forget_result(self) -> None:
        script = f"rm -f {shlex.quote(self._result)}"
        checked(self._shell, script, "forgetting the last build", "look who owns the folder")

    def _made(self, attempt: Mapping[str, Any], image: ImageName, said: report.Report) -> Built:
        isos = {}
        for power in self._request.user_data:
            name = f"{self._request.iso_of(power)}.iso"
            isos[str(power)] = {
                "name": name,
                "path": f"{self._folder}/{BUILD}/{name}",
                "sha256": said.files[name].sha256,
                "size": str(said.files[name].size),
            }
        return Built(
            tag=attempt["tag"],
            commit=attempt["commit"],
            pe_version=image.pe_version,
            image=image.reference,
            image_id=said.image_id,
            image_digest="",
            isos=isos,
            inputs=attempt["inputs"],
            parts=attempt["parts"],
            warnings=tuple(attempt["warnings"]),
            bundle_seen=attempt["bundle_seen"],
        )

    def _keep(self, built: Built) -> None:
        """Write down what was made; nothing refers to a build before this file is there."""
        write_file(self._shell, self._result, json.dumps(asdict(built), indent=2, sort_keys=True) + "\n", "0600")

    def _pushed(self, built: Built) -> Built | Waiting:
        """Return a good build with the digest of its pushed image, or what waits for it."""
        if not self._request.push or built.image_digest:
            self._forget()
            return built
        job, mine = self._push.status(), f"{built.inputs} {built.image}"
        if job.state == "running":
            return Waiting("pushing", job.seconds, job.tail)
        if job.state != "ended" or job.key != mine:
            self._push.start(mine, build_script.push_script(built, earthly=self._request.earthly), _PUSH_SECONDS)
            return Waiting("pushing", 0)
        if job.code == build_script.OTHER_IMAGE:
            # Somebody has removed it, or built another one under its name: what was made cannot be had any more.
            self._push.forget()
            self._forget()
            self._forget_result()
            return Waiting(f"building again because {built.image} is not on the builder any more", 0)
        log = self._push.file("log") or ""
        words = (word for line in log.splitlines()[::-1] for word in line.split() if word.startswith("sha256:"))
        digest = next(words, "")
        self._push.forget()
        if job.code == 0 and len(digest) == len("sha256:") + 64:
            done = replace(built, image_digest=digest)
            self._keep(done)
            self._forget()
            return done
        raise HostError(
            f"pushing {built.image} failed: {last_line(log) or f'exit code {job.code}'}",
            remedy="log in to the registry on the build machine (as the user that builds) with the right to push",
            where=self._shell.name,
        )


def _why(known: Built | None, inputs: BuildInputs) -> str:
    """Return why what was built before does not do any more, "" when nothing was."""
    if known is None:
        return ""
    parts = changed(known.parts, inputs)
    return f" because of another {', '.join(parts)}" if parts else " because its ISO is gone"
