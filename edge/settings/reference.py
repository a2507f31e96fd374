"""docs/configuration.md, written from the models: every key with its kind, its default and what it is for.

python -m edge.settings.reference          writes docs/configuration.md and schema/site.schema.json
python -m edge.settings.reference --check  says whether they are in step, and changes nothing
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge.settings.certificates import FORMS as CERTIFICATE_FORMS
from edge.settings.extra import FIXED
from edge.settings.hosts import ExistingHost, VsphereHost
from edge.settings.network import GivenNetwork, LookupNetwork, ManagedNetwork, StackNetwork
from edge.settings.reference_image import BUILD_KIND, argument_part, image_parts
from edge.settings.release import Release
from edge.settings.scalars import shown_duration
from edge.settings.schema import FILE as SCHEMA_FILE
from edge.settings.schema import schema_text
from edge.settings.site import BuildStack, NetworkStack, Site
from edge.settings.yamltext import __doc__ as yaml_notes
from edge.stages import DEFAULTS, RULES, STAGES

FILE = "docs/configuration.md"

_WORDS: dict[object, str] = {
    str: "text",
    int: "number",
    bool: "true/false",
    Path: "text",
    timedelta: "time, such as 20m",
    date: "day, in quotes",
    IPv4Address: "address",
    IPv4Interface: "address, or address/length",
    IPv4Network: "CIDR block",
    type(None): "",
}

_INTRO = """# Configuration

This file is written by `python -m edge.settings.reference`; edit the descriptions in `edge/settings/` instead.

One stack file, `Pulumi.STACK.yaml`, holds what is true of one site, of the network of many sites, or of an installer image.
Below `config:` stand

| key | what |
| --- | --- |
| `aws:region` | AWS region of the cluster |
| `aws:profile`, `aws:assumeRoles`, ... | how AWS is reached, as the AWS provider of Pulumi reads it; nothing is needed for `source: given` |
| `edge-hosts:release` | name of a file in `releases/`: all versions that were tested together; a network stack has none |
| `edge-hosts:site` | the site, the network of many sites, or an installer image, described below |
| `edge-hosts:NAME` | a secret (`pulumi config set --secret NAME`), or a plain value that the site names |

`python -m edgectl check STACK` checks all of it without a network or an account, and lists the secrets that are needed.

**Secrets never stand inside `site`.** There they are only named, as `{secret: NAME}`. `edge-hosts:site` itself must not
be a secret either: the engine would hand it over decrypted, and forget which parts were secret.

**Certificates** are written as PEM text, as `{file: PATH}` (relative to the stack file), or as `{config: NAME}` for a plain
key beside `site`.

**Editors** complete and check `site` with `schema/site.schema.json`.
"""


_NETWORK = """## The network: `site.network`

Where the facts about cluster, VPC and networks come from. What follows from them is the same for every source.

| source | who knows the values | asks or makes in AWS |
| --- | --- | --- |
| `given` | this file | nothing |
| `lookup` | an existing cluster | asked at every run, and by `edgectl` |
| `stack` | a stack of kind network | nothing; the exports of that stack are read |
| `managed` | this stack | makes VPC, gateway, VPN, endpoints and cluster, as far as they are written down |

Wrong values stop the program before any host is touched, with everything that is wrong at once.
"""

_KINDS = """## Other kinds of stacks

A stack of kind `network` has no hosts and no release. It knows all sites of a cluster and is the one owner of what belongs
to the cluster: remote networks, security-group rules, role and access entry. Its sites read its exports, with
`source: stack`; each gets its own networks and hears of those of the others.
"""


def reference_text() -> str:
    """Return the whole page."""
    pages = _Pages()
    parts = [_INTRO, *_sites(pages), *_releases(pages), _stages(), _fixed(), _yaml()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _sites(pages: _Pages) -> Iterator[str]:
    yield "## The site\n"
    yield from pages.model("site", Site, skip=("network", "image", "hosts"))
    yield _NETWORK
    yield from pages.model("site.network", GivenNetwork, title="source: given")
    for model in (LookupNetwork, StackNetwork, ManagedNetwork):
        source = get_args(model.model_fields["source"].annotation)[0]
        yield from pages.model("site.network", model, title=f"source: {source}")
    yield from image_parts(pages.model)
    yield (
        "## The hosts: `site.hosts.NAME`\n\nWhat a host does not say comes from the site. Mappings (`tags`, `users`, `ssh`) are"
        " put over those of the site key by key; other values, and lists, replace them.\n"
    )
    yield from pages.model("site.hosts.NAME", ExistingHost, title="machine: existing")
    yield from pages.model("site.hosts.NAME", VsphereHost, title="machine: vsphere")
    yield _KINDS
    yield from pages.model("site", NetworkStack, title="kind: network")
    yield BUILD_KIND
    yield from pages.model("site", BuildStack, title="kind: build")
    yield argument_part()


def _releases(pages: _Pages) -> Iterator[str]:
    yield (
        "## Releases: `releases/NAME.yaml`\n\nThe vendor publishes no checksums; `python -m edge.releases pin` writes them from"
        " files that you have downloaded and tried.\n"
    )
    yield from pages.model("", Release)


class _Pages:
    """Writes the tables of models; a model that stands in several places gets its table at the first."""

    def __init__(self) -> None:
        self._written: dict[type[BaseModel], str] = {}

    def model(self, path: str, model: type[BaseModel], *, title: str = "", skip: Sequence[str] = ()) -> Iterator[str]:
        """Yield the table of a model, and after it those of the models inside it."""
        if model in self._written:
            yield f"### `{path}`{_variant(model)}\n\nAs `{self._written[model]}`.\n"
            return
        self._written[model] = path
        heading = title or (f"`{path}`{_variant(model)}" if path else "")
        lines = [f"### {heading}\n"] if heading else []
        lines += [f"{model.__doc__}\n", "| key | kind | default | what |", "| --- | --- | --- | --- |"]
        inner: list[tuple[str, type[BaseModel]]] = []
        for name, info in model.model_fields.items():
            key = info.alias or name
            called = _special(info.metadata) or kind(info.annotation)
            lines.append(f"| `{key}` | {_cell(called)} | {_default(info)} | {_cell(info.description or '')} |")
            if name not in skip:
                inner += [(f"{path}.{key}{step}".lstrip("."), one) for step, one in _models(info.annotation)]
        yield "\n".join(lines) + "\n"
        for where, one in inner:
            yield from self.model(where, one)


def _variant(model: type[BaseModel]) -> str:
    """Return which of several models with the same place this is."""
    for key in ("source", "machine"):
        if key in model.model_fields:
            return f" with {key}: {get_args(model.model_fields[key].annotation)[0]}"
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _models(annotation: Any, step: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the models inside an annotation that deserve a table of their own, with the step to them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        yield from _models(arguments[0], step)
    elif origin in (typing.Union, types.UnionType):
        for one in arguments:
            yield from _models(one, step)
    elif origin is dict:
        yield from _models(arguments[1], f"{step}.NAME")
    elif origin in (tuple, list):
        yield from _models(arguments[0], f"{step}[]")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and not _is_named(annotation):
        yield step, annotation


def _is_named(model: type[BaseModel]) -> bool:
    """Return whether a model is so small that its form stands in the table itself: {secret: NAME}, {file: PATH}."""
    return model.__name__ in ("SecretRef", "KeyFile", "Digest")


def kind(annotation: Any) -> str:
    """Return what a person calls a type, in a few words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _special(arguments[1:]) or kind(arguments[0])
    if isinstance(annotation, type) and annotation in _WORDS:
        return _WORDS[annotation]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(word for word in map(kind, arguments) if word))
    if origin is Literal:
        return " or ".join(f"`{_plain(word)}`" for word in arguments)
    if origin is dict:
        return f"mapping of names to {kind(arguments[1])}" if arguments[1] is not Any else "mapping"
    if origin in (tuple, list):
        return f"list of {kind(arguments[0])}"
    return _form(annotation)


def _special(metadata: Sequence[Any]) -> str:
    """Return what a type is called that is more than its Python type says: sizes and certificates."""
    for one in metadata:
        schema = one.json_schema if isinstance(one, WithJsonSchema) else {}
        if schema is CERTIFICATE_FORMS:
            return "PEM text, {file: PATH} or {config: NAME}"
        if "GiB" in str((schema or {}).get("pattern", "")):
            return "size, such as 16GiB"
    return ""


def _form(annotation: Any) -> str:
    forms = {"SecretRef": "{secret: NAME}", "KeyFile": "{file: PATH}", "Digest": "{sha256: TEXT}"}
    return forms.get(getattr(annotation, "__name__", ""), "mapping")


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    value = info.default
    if value in (None, (), {}) or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    return f"`{_plain(value)}`"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return shown_duration(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value.value if isinstance(value, Enum) else value)


def _stages() -> str:
    lines = [
        "## What each stage refuses\n",
        f"| rule | {' | '.join(STAGES)} | what |",
        f"| --- | {' | '.join('---' for _ in STAGES)} | --- |",
    ]
    for rule in RULES.values():
        levels = " | ".join("" if (level := rule.severity(stage)) == "off" else level for stage in STAGES)
        lines.append(f"| `{rule.id}` | {levels} | {_cell(rule.problem)}. {_cell(rule.remedy)}. |")
    lines += [
        "\nWhat a host is when it does not say otherwise:\n",
        "| stage | protected | may be rebooted |",
        "| --- | --- | --- |",
    ]
    for stage, default in DEFAULTS.items():
        lines.append(f"| {stage} | {_plain(default.protect)} | {_plain(default.allow_reboot)} |")
    return "\n".join(lines) + "\n"


def _fixed() -> str:
    lines = [
        "## More user-data: `palette.userDataExtra`\n",
        "Any key of the vendor's installer reference may stand there; mappings are merged, steps of a stage are appended."
        " What lies above a part of the program (`stylus.site`, `stylus.site.network`, `stylus.site.tags`, ...) must be a mapping,"
        " and what the settings say cannot be said here once more. These parts are fixed:\n",
        "| part | instead |",
        "| --- | --- |",
    ]
    lines += [f"| `{'.'.join(path)}` | {_cell(instead)} |" for path, instead in FIXED.items()]
    return "\n".join(lines) + "\n"


def _yaml() -> str:
    notes = (yaml_notes or "").split("\n", 2)[2]
    return f"## Two readers of one file\n\n{notes.strip()}\n"


def files(root: Path) -> dict[Path, str]:
    """Return the generated files of a project with the text that they should have."""
    return {root / FILE: reference_text(), root / SCHEMA_FILE: schema_text()}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with `--check` say which are out of step (exit 1)."""
    root = Path(__file__).resolve().parent.parent.parent
    stale = [path for path, text in files(root).items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        sys.stdout.writelines(f"{path.relative_to(root)} is out of step: run `make docs`\n" for path in stale)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files(root)[path], "utf-8")
        sys.stdout.write(f"wrote {path.relative_to(root)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
