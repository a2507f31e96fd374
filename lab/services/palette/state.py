"""What the Palette stand-in remembers: projects, registration tokens, edge host records. Kept in one JSON file.

Health is not stored but computed: a host whose last report is older than the limit is unhealthy, and a host that never
reported has no health object at all.
"""

from __future__ import annotations

import datetime
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.services.ca import write_private

JsonObject = dict[str, Any]


@dataclass
class Project:
    """A Palette project."""

    uid: str
    name: str


@dataclass
class Token:
    """A registration token. `expiry` is RFC 3339; an empty `project_uid` means no default project."""

    uid: str
    name: str
    value: str = field(repr=False)
    expiry: str
    project_uid: str = ""
    active: bool = True
    annotations: dict[str, str] = field(default_factory=dict)
    created: str = ""

    def valid(self) -> bool:
        """Return whether a host may register with it now."""
        return self.active and parse_time(self.expiry) > now()


@dataclass
class Record:
    """The record of one edge host. `identity` tells one installation of the agent from another."""

    uid: str
    name: str
    project_uid: str
    created: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    device: JsonObject = field(default_factory=dict)
    address: str = ""
    mac: str = ""
    identity: str = ""
    auth_token: str = field(default="", repr=False)
    state: str = "ready"
    clusters: list[dict[str, str]] = field(default_factory=list)
    last_health: float = 0.0
    reported: JsonObject = field(default_factory=dict)
    modified: str = ""
    tunnel: dict[str, str] = field(default_factory=lambda: {"remoteSsh": "disabled", "remoteSshTempUser": "disabled"})


class PaletteState:
    """The state, and the file it lives in. Every change of more than a health report is written at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.projects: dict[str, Project] = {}
        self.tokens: dict[str, Token] = {}
        self.hosts: dict[str, Record] = {}
        self.phantoms: dict[str, str] = {}
        if file.exists():
            self._read()

    def save(self) -> None:
        """Write the file, readable by its owner only, whole or not at all."""
        content = {
            "projects": [asdict(project) for project in self.projects.values()],
            "tokens": [asdict(token) for token in self.tokens.values()],
            "hosts": [asdict(host) for host in self.hosts.values()],
            "phantoms": self.phantoms,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        write_private(temporary, json.dumps(content, indent=1).encode())
        temporary.replace(self._file)

    def _read(self) -> None:
        content = json.loads(self._file.read_text("utf-8"))
        self.projects = {entry["uid"]: Project(**entry) for entry in content["projects"]}
        self.tokens = {entry["uid"]: Token(**entry) for entry in content["tokens"]}
        self.hosts = {entry["uid"]: Record(**entry) for entry in content["hosts"]}
        self.phantoms = content["phantoms"]

    def ensure_projects(self, names: Iterable[str]) -> None:
        """Make the projects that are missing."""
        known = {project.name for project in self.projects.values()}
        for name in names:
            if name not in known:
                uid = new_uid()
                self.projects[uid] = Project(uid, name)
        self.save()

    def project(self, name_or_uid: str) -> Project | None:
        """Return a project by its name or uid."""
        by_name = (project for project in self.projects.values() if project.name == name_or_uid)
        return self.projects.get(name_or_uid) or next(by_name, None)

    def add_token(
        self, name: str, *, project: str = "", expiry: str = "", value: str = "", active: bool = True,
        annotations: dict[str, str] | None = None,
    ) -> Token:  # fmt: skip
        """Make a registration token; `project` is the uid of its default project, `expiry` RFC 3339 (a year from now)."""
        expiry = expiry or rfc3339(now() + datetime.timedelta(days=365))
        value = value or secrets.token_urlsafe(24)
        token = Token(new_uid(), name, value, expiry, project, active, annotations or {}, rfc3339(now()))
        self.tokens[token.uid] = token
        self.save()
        return token

    def token_by_value(self, value: str) -> Token | None:
        """Return the token with this value."""
        return next((token for token in self.tokens.values() if secrets.compare_digest(token.value, value)), None)

    def health(self, record: Record, unhealthy_after: float) -> JsonObject | None:
        """Return the health object of a host as Palette shows it, or None before the first report."""
        if not record.last_health:
            return None
        health = {"state": "healthy", "message": "", "agentVersion": "", **record.reported}
        if time.time() - record.last_health > unhealthy_after:
            health |= {"state": "unhealthy", "message": "edge host is not reporting"}
        return health


def new_uid() -> str:
    """Return a uid as Palette makes them: 24 hexadecimal digits."""
    return secrets.token_hex(12)


def now() -> datetime.datetime:
    """Return the present time."""
    return datetime.datetime.now(datetime.UTC)


def rfc3339(moment: datetime.datetime) -> str:
    """Return a time as Palette writes it, with milliseconds."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_time(text: str) -> datetime.datetime:
    """Return the time that an RFC 3339 text says. Raises ValueError."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
