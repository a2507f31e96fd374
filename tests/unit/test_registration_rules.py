"""The rules that hold whatever happens in whatever order, and the whole tables of who may be removed when.

A stack of ours, a stranger and the machines themselves act at random on one Palette. Never may a stranger's record be
removed; never one in a cluster without force; never may an epoch be given out twice; and a run that is repeated changes
nothing.
"""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from edge.errors import PaletteError
from edge.registration import (
    claim_create,
    claim_delete,
    claim_diff,
    claim_update,
    healthy_diff,
    healthy_read,
    registration_create,
    registration_diff,
    registration_read,
    registration_update,
    tags_of,
    token_diff,
)
from edge.registration.records import remove
from tests.unit.palette_fake import OTHER, PLANTS, FakePalette
from tests.unit.registration_samples import OWNER, STRANGER, inputs

HOSTS = st.sampled_from(["a", "b"])
GENERATIONS = st.integers(1, 3)
MACHINES = st.sampled_from(["", "u1", "u2"])
PROJECTS = st.sampled_from([PLANTS, PLANTS, OTHER])
QUIET = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Site(RuleBasedStateMachine):
    """One Palette, our stack, a stranger, and machines that register when they like."""

    claims: Bundle[dict[str, Any]] = Bundle("claims")
    registrations: Bundle[dict[str, Any]] = Bundle("registrations")

    @initialize()
    def start(self) -> None:
        """Begin with an empty Palette."""
        self.palette = FakePalette()
        self.epochs: list[str] = []
        self.foreign: dict[str, Any] = {}
        self.in_cluster: set[str] = set()
        self.force = False

    def ask(self, force: bool, call: Any, *args: Any) -> dict[str, Any] | None:
        """Return what a function of the registration returns, None when it refuses."""
        self.force = force
        try:
            found: dict[str, Any] | None = call(self.palette.client(), *args)
        except PaletteError:
            found = None
        self.check_removed()
        return found

    def check_removed(self) -> None:
        """Judge what was removed since the last look."""
        for uid in self.palette.removed:
            assert uid not in self.foreign, "a stranger's record was removed"
            assert self.force or uid not in self.in_cluster, "a record in a cluster was removed without force"
            self.in_cluster.discard(uid)
        self.palette.removed.clear()

    @rule(host=HOSTS, project=PROJECTS, in_use=st.booleans(), tagged=st.booleans())
    def stranger_registers(self, host: str, project: str, in_use: bool, tagged: bool) -> None:
        """A host that is not ours takes a free name."""
        if host not in self.palette.hosts:
            labels = tags_of(STRANGER, 1, "", "f" * 16) if tagged else {}
            state = "in-use" if in_use else "ready"
            self.foreign[host] = self.palette.add(host, project=project, labels=labels, state=state)

    @rule(host=HOSTS)
    def record_vanishes(self, host: str) -> None:
        """Somebody deletes a record by hand."""
        self.palette.hosts.pop(host, None)
        self.foreign.pop(host, None)
        self.in_cluster.discard(host)

    @rule(registration=registrations, project=PROJECTS)
    def machine_registers(self, registration: dict[str, Any], project: str) -> None:
        """A machine of ours registers with the tags of some run, perhaps an old one, perhaps in a wrong project."""
        host = registration["host"]
        if host in self.palette.hosts:
            return
        generation, machine = int(registration["generation"]), str(registration.get("machine", ""))
        tags = tags_of(OWNER, generation, machine, str(registration["epoch"]))
        self.palette.add(host, project=project, labels=tags)

    @rule(host=HOSTS)
    def joins_a_cluster(self, host: str) -> None:
        """A host of ours is put into a node pool."""
        if host in self.palette.hosts and host not in self.foreign:
            self.palette.hosts[host]["status"]["state"] = "in-use"
            self.in_cluster.add(host)

    @rule(target=claims, host=HOSTS, generation=GENERATIONS, force=st.booleans())
    def claim(self, host: str, generation: int, force: bool) -> Any:
        """Our stack takes a name."""
        made = self.ask(force, claim_create, inputs(host, generation=float(generation), force=force))
        assert host not in self.foreign or made is None
        return made if made is not None else multiple()

    @rule(
        target=claims, claim=consumes(claims), generation=GENERATIONS, force=st.booleans(), template=st.text(max_size=2)
    )
    def raise_claim(self, claim: dict[str, Any], generation: int, force: bool, template: str) -> dict[str, Any]:
        """Our stack changes its wishes; what the machine is made from moves with the generation only."""
        news = inputs(claim["host"], generation=float(generation), force=force, made_from_wanted=template)
        before = claim["generation"]
        made = self.ask(force, claim_update, claim, news)
        if made is None:
            return claim
        assert made["generation"] >= before
        assert made["made_from"] == (template if generation > before else claim["made_from"])
        assert claim_diff(made, news) == []
        return made

    @rule(claim=consumes(claims), force=st.booleans())
    def leave(self, claim: dict[str, Any], force: bool) -> None:
        """Our stack gives the name back, twice."""
        for _ in range(2):
            self.ask(force, claim_delete, {**claim, "force": force})

    @rule(target=registrations, host=HOSTS, generation=GENERATIONS, machine=MACHINES, force=st.booleans())
    def register(self, host: str, generation: int, machine: str, force: bool) -> Any:
        """Our stack prepares a registration."""
        news = inputs(host, generation=float(generation), machine=machine, force=force)
        return self.keep(self.ask(force, registration_create, news), news)

    @rule(
        target=registrations,
        old=consumes(registrations),
        generation=GENERATIONS,
        machine=MACHINES,
        force=st.booleans(),
    )
    def register_again(self, old: dict[str, Any], generation: int, machine: str, force: bool) -> Any:
        """Our stack changes a registration; repeating that changes nothing more."""
        news = inputs(old["host"], generation=float(generation), machine=machine, force=force)
        made = self.ask(force, registration_update, old, news)
        if made is not None:
            again = self.ask(force, registration_update, made, news)
            assert again is not None
            assert again["epoch"] == made["epoch"]
        return self.keep(made, news, str(old["epoch"])) if made is not None else old

    def keep(self, made: dict[str, Any] | None, news: dict[str, Any], old: str = "") -> Any:
        """Remember a registration; a new epoch was never seen before, an adopted one belongs to the record."""
        if made is None:
            return multiple()
        record = self.palette.hosts.get(str(news["host"]))
        adopted = record["metadata"]["labels"].get("edge-hosts-epoch") if record else None
        epoch = str(made["epoch"])
        assert epoch in (old, adopted) or epoch not in self.epochs
        assert registration_diff(made, news) == []
        self.epochs.append(epoch)
        return made

    @rule(registration=registrations)
    def look(self, registration: dict[str, Any]) -> None:
        """A refresh removes nothing, and says gone exactly when the epoch is not in the project's record."""
        found = self.ask(False, registration_read, registration)
        record = self.palette.hosts.get(str(registration["host"]))
        here = record is not None and record["project"] == PLANTS
        carries = here and record["metadata"]["labels"].get("edge-hosts-epoch") == registration["epoch"]
        assert (found is not None) == bool(carries)
        seen = self.ask(False, healthy_read, {**registration, "wantedVersion": ""})
        assert seen is not None
        assert (seen["status"] == "healthy") == bool(carries)

    @invariant()
    def foreign_records_stand(self) -> None:
        """Every stranger is still there."""
        for host, record in getattr(self, "foreign", {}).items():
            assert self.palette.hosts.get(host) is record


TestSite = Site.TestCase
TestSite.settings = settings(QUIET, max_examples=60, stateful_step_count=25)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(
    ["host", "owner", "generation", "machine", "force", "lost", "epoch", "status", "api_url", "active"]
)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("tags", "state", "allowed"),
    [
        (tags_of(OWNER, 1, "", "f" * 16), "ready", "always"),
        (tags_of(OWNER, 1, "", "f" * 16), "in-use", "forced"),
        (tags_of(STRANGER, 1, "", "f" * 16), "ready", "never"),
        (tags_of("", 1, "", "f" * 16), "ready", "never"),
        ({}, "unpaired", "never"),
    ],
)
def test_the_one_place_that_removes_judges_by_itself(
    tags: dict[str, str], state: str, allowed: str, force: bool
) -> None:
    palette = FakePalette()
    palette.add("a", labels=tags, state=state)
    client = palette.client()
    record = client.edge_host("a").record
    assert record is not None
    with contextlib.suppress(PaletteError):
        remove(client, record, {OWNER, ""}, force=force)
    assert (palette.removed == ["a"]) == (allowed == "always" or (allowed == "forced" and force))


@given(olds=st.dictionaries(KEYS, ANYTHING), news=st.dictionaries(KEYS, ANYTHING))
@settings(QUIET, max_examples=200)
def test_a_diff_never_raises(olds: dict[str, Any], news: dict[str, Any]) -> None:
    for diff in (claim_diff, registration_diff, healthy_diff, token_diff):
        assert isinstance(diff(olds, news), list)
