"""Judging the clean AWS account with something broken, for the tests of the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.aws.rules import aws_findings, aws_verdicts
from edge.aws.rules_model import RuleFinding, Verdict
from edge.aws.view import AwsView, RouteView
from tests.unit.aws_samples import NOW, TABLES, clean_view, facts_of_view, question


def judged(view: AwsView, stage: str = "prod", facts: dict[str, Any] | None = None, **asked: Any) -> list[RuleFinding]:
    """Return every finding about an account; `facts` and `asked` change the facts and the question."""
    return aws_findings(view, facts_of_view(view, **(facts or {})), question(stage, **asked), NOW)


def verdict(check: str, view: AwsView, facts: dict[str, Any] | None = None, **asked: Any) -> Verdict:
    """Return the answer of one check."""
    found = aws_verdicts(view, facts_of_view(view, **(facts or {})), question(**asked), NOW)
    return next(one for one in found if one.check == check)


def only(found: list[RuleFinding], check: str, level: str, subject: str, *words: str) -> None:
    """Assert that there is one finding: of that check, level and object, with those words in its sentence."""
    assert [(one.check, one.level, one.subject) for one in found] == [(check, level, subject)], found
    for word in words:
        assert word in str(found[0].finding), str(found[0].finding)


def with_routes(view: AwsView, table: str = TABLES[0], *, drop: str = "", add: tuple[RouteView, ...] = ()) -> AwsView:
    """Return the view with one route less, and others more, in one table."""
    tables = tuple(
        replace(one, routes=(*(r for r in one.routes if r.destination != drop), *add)) if one.id == table else one
        for one in view.route_tables
    )
    return replace(view, route_tables=tables)


def without_rules(view: AwsView, group: str, direction: str, port: int | None = None) -> AwsView:
    """Return the view without some rules of a security group."""
    kept = tuple(
        one
        for one in view.rules
        if not (one.group == group and one.direction == direction and port in (None, one.from_port))
    )
    return replace(view, rules=kept)


def clean() -> AwsView:
    """Return the clean account."""
    return clean_view()
