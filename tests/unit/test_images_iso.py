"""An ISO on its way to a datastore: with real curl over real TLS, and every way in which it can fail."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EdgeError, HostError, PendingError
from edge.images import iso_resource as iso
from edge.vcenter import media
from edge.vcenter.errors import AwayError, VcenterError
from tests.unit.datastore import Datastore, datastore

pytestmark = [pytest.mark.timeout(60), pytest.mark.row("B14")]
CONTENT = os.urandom(3 << 20)
SHA = hashlib.sha256(CONTENT).hexdigest()
PATH = f"edge-hosts-isos/palette-edge-installer-{SHA[:12]}.iso"
KEY = ("DC1", f"[ssd-1] {PATH}")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Datastore]:
    with datastore(tmp_path) as found:
        monkeypatch.setattr(media, "open_media", lambda _access: nullcontext(found))
        yield found


@pytest.fixture
def props(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "built.iso").write_bytes(CONTENT)
    return {
        "name": "plant-iso-poweroff", "builder": {"machine": "local"}, "workdir": str(tmp_path / "work"),
        "source": str(tmp_path / "built.iso"), "iso_name": "palette-edge-installer.iso", "sha256": SHA,
        "size": float(len(CONTENT)), "vcenter": "vc.example", "user": "edge", "password_secret": "vspherePassword",
        "ca_pem": "", "thumbprint": "", "datacenter": "DC1", "datastore": "ssd-1", "folder": "edge-hosts-isos",
        "timeout": 3600.0,
    }  # fmt: skip


def secret(name: str) -> str | None:
    return "canary-password" if name == "vspherePassword" else None


def finished(
    props: dict[str, Any], olds: dict[str, Any] | None = None, *, looks: list[str] | None = None
) -> dict[str, Any]:
    """Look again and again, as the error hook does."""
    for _ in range(200):
        try:
            return iso.create(props, secret) if olds is None else iso.update(olds, props, secret)
        except PendingError as waits:
            if looks is not None:
                looks.append(waits.message)
            time.sleep(0.05)
    raise AssertionError("the upload did not end")


def failed(props: dict[str, Any], kind: type[EdgeError] = VcenterError) -> str:
    with pytest.raises(kind) as caught:
        finished(props)
    assert caught.value.remedy
    assert "canary" not in str(caught.value)
    return str(caught.value)


def test_an_iso_is_put_there_and_read_back(store: Datastore, props: dict[str, Any], tmp_path: Path) -> None:
    looks: list[str] = []
    outs = finished(props, looks=looks)
    assert store.files == {KEY: CONTENT}
    assert store.asked == ["PUT", "GET"], "sent once, read once"
    assert store.folders == [("DC1", "[ssd-1] edge-hosts-isos")]
    assert (outs["path"], outs["size"], outs["present"]) == (PATH, len(CONTENT), True)
    assert outs["files"] == [{"vcenter": "vc.example", "datacenter": "DC1", "datastore": "ssd-1", "path": PATH}]
    assert looks[0].startswith(f"pending: uploading [ssd-1] {PATH} on this machine")
    left = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert left == [], "neither a ticket nor a script is left"


def test_no_ticket_is_ever_on_a_command_line_or_in_a_log(
    store: Datastore, props: dict[str, Any], tmp_path: Path
) -> None:
    seen = set()
    for _ in range(200):
        try:
            iso.create(props, secret)
            break
        except PendingError:
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(line.read_bytes().replace(b"\0", b" "))
                except OSError:
                    continue
            for path in (tmp_path / "work").rglob("*"):
                if path.is_file() and path.name != "stdin":
                    assert b"canary-ticket" not in path.read_bytes(), path
    assert any(b"curl" in line for line in seen) or store.asked == ["PUT", "GET"]
    assert not any(b"canary-ticket" in line for line in seen)


def test_a_file_that_is_there_already_is_read_before_it_is_believed(store: Datastore, props: dict[str, Any]) -> None:
    store.files[KEY] = CONTENT
    finished(props)
    assert store.asked == ["GET"]
    store.asked.clear()
    store.files[KEY] = bytes(len(CONTENT))  # of the same size, but another one
    assert "read back with the sha256" in failed(props)
    assert KEY not in store.files
    finished(props)
    assert store.files[KEY] == CONTENT


def test_one_changed_byte_and_it_is_not_used(store: Datastore, props: dict[str, Any]) -> None:
    store.spoil = True
    assert f"but it was built with {SHA}" in failed(props)
    assert store.files == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((507, ""), "the datastore is full (status 507)"),
        ((500, "There is not enough space on the file system"), "the datastore is full (status 500)"),
        ((403, ""), "was refused (status 403)"),
        ((500, "oops"), "the upload failed: status 500"),
    ],
)
def test_an_upload_that_is_refused(
    store: Datastore, props: dict[str, Any], answer: tuple[int, str], words: str
) -> None:
    store.answer = answer
    assert words in failed(props)
    assert store.files == {}, "the half file is deleted"
    store.answer = (201, "")
    finished(props)
    assert store.files == {KEY: CONTENT}


def test_a_file_that_was_cut_off(store: Datastore, props: dict[str, Any]) -> None:
    store.cut = True
    assert f"has {len(CONTENT) // 2} bytes after the upload, not {len(CONTENT)}" in failed(props)
    assert store.files == {}


def test_a_certificate_that_the_builder_does_not_trust(store: Datastore, props: dict[str, Any]) -> None:
    store.ca = ""
    assert "certificate is not trusted on the build machine" in failed(props)


def test_a_vcenter_that_is_late_is_asked_again_and_one_that_is_not_there_is_an_error(
    store: Datastore, props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [AwayError("did not finish its answers within 6 s.", where="vCenter vc.example")] * 2
    sized = store.file_size

    def file_size(datacenter: str, path: str) -> int | None:
        if late:
            raise late.pop()
        return sized(datacenter, path)

    monkeypatch.setattr(store, "file_size", file_size)
    looks: list[str] = []
    finished(props, looks=looks)
    assert [one for one in looks if "did not finish its answers" in one][1:]

    def away(_access: object) -> Any:
        raise AwayError("its name does not resolve.", remedy="check it", where="vCenter vc.example")

    monkeypatch.setattr(media, "open_media", away)
    assert "does not resolve" in failed({**props, "sha256": "e" * 64})


def test_nobody_listens(store: Datastore, props: dict[str, Any]) -> None:
    store.url = "https://127.0.0.1:1"
    assert "refuses connections from the build machine" in failed(props)


@pytest.mark.row("B12")
def test_an_iso_that_is_not_as_it_was_built(store: Datastore, props: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "built.iso").write_bytes(b"short")
    assert "is not there any more as it was built" in failed(props, HostError)
    assert store.files == {}
    (tmp_path / "built.iso").write_bytes(bytes(len(CONTENT)))  # of the right size: seen when it is read back
    assert "read back with the sha256" in failed(props)
    assert store.files == {}


def test_a_killed_upload_begins_anew(store: Datastore, props: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PendingError):
        iso.create(props, secret)
    job = tmp_path / "work/jobs/iso-plant-iso-poweroff/put"
    session = int((job / "pid").read_text())
    if not (job / "code").exists():
        os.killpg(session, signal.SIGKILL)
    finished(props)
    assert store.files == {KEY: CONTENT}


def test_another_iso_is_put_beside_the_first_and_both_go_with_the_resource(
    store: Datastore, props: dict[str, Any], tmp_path: Path
) -> None:
    first = finished(props)
    other = os.urandom(2 << 20)
    (tmp_path / "built.iso").write_bytes(other)
    news = {**props, "sha256": hashlib.sha256(other).hexdigest(), "size": float(len(other))}
    assert iso.diff(first, news)
    second = finished(news, first)
    assert len(store.files) == 2
    assert [one["path"] for one in second["files"]] == [first["path"], second["path"]]
    store.files["DC1", "[ssd-1] edge-hosts-isos/of-another.iso"] = b"x"
    iso.delete(second, secret)
    iso.delete(second, secret)  # gone already
    assert list(store.files) == [("DC1", "[ssd-1] edge-hosts-isos/of-another.iso")]


def test_a_missing_file_is_a_difference_and_comes_back(store: Datastore, props: dict[str, Any]) -> None:
    outs = finished(props)
    assert iso.read(outs, secret) == outs
    store.files.clear()
    seen = iso.read(outs, secret)
    assert seen is not None
    assert seen["present"] is False
    assert iso.diff(seen, props)
    assert finished(props, seen)["files"] == outs["files"]
    assert store.files == {KEY: CONTENT}


def test_what_is_a_difference_and_what_is_not(props: dict[str, Any]) -> None:
    outs = {**props, "path": PATH, "present": True}
    assert not iso.diff(outs, props)
    for same in ("source", "builder", "user", "ca_pem", "timeout", "workdir"):
        assert not iso.diff(outs, {**props, same: "another"}), same
    for other in ("sha256", "iso_name", "vcenter", "datacenter", "datastore", "folder"):
        assert iso.diff(outs, {**props, other: "another"}), other
    assert iso.diff({}, {}) is False


def test_without_its_password_nothing_is_asked(store: Datastore, props: dict[str, Any]) -> None:
    with pytest.raises(VcenterError, match="no secret 'vspherePassword'"):
        iso.create(props, lambda _name: None)
    assert store.asked == []
