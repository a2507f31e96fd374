"""First runs: bare machines to healthy, nothing to do afterwards, secrets nowhere, and trouble that stays with its host."""

from __future__ import annotations

import json
import time

import pytest

from tests.engine.engine_site import CHAIN, HOSTS, EngineSite, Watch, chain

# Palette's API key travels to the provider's process in the stack's configuration and nowhere else.
_KEYS = ("sshPrivateKey", "paletteApiKey", "registrationToken", "proxyPassword")


def _canaries(site: EngineSite) -> dict[str, str]:
    """Return what must not be seen: each secret, of a key one line of its middle."""
    values = {name: site.secrets[name] for name in _KEYS}
    return {name: value.splitlines()[2] if "\n" in value else value for name, value in values.items()}


@pytest.mark.row("C2", "C3")
def test_bare_machines_become_healthy_and_the_second_run_has_nothing_to_do(bare_site: EngineSite) -> None:
    site, since = bare_site, time.time()
    site.runs.clear()
    canaries = _canaries(site)
    with Watch(canaries) as watch:
        run = site.run("up, three bare machines", "up")
    assert run.counts() == {"create": len(HOSTS) * len(CHAIN)}
    assert site.healthy() == set(HOSTS)
    assert site.cases[-1].reboots == len(HOSTS)
    assert site.logins(since) == dict.fromkeys(HOSTS, 4)
    _nothing_to_do(site)
    assert watch.looks > 50 and not watch.found
    _no_secret_anywhere(site, canaries)


def _nothing_to_do(site: EngineSite) -> None:
    since = time.time()
    site.run("preview --expect-no-changes", "preview", "--expect-no-changes")
    site.run("refresh", "refresh")
    run = site.run("up, nothing changed", "up")
    assert run.counts() == {"same": len(HOSTS) * len(CHAIN)}
    assert site.logins(since) == dict.fromkeys(HOSTS, 0)
    assert site.cases[-1].reboots == 0


def _no_secret_anywhere(site: EngineSite, canaries: dict[str, str]) -> None:
    """Look into the state, the whole backend, the stack file, every event, and all that was printed."""
    places = {"export": site.engine.export(), "outputs": json.dumps(site.engine.outputs())}
    for number, run in enumerate(site.runs):
        places |= {f"events of run {number}": run.stdout, f"stderr of run {number}": run.stderr}
    for path in site.engine.folder.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            places[str(path)] = path.read_text("utf-8", "replace")
    seen = [f"{name} in {place}" for place, text in places.items() for name, value in canaries.items() if value in text]
    assert seen == []
    assert len(places) > 8, "the backend's files were not found"


@pytest.mark.row("C2")
def test_trouble_of_one_host_stays_with_it_and_the_next_run_finishes(bare_site: EngineSite) -> None:
    """`bare` is red before anything is changed, the name of `jumped` belongs to somebody else, `proxied` goes its way."""
    site = bare_site
    site.client.fault("dns-down", "bare")
    site.client.palette("add-record", uid="jumped", labels={"edge-hosts-owner": "somebody-else"})
    found = site.inside("bare", "dpkg -l | sha256sum")
    run = site.run("up, one host red, one name taken, one fine", "up", code=1)
    assert set(run.failed()) == {"bare-checks", "jumped-claim"}
    assert set(run.changed()) == {"bare-claim", *chain("proxied")}
    words = run.messages()
    assert "host.dns" in words and "the name is taken: Palette has a host of somebody-else" in words
    assert site.inside("bare", "dpkg -l | sha256sum") == found and not site.has_agent("bare")
    assert site.healthy() == {"proxied"}
    before = site.boots()
    site.client.clear_faults()
    site.client.palette("delete-record", uid="jumped")
    run = site.run("up, the causes are gone", "up")
    assert set(run.changed()) == chain("bare") - {"bare-claim"} | chain("jumped")
    assert site.healthy() == set(HOSTS) and site.boots()["proxied"] == before["proxied"]
    site.clean()
