"""The checkout of CanvOS on the build machine: at one tag, at one commit, with what we write into it and nothing else."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from edge.canvos.request import NEWEST
from edge.canvos.shell import Shell, checked
from edge.canvos.tags import VERSIONS_FILE, newest, tag_findings
from edge.errors import HostError, SettingsError
from edge.findings import Finding, errors

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ASK_SECONDS = 5


@dataclass(frozen=True)
class Checkout:
    """A repository at a tag: its commit, the agent version inside, and the texts that a build is checked against."""

    folder: str
    tag: str
    commit: str
    earthfile: str
    versions: str
    dockerfile: str
    warnings: tuple[Finding, ...] = ()


def fetch_script(folder: str, repository: str) -> str:
    """Return the script that brings the repository and its tags there; a second run only fetches what is new."""
    place, source = shlex.quote(folder), shlex.quote(repository)
    return (
        "set -eu\nexport GIT_TERMINAL_PROMPT=0\n"
        f"if [ -d {place}/.git ]; then cd {place}; git remote set-url origin {source}\n"
        f"else rm -rf {place}; mkdir -p {place}; cd {place}; git init -q; git remote add origin {source}; fi\n"
        # A moved tag must not be taken over silently: it is compared, and forced only afterwards. One that was withdrawn goes.
        "git fetch --quiet --no-tags --prune origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/edge-hosts/tags/*'\n"
    )


def known_tags(shell: Shell, folder: str) -> list[str]:
    """Return the tags that the repository had when it was last fetched."""
    script = f"cd {shlex.quote(folder)} && git for-each-ref --format='%(refname:lstrip=3)' refs/edge-hosts/tags"
    return checked(shell, script, "reading the tags of CanvOS", "fetch the repository again").split()


def commit_now(shell: Shell, repository: str, tag: str) -> str:
    """Return the commit that a tag (or the newest plain one) has in the repository now, "" when it does not tell soon."""
    asked = f"timeout {_ASK_SECONDS} git ls-remote --tags -- {shlex.quote(repository)}"
    found = shell.run(f"export GIT_TERMINAL_PROMPT=0; {asked} 2>/dev/null")
    if found.code:
        return ""
    rows = (line.split() for line in found.out.splitlines())
    commits = {row[1].removeprefix("refs/tags/"): row[0] for row in rows if len(row) == 2}
    wanted = newest(commits) or "" if tag == NEWEST else tag
    # An annotated tag is an object of its own, told before what it points to.
    return commits.get(f"{wanted}^{{}}", commits.get(wanted, ""))


def look_at(shell: Shell, folder: str, tag: str, *, pinned: str = "", where: str = "canvos.tag") -> Checkout:
    """Return a tag as the repository has it, without touching the files that are checked out.

    `pinned` is the commit that a release was tested with, "" when none is known. Raises SettingsError for a tag that is not
    there, was moved, or is no CanvOS, and HostError when git fails.
    """
    there, commit, texts = _read(shell, folder, tag)
    if tag not in there:
        raise SettingsError(tag_findings(tag, there, "", where))
    if pinned and commit != pinned:
        problem = f"was moved: it is commit {commit[:12]} now, and the release was tested with {pinned[:12]}"
        remedy = (
            "Find out why the vendor moved it; then write the new commit as `canvos.commit`, or choose another tag."
        )
        raise SettingsError([Finding(where, tag, problem, remedy)])
    missing = sorted(name for name, text in texts.items() if text is None)
    if missing:
        remedy = "Choose a tag of the CanvOS repository, v4.5.5 or newer."
        raise SettingsError([Finding(where, tag, f"has no {', '.join(missing)}", remedy)])
    found = tag_findings(tag, there, str(texts["Earthfile"]), where)
    if errors(found):
        raise SettingsError(errors(found))
    return Checkout(
        folder, tag, commit, str(texts["Earthfile"]), str(texts[VERSIONS_FILE]), str(texts["Dockerfile"]), tuple(found)
    )


def check_out(shell: Shell, checkout: Checkout) -> None:
    """Make the files those of the tag, and nothing else: what an earlier build left is removed."""
    place, commit, tag = shlex.quote(checkout.folder), checkout.commit, shlex.quote(checkout.tag)
    script = (
        f"set -eu; cd {place}; "
        # What a build left that was cut off belongs to root, and would stay.
        'if [ -n "$(find . ! -user "$(id -u)" -print -quit)" ]; then sudo -n chown -R "$(id -u):$(id -g)" .; fi; '
        f"git -c advice.detachedHead=false checkout --quiet --force --detach {commit}; "
        # Ignored files too: build/ is one of them. The tag is set, because the vendor's script asks `git describe`.
        f"git clean -qfdx; git tag -f {tag} {commit} >/dev/null"
    )
    remedy = "look who owns the files there; remove the folder of the build, and run again"
    checked(shell, script, f"checking out {checkout.tag}", remedy)


def _read(shell: Shell, folder: str, tag: str) -> tuple[list[str], str, dict[str, str | None]]:
    """Return the tags of the repository, the commit of one, and its files that matter: in one command.

    An annotated tag is an object of its own, so it is peeled. For a tag that is not there the rest is empty.
    """
    names = ("Earthfile", VERSIONS_FILE, "Dockerfile")
    ref = shlex.quote(f"refs/edge-hosts/tags/{tag}^{{commit}}")
    script = (
        f"set -e; cd {shlex.quote(folder)}; git for-each-ref --format='%(refname:lstrip=3)' refs/edge-hosts/tags; "
        f"printf '\\0'; commit=$(git rev-parse --verify --quiet {ref}) || exit 0; printf '%s\\0' \"$commit\"; "
        f"for name in {' '.join(names)}; do "
        'if git cat-file -e "$commit:$name" 2>/dev/null; then printf +; git show "$commit:$name"; fi; printf \'\\0\'; done'
    )
    tags, commit, *found = checked(shell, script, "reading the tags of CanvOS", "fetch the repository again").split(
        "\0"
    )
    if not found:
        return tags.split(), "", {}
    if not _COMMIT.fullmatch(commit):
        raise HostError(f"git names no commit for {tag}: {commit[:60]!r}", remedy="fetch again", where=shell.name)
    return tags.split(), commit, {name: text[1:] or None for name, text in zip(names, found, strict=False)}


def newest_tag(shell: Shell, folder: str) -> str:
    """Return the newest plain tag of the repository. Raises HostError when it has none."""
    tag = newest(known_tags(shell, folder))
    if tag is None:
        raise HostError("its CanvOS repository has no plain tag", remedy="check `repository`", where=shell.name)
    return tag
