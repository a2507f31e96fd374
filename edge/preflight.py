"""What can be asked before the first `up`, besides the hosts: settings, secrets, network, Palette and AWS, as results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.checks.catalogue import CATALOGUE, checks_at
from edge.checks.model import Result, Status
from edge.checks.report import HostReport
from edge.cluster_rules import unknown_region
from edge.errors import EdgeError, PaletteError, SecretsError
from edge.findings import Finding, shorten
from edge.network import NetworkFacts, network_rules
from edge.network_question import question_of
from edge.network_source import Answer, findings_about
from edge.palette import PaletteClient
from edge.registration.access import client_of_settings
from edge.registration.preflight import palette_findings
from edge.secrets import StackSecrets
from edge.settings import SEED_SECRET, TOKEN_SECRET, AwsSettings, HostSettings, NetworkSettings, StackSettings
from edge.settings.managed import NamedCluster
from edge.settings.network import ManagedNetwork, Network, StackNetwork
from edge.settings.network_rules import without_unknown
from edge.settings.surroundings import addresses_around, networks_around
from edge.vm.hostkey import check_seed

if TYPE_CHECKING:
    from edge.aws.rules_model import Verdict
    from edge.vcenter.reads import VcenterLook


def settings_results(settings: AwsSettings) -> list[Result]:
    """Return what the settings warn about, a row each; settings with errors do not get this far."""
    check = "control.settings"
    if not settings.warnings:
        return [Result(check, "", "pass", "valid, no warnings")]
    return [_of_finding(check, finding, settings) for finding in settings.warnings]


def secret_results(settings: AwsSettings, secrets: StackSecrets) -> list[Result]:
    """Return whether every secret that the stack needs can be read. No value is in a result."""
    check = "control.secrets"
    names = sorted(settings.secret_names())
    missing = []
    for name in names:
        try:
            value = secrets.get(name)
            if name == SEED_SECRET:
                check_seed(value)
        except SecretsError as error:
            missing.append(_red(check, settings, f"{name}: {error.message.rstrip('.')}", "readable", error.remedy))
    return missing or [Result(check, "", "pass", f"{len(names)} can be read")]


def network_results(settings: StackSettings, network: NetworkFacts, reports: Sequence[HostReport]) -> list[Result]:
    """Return whether the network fits what the hosts turned out to be: their operating systems are known now."""
    check = "control.network"
    systems = sorted({f"{report.facts.get('os_id')}-{report.facts.get('os_version')}" for report in reports})
    addresses = {name: settings.host_view(name).address for name in settings.site.hosts}
    kubernetes = settings.release.kubernetes
    found = network_rules(
        network,
        addresses,
        settings.stage,
        kubernetes=kubernetes,
        os_names=systems,
        others=addresses_around(settings.site, settings.host_views(), settings.release),
        own=networks_around(settings.site),
        judged=settings.site.network.source == "lookup",
    )
    known = {(finding.where, finding.problem) for finding in settings.warnings}
    rows = [_of_finding(check, one, settings) for one in found if (one.where, one.problem) not in known]
    return rows or [Result(check, "", "pass", "consistent")]


def aws_results(settings: AwsSettings, look: Callable[[], Answer | None], now: datetime | None = None) -> list[Result]:
    """Return what AWS says about the cluster and the way to it: a row or more for each `aws.*` check.

    `look` reads the account, and is called only where AWS is asked at all. An error of AWS is a red row, no exception:
    nothing else is judged then. `now` is in UTC; the present moment without it.
    """
    checks = [check.id for check in checks_at("aws")]
    why = _aws_is_not_asked(settings.site.network)
    if why:
        return [Result(check, "", "skip", why) for check in checks]
    asked = question_of(settings)
    level = CATALOGUE["aws.access"].level(settings.stage)
    expected = CATALOGUE["aws.access"].title.lower()
    unknown = unknown_region(asked.region)
    try:
        if unknown is not None:
            raise EdgeError(f"{unknown.problem} (got {unknown.value!r})", where=unknown.where, remedy=unknown.remedy)
        looked = look()
    except EdgeError as error:
        seen = f"{error.where}: {error.message}" if error.where else error.message
        first = Result("aws.access", "", level, seen.rstrip("."), expected, error.remedy)
        return [first, *(Result(one, "", "skip", "not asked: AWS did not get that far") for one in checks[1:])]
    if looked is None or looked.view is None:
        return [Result(check, "", "skip", "AWS was not asked") for check in checks]
    from edge.aws.rules import aws_verdicts

    verdicts = aws_verdicts(looked.view, looked.facts, asked, now or datetime.now(UTC))
    return [row for verdict in verdicts for row in _of_verdict(verdict)]


def _aws_is_not_asked(network: Network) -> str:
    """Return why AWS has nothing to say about a network, "" when it is asked."""
    if isinstance(network, StackNetwork):
        return f"AWS is not asked: the network stack {network.stack} asks it"
    if isinstance(network, ManagedNetwork):
        there = isinstance(network.cluster, NamedCluster)
        return "" if there else "AWS is not asked: this stack makes the cluster, or has none"
    return "AWS is not asked: the values stand in the stack file" if network.source == "given" else ""


def _of_verdict(verdict: Verdict) -> list[Result]:
    """Return the rows of one `aws.*` check."""
    expected = CATALOGUE[verdict.check].title.lower()
    rows = []
    for one in verdict.findings:
        value = "" if one.value is None else f" (got {shorten(one.value, 60)})"
        rows.append(
            Result(verdict.check, "", one.level, f"{one.subject} {one.problem}{value}", expected, f"{one.remedy}.")
        )
    if rows:
        return rows
    if verdict.seen:
        return [Result(verdict.check, "", "pass", verdict.seen)]
    return [Result(verdict.check, "", "skip", verdict.skipped)]


def network_stack_results(settings: NetworkSettings, network: NetworkFacts, *, judged: bool = False) -> list[Result]:
    """Return whether the networks of all sites fit the cluster that they share; `judged`: AWS's own rows say the rest."""
    check = "control.network"
    known = {(finding.where, finding.problem) for finding in settings.warnings}
    if judged:
        found = network_rules(network, {}, settings.stage, judged=True)
    else:
        found = findings_about(question_of(settings), network)
    if settings.site.network.source == "managed":
        found = without_unknown(found, network)
    rows = [_of_finding(check, one, settings) for one in found if (one.where, one.problem) not in known]
    return rows or [Result(check, "", "pass", f"{len(settings.site.sites)} sites, consistent")]


def unknown_network(settings: AwsSettings, error: EdgeError) -> Result:
    """Return the row of a network whose facts cannot be had."""
    return _error("control.network", settings, error)


def palette_results(
    settings: StackSettings,
    secrets: StackSecrets,
    hosts: Iterable[str],
    make: Callable[[], PaletteClient] | None = None,
) -> list[Result]:
    """Return what Palette says: does the key work, is the project there, is the token good, are the names free?

    `make` makes the client (tests); without it, the key comes from the environment or the stack's secrets.
    """
    try:
        client = make() if make else client_of_settings(settings, secrets)
        projects = client.projects()
    except EdgeError as error:
        return [
            _error("palette.api", settings, error),
            *_not_asked("palette.project", "palette.token", "palette.names"),
        ]
    answers = Result("palette.api", "", "pass", f"answers; the key sees {len(projects)} projects")
    try:
        uid = client.project_uid()
    except PaletteError as error:
        return [answers, _error("palette.project", settings, error), *_not_asked("palette.token", "palette.names")]
    seen = client.project_word if uid else "the token's own"
    rows = [answers, Result("palette.project", "", "pass", seen)]
    return rows + _names_and_token(settings, secrets, client, list(hosts))


def vsphere_look(
    settings: StackSettings,
    secrets: StackSecrets,
    hosts: Sequence[HostSettings],
    environ: Mapping[str, str] | None = None,
) -> VcenterLook | None:
    """Return what the vCenters say about the hosts that are virtual machines, None when no host is one.

    vCenter's client library is imported only here: a site of existing machines does not wait for it.
    """
    if not any(host.vm is not None for host in hosts):
        return None
    from edge.vcenter.reads import VcenterLook, vsphere_results
    from edge.vcenter.trust import check_environment

    check = "vsphere.environment"
    finding = check_environment(settings, os.environ if environ is None else environ)
    fine = Result(check, "", "pass", "trusts what the settings name")
    shell = fine if finding is None else _of_finding(check, finding, settings)
    asked = vsphere_results(settings, secrets, hosts)
    return VcenterLook((shell, *asked.results), asked.away)


def not_looked_at(away: Mapping[str, str]) -> list[Result]:
    """Return the rows of the hosts that are not looked at over SSH, because their machine is not there or not running."""
    return [Result("control.login", host, "skip", why) for host, why in away.items()]


def _names_and_token(
    settings: StackSettings, secrets: StackSecrets, client: PaletteClient, hosts: list[str]
) -> list[Result]:
    """Return the rows of the names and of the token, each a pass when nothing was found."""
    token: str | None = None
    made = settings.site.palette.registration_token.source == "api"
    if not made:
        try:
            token = secrets.get(TOKEN_SECRET)
        except SecretsError:
            token = None
    findings = palette_findings(client, owner=settings.owner, hosts=hosts, token=token)
    about_token = [finding for finding in findings if TOKEN_SECRET in finding.where]
    rows = [_of_finding("palette.token", finding, settings) for finding in about_token]
    if not rows:
        reason = "active" if token else "made by the program" if made else "not readable here"
        rows = [Result("palette.token", "", "pass" if token else "skip", reason)]
    others = [_of_finding("palette.names", one, settings) for one in findings if one not in about_token]
    return rows + (others or [Result("palette.names", "", "pass", "free, or ours")])


def _red(check: str, settings: AwsSettings, seen: str, expected: str, remedy: str = "") -> Result:
    return Result(check, "", CATALOGUE[check].level(settings.stage), seen, expected, remedy)


def _error(check: str, settings: AwsSettings, error: EdgeError) -> Result:
    seen = f"{error.where}: {error.message}" if error.where else error.message
    return _red(check, settings, seen.rstrip("."), CATALOGUE[check].title.lower(), error.remedy)


def _not_asked(*checks: str) -> list[Result]:
    return [Result(check, "", "skip", "not asked: Palette did not get that far") for check in checks]


def _of_finding(check: str, finding: Finding, settings: AwsSettings) -> Result:
    """Return a finding as a row: an error at the level of the stage, a warning as a warning."""
    value = "" if finding.value is None else f" (got {shorten(finding.value, 60)})"
    status: Status = "warn" if finding.level == "warning" else CATALOGUE[check].level(settings.stage)
    seen = f"{finding.where} {finding.problem}{value}"
    return Result(check, "", status, seen, CATALOGUE[check].title.lower(), finding.remedy)
