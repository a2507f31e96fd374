"""Images of the build machine, kept as an OCI image layout (OCI image specification, image layout)."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
_NAME = "org.opencontainers.image.ref.name"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Image:
    """One image: its whole name, and the digest of its manifest."""

    reference: str
    digest: str

    @property
    def repository(self) -> str:
        """Return the name without the tag."""
        return split(self.reference)[0]

    @property
    def tag(self) -> str:
        """Return the tag."""
        return split(self.reference)[1]


class Store:
    """The images in one folder. Several processes may use it: each change is made alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._index = folder / "index.json"
        self._blobs.mkdir(parents=True, exist_ok=True)
        if not (folder / "oci-layout").exists():
            (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n', "utf-8")

    def blob(self, digest: str) -> Path:
        """Return where a blob lies, or would."""
        return self._blobs / digest.removeprefix("sha256:")

    def images(self) -> list[Image]:
        """Return the images, the youngest first."""
        rows = self._read()
        return [Image(row["annotations"][_NAME], row["digest"]) for row in rows[::-1]]

    def find(self, reference: str) -> Image | None:
        """Return the image of a name (`latest` without a tag), or None."""
        wanted = ":".join(split(reference))
        return next((image for image in self.images() if image.reference == wanted), None)

    def manifest(self, image: Image) -> dict[str, Any]:
        """Return the manifest of an image."""
        found: dict[str, Any] = json.loads(self.blob(image.digest).read_bytes())
        return found

    def config(self, image: Image) -> dict[str, Any]:
        """Return the configuration of an image."""
        found: dict[str, Any] = json.loads(self.blob(self.manifest(image)["config"]["digest"]).read_bytes())
        return found

    def layer(self, image: Image) -> Path:
        """Return the one layer of an image."""
        return self.blob(self.manifest(image)["layers"][0]["digest"])

    def add(self, reference: str, layer: Path, diff_id: str, labels: dict[str, str]) -> Image:
        """Keep a layer, which is moved into the store, as an image of this name."""
        digest = _digest_of(layer)
        with self._alone():
            layer.replace(self.blob(digest))
            return self._tag(reference, self._manifest(digest, diff_id, labels))

    def tag(self, image: Image, reference: str) -> Image:
        """Give an image a further name."""
        with self._alone():
            return self._tag(reference, image.digest)

    def untag(self, image: Image) -> None:
        """Take a name away from an image; without any name it is gone."""
        with self._alone():
            self._keep([row for row in self._read() if row["annotations"][_NAME] != image.reference])

    def _manifest(self, layer: str, diff_id: str, labels: dict[str, str]) -> str:
        config = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
        body = json.dumps(config, sort_keys=True).encode()
        described = {"mediaType": _LAYER, "size": self.blob(layer).stat().st_size, "digest": layer}
        top = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": _CONFIG, "size": len(body), "digest": self._write(body)},
            "layers": [described],
        }
        return self._write(json.dumps(top, sort_keys=True).encode())

    def _write(self, body: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.blob(digest).write_bytes(body)
        return digest

    def _tag(self, reference: str, digest: str) -> Image:
        name = ":".join(split(reference))
        rows = [row for row in self._read() if row["annotations"][_NAME] != name]
        size = self.blob(digest).stat().st_size
        rows.append({"mediaType": MANIFEST, "digest": digest, "size": size, "annotations": {_NAME: name}})
        self._keep(rows)
        return Image(name, digest)

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        partial = self._index.with_suffix(".partial")
        partial.write_text(json.dumps({"schemaVersion": 2, "manifests": rows}, indent=2) + "\n", "utf-8")
        partial.replace(self._index)
        self._sweep(rows)

    def _sweep(self, rows: list[dict[str, Any]]) -> None:
        """Remove the blobs that no image needs."""
        needed = set()
        for row in rows:
            manifest = json.loads(self.blob(row["digest"]).read_bytes())
            needed |= {row["digest"], manifest["config"]["digest"], *(one["digest"] for one in manifest["layers"])}
        for path in self._blobs.iterdir():
            if f"sha256:{path.name}" not in needed:
                path.unlink()

    def _read(self) -> list[dict[str, Any]]:
        if not self._index.exists():
            return []
        rows: list[dict[str, Any]] = json.loads(self._index.read_text("utf-8"))["manifests"]
        return rows

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def split(reference: str) -> tuple[str, str]:
    """Return repository and tag. The colon of a tag comes after the last slash: a registry may have a port."""
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


def matches(image: Image, pattern: str) -> bool:
    """Return whether a name fits the pattern of `--filter=reference=`: a star stops at a slash, as in a path."""
    repository, tag = split(pattern) if ":" in pattern.rpartition("/")[2] else (pattern, "*")
    return _like(image.repository.split("/"), repository.split("/")) and _like([image.tag], [tag])


def _like(words: list[str], patterns: list[str]) -> bool:
    from fnmatch import fnmatchcase

    pairs = zip(words, patterns, strict=True) if len(words) == len(patterns) else None
    return pairs is not None and all(fnmatchcase(word, pattern) for word, pattern in pairs)


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(_CHUNK):
            digest.update(part)
    return f"sha256:{digest.hexdigest()}"
