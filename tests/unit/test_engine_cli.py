"""The port to the Pulumi CLI, against a script that stands in for it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge.engine_cli import Ended, EngineCli, EngineCliError, slots

FAKE = f"""\
#!{sys.executable}
import json, os, signal, sys, time
from pathlib import Path
home = Path(os.environ["FAKE_PULUMI"])
kept = {{name: value for name, value in os.environ.items() if name.startswith("PULUMI_")}}
(home / "call.json").write_text(json.dumps({{"words": sys.argv[1:], "env": kept, "cwd": os.getcwd()}}))
answer = json.loads((home / "answer.json").read_text())
if answer.get("wait"):
    signals = []
    def told(*_):
        signals.append(1)
        print(f"told {{len(signals)}} times", flush=True)
        if len(signals) >= answer["wait"]:
            sys.exit(1)
    signal.signal(signal.SIGINT, told)
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
sys.stdout.write(answer.get("out", ""))
sys.stdout.flush()
sys.stderr.write(answer.get("err", ""))
sys.exit(answer.get("code", 0))
"""


class Fake:
    """The project's folder, what the script answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        (folder / "bin").mkdir()
        (folder / "bin" / "pulumi").write_text(FAKE)
        (folder / "bin" / "pulumi").chmod(0o755)
        self.answers()

    def answers(self, **answer: Any) -> None:
        (self.folder / "answer.json").write_text(json.dumps(answer))

    def call(self) -> dict[str, Any]:
        call: dict[str, Any] = json.loads((self.folder / "call.json").read_text())
        return call

    def engine(self, **more: Any) -> EngineCli:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environ = {
            "PATH": path,
            "FAKE_PULUMI": str(self.folder),
            "PULUMI_CONTINUE_ON_ERROR": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            "PULUMI_BACKEND_URL": "file:///x",
        }
        return EngineCli("plant-dev", self.folder, environ=environ, say=self.said.append, **more)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


COMMON = ["--stack", "plant-dev", "--non-interactive", "--color", "never"]


@pytest.mark.row("A17")
def test_up_is_handed_on_line_by_line(fake: Fake) -> None:
    fake.answers(out="one\ntwo\n", err="three\n", code=0)
    assert fake.engine().up(parallel=12) == Ended(0, ("one", "two", "three"))
    assert fake.said == ["one", "two", "three"]
    call = fake.call()
    assert call["words"] == ["up", "--yes", "--skip-preview", "--suppress-outputs", "--parallel", "12", *COMMON]
    assert call["cwd"] == str(fake.folder.resolve())
    assert call["env"] == {"PULUMI_BACKEND_URL": "file:///x", "PULUMI_SKIP_UPDATE_CHECK": "true"}


def test_each_command_of_the_cli(fake: Fake) -> None:
    file = fake.folder / "other.yaml"
    engine = fake.engine(stack_file=file, colour=True)
    fake.answers(out='{"a": 1}')
    engine.refresh(parallel=9, run_program=True)
    words = ["refresh", "--yes", "--skip-preview", "--parallel", "9", "--config-file", str(file), "--run-program"]
    assert fake.call()["words"] == [*words, *COMMON[:-1], "always"]
    assert engine.preview(parallel=9) == {"a": 1}
    assert fake.call()["words"] == ["preview", "--json", "--parallel", "9", "--config-file", str(file), *COMMON]
    engine.preview(parallel=9, config_file=fake.folder / "draft.yaml")
    assert fake.call()["words"][5] == str(fake.folder / "draft.yaml")
    assert engine.outputs() == {"a": 1}
    assert fake.call()["words"] == ["stack", "output", "--json", *COMMON]
    assert engine.export() == {"a": 1}
    assert fake.call()["words"] == ["stack", "export", *COMMON]
    engine.cancel()
    assert fake.call()["words"] == ["cancel", "--yes", *COMMON]


def test_a_run_that_fails_keeps_its_last_lines(fake: Fake) -> None:
    fake.answers(out="".join(f"{number}\n" for number in range(500)), code=255)
    ended = fake.engine().up(parallel=9)
    assert ended.code == 255 and ended.tail[-1] == "499" and len(ended.tail) < 100 and not ended.locked
    fake.answers(err="error: the stack is currently locked by 1 lock(s). Either wait\n", code=255)
    assert fake.engine().up(parallel=9).locked
    assert not Ended(0, ("currently locked by",)).locked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"code": 1, "err": "warning: x\nerror: no stack named 'x' found\n"}, "failed: no stack named 'x' found"),
        ({"code": 1}, "it said nothing"),
        ({"code": 0, "out": "[]"}, "it said nothing"),
        ({"code": 255, "err": "error: the stack is currently locked by 1 lock(s).\n  at x\n"}, "currently locked"),
        (
            {"code": 1, "out": json.dumps({"diagnostics": [{"severity": "info", "message": "x"},
             {"severity": "error", "message": "error: settings\n  are wrong"}]})},
            "failed: settings are wrong",
        ),
        (
            {"code": 1, "out": json.dumps({"diagnostics": [{"severity": "error",
             "message": "error: Traceback" + " x" * 5000 + "\nValueError: the end"}]})},
            "x ValueError: the end",
        ),
    ],
)  # fmt: skip
def test_a_preview_that_fails_says_why(fake: Fake, answer: dict[str, Any], said: str) -> None:
    fake.answers(**answer)
    with pytest.raises(EngineCliError) as error:
        fake.engine().preview(parallel=9)
    assert said in error.value.message and len(error.value.message) < 1000
    assert error.value.where == "stack plant-dev"


def test_a_question_that_fails(fake: Fake) -> None:
    fake.answers(code=1, err="error: no stack\n")
    for ask in (fake.engine().outputs, fake.engine().export, fake.engine().cancel):
        with pytest.raises(EngineCliError, match="failed: no stack"):
            ask()
    fake.answers(out="[]")
    with pytest.raises(EngineCliError, match="no JSON object"):
        fake.engine().export()


def test_without_the_cli_there_is_one_clear_error(tmp_path: Path) -> None:
    engine = EngineCli("s", tmp_path, environ={"PATH": str(tmp_path)})
    for ask in (lambda: engine.up(parallel=1), lambda: engine.preview(parallel=1), engine.outputs):
        with pytest.raises(EngineCliError, match=r"there is no `pulumi` on PATH\. Remedy: install"):
            ask()


def test_output_that_is_no_text_does_not_stop_the_run(fake: Fake) -> None:
    program = fake.folder / "bin" / "pulumi"
    program.write_text("#!/bin/sh\nprintf 'a\\377b\\n'\n")
    assert fake.engine().up(parallel=1).tail == ("a\ufffdb",)


@pytest.mark.row("A21")
@pytest.mark.parametrize(("times", "told"), [(1, 1), (2, 2), (99, 2)])
def test_ctrl_c_reaches_the_engine_once_each_time(fake: Fake, times: int, told: int) -> None:
    """The first asks it to end, the second to stop, the third kills it; the run is over before the interrupt goes on."""
    fake.answers(wait=times)
    lines = fake.said
    here = threading.main_thread().ident
    assert here is not None

    def press() -> None:
        for number in range(min(times, 3)):
            _until(lambda n=number: "ready" in lines and len([one for one in lines if "told" in one]) >= min(n, told))
            time.sleep(0.05)
            signal.pthread_kill(here, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        fake.engine().up(parallel=1)
    thread.join()
    assert lines == ["ready", *[f"told {number + 1} times" for number in range(told)]]


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_slots() -> None:
    assert [slots(hosts) for hosts in (0, 1, 12, 56, 57, 500)] == [8, 9, 20, 64, 64, 64]
