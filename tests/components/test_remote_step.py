"""The text of a step that the engine will skip: known in an update, so that the engine does not stumble over it."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest
from pulumi import Output
from pulumi.runtime import Mocks, set_mocks

from components import remote_step
from components.remote_step import SKIPPED


class _Nothing(Mocks):
    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        return {}, None

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return "", {}


async def _text_of(*, known: bool, preview: bool) -> tuple[Any, bool, bool]:
    """Return the step's text for secret values that are known or not, whether it is known, and whether it is secret."""
    set_mocks(_Nothing(), preview=preview)

    def soon(value: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(value)
        return future

    values: Output[dict[str, str]] = Output(set(), soon({"EH_HOST": "a"} if known else None), soon(known), soon(True))
    text = remote_step._stdin("started", values)
    return await text.future(), await text.is_known(), await text.is_secret()


@pytest.mark.row("C2", "C3")
@pytest.mark.parametrize("preview", [False, True])
def test_known_values_are_the_text_of_the_step(preview: bool) -> None:
    text, known, secret = asyncio.run(_text_of(known=True, preview=preview))
    assert "EH_HOST=a" in text and known and secret


@pytest.mark.row("C2", "C3")
def test_in_an_update_a_step_that_will_be_skipped_has_a_harmless_text() -> None:
    """For a secret without a value the engine ends the whole run: seen with a red host beside green ones."""
    assert asyncio.run(_text_of(known=False, preview=False)) == (SKIPPED, True, True)


def test_in_a_preview_it_stays_unknown() -> None:
    _text, known, secret = asyncio.run(_text_of(known=False, preview=True))
    assert not known and secret
