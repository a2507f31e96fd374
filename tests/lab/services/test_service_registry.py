"""The image registry of the lab: who may push, and what it keeps, asked as the OCI distribution API is asked."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from service_stand import PORTS, REGISTRY_PASSWORD, Stand

from lab.services.registry import USER

HOST = "registry.lab.internal"
NAME = "edge/ubuntu"
KIND = "application/vnd.oci.image.manifest.v1+json"


def ask(
    stand: Stand, method: str, path: str, *, body: bytes = b"", login: tuple[str, str] | None = None, token: str = ""
) -> httpx.Response:
    """Ask the registry, with a login or a token."""
    headers = {"Host": HOST, **({"Authorization": f"Bearer {token}"} if token else {})}
    with httpx.Client(verify=stand.trust(), trust_env=False, timeout=5) as client:
        url = f"https://{stand.config.services_ip}:{PORTS.https}{path}"
        auth = httpx.BasicAuth(*login) if login else None
        return client.request(
            method, url, content=body, headers=headers, auth=auth, extensions={"sni_hostname": HOST}
        )  # fmt: skip


def token_of(stand: Stand) -> str:
    answer = ask(stand, "GET", "/token?service=x", login=(USER, REGISTRY_PASSWORD))
    return str(answer.json()["token"])


def sha(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def put_blob(stand: Stand, token: str, body: bytes, digest: str = "") -> httpx.Response:
    begun = ask(stand, "POST", f"/v2/{NAME}/blobs/uploads/", token=token)
    assert begun.status_code == 202
    path = httpx.URL(begun.headers["Location"]).path
    assert ask(stand, "PATCH", path, body=body[:3], token=token).status_code == 202
    return ask(stand, "PUT", f"{path}?digest={digest or sha(body)}", body=body[3:], token=token)


def manifest_of(*bodies: bytes) -> bytes:
    parts = [{"mediaType": "x/y", "size": len(body), "digest": sha(body)} for body in bodies]
    return json.dumps({"schemaVersion": 2, "mediaType": KIND, "config": parts[0], "layers": parts[1:]}).encode()


@pytest.mark.row("B13")
def test_a_pushed_image_is_read_back_by_its_digest(stand: Stand) -> None:
    token = token_of(stand)
    for body in (b"{}-config", b"layer"):
        assert put_blob(stand, token, body).status_code == 201
        assert ask(stand, "HEAD", f"/v2/{NAME}/blobs/{sha(body)}").status_code == 200
        assert ask(stand, "GET", f"/v2/{NAME}/blobs/{sha(body)}").content == body
    text = manifest_of(b"{}-config", b"layer")
    done = ask(stand, "PUT", f"/v2/{NAME}/manifests/t1", body=text, token=token)
    assert (done.status_code, done.headers["Docker-Content-Digest"]) == (201, sha(text))
    for reference in ("t1", sha(text)):
        read = ask(stand, "GET", f"/v2/{NAME}/manifests/{reference}")
        assert (read.content, read.headers["Content-Type"]) == (text, KIND)
    assert ask(stand, "HEAD", f"/v2/{NAME}/manifests/t1").headers["Docker-Content-Digest"] == sha(text)
    assert ask(stand, "GET", f"/v2/{NAME}/tags/list").json() == {"name": NAME, "tags": ["t1"]}
    assert stand.services.registry.repositories()[NAME]["t1"] == sha(text)


@pytest.mark.row("B13")
def test_nobody_pushes_without_a_login(stand: Stand) -> None:
    refused = ask(stand, "POST", f"/v2/{NAME}/blobs/uploads/")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == f'Bearer realm="https://{HOST}/token",service="{HOST}"'
    for login in ((USER, "wrong"), ("other", REGISTRY_PASSWORD)):
        assert ask(stand, "GET", "/token", login=login).status_code == 401
        assert ask(stand, "POST", f"/v2/{NAME}/blobs/uploads/", login=login).status_code == 401
    assert ask(stand, "POST", f"/v2/{NAME}/blobs/uploads/", token="made-up").status_code == 401
    assert ask(stand, "POST", f"/v2/{NAME}/blobs/uploads/", login=(USER, REGISTRY_PASSWORD)).status_code == 202


@pytest.mark.row("B1", "B13")
def test_no_permission_to_push(stand: Stand) -> None:
    token = token_of(stand)
    stand.fault("registry-denied")
    refused = ask(stand, "POST", f"/v2/{NAME}/blobs/uploads/", token=token)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
    stand.fault("registry-denied", on=False)
    assert put_blob(stand, token, b"content").status_code == 201


def test_what_does_not_fit_is_refused(stand: Stand) -> None:
    token = token_of(stand)
    wrong = put_blob(stand, token, b"content-2", sha(b"other"))
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    lacking = ask(stand, "PUT", f"/v2/{NAME}/manifests/t2", body=manifest_of(b"{}-config", b"none"), token=token)
    assert lacking.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert ask(stand, "PUT", f"/v2/{NAME}/manifests/t2", body=b"no", token=token).status_code == 400
    assert ask(stand, "GET", f"/v2/{NAME}/manifests/t2").status_code == 404
    assert ask(stand, "GET", "/v2/nothing/tags/list").status_code == 404


def test_the_log_tells_pushing_from_looking(stand: Stand) -> None:
    token = token_of(stand)
    put_blob(stand, token, b"logged")
    ask(stand, "HEAD", f"/v2/{NAME}/blobs/{sha(b'logged')}")
    kinds = [entry["kind"] for entry in stand.services.requests("registry")][-2:]
    assert kinds == ["blob pushed", "blob read"]
