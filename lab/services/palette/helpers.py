"""What tests and the lab's command line do to Palette behind the API: look at records, delete one, put one in a cluster.

Requests of these helpers are in no request log.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from edge.errors import LabError
from lab.services.palette import view
from lab.services.palette.state import JsonObject, PaletteState, Record, Token, now, rfc3339


class PaletteHelpers:
    """Direct access to the state of the stand-in."""

    def __init__(self, state: PaletteState, unhealthy_after: float) -> None:
        self._state = state
        self._limit = unhealthy_after

    def records(self) -> list[JsonObject]:
        """Return every record of every project, as a single read shows it."""
        return [self._shown(record) for record in self._state.hosts.values()]

    def record(self, uid: str) -> JsonObject | None:
        """Return one record, or None."""
        found = self._state.hosts.get(uid)
        return self._shown(found) if found else None

    def delete_record(self, uid: str) -> bool:
        """Delete a record as an administrator would in the console, in use or not; return whether there was one."""
        found = self._state.hosts.pop(uid, None)
        self._state.save()
        return found is not None

    def add_record(
        self, uid: str, *, project: str = "", labels: Mapping[str, str] | None = None, state: str = "ready",
        created: str = "",
    ) -> JsonObject:  # fmt: skip
        """Make a record of a machine that is not in the lab; `project` is a name, the first project by default."""
        place = self._state.project(project) if project else next(iter(self._state.projects.values()))
        if place is None:
            raise LabError(f"there is no project {project!r}", remedy="use one of the lab's projects.")
        record = Record(uid, uid, place.uid, created or rfc3339(now()), labels=dict(labels or {}), state=state)
        record.identity, record.device = secrets.token_hex(16), {"archType": "amd64", "hostType": "agent-mode"}
        self._state.hosts[uid] = record
        self._state.save()
        return self._shown(record)

    def set_labels(self, uid: str, labels: Mapping[str, str]) -> None:
        """Replace the labels of a record."""
        self._known(uid).labels = dict(labels)
        self._state.save()

    def set_in_use(self, uid: str, cluster: str | None) -> None:
        """Put a host into a cluster by name, or take it out with None."""
        record = self._known(uid)
        record.clusters = [{"uid": secrets.token_hex(12), "name": cluster}] if cluster else []
        record.state = "in-use" if cluster else "ready"
        self._state.save()

    def projects(self) -> dict[str, str]:
        """Return the uids of the projects by name."""
        return {project.name: project.uid for project in self._state.projects.values()}

    def tokens(self) -> list[JsonObject]:
        """Return every registration token, values included."""
        return [view.token(self._state, entry) for entry in self._state.tokens.values()]

    def add_token(self, name: str, *, project: str = "", expiry: str = "", value: str = "", active: bool = True) -> str:
        """Make a registration token, by default without a project, and return its value."""
        place = self._state.project(project) if project else None
        if project and place is None:
            raise LabError(f"there is no project {project!r}", remedy="use one of the lab's projects.")
        uid = place.uid if place else ""
        return self._state.add_token(name, project=uid, expiry=expiry, value=value, active=active).value

    def set_token(self, token: str, *, active: bool | None = None, expiry: str = "") -> None:
        """Change a token, found by uid, name or value."""
        entry = self._token(token)
        entry.active = entry.active if active is None else active
        entry.expiry = expiry or entry.expiry
        self._state.save()

    def revoke_token(self, token: str) -> None:
        """Delete a token, found by uid, name or value."""
        del self._state.tokens[self._token(token).uid]
        self._state.save()

    def call(self, action: str, arguments: Mapping[str, object]) -> object:
        """Run a helper by its name: what the lab's control API offers. Raises LabError for an unknown one."""
        actions: dict[str, Callable[..., object]] = {
            "records": self.records,
            "record": self.record,
            "delete-record": self.delete_record,
            "add-record": self.add_record,
            "set-labels": self.set_labels,
            "set-in-use": self.set_in_use,
            "projects": self.projects,
            "tokens": self.tokens,
            "add-token": self.add_token,
            "set-token": self.set_token,
            "revoke-token": self.revoke_token,
        }
        if action not in actions:
            raise LabError(f"there is no Palette helper {action!r}", remedy=f"use one of {', '.join(sorted(actions))}.")
        try:
            return actions[action](**arguments)
        except TypeError as error:
            raise LabError(
                f"wrong arguments for {action}: {error}", remedy="see lab/services/palette/helpers.py."
            ) from error

    def _known(self, uid: str) -> Record:
        found = self._state.hosts.get(uid)
        if found is None:
            raise LabError(f"Palette has no record {uid!r}", remedy="see the records with the helper `records`.")
        return found

    def _token(self, word: str) -> Token:
        found = next((t for t in self._state.tokens.values() if word in (t.uid, t.name, t.value)), None)
        if found is None:
            raise LabError("there is no such registration token", remedy="see them with the helper `tokens`.")
        return found

    def _shown(self, record: Record) -> JsonObject:
        project = self._state.projects.get(record.project_uid)
        return view.host_alone(record, project, self._state.health(record, self._limit))
