"""What an IAM policy document allows: a small evaluator of what hybrid nodes need, without asking AWS.

It follows the evaluation logic of the IAM User Guide for policies of one account: an explicit Deny wins, then an Allow,
else nothing is allowed. Conditions are not computed but remembered: a statement that has one (or a policy variable in
its resource) holds only sometimes. Action names have no case, ARNs do; `*` and `?` stand for any text and any character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Document = Mapping[str, Any]
Decision = Literal["allowed", "conditional", "denied", "implicit"]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL = frozenset("*?$")


@dataclass(frozen=True)
class Condition:
    """One line of a Condition block: operator (`StringEquals`), key (`aws:SourceAccount`) and the values that are right."""

    operator: str
    key: str
    values: tuple[str, ...]


def listed(value: object) -> tuple[str, ...]:
    """Return the texts of an element that may be written as one text or as a list of texts."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return (str(value).lower(),)
    return tuple(str(one) for one in value) if isinstance(value, Iterable) else ()


def statements(document: Document) -> tuple[Mapping[str, Any], ...]:
    """Return the statements of a document, which may be written as one or as a list."""
    found = document.get("Statement") or ()
    whole = [found] if isinstance(found, Mapping) else found
    return tuple(one for one in whole if isinstance(one, Mapping))


@lru_cache(maxsize=1024)
def _pattern(text: str, case: bool) -> tuple[re.Pattern[str], bool]:
    """Return the expression of a text with wildcards, and whether a policy variable made it uncertain."""
    uncertain = False
    parts: list[str] = []
    for index, piece in enumerate(_VARIABLE.split(text)):
        if index % 2 == 0:
            parts += [{"*": ".*", "?": "."}.get(char, re.escape(char)) for char in piece]
        elif piece in _LITERAL:  # ${*} is the way to write the character itself
            parts.append(re.escape(piece))
        else:
            parts.append(".*")
            uncertain = True
    return re.compile("".join(parts), re.DOTALL if case else re.DOTALL | re.IGNORECASE), uncertain


def matches(pattern: str, text: str, *, case: bool = True) -> bool:
    """Return whether a text fits a pattern with `*` and `?`; a policy variable fits everything."""
    return _pattern(pattern, case)[0].fullmatch(text) is not None


def decide(documents: Iterable[Document], action: str, resource: str) -> Decision:
    """Return what identity policies together say about an action (`eks:DescribeCluster`) on a resource, an ARN or `*`.

    `conditional`: allowed when some condition holds, or allowed unless one does.
    """
    found = [(_effect(one), _holds(one, action, resource)) for document in documents for one in statements(document)]
    return _decision(found)


def trusts(document: Document, service: str, action: str) -> Decision:
    """Return what a trust policy says about an action (`sts:AssumeRole`) of a service principal (`ssm.amazonaws.com`)."""
    found = [
        (_effect(one), _holds(one, action, None) if _is_principal(one, service) else "no")
        for one in statements(document)
    ]
    return _decision(found)


def trusted_services(document: Document) -> tuple[str, ...]:
    """Return every service that a trust policy lets in, sorted."""
    found = {
        service
        for one in statements(document)
        if _effect(one) == "Allow" and isinstance(one.get("Principal"), Mapping)
        for service in listed(one["Principal"].get("Service", ()))
    }
    return tuple(sorted(found))


def trust_conditions(document: Document, service: str) -> Iterator[Condition]:
    """Yield the conditions under which a trust policy lets a service in."""
    for one in statements(document):
        if _effect(one) == "Allow" and _is_principal(one, service):
            yield from conditions(one)


def conditions(statement: Mapping[str, Any]) -> Iterator[Condition]:
    """Yield the conditions of a statement."""
    block = statement.get("Condition")
    for operator, lines in block.items() if isinstance(block, Mapping) else ():
        for key, values in lines.items() if isinstance(lines, Mapping) else ():
            yield Condition(str(operator), str(key), listed(values))


_Match = Literal["no", "maybe", "yes"]


def _effect(statement: Mapping[str, Any]) -> str:
    return str(statement.get("Effect", ""))


def _decision(found: Iterable[tuple[str, _Match]]) -> Decision:
    said = {pair for pair in found if pair[1] != "no"}
    if ("Deny", "yes") in said:
        return "denied"
    if ("Allow", "yes") in said:
        return "conditional" if ("Deny", "maybe") in said else "allowed"
    return "conditional" if ("Allow", "maybe") in said else "implicit"


def _holds(statement: Mapping[str, Any], action: str, resource: str | None) -> _Match:
    """Return whether a statement speaks of an action on a resource; without a resource only the action counts."""
    if not _one_of(statement, "Action", action, case=False)[0]:
        return "no"
    uncertain = False
    if resource is not None:
        fits, uncertain = _one_of(statement, "Resource", resource, case=True)
        if not fits:
            return "no"
    return "maybe" if uncertain or any(True for _ in conditions(statement)) else "yes"


def _one_of(statement: Mapping[str, Any], element: str, text: str, *, case: bool) -> tuple[bool, bool]:
    """Return whether an element, or its `Not` form, takes a text in; and whether a policy variable leaves that open."""
    positive = element in statement
    found = [(matches(one, text, case=case), _pattern(one, case)[1]) for one in _patterns(statement, element)]
    if positive:
        return any(fits for fits, _ in found), not any(fits and not open_ for fits, open_ in found)
    if f"Not{element}" not in statement:
        return False, False
    if any(fits and not open_ for fits, open_ in found):
        return False, False
    return True, any(fits for fits, _ in found)


def _patterns(statement: Mapping[str, Any], element: str) -> tuple[str, ...]:
    return listed(statement.get(element, statement.get(f"Not{element}", ())))


def _is_principal(statement: Mapping[str, Any], service: str) -> bool:
    """Return whether a statement of a trust policy speaks of a service."""
    if "NotPrincipal" in statement:
        return not _names(statement["NotPrincipal"], service)
    return _names(statement.get("Principal"), service)


def _names(principal: object, service: str) -> bool:
    if principal == "*":
        return True
    return isinstance(principal, Mapping) and service in listed(principal.get("Service", ()))
