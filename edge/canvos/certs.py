"""Authorities that the build itself must trust: files in `certs/`, or one file named in `.arg` at old tags.

Only files called `*.crt` are taken up by the systems that the build runs in. From v4.5.11 on the folder is used. Before that
it is one single file: the vendor's script mounts what `PROXY_CERT_PATH` names (Docker takes a path that is not absolute for the
name of a volume), and the builder copies `sc.crt` out of the checkout (CanvOS repository, earthly.sh and Earthfile at each tag).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from edge.canvos.tags import number
from edge.errors import SettingsError
from edge.findings import Finding
from edge.settings.certificates import certificates

FOLDER = "certs"
PATH_ARGUMENT = "PROXY_CERT_PATH"
ONE_FILE = "sc.crt"
_FOLDER_SINCE = (4, 5, 11)


def certificate_files(
    authorities: Sequence[str], tag: str, folder: str, where: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the files to write (path below the repository -> PEM text) and the arguments for `.arg` that go with them.

    `folder` is where the repository is checked out. A file's name comes from its content, so that order does not matter.
    Raises SettingsError when an old tag would need more than one, or when a text holds a private key.
    """
    texts = sorted({pem for text in authorities for pem in certificates(_public(text, where))})
    if not texts:
        return {}, {}
    version = number(tag)
    if version is None or version >= _FOLDER_SINCE:
        return {f"{FOLDER}/edge-hosts-{hashlib.sha256(pem.encode()).hexdigest()[:12]}.crt": pem for pem in texts}, {}
    if len(texts) > 1:
        problem = f"are {len(texts)} certificates, but CanvOS {tag} takes one"
        raise SettingsError([Finding(where, None, problem, "Give one, or choose CanvOS v4.5.11 or newer.")])
    return {ONE_FILE: texts[0]}, {PATH_ARGUMENT: f"{folder}/{ONE_FILE}"}


def _public(text: str, where: str) -> str:
    if "PRIVATE KEY" in text:
        remedy = "Give the certificate only: what lies in the folder ends in the image of every host."
        raise SettingsError([Finding(where, None, "holds a private key", remedy)])
    return text
