"""What all tests share: the folder of the project."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# How long one example takes is the machine's load, not the code's; pytest's own timeout ends what hangs.
hypothesis.settings.register_profile("edge-hosts", deadline=None)
hypothesis.settings.load_profile("edge-hosts")

# Started in the background or by nohup, everything here and below would be deaf to Ctrl-C, which several tests press, and to
# the end of a terminal, by which ssh ends its way through a jump host.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project folder."""
    return ROOT


@pytest.fixture(autouse=True, scope="session")
def _outputs_in_text_are_errors() -> None:
    """An Output in an f-string is a mistake; without this Pulumi only puts a warning into the text."""
    os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that accepts changed snapshots after a review."""
    parser.addoption("--accept-snapshots", action="store_true", help="write the reviewed snapshots anew")
    parser.addoption(
        "--engine-table", metavar="FILE", help="write what the engine did in each case, as a Markdown table"
    )
