"""The CanvOS repository of the lab: a real git repository, the same commits on every machine.

Files, tags and what differs between tags are those of the vendor's repository; the texts are the lab's own. Each tag
behaves as documented for it: what `earthly.sh` does with a failed build and a missing login, whether `certs/` is read, how
the Dockerfile ends, which Kubernetes versions there are, and which agent is inside (CanvOS repository, those files at each
tag).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LabError
from lab.proc import last_words
from lab.takedown import remove_tree

FILES = Path(__file__).resolve().parent / "canvos"
BRANCH = "refs/heads/main"
MOVABLE = "v4.5.15"
"""The tag that the fault `tag-moved` moves."""
_MOVED = f"refs/lab/{MOVABLE}"
_WHO = "CanvOS of the lab <canvos@lab.internal>"
_FIRST = 1_700_000_000  # the moment of the first commit; a day between two
_DAY = 86_400
_SECONDS = 60

_CHECK_RIGHT = 'code=$?\nif [ "$code" -ne 0 ]; then\n  echo "The build failed." >&2\n  exit 1\nfi'
# As it stands at v4.5.14 to v4.7.2: no test at all, but a command called `0`, or `1`, that is not there.
_CHECK_WRONG = 'if $? -ne 0; then\n  echo "The build failed." >&2\n  exit 1\nfi'
_LOGIN_ALWAYS = "login=(-v ~/.docker/config.json:/root/.docker/config.json)"
_LOGIN_IF_THERE = f"if [ -f ~/.docker/config.json ]; then\n  {_LOGIN_ALWAYS}\nfi"
_CERTS_ONE = (
    '  [ -z "$PROXY_CERT_PATH" ] || login+=(-v "$PROXY_CERT_PATH:/usr/local/share/ca-certificates/proxy.crt:ro")'
)
_CERTS_FOLDER = (
    '  if [ -n "$PROXY_CERT_PATH" ]; then\n    echo "PROXY_CERT_PATH is deprecated: put the file into certs/."\n'
    '    cp "$PROXY_CERT_PATH" certs/\n  fi'
)
_END_COMMENT = "#    mkdir /var/lib/wpa"
_OLD, _NEW = ("1.29.0", "1.30.0", "1.31.0"), ("1.29.0", "1.30.0", "1.31.0", "1.32.0")


@dataclass(frozen=True)
class Tag:
    """One tag: the agent inside, the nodeadm versions, and which of the mistakes of its time it has."""

    name: str
    inside: str
    kubernetes: tuple[str, ...] = _NEW
    wrong_check: bool = False
    login_always: bool = False
    certs_folder: bool = True
    ends_in_comment: bool = False
    marker_line: int = 31
    annotated: bool = False


TAGS = (
    Tag("archive/v4.4", "v4.4.4", (), False, True, False, True, 27),
    Tag("v4.5.3", "v4.5.3", (), False, True, False, True, 27),
    Tag("v4.5.10", "v4.5.10", ("1.29.0", "1.30.0"), False, True, False, True, 27),
    Tag("v4.5.14", "v4.5.14", _OLD, True, True, True, True, 27),
    Tag("v4.5.15", "v4.5.15", _OLD, True, True, True, True, 27),
    Tag("v4.6.21-patch.7", "v4.6.21", _OLD, True, True, True, True, 27),
    Tag("v4.7.2", "v4.7.2", _OLD, True, False, True, True, 27),
    Tag("v4.7.9", "v4.7.9", _NEW, False, False, True, True, 27),
    Tag("v4.9.a", "v4.9.7"),
    Tag("v4.9.38", "v4.9.38", annotated=True),
    Tag("v4.10.0-rc.1", "v4.9.20"),
    Tag("v4.10.0", "v4.9.21"),
)
"""The tags, in the order of their commits. The names and versions of the vendor's repository."""


def files(tag: Tag) -> dict[str, str]:
    """Return the files of the repository at a tag, by path."""
    script = _text("earthly.sh")
    for mark, text in (
        ("@CHECK@", _CHECK_WRONG if tag.wrong_check else _CHECK_RIGHT),
        ("@LOGIN@", _LOGIN_ALWAYS if tag.login_always else _LOGIN_IF_THERE),
        ("@CERTS@", _CERTS_FOLDER if tag.certs_folder else _CERTS_ONE),
    ):
        script = script.replace(mark, text)
    versions: dict[str, object] = {"k3s": ["1.29.9", "1.30.5"], "rke2": ["1.30.5"]}
    if tag.kubernetes:
        versions["nodeadm"] = list(tag.kubernetes)
    return {
        ".arg.template": _text("arg.template"),
        ".gitignore": "*user-data\n*.arg\nbuild/\n",
        "Dockerfile": _dockerfile(tag),
        "Earthfile": _text("Earthfile").replace("@PE_VERSION@", tag.inside),
        "README.md": _text("README.md"),
        "certs/.gitkeep": "",
        "earthly.sh": script,
        "k8s_version.json": json.dumps(versions, indent=2) + "\n",
        "os_version.json": json.dumps({"ubuntu": ["22.04", "20.04"], "opensuse-leap": ["15.6"]}, indent=2) + "\n",
        "user-data.template": _text("user-data.template"),
    }


def _dockerfile(tag: Tag) -> str:
    """Return the Dockerfile: its marker on the line where it stands at that time, its end as it was."""
    text = _text("Dockerfile").replace("@END@", _END_COMMENT)
    above = text.split("@FILLING@\n")[0].count("\n")
    text = text.replace("@FILLING@\n", "\n" * (tag.marker_line - 1 - above))
    return text.removesuffix("\n") if tag.ends_in_comment else text


def make_repository(folder: Path) -> None:
    """Make the repository anew in `folder` (bare, ready to be served as files). Raises LabError when git fails."""
    partial = folder.with_name(f"{folder.name}.partial")
    for path in (partial, folder):
        if path.exists():
            remove_tree(path)
    partial.mkdir(parents=True)
    _git(partial, "init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=main")
    _git(partial, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", stdin=b"".join(_stream()))
    _git(partial, "update-server-info")
    partial.rename(folder)


def commit_of(folder: Path, tag: str, *, moved: bool = False) -> str:
    """Return the commit of a tag; of the movable one also that to which it is moved."""
    ref = _MOVED if moved else f"refs/tags/{tag}^{{commit}}"
    return _git(folder, "rev-parse", "--verify", ref).decode("ascii").strip()


def advertised(folder: Path, *, moved: bool) -> bytes:
    """Return the list of references that a client is shown: without those of the lab, with one tag moved."""
    rows = [line.split("\t") for line in (folder / "info/refs").read_text("ascii").splitlines()]
    places = {name: commit for commit, name in rows}
    if moved:
        places[f"refs/tags/{MOVABLE}"] = places[_MOVED]
    return "".join(f"{places[name]}\t{name}\n" for _, name in rows if not name.startswith("refs/lab/")).encode()


def _stream() -> Iterator[bytes]:
    """Yield the history, as git fast-import reads it."""
    for number, tag in enumerate(TAGS):
        mark = number + 1
        yield from _commit(BRANCH, mark, number, tag.name, files(tag))
        if tag.annotated:
            yield f"tag {tag.name}\nfrom :{mark}\ntagger {_WHO} {_FIRST + number * _DAY} +0000\n".encode()
            yield _data(tag.name)
        else:
            yield f"reset refs/tags/{tag.name}\nfrom :{mark}\n\n".encode()
        if tag.name == MOVABLE:
            text = files(tag)
            text["README.md"] += "\nThe tag was moved to this commit.\n"
            yield from _commit(_MOVED, mark + 100, number, "moved", text, parent=mark)


def _commit(
    ref: str, mark: int, number: int, message: str, texts: dict[str, str], parent: int | None = None
) -> Iterator[bytes]:
    yield f"commit {ref}\nmark :{mark}\ncommitter {_WHO} {_FIRST + number * _DAY} +0000\n".encode()
    yield _data(message)
    yield f"from :{parent}\n".encode() if parent is not None else b""
    yield b"deleteall\n"
    for path, text in sorted(texts.items()):
        yield f"M {'100755' if path.endswith('.sh') else '100644'} inline {path}\n".encode() + _data(text)
    yield b"\n"


def _data(text: str) -> bytes:
    body = text.encode()
    return b"data %d\n%s\n" % (len(body), body)


def _text(name: str) -> str:
    return (FILES / name).read_text("utf-8")


def _git(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    """Run git without any setting of this machine: the commits are the same everywhere."""
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, input=stdin, capture_output=True, env=plain, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise LabError("git is not installed", remedy="install it and try again.") from None
    if done.returncode:
        raise LabError(f"git {words[0]} ended with {done.returncode}: {last_words(done.stderr.decode())}")
    return done.stdout
