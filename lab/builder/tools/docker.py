"""`docker` on the build machine of the lab: a stand-in that keeps and pushes real images, and plays the vendor's containers.

    docker info | version
    docker images [--format F] [--filter reference=P] [-q]    docker tag FROM TO
    docker image inspect NAME [--format F]                     docker image rm [-f] NAME
    docker push NAME
    docker login HOST -u USER --password-stdin                 docker ps | rm -f NAME
    docker run [--privileged] [-d] [-v FROM:TO] [-e K=V] IMAGE ARGUMENT...
    docker exec [-it] NAME COMMAND...

A container is a process beside all others, not one in a box. As with Docker, a folder that is mounted and not there is made,
also where a file was meant; and without a terminal `-t` is refused.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab.builder.tools import containers
from lab.builder.tools.oci import Image, Store, matches, split
from lab.builder.tools.push import PushError, RegistryClient, basic, registry_of

FOLDER = Path(os.environ.get("LAB_DOCKER", "/var/lib/docker"))
VERSION = "27.0.0-lab"


class DockerError(Exception):
    """What Docker says on standard error before it ends with 1."""


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    if not arguments or arguments[0] not in _COMMANDS:
        print(__doc__)
        return 0 if arguments[:1] == ["--help"] else 1
    if os.geteuid() != 0 and arguments[0] not in ("version", "login"):
        print("permission denied while trying to connect to the Docker daemon socket", file=sys.stderr)
        return 1
    try:
        return int(_COMMANDS[arguments[0]](arguments[1:]) or 0)
    except (DockerError, PushError, containers.ContainerError) as error:
        print(error, file=sys.stderr)
        return 1


def store() -> Store:
    """Return the images of this machine."""
    return Store(FOLDER / "oci")


def _info(_arguments: list[str]) -> None:
    print(f"Server:\n Server Version: {VERSION}\n Images: {len(store().images())}\n Storage Driver: oci-layout")
    print(f" Docker Root Dir: {FOLDER}\n Operating System: stand-in of the edge-hosts lab")


def _version(_arguments: list[str]) -> None:
    print(f"Docker version {VERSION}, stand-in of the edge-hosts lab")


def _images(arguments: list[str]) -> None:
    parser = _parser("images")
    parser.add_argument("--format", default="")
    parser.add_argument("--filter", "-f", action="append", default=[])
    parser.add_argument("--quiet", "-q", action="store_true")
    parser.add_argument("name", nargs="?", default="")
    given = parser.parse_args(arguments)
    patterns = [one.removeprefix("reference=") for one in given.filter] + ([given.name] if given.name else [])
    chosen = [image for image in store().images() if all(matches(image, pattern) for pattern in patterns)]
    if not given.format and not given.quiet:
        print(f"{'REPOSITORY':<50} {'TAG':<50} IMAGE ID")
    shown = "{{.ID}}" if given.quiet else given.format or "{{.Repository}} {{.Tag}} {{.ID}}"
    for image in chosen:
        digest = store().manifest(image)["config"]["digest"]
        fields = {"Repository": image.repository, "Tag": image.tag, "ID": digest[7:19], "Digest": image.digest}
        print(_filled(shown, fields))


def _image(arguments: list[str]) -> int:
    if arguments[:1] in (["ls"], ["list"]):
        _images(arguments[1:])
        return 0
    if arguments[:1] == ["rm"]:
        for name in [word for word in arguments[1:] if not word.startswith("-")]:
            store().untag(image := _known(name))
            print(f"Untagged: {image.reference}")
        return 0
    if arguments[:1] != ["inspect"]:
        raise DockerError("docker image: use ls, rm or inspect")
    parser = _parser("image inspect")
    parser.add_argument("--format", "-f", default="")
    parser.add_argument("name", nargs="+")
    given = parser.parse_args(arguments[1:])
    found = [_details(_known(name)) for name in given.name]
    if not given.format:
        print(json.dumps(found, indent=4))
        return 0
    for one in found:
        plain = {key: one[key] for key in ("Id", "Created", "Architecture", "Os", "Size")}
        lists = {f"json .{key}": json.dumps(one[key]) for key in ("RepoTags", "RepoDigests", "RootFS", "Config")}
        first = {"index .RepoDigests 0": one["RepoDigests"][0] if one["RepoDigests"] else ""}
        print(_filled(given.format, {**plain, **lists, **first}))
    return 0


def _details(image: Image) -> dict[str, Any]:
    config, manifest = store().config(image), store().manifest(image)
    pushed = json.loads(_pushed().read_text("utf-8")) if _pushed().exists() else {}
    digests = [f"{image.repository}@{pushed[image.reference]}"] if image.reference in pushed else []
    return {
        "Id": manifest["config"]["digest"],
        "RepoTags": [one.reference for one in store().images() if one.digest == image.digest],
        "RepoDigests": digests,
        "Created": config["created"],
        "Architecture": config["architecture"],
        "Os": config["os"],
        "Size": sum(layer["size"] for layer in manifest["layers"]),
        "Config": config["config"],
        "RootFS": {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]},
    }


def _push(arguments: list[str]) -> None:
    parser = _parser("push")
    parser.add_argument("--quiet", "-q", action="store_true")
    parser.add_argument("name")
    image = _known(parser.parse_args(arguments).name)
    print(f"The push refers to repository [{image.repository}]", flush=True)
    digest = RegistryClient(registry_of(image.repository)[0], _logins()).push(store(), image)
    pushed = json.loads(_pushed().read_text("utf-8")) if _pushed().exists() else {}
    _pushed().write_text(json.dumps({**pushed, image.reference: digest}, indent=2) + "\n", "utf-8")
    print(f"{image.tag}: digest: {digest} size: {store().blob(image.digest).stat().st_size}")


def _tag(arguments: list[str]) -> None:
    source, target = arguments
    store().tag(_known(source), target)


def _login(arguments: list[str]) -> None:
    parser = _parser("login")
    parser.add_argument("--username", "-u", required=True)
    parser.add_argument("--password", "-p", default="")
    parser.add_argument("--password-stdin", action="store_true")
    parser.add_argument("host")
    given = parser.parse_args(arguments)
    password = sys.stdin.read().rstrip("\n") if given.password_stdin else given.password
    logins = {**_logins(), given.host: {"auth": basic(given.username, password)}}
    RegistryClient(given.host, logins).log_in()
    file = _login_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(json.dumps({"auths": logins}, indent=2) + "\n", "utf-8")
    file.chmod(0o600)
    print("Login Succeeded")


def _run(arguments: list[str]) -> int:
    return containers.run(FOLDER, arguments)


def _exec(arguments: list[str]) -> int:
    return containers.execute(FOLDER, arguments)


def _ps(_arguments: list[str]) -> None:
    for name in containers.running(FOLDER):
        print(name)


def _rm(arguments: list[str]) -> None:
    for name in [word for word in arguments if not word.startswith("-")]:
        containers.remove(FOLDER, name)


def _known(name: str) -> Image:
    found = store().find(name)
    if found is None:
        raise DockerError(f"Error response from daemon: No such image: {':'.join(split(name))}")
    return found


def _pushed() -> Path:
    return FOLDER / "pushed.json"


def _login_file() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))) / "config.json"


def _logins() -> dict[str, Any]:
    """Return the logins. A folder in the place of the file is what a careless mount has left there."""
    file = _login_file()
    if file.is_dir():
        raise DockerError(f"Error loading config file: read {file}: is a directory")
    if not file.exists():
        return {}
    found: dict[str, Any] = json.loads(file.read_text("utf-8") or "{}").get("auths", {})
    return found


def _filled(shape: str, fields: dict[str, Any]) -> str:
    """Return a format of Go's templates, filled; only single fields are known."""
    text = shape
    for name, value in fields.items():
        key = name if name.startswith(("json ", "index ")) else f".{name}"
        for spaced in (f"{{{{{key}}}}}", f"{{{{ {key} }}}}"):
            text = text.replace(spaced, str(value))
    if "{{" in text:
        raise DockerError(f"template parsing error: the stand-in does not know {shape}")
    return text.replace("\\t", "\t")


def _parser(name: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"docker {name}", allow_abbrev=False)


_COMMANDS = {
    "info": _info, "version": _version, "--version": _version, "images": _images, "image": _image, "push": _push,
    "tag": _tag, "login": _login, "run": _run, "exec": _exec, "ps": _ps, "rm": _rm, "stop": _rm,
}  # fmt: skip

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.SubprocessError as error:
        sys.exit(f"docker: {error}")
