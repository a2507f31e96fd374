"""What the resource InstallerBuild does: one look at a build per call, repeated by the program's error hook.

A build is repeated when what it is made of changes, and then only: not for another folder, another limit of time, another
build machine, or an ISO that somebody has removed there after it was uploaded. Delete does nothing: what was pushed and
uploaded belongs to others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from edge.canvos.build import Build
from edge.canvos.build_script import bundle_seen
from edge.canvos.repository import commit_now
from edge.canvos.request import NEWEST, BuildRequest, Built, Waiting
from edge.canvos.shell import Shell, last_line
from edge.errors import EdgeError, HostError, PendingError
from edge.images.builder import Props, Secret, open_shell
from edge.images.facts import ImageFacts, IsoFacts

Outputs = dict[str, Any]
# A look goes on for so many seconds: a method of a provider may block two (one connection and the last command included).
_LOOK, _PAUSE = 1.0, 0.15
# What says how and where is built, and nothing of what comes out.
_HOW = ("workdir", "seconds", "accept_small", "earthly", "push")


def create(props: Props, secret: Secret) -> Outputs:
    """Return the outputs of a build that is done. Raises PendingError while it goes on, else what `Build.advance` raises."""
    with open_shell(props["builder"], secret) as shell:
        request = _request(props)
        return {**props, **_outputs(_advanced(shell, request), request)}


def diff(olds: Props, news: Props) -> bool:
    """Return whether what is asked for differs in something that decides what is made. Asks nobody, never raises."""
    return bool(_settled(olds, news) != _asked(news) or olds.get("moved")) or (_pushes(news) and not _pushes(olds))


def update(olds: Props, news: Props, secret: Secret) -> Outputs:  # noqa: ARG001  (the engine's signature)
    """Return the outputs of the build that is asked for now; a good one of the same inputs is not repeated."""
    return create(news, secret)


def read(props: Props, secret: Secret) -> Outputs | None:
    """Return the outputs, with whether the ISOs still lie on the build machine (`on_builder`).

    A build machine that is gone, or without the files, changes nothing else: they were uploaded, and images were pushed.
    What the settings only name is asked for: `moved` lists a tag without a pinned commit that is another one by now, and a
    content bundle that was changed in its folder. Both ask for another build.
    """
    try:
        with open_shell(props["builder"], secret) as shell:
            request = _request(props)
            known = Build(shell, request).known()
            there = known is not None and known.inputs == props.get("inputs") and Build(shell, request).is_whole(known)
            return {**props, "on_builder": there, "moved": list(_moved(shell, request, props))}
    except (EdgeError, KeyError, TypeError, ValueError):
        return dict(props)


def delete(props: Props, secret: Secret) -> None:
    """Do nothing: the images are in the registry, and the ISOs on the datastores have owners of their own."""


def _moved(shell: Shell, request: BuildRequest, props: Props) -> Iterator[str]:
    """Yield what has changed though it is called as before. What cannot be asked has not."""
    if not request.commit:
        now, built = commit_now(shell, request.repository, request.tag), props["facts"]["canvos_commit"]
        if now and now != built:
            yield "commit"
    bundle = shell.run(bundle_seen(request.bundle)).out.strip() if request.bundle else ""
    if bundle and props.get("bundle_seen") and bundle != props["bundle_seen"]:
        yield "bundle"


def _request(props: Props) -> BuildRequest:
    try:
        return BuildRequest.from_dict(props["request"])
    except (KeyError, TypeError, ValueError) as error:
        raise HostError(
            f"the input `request` is no build: {error}.", remedy="deploy with the version of the program that made it"
        ) from None


def _advanced(shell: Shell, request: BuildRequest) -> Built:
    """Return the build when it is done within one look; several of its steps may fit into one."""
    until = time.monotonic() + _LOOK
    while True:
        now = Build(shell, request).advance()
        if isinstance(now, Built):
            return now
        if time.monotonic() + _PAUSE >= until:
            raise PendingError(_words(now, shell.name))
        time.sleep(_PAUSE)


def _words(now: Waiting, machine: str) -> str:
    said = last_line(now.tail)
    return f"{now.what} on {machine} for {now.seconds} s{f': {said}' if said else ''}"


def _outputs(built: Built, request: BuildRequest) -> Outputs:
    facts = ImageFacts(
        canvos_tag=built.tag,
        canvos_commit=built.commit,
        pe_version=built.pe_version,
        kubernetes=request.kubernetes,
        os=request.arg.get("OS_DISTRIBUTION", ""),
        os_version=request.arg.get("OS_VERSION", ""),
        image=built.image,
        image_digest=built.image_digest,
        inputs=built.inputs,
        isos={kind: IsoFacts(iso["name"], iso["sha256"], int(iso["size"])) for kind, iso in built.isos.items()},
    )
    return {
        "facts": facts.to_dict(),
        "inputs": built.inputs,
        "parts": dict(built.parts),
        "builder_isos": {kind: iso["path"] for kind, iso in built.isos.items()},
        "warnings": list(built.warnings),
        "bundle_seen": built.bundle_seen,
        "on_builder": True,
        "moved": [],
    }


def _settled(olds: Props, news: Props) -> Any:
    """Return what was asked for; with the tag and the commit that came of it, where the settings name these by now.

    So to pin what was built is no difference. Never raises.
    """
    asked, wanted, facts = _asked(olds), _asked(news), olds.get("facts")
    if not isinstance(asked, dict) or not isinstance(wanted, dict) or not isinstance(facts, Mapping):
        return asked
    if asked.get("tag") == NEWEST != wanted.get("tag"):
        asked["tag"] = facts.get("canvos_tag")
    if "commit" in wanted and "commit" not in asked:
        asked["commit"] = facts.get("canvos_commit")
        asked.pop("repository", None)
    return asked


def _asked(props: Props) -> Any:
    """Return what decides what is made; a value of another form stands for itself. Never raises."""
    given = props.get("request")
    if not isinstance(given, Mapping):
        return given
    plain = {key: value for key, value in given.items() if key not in _HOW and value not in (None, "", [], {}, False)}
    if plain.get("commit"):
        # The commit is the same wherever it comes from.
        plain.pop("repository", None)
    return plain


def _pushes(props: Props) -> bool:
    given = props.get("request")
    return isinstance(given, Mapping) and given.get("push") is True
