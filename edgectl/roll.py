"""`edgectl roll STACK HOST...`: take hosts to their next generation, one after the other, in a way that can be killed.

What a roll shall reach is written down before anything is changed, and every step leads to a fixed state: the generation
is written as a number, never raised by one. So `--resume` can repeat any step after any end, also SIGKILL.
"""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.engine_cli import Engine, EngineCli, slots
from edge.errors import FactsError, RollError, SettingsError
from edge.facts import StackFacts, load_facts
from edge.files import replace_file
from edge.findings import Finding
from edge.host_lines import with_values, written
from edge.rolling import (
    HostRoll,
    Progress,
    arrived,
    chosen,
    gate,
    others,
    outdated,
    planned,
    read_progress,
    says,
    touched,
)
from edge.settings import StackSettings, load_stack
from edge.settings.load import stack_path
from edge.settings.locate import Locator
from edgectl.check import print_findings, wide_console

Facts = Mapping[str, Any]


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    hosts: Annotated[list[str] | None, typer.Argument(metavar="HOST...", help="The hosts to roll.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Roll every host that stays, one after the other.")] = False,
    only_outdated: Annotated[
        bool, typer.Option("--only-outdated", help="Of these, only hosts that are older than the release.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the roll that stopped.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    allow_others: Annotated[
        bool, typer.Option("--allow-others", help="Go on when the run would change other hosts too.")
    ] = False,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
) -> None:
    """Take hosts to their next generation: a new machine, or a fresh installation. The next host waits for the last."""
    engine = EngineCli(stack, root, stack_file, say=typer.echo, colour=sys.stdout.isatty())
    ports = Ports(engine, lambda: load_facts(stack, root, source="cli"), replace_file, typer.echo)
    roll = Roll(stack, root, ports, stack_file=stack_file, allow_others=allow_others)
    with _alone(roll.record):
        if resume:
            if hosts or every or only_outdated:
                raise RollError("takes no choice of hosts.", remedy="Give `--resume` alone.", where="--resume")
            progress = roll.stopped()
        else:
            progress = roll.plan(tuple(hosts or ()), every=every, only_outdated=only_outdated)
        if not progress.left:
            typer.echo(f"{stack}: there is nothing to roll.")
            return
        if dry_run or not resume:
            roll.look(progress.left[0])
        if dry_run:
            typer.echo("Nothing was changed.")
            return
        if not yes:
            typer.confirm("Go on?", abort=True)
        roll.run(progress, resumed=resume)


@dataclass(frozen=True)
class Ports:
    """What a roll needs of the world: the engine, the facts of the stack now, writing a file in one step, a voice."""

    engine: Engine
    facts: Callable[[], StackFacts]
    write: Callable[[Path, str], None]
    say: Callable[[str], None]


class Roll:
    """A roll of one stack. `record` is the file that holds its progress."""

    def __init__(
        self, stack: str, root: Path, ports: Ports, *, stack_file: Path | None = None, allow_others: bool = False
    ) -> None:
        self._stack = stack
        self._root = root
        self._ports = ports
        self._path = stack_path(stack, root, stack_file)
        self._allow_others = allow_others
        self._seen: str | None = None
        self.record = root / ".edge" / "rolls" / f"{stack.rpartition('/')[2]}.json"
        file = f" --stack-file {stack_file}" if stack_file else ""
        self.again = f"python -m edgectl roll {stack} --resume{file}"

    # -- before anything is changed ----------------------------------------------------------------------------------

    def plan(self, names: tuple[str, ...], *, every: bool = False, only_outdated: bool = False) -> Progress:
        """Return the record of a new roll, and say what will happen. Raises RollError when the gate is closed."""
        self._refuse_unfinished()
        settings = self._settings()
        wanted = chosen(settings, names, every=every)
        facts = self._ports.facts()
        known = _hosts(facts)
        if only_outdated:
            wanted = self._outdated(settings, known, wanted)
        first = wanted[:1]
        self._open(
            [finding for name in wanted for finding in gate(settings, known, name)]
            + [finding for name in first for finding in others(settings, known, name)],
            ", ".join(wanted),
        )
        text = self._text()
        progress = planned(settings, known, wanted, {name: written(text, name, "state") for name in wanted})
        for roll in progress.hosts:
            self._ports.say(says(settings.host_view(roll.name), roll, known[roll.name]))
        return progress

    def stopped(self) -> Progress:
        """Return the record of the roll that stopped, and say what is left of it."""
        progress = self._kept_progress()
        if progress is None:
            raise RollError(
                "no roll of it was begun here.",
                remedy=f"Begin one: `python -m edgectl roll {self._stack} HOST`.",
                where=self._stack,
            )
        words = {"planned": "to generation", "rolled": "rolled and healthy; its protection comes back, generation"}
        for roll in progress.left:
            self._ports.say(f"{roll.name}: {words[roll.step]} {roll.generation}")
        return progress

    def _refuse_unfinished(self) -> None:
        progress = self._kept_progress()
        if progress is not None and progress.left:
            names = ", ".join(roll.name for roll in progress.left)
            raise RollError(
                f"a roll of {names} was begun and has not ended.",
                remedy=f"Go on with `{self.again}`; to give it up, read docs/operations.md, then remove {self.record}.",
                where=self._stack,
            )

    def _outdated(self, settings: StackSettings, known: Mapping[str, Facts], names: tuple[str, ...]) -> tuple[str, ...]:
        reasons = {name: outdated(settings, name, known[name]) for name in names if name in known}
        for name, reason in reasons.items():
            self._ports.say(f"{name}: {reason or 'is as the release wants it; left alone'}")
        return tuple(name for name in names if reasons.get(name, "unknown"))

    def _open(self, findings: list[Finding], names: str) -> None:
        if findings:
            print_findings(wide_console(), findings, Locator(None))
            raise RollError(f"the gate is closed ({len(findings)} to correct); nothing was changed.", where=names)

    # -- the roll ----------------------------------------------------------------------------------------------------

    def run(self, progress: Progress, *, resumed: bool = False) -> None:
        """Take every host that is left to its generation. Raises RollError at the first one that does not get there."""
        self._keep(progress)
        try:
            self._each(progress, resumed=resumed)
        except KeyboardInterrupt:
            self._ports.say(f"interrupted; go on with: {self.again}")
            raise

    def _each(self, progress: Progress, *, resumed: bool) -> None:
        for at, roll in enumerate(progress.left):
            if roll.step == "planned":
                self._still_open(roll, believed=not (resumed and at == 0))
                self._deployed(roll, self._raised(roll), progress)
                progress = self._keep(progress.at(roll.name, "rolled"))
            self._deployed(roll, self._settled(roll), progress)
            progress = self._keep(progress.at(roll.name, "done"))
            self._ports.say(f"{roll.name}: healthy at generation {roll.generation}")

    def look(self, roll: HostRoll) -> None:
        """Preview the first step of a host. Raises RollError when it would change other hosts (unless that is allowed)."""
        text = self._raised(roll) if roll.step == "planned" else self._settled(roll)
        self._guarded(roll, text, self._judged(text))
        self._seen = text

    def _raised(self, roll: HostRoll) -> str:
        """Return the stack file's text for the new machine. What speaks of an adopted one goes in the same step."""
        text = self._text()
        now = written(text, roll.name, "generation")
        if isinstance(now, int) and now > roll.generation:
            raise RollError(
                f"the stack file says generation {now}, and this roll goes to {roll.generation}.",
                remedy=f"Write `generation: {roll.generation}`, or end this roll by removing {self.record}.",
                where=roll.name,
            )
        values: dict[str, str | int | None] = {"generation": roll.generation, "state": "rolling"}
        if written(text, roll.name, "adopt") is not None:
            # The host key of the new machine is derived, the one of the settings was that of the adopted one.
            values |= {"adopt": None, "hostKey": None}
        return with_values(text, roll.name, values)

    def _settled(self, roll: HostRoll) -> str:
        return with_values(self._text(), roll.name, {"state": roll.state})

    def _still_open(self, roll: HostRoll, *, believed: bool) -> None:
        """Refuse a host when another one is unhealthy. Facts of a run that was cut off cannot be read: `up` tells then."""
        settings = self._settings()
        if roll.name not in settings.site.hosts:
            remedy = f"Put its lines back, or end this roll by removing {self.record}."
            raise RollError("is no longer under `hosts:`.", remedy=remedy, where=roll.name)
        try:
            known = _hosts(self._ports.facts())
        except FactsError:
            if believed:
                raise
            return
        self._open([*gate(settings, known, roll.name), *others(settings, known, roll.name)], roll.name)

    def _deployed(self, roll: HostRoll, text: str, progress: Progress) -> None:
        """Write the stack file, run `up`, and return when the host is healthy and what it shall be."""
        settings = self._judged(text)
        self._guarded(roll, text, settings)
        if text != self._text():
            self._ports.write(self._path, text)
        self._ports.say(f"{roll.name}: pulumi up ({'protection lifted' if _lifted(settings, roll) else 'protected'})")
        ended = self._ports.engine.up(parallel=slots(len(settings.site.hosts)))
        if ended.locked:
            cancel = f"make sure that no other run is alive, then `pulumi cancel --stack {self._stack}`"
            raise self._stop(roll, progress, "the stack is locked by another run, or by one that was killed", cancel)
        if ended.code:
            raise self._stop(roll, progress, f"`pulumi up` ended with {ended.code}", "repair what the lines above show")
        try:
            known = _hosts(self._ports.facts())
        except FactsError as error:
            raise self._stop(roll, progress, error.message.rstrip("."), "look at the run above") from None
        finding = arrived(roll, known.get(roll.name))
        if finding is not None:
            seen = "" if finding.value is None else f" ({finding.value})"
            raise self._stop(roll, progress, f"after the run it {finding.problem}{seen}", "repair the host")

    def _stop(self, roll: HostRoll, progress: Progress, problem: str, remedy: str) -> RollError:
        waiting = [one.name for one in progress.left if one.name != roll.name]
        untouched = f"; not begun: {', '.join(waiting)}" if waiting else ""
        return RollError(f"{problem}{untouched}.", remedy=f"{remedy}, then `{self.again}`.", where=roll.name)

    def _guarded(self, roll: HostRoll, text: str, settings: StackSettings) -> None:
        """Preview the stack as it would be with this text, and stop when other hosts would change.

        What was previewed just before the question is not previewed again after it.
        """
        seen, self._seen = self._seen, None
        if text == seen:
            return
        with self._draft(text) as draft:
            preview = self._ports.engine.preview(parallel=slots(len(settings.site.hosts)), config_file=draft)
        more = touched(preview, settings.site.hosts, roll.name)
        for part in more.site:
            self._ports.say(f"{roll.name}: warning: the run also changes the site's own parts: {part}")
        if more.hosts and not self._allow_others:
            listed = "; ".join(f"{name} ({', '.join(what[:4])})" for name, what in more.hosts.items())
            raise RollError(
                f"the run would change other hosts too: {listed}.",
                remedy=f"run `pulumi up` for those changes first, or add `--allow-others`, then `{self._begin(roll)}`.",
                where=roll.name,
            )
        for name, what in more.hosts.items():
            self._ports.say(f"{roll.name}: warning: the run also changes {name}: {', '.join(what)}")

    def _begin(self, roll: HostRoll) -> str:
        return self.again if self.record.exists() else f"python -m edgectl roll {self._stack} {roll.name}"

    # -- files -------------------------------------------------------------------------------------------------------

    def _text(self) -> str:
        try:
            return self._path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            missing = Finding(self._path.name, None, "does not exist", "Correct the name of the stack.")
            raise SettingsError([missing]) from None

    def _settings(self) -> StackSettings:
        return load_stack(self._stack, self._root, stack_file=self._path)

    @contextmanager
    def _draft(self, text: str) -> Iterator[Path]:
        """Yield a file with this text beside the stack file, where relative paths in it mean the same."""
        draft = self._path.with_name(f".{self._path.stem}.roll.yaml")
        try:
            draft.write_bytes(text.encode("utf-8"))
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _judged(self, text: str) -> StackSettings:
        """Return the settings that this text would give. Raises SettingsError before anything is written."""
        with self._draft(text) as draft:
            try:
                return load_stack(self._stack, self._root, stack_file=draft)
            except SettingsError as error:
                raise SettingsError(error.findings, where=f"{self._path.name} as the roll would write it") from None

    def _kept_progress(self) -> Progress | None:
        try:
            text = self.record.read_text("utf-8")
        except FileNotFoundError:
            return None
        return read_progress(text, self._stack.rpartition("/")[2], str(self.record))

    def _keep(self, progress: Progress) -> Progress:
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self._ports.write(self.record, progress.to_json())
        return progress


def _hosts(facts: StackFacts) -> Mapping[str, Facts]:
    hosts = facts.outputs.get("hosts")
    return hosts if isinstance(hosts, Mapping) else {}


def _lifted(settings: StackSettings, roll: HostRoll) -> bool:
    return settings.site.hosts[roll.name].state == "rolling"


@contextmanager
def _alone(record: Path) -> Iterator[None]:
    """Keep a second roll of the same stack out. The lock goes with the process, however that ends."""
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "Wait for its end."
            raise RollError("another roll of it is at work here.", remedy=remedy, where=record.stem) from None
        yield
