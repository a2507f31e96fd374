"""Which key, which address, and how long: the client of a resource."""

from __future__ import annotations

import time

import httpx
import pytest

from edge.errors import PaletteError, PendingError
from edge.palette import KEY_IN_CONFIG, KEY_IN_ENVIRONMENT
from edge.palette.pace import Pace
from edge.registration import claim_create, client_for
from edge.registration.access import PATIENCE
from tests.unit.palette_fake import KEY, PLANTS, URL, FakePalette
from tests.unit.registration_samples import inputs


def nothing(_name: str) -> str | None:
    """Return no config value."""
    return None


def test_the_environment_comes_before_the_stacks_secret() -> None:
    asked: list[str] = []

    def config(name: str) -> str | None:
        asked.append(name)
        return "from-config"

    client = client_for(inputs(), config, environ={"SPECTROCLOUD_APIKEY": f"{KEY}\n"})
    assert (client._key_source, asked) == (KEY_IN_ENVIRONMENT, [])
    assert client_for(inputs(), config, environ={"SPECTROCLOUD_APIKEY": " "})._key_source == KEY_IN_CONFIG
    assert asked == ["paletteApiKey"]


def test_no_key_at_all_is_one_clear_sentence() -> None:
    with pytest.raises(PaletteError, match=r"no Palette API key.*set SPECTROCLOUD_APIKEY, or `pulumi config set"):
        client_for(inputs(), nothing, environ={})


def test_the_connection_comes_from_the_inputs() -> None:
    client = client_for(inputs(project="", project_uid=PLANTS), nothing, environ={"SPECTROCLOUD_APIKEY": KEY})
    assert (client.base_url, client.project_word, client.project_uid()) == (URL, PLANTS, PLANTS)
    assert KEY not in repr(client)
    with pytest.raises(PaletteError, match="the input api_url is missing"):
        client_for(inputs(api_url=None), nothing, environ={"SPECTROCLOUD_APIKEY": KEY})


def test_a_method_of_the_provider_lasts_two_seconds_at_most() -> None:
    palette = FakePalette()

    def drip(request: httpx.Request) -> httpx.Response:
        time.sleep(0.7)
        return palette._route(request)

    palette.faults = [drip] * 20
    begun = time.monotonic()
    # As for a call of the provider, but on a transport of the test: three requests of 0.7 s are too much for it.
    with pytest.raises(PendingError):
        claim_create(palette.client(total=PATIENCE, patience=PATIENCE), inputs())
    assert time.monotonic() - begun < 2.0


class Sleeper:
    """A clock that moves when it is slept on."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds


@pytest.mark.parametrize("requests", [1, 40, 41, 200])
def test_requests_keep_below_the_vendors_rate(requests: int) -> None:
    sleeper = Sleeper()
    pace = Pace(clock=lambda: sleeper.now, sleep=sleeper.sleep)
    assert all(pace.take(60.0) for _ in range(requests))
    assert sleeper.now == pytest.approx(max(0, requests - 40) / 8)


def test_a_pace_that_would_take_too_long_takes_no_permit() -> None:
    sleeper = Sleeper()
    pace = Pace(1.0, 1.0, clock=lambda: sleeper.now, sleep=sleeper.sleep)
    assert (pace.take(0.5), pace.take(0.5), sleeper.now) == (True, False, 0.0)
    assert pace.take(1.0)
    assert sleeper.now == 1.0


@pytest.mark.parametrize("generation", [1, 1.0])
def test_whole_numbers_are_stored_as_such(generation: float) -> None:
    made = claim_create(FakePalette().client(), inputs(generation=generation))
    assert repr(made["generation"]) == "1"
