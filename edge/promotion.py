"""The gate of a promotion, and moving the one line: both pure, both on text and plain data.

A release moves on when the source stack runs exactly it, every host is healthy, and no enforced check is red, now and
not only at the last `up`. The exports of a run that failed are not to be believed: the engine writes its marker for
"unknown" over the values of failed or skipped hosts, or leaves old ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from edge.errors import FactsError, PromotionError
from edge.findings import Finding
from edge.images.agree import disagreements, recorded_isos
from edge.images.known import appliance_iso, exported_image
from edge.settings.release import Release
from edge.settings.yamltext import engine_scalar
from edge.stages import STAGES, Stage

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
HEALTHY_STATES = ("ready", "in-use")
RELEASE_KEY = "edge-hosts:release"
MAX_AGE_HOURS = 24.0

_REPAIR = "Repair what they show, then verify again."
_AGAIN = "Run `pulumi up` for the source stack until it ends without an error"


def gate(
    facts: Mapping[str, Any],
    report: Mapping[str, Any] | None,
    *,
    release: str,
    hosts: Iterable[str],
    now: datetime,
    max_age: timedelta = timedelta(hours=MAX_AGE_HOURS),
    pinned: Release | None = None,
) -> list[Finding]:
    """Return everything that keeps `release` from being promoted; an empty list opens the gate.

    `facts` is {stack, result, outputs} of the source stack, `report` the JSON of `edgectl verify`, None when there is
    none. `hosts` are the hosts that the source's settings name, `now` an aware time. `pinned` is the release of a site with
    appliances: their image must be the one that it records.
    """
    stack = str(facts.get("stack", "source"))
    outputs = facts.get("outputs")
    if not isinstance(outputs, Mapping):
        return [Finding(stack, None, "has no outputs", f"{_AGAIN}.")]
    return [
        *_run(stack, facts, outputs),
        *_release(stack, outputs, release),
        *_hosts(stack, outputs, release, list(hosts)),
        *_report(stack, report, release, list(hosts), now, max_age),
        *(_image(stack, outputs, pinned) if pinned is not None else ()),
    ]


def _image(stack: str, outputs: Mapping[str, Any], release: Release) -> Iterator[Finding]:
    """Yield where the image that the source runs is not the one that the release records, and what its hosts run otherwise."""
    try:
        image = exported_image(stack, outputs)
    except FactsError as error:
        yield Finding(f"{stack}: image", None, error.message.rstrip("."), f"{_AGAIN}.")
        return
    yield from disagreements(release, image, f"{stack}: image", complete=True)
    recorded = set(recorded_isos(release.canvos).values())
    hosts = outputs.get("hosts")
    for name, host in hosts.items() if isinstance(hosts, Mapping) else ():
        installed = appliance_iso(host)
        if installed and recorded and installed not in recorded:
            problem = "was installed from an ISO that the release does not record"
            remedy = f"Raise the host's generation and run `pulumi up`, so that it runs what is promoted: {name}."
            yield Finding(f"{stack}: {name}", installed, problem, remedy)


def _run(stack: str, facts: Mapping[str, Any], outputs: Mapping[str, Any]) -> Iterator[Finding]:
    result = facts.get("result")
    if result == "unknown":
        problem = "is known from a file that does not say how its last run ended"
        yield Finding(stack, None, problem, "Let the Pulumi CLI be asked: leave out the file.")
    elif result != "succeeded":
        yield Finding(stack, result, "did not succeed in its last run, so its outputs cannot be believed", f"{_AGAIN}.")
    for path in sorted(unknown_places(outputs)):
        yield Finding(
            f"{stack}: {path}", None, "is unknown: the host failed or was skipped in the last run", f"{_AGAIN}."
        )


def unknown_places(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of all values that the engine did not know."""
    if value == UNKNOWN:
        yield path
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from unknown_places(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from unknown_places(inner, f"{path}[{index}]")


def _release(stack: str, outputs: Mapping[str, Any], release: str) -> Iterator[Finding]:
    running = outputs.get("release")
    if running != release:
        problem = f"runs another release than its settings name ({release})"
        yield Finding(stack, running, problem, "Run `pulumi up` for it first, and verify.")


def _hosts(stack: str, outputs: Mapping[str, Any], release: str, wanted: list[str]) -> Iterator[Finding]:
    there = outputs.get("hosts")
    if not isinstance(there, Mapping) or not there:
        yield Finding(stack, None, "exports no hosts", f"{_AGAIN}.")
        return
    for name in wanted:
        if name not in there:
            yield Finding(f"{stack}: {name}", None, "is in the settings, but was not deployed", f"{_AGAIN}.")
    for name, host in there.items():
        if isinstance(host, Mapping):
            yield from _host(f"{stack}: {name}", host, release, outputs.get("run"))
        elif host != UNKNOWN:
            yield Finding(f"{stack}: {name}", None, "exports no facts", f"{_AGAIN}.")


def _host(where: str, host: Mapping[str, Any], release: str, run: object) -> Iterator[Finding]:
    if host.get("release") != release:
        yield Finding(where, host.get("release"), f"does not run {release}", f"{_AGAIN}.")
    if run is not None and host.get("run", run) != run:
        yield Finding(where, None, "carries the facts of an older run", f"{_AGAIN}.")
    unhealthy = host.get("health", "healthy") != "healthy"
    if host.get("state") not in HEALTHY_STATES or unhealthy:
        seen = f"{host.get('state')}, {host.get('health')}" if unhealthy else host.get("state")
        yield Finding(
            where, seen, "is not healthy in Palette", "Run `edgectl verify` for the stack and repair the host."
        )
    checks = host.get("checks")
    failed = checks.get("failed") if isinstance(checks, Mapping) else None
    if not isinstance(failed, int | float):
        yield Finding(where, None, "exports no results of its checks", f"{_AGAIN}.")
    elif failed:
        yield Finding(
            where, int(failed), "had red checks in the last run", "Repair what they show, then run `pulumi up`."
        )


def _report(
    stack: str, report: Mapping[str, Any] | None, release: str, hosts: list[str], now: datetime, max_age: timedelta
) -> Iterator[Finding]:
    where, remedy = f"{stack}: report", f"Run `python -m edgectl verify {stack}` now and give its JSON report."
    if report is None:
        yield Finding(where, None, "is missing: nobody has looked at the hosts since the last run", remedy)
        return
    if report.get("stack", stack) != stack:
        yield Finding(where, report.get("stack"), "is that of another stack", remedy)
    if report.get("release", release) != release:
        yield Finding(where, report.get("release"), f"is about another release than {release}", remedy)
    yield from _age(where, report.get("finishedAt"), now, max_age, remedy)
    if "fail" in _rows(report.get("site")):
        yield Finding(where, None, "has red checks about the site itself", _REPAIR)
    there = report.get("hosts")
    for name in hosts:
        host = there.get(name) if isinstance(there, Mapping) else None
        statuses = _rows(host.get("results") if isinstance(host, Mapping) else None)
        if not statuses:
            yield Finding(f"{stack}: {name}", None, "has no results in the report", remedy)
        elif "fail" in statuses:
            yield Finding(f"{stack}: {name}", statuses.count("fail"), "has red checks in the report", _REPAIR)


def _rows(results: object) -> list[str]:
    """Return the statuses in a list of results."""
    return [str(one.get("status")) for one in results if isinstance(one, Mapping)] if isinstance(results, list) else []


def _age(where: str, finished: object, now: datetime, max_age: timedelta, remedy: str) -> Iterator[Finding]:
    try:
        moment = datetime.fromisoformat(finished) if isinstance(finished, str) else None
    except ValueError:
        moment = None
    if moment is None:
        yield Finding(where, finished, "does not say when it was finished", remedy)
        return
    age = now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if age > max_age:
        hours = age.total_seconds() / 3600
        yield Finding(
            where, finished, f"is {hours:.0f} hours old, more than {max_age.total_seconds() / 3600:g}", remedy
        )
    elif age < timedelta(minutes=-5):
        yield Finding(where, finished, "is from the future", "Compare the clocks of the machines.")


def order(source: Stage, target: Stage) -> list[Finding]:
    """Return a finding when a promotion would go back to an earlier stage."""
    if STAGES.index(target) >= STAGES.index(source):
        return []
    problem = f"is of stage {target}, which comes before {source}"
    return [Finding("TO", target, problem, "Promote from dev to staging to prod.")]


def moved(text: str, release: str) -> tuple[str, str]:
    """Return (text, release before) of a stack file that names `release` now; every other character stays as it was.

    Raises PromotionError when the file has no such line, or one that is no plain value.
    """
    node = _release_node(text)
    if node is None:
        raise PromotionError(f"has no `{RELEASE_KEY}:` line", remedy=f"Add `{RELEASE_KEY}: {release}` below `config:`.")
    start, end = node.start_mark.index, node.end_mark.index
    written = text[start:end]
    quote = node.style or ""
    if quote not in ("", '"', "'") or "\n" in written or written[:1] in ("&", "*", "!"):
        raise PromotionError(
            f"has a `{RELEASE_KEY}` that is not written as one plain value",
            remedy=f"Write it on one line: `{RELEASE_KEY}: {node.value}`.",
        )
    if not quote and engine_scalar(release) != release:
        quote = '"'
    return f"{text[:start]}{quote}{release}{quote}{text[end:]}", str(node.value)


def _release_node(text: str) -> yaml.ScalarNode | None:
    """Return the node of the release, with its place in the text."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, config in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "config" and isinstance(config, yaml.MappingNode):
            for name, value in config.value:
                if name.value == RELEASE_KEY and isinstance(value, yaml.ScalarNode):
                    return value
    return None
