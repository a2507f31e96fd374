"""AWS's own service models judge parameters: botocore's validator, and what it leaves out.

botocore checks names, types, what is required, and lower limits. The upper limits, patterns and enums stand in the same
models and are checked here, so that a value that AWS would refuse is found without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


@cache
def _input_shape(service: str, operation: str) -> Any:
    return _session().get_service_model(service).operation_model(operation).input_shape


@cache
def _session() -> Any:
    return botocore.session.get_session()


def judged(service: str, operation: str, parameters: Any) -> list[str]:
    """Return everything that the model of an operation has against its parameters."""
    shape = _input_shape(service, operation)
    report = ParamValidator().validate(parameters, shape).generate_report()
    return [*([report] if report else []), *limits(shape, parameters, operation)]


def limits(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Yield upper limits, patterns and enums that a value breaks; a wrong type is the validator's to say."""
    rules = shape.metadata
    size = value if isinstance(value, int | float) else len(value) if hasattr(value, "__len__") else 0
    if "max" in rules and size > rules["max"]:
        yield f"{where}: {size} is more than {rules['max']}"
    if "pattern" in rules and isinstance(value, str) and not re.fullmatch(_python(rules["pattern"]), value):
        yield f"{where}: {value!r} does not match {rules['pattern']}"
    if getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{where}: {value!r} is none of {shape.enum}"
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, inner in value.items():
            if name in shape.members:
                yield from limits(shape.members[name], inner, f"{where}.{name}")
    if shape.type_name == "list" and isinstance(value, list):
        for inner in value:
            yield from limits(shape.member, inner, f"{where}[]")
    if shape.type_name == "map" and isinstance(value, dict):
        for key, inner in value.items():
            yield from limits(shape.key, key, f"{where} key")
            yield from limits(shape.value, inner, f"{where}.{key}")


def _python(pattern: str) -> str:
    """Return a pattern of the models as Python reads it: its classes of letters, blanks and digits by name."""
    return pattern.replace("\\p{L}\\p{Z}\\p{N}_", "\\w\\s").replace("0-9-_]", "0-9_-]")
