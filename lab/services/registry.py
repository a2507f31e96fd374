"""An image registry: `registry.lab.internal`, by the OCI distribution API. Everybody may read, who is logged in may push.

A client that lacks something gets 401 with the place where tokens are; a token for a password that is right, but without the
right to push, is answered by 403. State lies in the lab's folder: blobs by digest, and per repository which manifest a tag is.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import BasicAuth, web

from lab.services.faults import Faults
from lab.services.http import Answer
from lab.services.names import REGISTRY_HOST

USER = "builder"
_NAME = r"(?P<name>[a-z0-9]+(?:[._/-][a-z0-9]+)*)"
_DIGEST = r"(?P<digest>sha256:[0-9a-f]{64})"
_ROUTES = (
    ("blob", re.compile(rf"/v2/{_NAME}/blobs/{_DIGEST}")),
    ("begin", re.compile(rf"/v2/{_NAME}/blobs/uploads/?")),
    ("upload", re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<upload>[0-9a-f]{{32}})")),
    ("manifest", re.compile(rf"/v2/{_NAME}/manifests/(?P<reference>[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}|sha256:[0-9a-f]{{64}})")),
    ("tags", re.compile(rf"/v2/{_NAME}/tags/list")),
)  # fmt: skip
_CHUNK = 1 << 20
_MOST_MANIFEST = 4 << 20


class RegistryError(Exception):
    """A refusal: HTTP status, the API's word for it, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Registry:
    """Answers for the registry. `password` is that of its one user; without one nobody can log in."""

    def __init__(self, folder: Path, password: str, faults: Faults) -> None:
        self._blobs = folder / "blobs" / "sha256"
        self._names = folder / "repositories"
        self._uploads = folder / "uploads"
        self._password = password
        self._faults = faults
        self._tokens: set[str] = set()
        self._handlers: dict[str, Callable[[web.BaseRequest, dict[str, str]], Awaitable[web.StreamResponse]]] = {
            "blob": self._blob,
            "begin": self._begin,
            "upload": self._upload,
            "manifest": self._manifest,
            "tags": self._tags,
        }

    def repositories(self) -> dict[str, dict[str, str]]:
        """Return the repositories, and the digest of each tag in them."""
        return {
            str(path.parent.relative_to(self._names)): json.loads(path.read_text("utf-8"))
            for path in sorted(self._names.rglob("tags.json"))
        }

    async def handle(self, request: web.BaseRequest) -> Answer:
        """Answer one request."""
        try:
            if request.path == "/token":
                return self._token(request), "token"
            if request.path.rstrip("/") == "/v2":
                self._allow(request)
                return web.json_response({}), "probe"
            for kind, pattern in _ROUTES:
                if found := pattern.fullmatch(request.path):
                    if request.method not in ("GET", "HEAD"):
                        self._allow(request)
                        self._may_push(found["name"])
                    return await self._handlers[kind](request, found.groupdict()), _word(kind, request.method)
            raise RegistryError(404, "NOT_FOUND", "there is no such path")
        except RegistryError as error:
            return _refusal(request, error), "denied" if error.status in (401, 403) else "missing"

    def _token(self, request: web.BaseRequest) -> web.StreamResponse:
        """Give a token to who has the password."""
        self._check_password(request.headers.get("Authorization", ""))
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return web.json_response({"token": token, "access_token": token, "expires_in": 3600})

    def _allow(self, request: web.BaseRequest) -> None:
        """Return when the request carries a token of ours, or the password. Raises RegistryError."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value in self._tokens:
            return
        self._check_password(f"{scheme} {value}")

    def _check_password(self, header: str) -> None:
        wrong = RegistryError(401, "UNAUTHORIZED", "authentication required")
        try:
            given = BasicAuth.decode(header)
        except (ValueError, binascii.Error):
            raise wrong from None
        good = self._password and hmac.compare_digest(given.password.encode(), self._password.encode())
        if given.login != USER or not good:
            raise wrong

    def _may_push(self, name: str) -> None:
        if self._faults.active("registry-denied"):
            raise RegistryError(403, "DENIED", f"requested access to the resource is denied: {name}")

    async def _begin(self, request: web.BaseRequest, names: dict[str, str]) -> web.StreamResponse:
        if request.method != "POST":
            raise RegistryError(405, "UNSUPPORTED", "an upload begins with POST")
        upload = secrets.token_hex(16)
        self._uploads.mkdir(parents=True, exist_ok=True)
        (self._uploads / upload).touch()
        place = f"https://{REGISTRY_HOST}/v2/{names['name']}/blobs/uploads/{upload}"
        return web.Response(status=202, headers={"Location": place, "Range": "0-0", "Docker-Upload-UUID": upload})

    async def _upload(self, request: web.BaseRequest, names: dict[str, str]) -> web.StreamResponse:
        """Take a part of a blob (PATCH), or its last part and its digest (PUT)."""
        path = self._uploads / names["upload"]
        if request.method not in ("PATCH", "PUT"):
            raise RegistryError(405, "UNSUPPORTED", "an upload goes on with PATCH and ends with PUT")
        if not path.is_file():
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", "the upload is not known")
        with path.open("ab") as stream:
            async for part in request.content.iter_chunked(_CHUNK):
                stream.write(part)
        if request.method == "PATCH":
            place = f"https://{REGISTRY_HOST}{request.path}"
            return web.Response(status=202, headers={"Location": place, "Range": f"0-{path.stat().st_size - 1}"})
        stated = request.query.get("digest", "")
        if await asyncio.to_thread(_sha256, path) != stated:
            path.unlink()
            raise RegistryError(400, "DIGEST_INVALID", f"the content has not the digest {stated!r}")
        self._blobs.mkdir(parents=True, exist_ok=True)
        path.rename(self._place(stated))
        return web.Response(status=201, headers={"Docker-Content-Digest": stated})

    async def _blob(self, request: web.BaseRequest, names: dict[str, str]) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise RegistryError(405, "UNSUPPORTED", "a blob is read")
        path = self._place(names["digest"])
        if not path.is_file():
            raise RegistryError(404, "BLOB_UNKNOWN", "the blob is not there")
        headers = {"Docker-Content-Digest": names["digest"], "Content-Type": "application/octet-stream"}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(path.stat().st_size)})
        return web.FileResponse(path, headers=headers)

    async def _manifest(self, request: web.BaseRequest, names: dict[str, str]) -> web.StreamResponse:
        if request.method == "PUT":
            return await self._put_manifest(request, names["name"], names["reference"])
        if request.method not in ("GET", "HEAD"):
            raise RegistryError(405, "UNSUPPORTED", "a manifest is read or put")
        reference = names["reference"]
        digest = reference if reference.startswith("sha256:") else self._read_tags(names["name"]).get(reference, "")
        path = self._place(digest)
        if not digest or not path.is_file():
            raise RegistryError(404, "MANIFEST_UNKNOWN", f"there is no manifest {reference}")
        body = path.read_bytes()
        headers = {"Docker-Content-Digest": digest, "Content-Type": json.loads(body)["mediaType"]}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(len(body))})
        return web.Response(body=body, headers=headers)

    async def _put_manifest(self, request: web.BaseRequest, name: str, reference: str) -> web.StreamResponse:
        """Keep a manifest whose blobs are all there, and let the tag be it."""
        body = await request.content.read(_MOST_MANIFEST)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for needed in _blobs_of(body):
            if not self._place(needed).is_file():
                raise RegistryError(400, "MANIFEST_BLOB_UNKNOWN", f"the blob {needed} is not there")
        self._place(digest).write_bytes(body)
        if not reference.startswith("sha256:"):
            tags = {**self._read_tags(name), reference: digest}
            place = self._names / name / "tags.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = place.with_suffix(".partial")
            partial.write_text(json.dumps(tags, indent=2, sort_keys=True) + "\n", "utf-8")
            partial.replace(place)
        elif reference != digest:
            raise RegistryError(400, "DIGEST_INVALID", "the manifest has another digest")
        place_of = f"https://{REGISTRY_HOST}/v2/{name}/manifests/{digest}"
        return web.Response(status=201, headers={"Docker-Content-Digest": digest, "Location": place_of})

    async def _tags(self, _request: web.BaseRequest, names: dict[str, str]) -> web.StreamResponse:
        tags = self._read_tags(names["name"])
        if not tags:
            raise RegistryError(404, "NAME_UNKNOWN", f"there is no repository {names['name']}")
        return web.json_response({"name": names["name"], "tags": sorted(tags)})

    def _read_tags(self, name: str) -> dict[str, str]:
        path = self._names / name / "tags.json"
        found: dict[str, str] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return found

    def _place(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")


def login(password: str) -> str:
    """Return the `auth` of Docker's login file for the registry's user."""
    return base64.b64encode(f"{USER}:{password}".encode()).decode("ascii")


def _blobs_of(body: bytes) -> list[str]:
    """Return the digests that a manifest names. Raises RegistryError for what is no image manifest."""
    try:
        manifest: Any = json.loads(body)
        assert manifest["schemaVersion"] == 2 and isinstance(manifest["mediaType"], str)
        return [str(one["digest"]) for one in (manifest["config"], *manifest["layers"])]
    except (ValueError, KeyError, TypeError, AssertionError):
        raise RegistryError(400, "MANIFEST_INVALID", "that is no manifest of an image") from None


def _refusal(request: web.BaseRequest, error: RegistryError) -> web.Response:
    response = web.json_response({"errors": [{"code": error.code, "message": error.message}]}, status=error.status)
    if error.status == 401:
        realm = f'Bearer realm="https://{REGISTRY_HOST}/token",service="{REGISTRY_HOST}"'
        response.headers["WWW-Authenticate"] = realm if request.path != "/token" else f'Basic realm="{REGISTRY_HOST}"'
    return response


def _word(kind: str, method: str) -> str:
    """Return the word under which the log counts a request: what was pushed, or looked at."""
    if method in ("GET", "HEAD"):
        return f"{kind} read"
    return {"upload": "blob pushed", "manifest": "manifest pushed"}.get(kind, kind)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
