"""Pushes an image to a registry by the OCI distribution API, and logs in to one, as Docker does."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import urllib.parse
from pathlib import Path
from typing import Any

from lab.builder.tools.oci import MANIFEST, Image, Store

_SECONDS = 120
_CHUNK = 1 << 20


class PushError(Exception):
    """The registry said no, or cannot be reached; the text is what Docker would say."""


def registry_of(repository: str) -> tuple[str, str]:
    """Return the registry and the path there: the first part is a host when it has a dot or a port."""
    first, slash, rest = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "registry-1.docker.io", repository if slash else f"library/{repository}"


class RegistryClient:
    """One registry. `logins` is the `auths` of Docker's login file."""

    def __init__(self, host: str, logins: dict[str, Any]) -> None:
        self._host = host
        self._basic = str((logins.get(host) or logins.get(f"https://{host}") or {}).get("auth", ""))
        self._token = ""
        self._connection = http.client.HTTPSConnection(host, timeout=_SECONDS, context=ssl.create_default_context())

    def log_in(self) -> None:
        """Return when the login is good. Raises PushError."""
        self._get_token(f"https://{self._host}/token", self._host, "")

    def push(self, store: Store, image: Image) -> str:
        """Push what the registry lacks, then the manifest; return the registry's digest of it. Raises PushError."""
        _, path = registry_of(image.repository)
        self._ask("GET", "/v2/", path)
        manifest = store.manifest(image)
        for part in (*manifest["layers"], manifest["config"]):
            short = part["digest"].removeprefix("sha256:")[:12]
            if self._ask("HEAD", f"/v2/{path}/blobs/{part['digest']}", path, missing=True) is not None:
                print(f"{short}: Layer already exists")
                continue
            self._send_blob(path, part["digest"], store.blob(part["digest"]))
            print(f"{short}: Pushed")
        body = store.blob(image.digest).read_bytes()
        headers = {"Content-Type": MANIFEST}
        done = self._ask("PUT", f"/v2/{path}/manifests/{image.tag}", path, body=body, headers=headers)
        assert done is not None
        return str(done.headers["Docker-Content-Digest"])

    def _send_blob(self, path: str, digest: str, blob: Path) -> None:
        begun = self._ask("POST", f"/v2/{path}/blobs/uploads/", path, body=b"")
        assert begun is not None
        place = urllib.parse.urlsplit(str(begun.headers["Location"]))
        query = f"{place.query}&" if place.query else ""
        target = f"{place.path}?{query}digest={urllib.parse.quote(digest)}"
        headers = {"Content-Type": "application/octet-stream"}
        self._ask("PUT", target, path, body=blob, headers=headers)

    def _ask(
        self, method: str, target: str, path: str, *, body: bytes | Path | None = None,
        headers: dict[str, str] | None = None, missing: bool = False,
    ) -> http.client.HTTPResponse | None:  # fmt: skip
        """Return the registry's answer, after getting a token when it asks for one; None for a 404 that is `missing`."""
        response = self._send(method, target, body, headers or {})
        if response.status == 401 and not self._token:
            response.read()
            self._follow(str(response.headers.get("WWW-Authenticate", "")), path)
            response = self._send(method, target, body, headers or {})
        content = response.read()
        if response.status == 404 and missing:
            return None
        if response.status >= 300:
            raise PushError(_said(response.status, content))
        return response

    def _send(
        self, method: str, target: str, body: bytes | Path | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        sent = {**headers, **({"Authorization": f"Bearer {self._token}"} if self._token else {})}
        try:
            if isinstance(body, Path):
                with body.open("rb") as stream:
                    sent["Content-Length"] = str(body.stat().st_size)
                    self._connection.request(method, target, stream, sent)
            else:
                self._connection.request(method, target, body, sent)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise PushError(f'Get "https://{self._host}/v2/": {error}') from None

    def _follow(self, challenge: str, path: str) -> None:
        """Get a token where the registry says that they are."""
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if not challenge.lower().startswith("bearer") or not fields.get("realm"):
            raise PushError("no basic auth credentials")
        self._get_token(fields["realm"], fields.get("service", ""), f"repository:{path}:pull,push")

    def _get_token(self, realm: str, service: str, scope: str) -> None:
        if not self._basic:
            raise PushError("no basic auth credentials")
        query = urllib.parse.urlencode({key: value for key, value in (("service", service), ("scope", scope)) if value})
        target = f"{urllib.parse.urlsplit(realm).path}?{query}"
        try:
            self._connection.request("GET", target, headers={"Authorization": f"Basic {self._basic}"})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise PushError(f'Get "{realm}": {error}') from None
        if response.status != 200:
            raise PushError(_said(response.status, content))
        self._token = str(json.loads(content)["token"])


def basic(user: str, password: str) -> str:
    """Return the `auth` of a login file."""
    return base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _said(status: int, content: bytes) -> str:
    """Return a refusal in Docker's words."""
    try:
        error = json.loads(content)["errors"][0]
        code, message = str(error["code"]).lower(), str(error["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return f"received unexpected HTTP status: {status}"
    return f"{code}: {message}"
