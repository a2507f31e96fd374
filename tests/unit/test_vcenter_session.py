"""A login to a vCenter: wrong password, locked user, ended session, no vCenter at all; always one sentence, never a secret."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EdgeError, SecretsError
from edge.settings.vsphere import Vcenter
from edge.vcenter import properties, reads
from edge.vcenter.errors import VcenterError
from edge.vcenter.session import Limits, Session, session, within
from tests.unit.settings_helpers import put
from tests.unit.vcenter_samples import inventory, machine, red, settings_of
from tests.unit.vcenter_server import PASSWORD, USER, Behaviour, serving, sha256, signed

HERE = "127.0.0.1"


@contextmanager
def logged_in(folder: Path, does: Behaviour, limits: Limits | None = None) -> Iterator[Session]:
    """Yield a session with a server that behaves in some way."""
    own = signed(HERE)
    with (
        serving(folder, own, does) as server,
        session(Vcenter(server=server, user=USER, thumbprint=sha256(own)), PASSWORD, limits or Limits()) as live,
    ):
        yield live


def refusal(folder: Path, **over: Any) -> EdgeError:
    """Return why a login is refused."""
    with pytest.raises(EdgeError) as caught, logged_in(folder, Behaviour(**over)):
        pass
    assert PASSWORD not in str(caught.value)
    return caught.value


def now(content: Any) -> Any:
    """Ask for the time: the smallest question."""
    from pyVmomi import vim

    kind: Any = vim.ServiceInstance
    return kind("ServiceInstance", content.sessionManager._stub).CurrentTime()


def test_a_login_asks_and_logs_out(tmp_path: Path) -> None:
    does = Behaviour()
    with logged_in(tmp_path, does) as live:
        assert live.about == "VMware vCenter Server 8.0.2 build-1"
        assert live.ask(now).year == 2026
    assert does.asked == ["RetrieveServiceContent", "Login", "CurrentTime", "Logout"]


def test_it_logs_out_also_after_an_error(tmp_path: Path) -> None:
    does = Behaviour()
    with pytest.raises(RuntimeError), logged_in(tmp_path, does):
        raise RuntimeError
    assert does.asked[-1] == "Logout"


def test_a_wrong_password_and_a_locked_user(tmp_path: Path) -> None:
    error = refusal(tmp_path, password="other")
    assert error.message == f"refused the password of {USER}."
    assert "secret vspherePassword" in error.remedy
    error = refusal(tmp_path, password="other", said="User account is locked. Please contact your administrator.")
    assert error.message.startswith(f"has locked the user {USER}")
    error = refusal(tmp_path, password="other", fault="NoPermission", said="no")
    assert error.message == f"refused {USER}: System.View is missing on group-d1."
    error = refusal(tmp_path, password="other", fault="InvalidState", said="The server is starting.")
    assert error.message == "answered with InvalidState: The server is starting."


def test_a_single_host_is_no_vcenter(tmp_path: Path) -> None:
    assert "single ESXi host" in refusal(tmp_path, api="HostAgent").message


def test_a_session_that_ended_is_opened_again_once(tmp_path: Path) -> None:
    does = Behaviour(expire=1)
    with logged_in(tmp_path, does) as live:
        assert live.ask(now).year == 2026
    assert does.asked.count("Login") == 2
    with logged_in(tmp_path, Behaviour(expire=2)) as live, pytest.raises(VcenterError, match="ended the session twice"):
        live.ask(now)


def test_answers_that_are_none(tmp_path: Path) -> None:
    with logged_in(tmp_path, Behaviour(broken=True)) as live, pytest.raises(VcenterError, match="not understood"):
        live.ask(now)


def test_a_slow_answer_ends_in_time(tmp_path: Path) -> None:
    slow = logged_in(tmp_path, Behaviour(silent=3), Limits(answer=0.4))
    with slow as live, pytest.raises(VcenterError, match="did not answer within"):
        live.ask(now)
    with logged_in(tmp_path, Behaviour(), Limits(whole=0.5)) as live:
        time.sleep(0.6)
        with pytest.raises(VcenterError, match="did not finish its answers within 0 s"):
            live.ask(now)


def test_everything_together_is_limited() -> None:
    late = VcenterError("late")
    with pytest.raises(VcenterError, match="late"):
        within(0.1, lambda: time.sleep(1), lambda: late)
    with pytest.raises(KeyError):
        within(5, lambda: {}["x"], lambda: late)  # type: ignore[var-annotated]
    assert within(5, lambda: 3, lambda: late) == 3


class Known:
    """The secrets of the site."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def get(self, name: str) -> str:
        if name not in self._values:
            raise SecretsError(f"the secret {name} was not found.", remedy="set it")
        return self._values[name]


@contextmanager
def opening(vcenter: Vcenter, password: str, limits: Limits) -> Iterator[Any]:
    """Yield a session that answers from a sample: first the inventory, then the missing privileges."""
    assert password == PASSWORD
    live = Session(vcenter, password, limits)
    answers = iter([inventory(machine("plant-a")), [("network vlan-200", ("Network.Assign",))]])
    live.ask = lambda question: next(answers)  # type: ignore[method-assign,assignment,return-value]
    yield live


def test_the_rows_of_a_vcenter(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    known = Known(vspherePassword=PASSWORD)
    look = reads.vsphere_results(settings, known, settings.host_views(), opened=opening, answers=lambda address: None)
    wrong = red(list(look.results))
    assert set(wrong) == {"vsphere.privileges"}
    assert wrong["vsphere.privileges"][0].seen == "edge@vsphere.local lacks on network vlan-200: Network.Assign"
    assert look.away == {"plant-b": "not made yet"}
    assert look.results[0].id == "vsphere.session"


def test_a_vcenter_that_cannot_be_asked_is_one_red_row(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    look = reads.vsphere_results(settings, Known(), settings.host_views(), opened=opening)
    assert [row.id for row in look.results if row.status == "fail"] == ["vsphere.session"]
    assert "vspherePassword was not found" in look.results[0].seen
    assert {row.status for row in look.results[1:]} == {"skip"}
    assert set(look.away) == {"plant-a", "plant-b"}


def test_several_vcenters_are_asked_and_one_that_fails_does_not_hide_the_other(tmp_path: Path) -> None:
    other = {"server": "other.example.com", "user": USER, "password": {"secret": "otherPassword"}}
    settings = settings_of(
        tmp_path,
        put("vcenters.other", other),
        put("vsphere.vcenter", "main"),
        put("hosts.plant-b.vsphere", {"vcenter": "other"}),
    )
    look = reads.vsphere_results(
        settings, Known(vspherePassword=PASSWORD), settings.host_views(), opened=opening, answers=lambda address: None
    )
    wrong = red(list(look.results))
    assert "otherPassword was not found" in wrong["vsphere.session"][0].seen
    assert any(row.id == "vsphere.name" and row.host == "plant-a" and row.status == "pass" for row in look.results)
    assert set(look.away) == {"plant-b"}


def test_a_site_without_machines_asks_nobody(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert reads.vsphere_results(settings, Known(), []) == reads.VcenterLook()


def test_no_objects_are_no_question() -> None:
    assert properties.of(None, [], object, ("name",)) == []
