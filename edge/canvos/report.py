"""What a build has said about itself at its end, and what that means: a report is text on the build machine, judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edge.canvos import build_script as codes
from edge.canvos.artefacts import BuiltFile, Wanted, verify
from edge.canvos.images import ImageName
from edge.canvos.request import BuildRequest
from edge.canvos.shell import last_line
from edge.findings import Finding

# With less than this left after a failed build, the disk ran full: the builder does not say so.
_FULL_KIB = 2 * 1024 * 1024


@dataclass(frozen=True)
class Report:
    """The end of a build: exit code, the step it ended in, words about the failure, what is there now.

    `image_id` is that of the wanted provider image, `listed` says whether Docker could be asked for its images.
    """

    code: int
    step: str = ""
    said: str = ""
    free_kib: int = 0
    files: Mapping[str, BuiltFile] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    image_id: str = ""
    listed: bool = False


def parse(text: str) -> Report:
    """Return the report of a build. Lines of an unknown kind are passed over."""
    single: dict[str, str] = {}
    files: dict[str, BuiltFile] = {}
    sums: dict[str, str] = {}
    images = []
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "file":
            size, moment, digest, name = rest.split(" ", 3)
            files[name] = BuiltFile(int(size), datetime.fromtimestamp(int(moment), UTC), digest)
        elif kind == "sum":
            name, _, stated = rest.partition(" ")
            sums[name] = f"{sums.get(name, '')}{stated}\n"
        elif kind == "image":
            images.append(rest)
        else:
            single[kind] = rest
    return Report(
        int(single.get("code") or -1),
        single.get("step", ""),
        single.get("said", ""),
        int(single.get("free") or 0),
        files,
        sums,
        tuple(images),
        single.get("id", ""),
        "listed" in single,
    )


def findings(
    request: BuildRequest, image: ImageName, report: Report | None, began: datetime, machine: str, log: str, tail: str
) -> list[Finding]:
    """Return everything that is wrong with an ended build; an empty list is a build that may be used.

    `report` is None when it left none. `tail` is the end of its log.
    """
    look = f"Read the end of {log}, mend what it names, and build again."
    if report is None:
        problem = f"ended without a report of what it made; its last line is {last_line(tail)!r}"
        return [Finding(f"{machine}: the build", None, problem, look)]
    early = _before(request, report, machine, look)
    if early is not None:
        return [early]
    found = []
    for power in request.user_data:
        name = request.iso_of(power)
        found += verify(Wanted(name, None, began), report.files, report.sums.get(f"{name}.iso"), report.images, log)
    if report.listed:
        # One that Docker lists and does not know when it is asked was taken away meanwhile.
        images = report.images if report.image_id else ()
        found += verify(Wanted(None, image, began), report.files, None, images, log)
    else:
        found.append(Finding(f"{machine}: docker", None, "could not be asked for its images after the build", look))
    if report.step != "done" and not found:
        problem = f"ended in its step {report.step!r} with code {report.code}"
        found.append(Finding(f"{machine}: the build", None, problem, look))
    if found and report.free_kib < _FULL_KIB:
        problem = "is full, and a build that runs full fails without a word"
        found.append(
            Finding(f"{machine}: free disk", f"{report.free_kib // 1024} MiB", problem, "Make room, and build again.")
        )
    return found


def _before(request: BuildRequest, report: Report, machine: str, look: str) -> Finding | None:
    """Return what ended a build before the vendor's part could tell anything, None when nothing did."""
    if report.code == codes.LATE:
        remedy = f"Raise `builder.timeout`, or look what held it up: {look[0].lower()}{look[1:]}"
        return Finding(f"{machine}: the build", f"{request.seconds} s", "took longer than it may", remedy)
    if report.code == codes.SPACE:
        problem = "is too little to begin the build, which fails without a word when the disk is full"
        return Finding(f"{machine}: free disk", f"{report.said} GB", problem, "Make room, or name another `workDir`.")
    if report.code == codes.PRIVILEGED:
        problem = f"does not run privileged containers, which the builder needs: {last_line(report.said)}"
        remedy = "Use rootful Docker without user namespaces there, let it pull the vendor's image, or install Earthly."
        return Finding(f"{machine}: docker", None, problem, remedy)
    if report.code == codes.INVALID:
        kind = report.step.removeprefix("validate-")
        problem = f"does not pass the vendor's check: {last_line(report.said) or 'it did not say that it is valid'}"
        remedy = f"Correct `build.install`, which is all that this file has; else {look[0].lower()}{look[1:]}"
        return Finding(f"user-data ({kind})", None, problem, remedy)
    if report.code in (codes.USER_DATA, codes.NAMES, codes.BUNDLE):
        problem = f"could not be prepared: {report.step}"
        return Finding(f"{machine}: the checkout", None, problem, look)
    return None
