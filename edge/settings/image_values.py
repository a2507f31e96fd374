"""The plain values of installer images: tags and names of the vendor's builder, paths of files, image references.

What ends in the builder's `.arg` file must be readable by Earthly and by bash alike, so none of these values may hold a
single quote or a control character.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from edge.canvos.arg import value_problem
from edge.canvos.dockerfile import BEGIN, END, MARKER
from edge.canvos.request import NEWEST
from edge.settings.base import not_text, refuse
from edge.settings.scalars import one_line, require_text

OS_VERSIONS = ("20", "20.04", "22", "22.04", "24.04")
NAME_LIMIT = 128  # of a tag in a registry; the image's tag holds distribution, versions and this one

_TAG = re.compile(r"v[0-9]+\.[0-9A-Za-z]+(\.[0-9A-Za-z]+)?(-[0-9A-Za-z.]+)?")
_CUSTOM_TAG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ISO_NAME = re.compile(r"[A-Za-z0-9_-]+")
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*")
_REPO = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/-]*(:[0-9]{1,5}/[a-z0-9._/-]+)?(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?")  # fmt: skip


def canvos_tag(value: object) -> str:
    """Return the tag of a CanvOS release, or `newest`, with which the build looks for it; a branch is none."""
    text = one_line(value)
    if text != NEWEST and not _TAG.fullmatch(text):
        raise refuse(
            "is no tag of the CanvOS repository",
            f"Write the tag that was tested, for example v4.5.15, or {NEWEST} to try what there is",
        )
    return text


def commit(value: object) -> str:
    """Return a whole git commit."""
    text = one_line(value)
    if not re.fullmatch(r"[0-9a-f]{40}", text):
        raise refuse(
            "is no git commit", "Write all 40 hexadecimal digits in quotes, as `git ls-remote` prints them for the tag"
        )
    return text


def image_digest(value: object) -> str:
    """Return the digest of an image as `sha256:HEX`; the hexadecimal digits alone are taken, too."""
    text = one_line(value)
    digits = text.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise refuse("is no digest of an image", "Write sha256: and 64 hexadecimal digits, as the registry shows it")
    return f"sha256:{digits}"


def os_version(value: object) -> str:
    """Return a version of Ubuntu as the builder takes it: it completes 20 and 22, but not 24."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value not in (20, 22, 24):
            raise not_text(value)
        value = str(int(value))
    text = one_line(value)
    if text == "24":
        raise refuse("is a version that the builder does not complete, as it does 22", 'Write "24.04" in quotes')
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?", text):
        raise refuse("is no version of an operating system", 'Write it in quotes, for example "22.04"')
    return text


def custom_tag(value: object) -> str:
    """Return the tag that ends the names of the images."""
    if value in ("", None):
        raise refuse(
            "is empty: the address that the cluster profile needs would end in a dash and match no image",
            "Write a short tag, for example eks-hybrid",
        )
    text = one_line(value)
    if not _CUSTOM_TAG.fullmatch(text) or len(text) > NAME_LIMIT // 2:
        raise refuse("is no usable tag", "Use at most 64 characters a-z, 0-9 and inner '-', for example eks-hybrid")
    return text


def iso_name(value: object) -> str:
    """Return the name of an ISO without `.iso`."""
    text = one_line(value)
    if text.endswith(".iso"):
        raise refuse("ends in .iso, which the builder adds", f"Write {text.removesuffix('.iso')}")
    if not _ISO_NAME.fullmatch(text) or len(text) > NAME_LIMIT // 2:
        raise refuse("is no name of an ISO", "Use at most 64 letters, digits, '-' and '_'")
    return text


def _without_scheme(text: str) -> None:
    if "://" in text:
        raise refuse("has a scheme", f"Write it without: {text.partition('://')[2].rstrip('/') or 'HOST/NAMESPACE'}")


def image_registry(value: object) -> str:
    """Return HOST[:PORT][/PATH], or the name of an organization at Docker Hub."""
    text = one_line(value)
    _without_scheme(text)
    if not _REGISTRY.fullmatch(text):
        raise refuse(
            "is no registry",
            "Write HOST[:PORT]/NAMESPACE in lower case, or an organization of Docker Hub, without a tag",
        )
    return text


def image_repo(value: object) -> str:
    """Return the name of a repository: the last part of an image's name before its tag."""
    text = one_line(value)
    if not _REPO.fullmatch(text):
        raise refuse(
            "is no name of a repository",
            "Use a-z, 0-9, '.', '_' and '-'; what stands before the last slash belongs to `registry`",
        )
    return text


def image_reference(value: object) -> str:
    """Return the name of an image as `docker pull` takes it."""
    text = one_line(value)
    _without_scheme(text)
    if not _REFERENCE.fullmatch(text):
        raise refuse("is no name of an image", "Write it as `docker pull` takes it: HOST/NAMESPACE/NAME:TAG")
    return text


def absolute_path(value: object) -> str:
    """Return an absolute path of a folder on a Linux machine."""
    text = one_line(value)
    if not text.startswith("/") or text.rstrip("/") == "" or ".." in text.split("/"):
        raise refuse(
            "is no absolute path of a folder", "Write it from the root on, for example /var/lib/edge-hosts-build"
        )
    problem = value_problem(text)
    if problem is not None:
        raise refuse(problem, "Use another folder")
    return text.rstrip("/")


def _inside_a_datastore(text: str) -> None:
    if text.startswith("["):
        raise refuse("names the datastore, too", f"Write only the path: {text.partition(']')[2].strip() or 'FOLDER'}")
    parts = text.split("/")
    if "\\" in text or any(part.strip() != part or part in ("", ".", "..") for part in parts):
        raise refuse("is no path in a datastore", "Write names parted by one `/` each, without a leading slash")


def datastore_folder(value: object) -> str:
    """Return the path of a folder of a datastore, relative to its root."""
    text = one_line(value)
    _inside_a_datastore(text)
    return text


def iso_path(value: object) -> str:
    """Return the path of an ISO in a datastore, relative to its root."""
    text = one_line(value)
    _inside_a_datastore(text)
    if not text.endswith(".iso"):
        raise refuse("is no path of an ISO", "Write the path of the file itself, which ends in .iso")
    return text


def dockerfile_line(value: object) -> str:
    """Return one line for the vendor's Dockerfile; blanks at its start are kept."""
    text = require_text(value)
    if "\n" in text or "\r" in text:
        raise refuse("has a line break", "Write one list item per line of the Dockerfile")
    if not text.strip():
        raise refuse("is empty", "Remove the item")
    if any(mark in text for mark in (BEGIN, END, MARKER)):
        raise refuse("is a mark by which the program finds its lines again", "Write another comment")
    if any(ord(char) < 32 and char != "\t" for char in text):
        raise refuse("has a control character", "Remove it")
    return text.rstrip()


def proxy_exception(value: object) -> str:
    """Return one entry of NO_PROXY."""
    text = one_line(value)
    problem = value_problem(text)
    if problem is not None:
        raise refuse(problem, "Remove it")
    if "," in text or " " in text:
        raise refuse("holds several names", "Write one entry per list item")
    return text


def _text(pattern: str = ".") -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


CanvosTag = Annotated[str, BeforeValidator(canvos_tag), _text("^(newest$|v[0-9]+[.])")]
Commit = Annotated[str, BeforeValidator(commit), _text("^[0-9a-f]{40}$")]
ImageDigest = Annotated[str, BeforeValidator(image_digest), _text("^(sha256:)?[0-9a-f]{64}$")]
OsVersion = Annotated[
    str, BeforeValidator(os_version), WithJsonSchema({"type": ["string", "number"], "examples": ["22.04"]})
]
CustomTag = Annotated[str, BeforeValidator(custom_tag), _text("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
IsoName = Annotated[str, BeforeValidator(iso_name), _text("^[A-Za-z0-9_-]+$")]
ImageRegistry = Annotated[str, BeforeValidator(image_registry), _text("^[a-z0-9][a-z0-9._:/-]*$")]
ImageRepo = Annotated[str, BeforeValidator(image_repo), _text("^[a-z0-9][a-z0-9._-]*$")]
ImageReference = Annotated[str, BeforeValidator(image_reference), _text()]
AbsolutePath = Annotated[str, BeforeValidator(absolute_path), _text("^/.+")]
DatastoreFolder = Annotated[str, BeforeValidator(datastore_folder), _text("^[^/].*")]
IsoPath = Annotated[str, BeforeValidator(iso_path), _text(r"^[^/].*\.iso$")]
DockerfileLine = Annotated[str, BeforeValidator(dockerfile_line), _text()]
ProxyException = Annotated[str, BeforeValidator(proxy_exception), _text("^[^, ]+$")]
