"""The calls we make to Palette, each typed, each in the scope where Palette wants it.

`ProjectUid` goes with edge host calls only. Registration tokens and the project list belong to the tenant, and answer
`ProjectUidIsNotEmpty` or nothing when the header is there; edge host lists are empty, and deletes forbidden, when it is
not (Palette API specification; release notes 4.9.22).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from edge.errors import PaletteError
from edge.palette.cache import Note, ShortMemory
from edge.palette.errors import KEY_IN_ENVIRONMENT, Question, RefusedError, is_project_unknown, read_error, refusal
from edge.palette.forms import check_key, checked_url, tag_filter, version_text
from edge.palette.masked import Masked
from edge.palette.models import (
    EdgeHostRecord,
    Project,
    TokenRecord,
    continuation,
    edge_host_record,
    items,
    project_record,
    token_record,
)
from edge.palette.wire import Answer, Ask, Effort, Wire

PATIENCE: Final = 30.0
PAGE: Final = 50
_MOST_PAGES: Final = 400
_PROJECT_SECONDS: Final = 600.0
_FRESH_SECONDS: Final = 5.0

_projects: ShortMemory[tuple[Project, ...]] = ShortMemory()
_searches: ShortMemory[dict[str, EdgeHostRecord]] = ShortMemory()
_looks: ShortMemory[Look] = ShortMemory()


@dataclass(frozen=True)
class Look:
    """What Palette said about one edge host: its record or None, and Palette's own time (None if it gave none)."""

    record: EdgeHostRecord | None
    at: datetime | None


class PaletteClient:
    """A Palette tenant, seen with one API key and, for edge hosts, in one project."""

    def __init__(
        self,
        base_url: str,
        api_key: str | Masked,
        *,
        project_uid: str | None = None,
        project_name: str | None = None,
        ca_pem: str | None = None,
        timeout: float = 10.0,
        patience: float = PATIENCE,
        total: float | None = None,
        key_source: str = KEY_IN_ENVIRONMENT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """In seconds: `timeout` limits a request, `patience` a request with its repeats, `total` all of them together.

        Raises PaletteError for an address or a key that cannot be right.
        """
        key, api_key = Masked(api_key), ""
        self.base_url = checked_url(base_url)
        self._server = urlsplit(self.base_url).netloc
        self._key_source = key_source
        check_key(key, key_source, self._server)
        self._wire = Wire(self.base_url, key, ca_pem=ca_pem, timeout=timeout, transport=transport)
        self._patience = patience
        self._end = float("inf") if total is None else self._wire.clock() + total
        self._given_uid, self._given_name = project_uid or "", project_name or ""
        # Answers are shared by everybody who would get the same ones: same server, same trust, same key.
        fingerprint = hashlib.sha256(f"{key.reveal()}\n{ca_pem or ''}".encode()).hexdigest()
        self._scope = (self.base_url, fingerprint, transport)

    def __repr__(self) -> str:
        return f"PaletteClient({self.base_url!r}, project={self.project_word!r})"

    @property
    def project_word(self) -> str:
        """Return the project as the settings call it, empty when they name none."""
        return self._given_name or self._given_uid

    def projects(self, max_age: float = _PROJECT_SECONDS) -> tuple[Project, ...]:
        """Return all projects that the key can see, by name; the answer may be `max_age` seconds old."""
        return _projects.get(self._scope, self._list_projects, max_age, self._remaining())

    def _list_projects(self, note: Note) -> tuple[Project, ...]:
        effort = self._in_background(note)
        question = self._question("list the projects")
        first = Ask(
            "POST",
            "/v1/dashboard/projects",
            question,
            params={"limit": str(PAGE)},
            json={"filter": {}, "sort": []},
            accept=frozenset({404, 405}),
        )
        answer = self._wire.send(first, effort)
        if answer.status in first.accept:
            # Instances older than 4.9.22 know the short list only.
            answer = self._wire.send(Ask("GET", "/v1/dashboard/projects/metadata", question), effort)
            found = [project_record(item) for item in items(answer.body)]
        else:
            found = [project_record(item) for item in self._pages(first, answer, effort)]
        return tuple(sorted((project for project in found if project.uid), key=lambda project: project.name))

    def project_uid(self) -> str:
        """Return the uid of the project that the settings name, empty when they name none.

        Raises PaletteError when the key sees no project of that name.
        """
        if self._given_uid or not self._given_name:
            return self._given_uid
        known: tuple[Project, ...] = ()
        # A project that was made a minute ago is not in the list that we remember.
        for max_age in (_PROJECT_SECONDS, _FRESH_SECONDS):
            known = self.projects(max_age)
            for project in known:
                if project.name == self._given_name:
                    return project.uid
        seen = ", ".join(project.name for project in known[:10]) or "none at all"
        raise PaletteError(
            f"has no project {self._given_name!r} that the API key can see (it sees: {seen}).",
            remedy="correct palette.project (capitals count), or give the key's user a role in that project.",
            where=f"Palette {self._server}",
        )

    def _check_project(self) -> None:
        """Raise PaletteError if a project uid of the settings is not among the key's; pass if that cannot be seen."""
        if not self._given_uid:
            return
        try:
            known = {project.uid for project in self.projects()}
        except RefusedError as error:
            if error.status in {401, 429} or error.status >= 500:
                raise
            return
        if self._given_uid not in known:
            raise refusal(self._question("find the project", scoped=True), 404, {"code": "ProjectNotFoundInTenant"})

    def edge_host(self, uid: str, max_age: float = 0.0) -> Look:
        """Return the edge host `uid` of the project; its `record` is None when the project has none.

        The answer may be `max_age` seconds old; 0 asks right now.
        """
        project_uid = self.project_uid()
        if max_age <= 0:
            return self._edge_host(uid, project_uid, self._effort())
        key = (self._scope, project_uid, uid)

        def ask(note: Note) -> Look:
            return self._edge_host(uid, project_uid, self._in_background(note))

        return _looks.get(key, ask, max_age, self._remaining())

    def edge_host_elsewhere(self, uid: str, max_age: float = 0.0) -> Look:
        """Return the edge host `uid` wherever in the tenant the key can see it.

        Uids are unique in a tenant. A key that may not look outside its project gives None: nothing is known then.
        """

        def ask(effort: Effort) -> Look:
            try:
                return self._edge_host(uid, "", effort)
            except RefusedError as error:
                if error.status != 403:
                    raise
            return Look(None, None)

        if max_age <= 0:
            return ask(self._effort())
        key = (self._scope, None, uid)
        return _looks.get(key, lambda note: ask(self._in_background(note)), max_age, self._remaining())

    def _edge_host(self, uid: str, project_uid: str, effort: Effort) -> Look:
        question = self._question(f"show edge host {uid}", scoped=bool(project_uid))
        ask = Ask(
            "GET", f"/v1/edgehosts/{quote(uid, safe='')}", question, project_uid=project_uid, accept=frozenset({404})
        )
        answer = self._wire.send(ask, effort)
        if answer.status != 404:
            return Look(edge_host_record(answer.body, uid), answer.date)
        code, said = read_error(answer.body)
        if is_project_unknown(404, code, said):
            raise refusal(question, 404, answer.body)
        if project_uid:
            # A wrong project uid can look exactly like a missing host.
            self._check_project()
        return Look(None, answer.date)

    def edge_hosts(self, tags: Mapping[str, str] | None = None, max_age: float = 0.0) -> dict[str, EdgeHostRecord]:
        """Return the project's edge hosts by uid, those that carry one of `tags` if any are given.

        The answer may be `max_age` seconds old, shared by all threads of the process. Without a project Palette's lists
        are empty, and so is this.
        """
        wanted = dict(tags or {})
        project_uid = self.project_uid()
        if max_age <= 0:
            return self._search(wanted, project_uid, self._effort())
        key = (self._scope, project_uid, tuple(sorted(wanted.items())))

        def ask(note: Note) -> dict[str, EdgeHostRecord]:
            return self._search(wanted, project_uid, self._in_background(note))

        return _searches.get(key, ask, max_age, self._remaining())

    def _search(self, tags: Mapping[str, str], project_uid: str, effort: Effort) -> dict[str, EdgeHostRecord]:
        ask = Ask(
            "POST",
            "/v1/dashboard/edgehosts/search",
            self._question("search the edge hosts", scoped=True),
            params={"limit": str(PAGE)},
            json={"filter": tag_filter(tags), "sort": []},
            project_uid=project_uid,
        )
        records = (edge_host_record(item) for item in self._pages(ask, self._wire.send(ask, effort), effort))
        return {record.uid: record for record in records if record.uid}

    def delete_edge_host(self, uid: str, project_uid: str | None = None) -> datetime | None:
        """Delete the record of an edge host and return Palette's time of the answer. Gone already is fine.

        `project_uid` names the record's project where it is not the settings' own.
        """
        ask = Ask(
            "DELETE",
            f"/v1/edgehosts/{quote(uid, safe='')}",
            self._question(f"delete edge host {uid}", scoped=True),
            project_uid=self.project_uid() if project_uid is None else project_uid,
            accept=frozenset({404}),
        )
        return self._send(ask).date

    def free_edge_host(self, uid: str, project_uid: str | None = None) -> None:
        """Take an edge host out of the cluster that uses it, without draining anything. In none already is fine."""
        ask = Ask(
            "DELETE",
            f"/v1/edgehosts/{quote(uid, safe='')}/cluster/associate",
            self._question(f"take edge host {uid} out of its cluster", scoped=True),
            project_uid=self.project_uid() if project_uid is None else project_uid,
            accept=frozenset({404}),
        )
        self._send(ask)

    def tokens(self) -> tuple[TokenRecord, ...]:
        """Return all registration tokens of the tenant. Needs the rights of a tenant admin."""
        answer = self._send(Ask("GET", "/v1/edgehosts/tokens", self._question("list the registration tokens")))
        return tuple(token_record(item) for item in items(answer.body))

    def token(self, uid: str) -> TokenRecord | None:
        """Return one registration token with its value, None when it does not exist."""
        question = self._question("show a registration token")
        ask = Ask("GET", f"/v1/edgehosts/tokens/{quote(uid, safe='')}", question, accept=frozenset({404}))
        answer = self._send(ask)
        return None if answer.status == 404 else token_record(answer.body)

    def create_token(self, name: str, description: str, project_uid: str, expiry: str) -> str:
        """Create a registration token that ends at `expiry` (RFC 3339) and return its uid.

        Not repeated by itself when the answer is lost: the caller looks for the token first.
        """
        body = {
            "metadata": {"name": name, "annotations": {"description": description}},
            "spec": {"defaultProjectUid": project_uid, "expiry": expiry},
        }
        question = self._question(f"create registration token {name}")
        answer = self._send(Ask("POST", "/v1/edgehosts/tokens", question, json=body, repeatable=False))
        uid = answer.body.get("uid") if isinstance(answer.body, Mapping) else None
        if not isinstance(uid, str) or not uid:
            raise RefusedError("created a registration token but named no uid.", remedy="repeat.", where=question.where)
        return uid

    def delete_token(self, uid: str) -> None:
        """Delete a registration token. Gone already is fine."""
        question = self._question("delete a registration token")
        self._send(Ask("DELETE", f"/v1/edgehosts/tokens/{quote(uid, safe='')}", question, accept=frozenset({404})))

    def stylus_version(self) -> str:
        """Return the agent version this instance wants, without a leading v (for a dedicated instance, row A18).

        The answer carries it in a YAML *text*, in a line `version: X.Y.Z`.
        """
        question = self._question("tell its agent version")
        answer = self._send(Ask("GET", "/v1/services/stylus/version", question))
        content = version_text(answer.body)
        found = re.search(r"^\s*version:\s*[\"']?v?([0-9][^\s\"'#]*)", content, re.MULTILINE)
        if found is None:
            raise RefusedError(
                "names no agent version in its answer.",
                remedy="write the agent's version into the release instead of `instance`.",
                where=question.where,
            )
        return found.group(1)

    def _question(self, action: str, *, scoped: bool = False) -> Question:
        return Question(action, self._server, self._key_source, self.project_word if scoped else "")

    def _remaining(self) -> float:
        return min(self._patience, self._end - self._wire.clock())

    def _effort(self) -> Effort:
        return Effort(self._wire.clock() + self._remaining())

    def _in_background(self, note: Note) -> Effort:
        """Return the effort for an answer that many callers share: longer than any of them may wait."""
        return Effort(self._wire.clock() + PATIENCE, note)

    def _send(self, ask: Ask) -> Answer:
        return self._wire.send(ask, self._effort())

    def _pages(self, first: Ask, answer: Answer, effort: Effort) -> Iterator[object]:
        """Yield the items of a list answer and of all its further pages."""
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            yield from items(answer.body)
            token = continuation(answer.body)
            if not token or token in seen:
                return
            seen.add(token)
            params = {**first.params, "continue": token}
            further = Ask(
                "POST", first.path, first.question, params=params, json=first.json, project_uid=first.project_uid
            )
            answer = self._wire.send(further, effort)
