"""The agents' side of the API: registration with a token, and health reports.

Who may register, in this order:
1. An installation that is already registered shows the credential it got and may come back, whatever became of the token.
2. The token must exist, be active and not be expired.
3. The project is the one that the user-data names, else the token's default project. Neither: refused. One that does
   not exist: accepted, and nothing happens, without an error anywhere, as users of the real one report.
4. A record of that id belongs to the installation that made it. Another installation (a re-installed machine, a clone,
   a second host with the same name) is refused until somebody deletes the record. With the fault `palette-takeover`
   the newcomer gets the old record instead, with its old creation time, which is the other behaviour that was seen.
"""

from __future__ import annotations

import secrets
import time

from lab.services.faults import Faults
from lab.services.palette.errors import ApiError, bad_request
from lab.services.palette.state import JsonObject, PaletteState, Record, now, rfc3339


class AgentSide:
    """Registers hosts and takes their health reports."""

    def __init__(self, state: PaletteState, faults: Faults) -> None:
        self._state = state
        self._faults = faults

    def register(self, body: JsonObject, token_value: str, auth: str) -> Record:
        """Return the record of a host that registers. Raises ApiError when it may not.

        For a project that does not exist the returned record is one that nobody will ever see.
        """
        wanted = _wanted(body)
        known = self._state.hosts.get(wanted.uid)
        if known is not None and auth and secrets.compare_digest(known.auth_token, auth):
            return self._join(known, wanted)
        project_uid = self._project(body, token_value)
        if project_uid is None:
            wanted.auth_token = secrets.token_urlsafe(24)
            self._state.phantoms[wanted.auth_token] = wanted.uid
            self._state.save()
            return wanted
        if known is None:
            wanted.project_uid = project_uid
            wanted.auth_token = secrets.token_urlsafe(24)
            self._state.hosts[wanted.uid] = wanted
            self._state.save()
            return wanted
        is_free = known.state == "unpaired" or known.identity == wanted.identity
        if known.project_uid != project_uid or not (is_free or self._faults.active("palette-takeover")):
            raise bad_request("EdgeHostDeviceDuplicate", f"edge host {wanted.uid} is already registered")
        known.auth_token = secrets.token_urlsafe(24)
        return self._join(known, wanted)

    def health(self, uid: str, body: JsonObject, auth: str) -> None:
        """Take a health report. Raises ApiError when the host is not registered."""
        record = self._state.hosts.get(uid)
        if record is None:
            if self._state.phantoms.get(auth) == uid:
                return
            raise ApiError(404, "EdgeHostDeviceNotRegistered", f"edge host {uid} is not registered")
        if not auth or not secrets.compare_digest(record.auth_token, auth):
            raise ApiError(401, "EdgeHostDeviceNotRegistered", f"edge host {uid} is registered by another agent")
        record.reported = {key: str(body.get(key, "")) for key in ("state", "agentVersion", "message")}
        if self._faults.active("never-healthy", uid):
            record.reported |= {"state": "unhealthy", "message": "edge services are not ready"}
        record.last_health = time.time()

    def _join(self, known: Record, wanted: Record) -> Record:
        """Bring a record up to date with what its agent says now; uid and creation time stay."""
        if known.state == "unpaired":
            known.state = "ready"
        known.labels, known.device = wanted.labels, wanted.device
        known.address, known.mac, known.identity = wanted.address, wanted.mac, wanted.identity
        known.name, known.modified = wanted.name, rfc3339(now())
        self._state.save()
        return known

    def _project(self, body: JsonObject, token_value: str) -> str | None:
        """Return the uid of the project to join, None for one that does not exist. Raises ApiError."""
        token = self._state.token_by_value(token_value) if token_value else None
        if token is None:
            raise ApiError(401, "InvalidEdgeHostToken", "the registration token is not known")
        if not token.valid():
            raise ApiError(401, "InvalidEdgeHostToken", "the registration token is expired or not active")
        named = (body.get("spec") or {}).get("host", {}).get("project") or {}
        for key in (named.get("uid"), named.get("name")):
            if key:
                project = self._state.project(str(key))
                return project.uid if project else None
        if not token.project_uid:
            raise bad_request("ProjectUidIsEmpty", "the token has no default project and the host names none")
        return token.project_uid


def _wanted(body: JsonObject) -> Record:
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    host = spec.get("host") or {}
    uid = str(host.get("hostUid") or metadata.get("uid") or "")
    if not uid or len(uid) > 128 or set(uid) & set("/?#&+%,$~!@*(){}|=;:<>'.^\""):
        raise bad_request("InvalidEdgeHostUid", f"{uid!r} is no id of an edge host")
    stamp = rfc3339(now())
    return Record(
        uid,
        str(metadata.get("name") or uid),
        "",
        stamp,
        labels={str(key): str(value) for key, value in (metadata.get("labels") or {}).items()},
        device=spec.get("device") or {},
        address=str(host.get("hostAddress") or ""),
        mac=str(host.get("macAddress") or ""),
        identity=str(host.get("hostChecksum") or ""),
        modified=stamp,
    )
