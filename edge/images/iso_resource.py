"""What the resource InstallerIso does: one kind of ISO on one datastore, put there by the build machine, and read back.

The name carries the digest, so a new ISO never takes the place of one that a machine boots from: it is uploaded beside it,
and the old one stays until it is deleted with the resource, or removed as unused. Gigabytes move in a job on the build
machine; its tickets go there on standard input, never on a command line. An ISO counts when it was read back with the right
digest, and a file that is not that is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from edge.errors import PendingError
from edge.images.builder import Props, Secret, open_shell
from edge.images.transfer import Transfer, TransferState
from edge.vcenter import media
from edge.vcenter.errors import AwayError, VcenterError

Outputs = dict[str, Any]
_PLACE = ("vcenter", "datacenter", "datastore", "folder")
_SHORT = 12


def iso_path(folder: str, name: str, sha256: str) -> str:
    """Return where an ISO lies, relative to its datastore: `FOLDER/NAME-DIGEST.iso`."""
    return f"{folder.strip('/')}/{name.removesuffix('.iso')}-{sha256[:_SHORT]}.iso"


def create(props: Props, secret: Secret) -> Outputs:
    """Upload, read back, and return the outputs. Raises PendingError while that goes on, VcenterError, HostError."""
    return _uploaded(props, [], secret)


def diff(olds: Props, news: Props) -> bool:
    """Return whether another ISO, another place or a missing file is to be uploaded. Asks nobody, never raises."""
    if olds.get("present") is False:
        return True
    keys = ("sha256", "iso_name", *_PLACE)
    return any(_plain(olds.get(key)) != _plain(news.get(key)) for key in keys)


def update(olds: Props, news: Props, secret: Secret) -> Outputs:
    """Upload what is asked for now beside what was uploaded before, and return the outputs."""
    return _uploaded(news, _files(olds), secret)


def read(props: Props, secret: Secret) -> Outputs | None:
    """Return the outputs, with whether the file is there and whole (`present`). A missing one is a difference."""
    with _media(props, secret) as live:
        size = live.file_size(str(props["datacenter"]), _place(props, str(props["path"])))
    return {**props, "present": size == int(props["size"])}


def delete(props: Props, secret: Secret) -> None:
    """Delete every file that this resource has uploaded; one that is gone already is no error."""
    with _media(props, secret) as live:
        for file in _files(props):
            if file["vcenter"] == props["vcenter"]:
                live.delete_file(file["datacenter"], f"[{file['datastore']}] {file['path']}")


def _uploaded(props: Props, before: list[dict[str, str]], secret: Secret) -> Outputs:
    path = iso_path(str(props["folder"]), str(props["iso_name"]), str(props["sha256"]))
    place = _place(props, path)
    with open_shell(props["builder"], secret) as shell:
        folder = f"{props['workdir']}/jobs/iso-{props['name']}"
        key = f"{props['vcenter']} {props['datacenter']} {place} {props['sha256']}"
        transfer = Transfer(shell, folder, key, source=str(props["source"]), sha256=str(props["sha256"]))
        state = transfer.state()
        if state.what not in ("running", "verified"):
            state = _moved(props, secret, transfer, state, place)
        if state.what != "verified":
            raise PendingError(f"{state.words} {place} on {shell.name} for {state.seconds} s")
        transfer.forget()
    mine = {key: str(props[key]) for key in ("vcenter", "datacenter", "datastore")} | {"path": path}
    files = [*(one for one in before if one != mine), mine]
    return {**props, "path": path, "size": int(props["size"]), "files": files, "present": True}


def _moved(props: Props, secret: Secret, transfer: Transfer, state: TransferState, place: str) -> TransferState:
    """Begin the next part of an upload, or end it with an error, and without the half file.

    A vCenter that cannot be reached is an error; one that has let us in and is late now is asked again.
    """
    with _media(props, secret) as live:
        try:
            return _next(props, live, transfer, state, place)
        except AwayError as error:
            raise media.awaited(error, place) from None


def _next(
    props: Props, live: media.VsphereMedia, transfer: Transfer, state: TransferState, place: str
) -> TransferState:
    datacenter = str(props["datacenter"])
    if state.what == "failed":
        live.delete_file(datacenter, place)
        transfer.forget()
        raise VcenterError(state.words, remedy=state.remedy, where=f"{props['vcenter']}: {place}")
    size = live.file_size(datacenter, place)
    if state.what == "put" and size != int(props["size"]):
        live.delete_file(datacenter, place)
        transfer.forget()
        problem = f"the file has {size or 0} bytes after the upload, not {int(props['size'])}."
        remedy = "make room on the datastore, and run again"
        raise VcenterError(problem, remedy=remedy, where=f"{props['vcenter']}: {place}")
    if size == int(props["size"]):
        # Also what an interrupted run has left: it is read before it is believed.
        return transfer.read_back(live.ticket(datacenter, place, "GET"))
    transfer.check_source(int(props["size"]))
    live.make_folder(datacenter, _place(props, str(props["folder"]).strip("/")))
    return transfer.put(live.ticket(datacenter, place, "PUT"))


def _place(props: Props, path: str) -> str:
    return f"[{props['datastore']}] {path}"


def _files(props: Props) -> list[dict[str, str]]:
    files = props.get("files")
    return [{str(k): str(v) for k, v in one.items()} for one in files or () if isinstance(one, Mapping)]


def _media(props: Props, secret: Secret) -> AbstractContextManager[media.VsphereMedia]:
    return media.open_media(media.access_of({**props, "server": props["vcenter"]}, secret))


def _plain(value: object) -> object:
    return None if value == "" else value
