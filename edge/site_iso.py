"""The small ISO that tells one appliance who it is: volume `cidata`, files `user-data` and an empty `meta-data`.

The agent reads it at the first boot from the installed disk and merges it over the user-data of the installer (Palette
docs, site user-data). It holds token and keys, so it is made in memory. Two ISOs of one text differ in their dates: what
is compared and named is the digest of the text.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

VOLUME = "cidata"
_FILES = (("user-data", "/USERDATA.;1"), ("meta-data", "/METADATA.;1"))


def content_digest(user_data: str) -> str:
    """Return the sha256 of the text of a site ISO, in hexadecimal: its identity."""
    return hashlib.sha256(user_data.encode()).hexdigest()


def site_iso(user_data: str) -> bytes:
    """Return the ISO with this user-data, with Joliet and Rock Ridge names. Raises ValueError for a text without header."""
    if not user_data.startswith("#cloud-config\n"):
        raise ValueError("the user-data of a site ISO must begin with #cloud-config")
    import pycdlib  # only who makes an ISO waits for it

    iso: Any = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=VOLUME)
    texts = {"user-data": user_data, "meta-data": ""}
    for name, plain in _FILES:
        data = texts[name].encode()
        iso.add_fp(io.BytesIO(data), len(data), plain, rr_name=name, joliet_path=f"/{name}")
    out = io.BytesIO()
    iso.write_fp(out)
    iso.close()
    return out.getvalue()


def read_site_iso(data: bytes) -> dict[str, str]:
    """Return the files of a site ISO by name, as a Linux system shows them. Raises ValueError when it is none."""
    import pycdlib

    iso: Any = pycdlib.PyCdlib()
    try:
        iso.open_fp(io.BytesIO(data))
    except pycdlib.pycdlibexception.PyCdlibException as error:
        raise ValueError(f"is no ISO 9660 image: {error}") from None
    volume = iso.pvd.volume_identifier.decode("ascii", "replace").strip()
    if volume != VOLUME:
        raise ValueError(f"has the volume name {volume!r}, not {VOLUME!r}")
    files = {}
    for child in iso.list_children(rr_path="/"):
        if child is None or not child.is_file():
            continue
        name = child.rock_ridge.name().decode()
        out = io.BytesIO()
        iso.get_file_from_iso_fp(out, rr_path=f"/{name}")
        files[name] = out.getvalue().decode()
    iso.close()
    return files
