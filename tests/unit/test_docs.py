"""What the documents say is true: links lead somewhere, commands and targets exist, and YAML examples are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from edge.settings import load_any, load_stack

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]))
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]

# How a YAML block is checked: it stands under one of these comments, on a line of its own.
#   <!-- site example: STACK -->   a whole stack file: read like `Pulumi.STACK.yaml`
#   <!-- site part -->             a part of `edge-hosts:site`: merged over the first site example, then read
#   <!-- yaml: not checked, WHY -->
MARKED = re.compile(r"^[ ]*<!-- (?P<mark>[^\n]*?) -->\s*\n[ ]*```yaml\n(?P<body>.*?)^[ ]*```", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+(?:\([^()\s]*\))?[^()\s]*)\)")
IMAGE = re.compile(r"""<(?:img|source)\b[^>]*?\b(?:src|srcset)=["']([^"']+)["']""")


@dataclass(frozen=True)
class Example:
    """One YAML block with the comment above it."""

    document: str
    mark: str
    body: str


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _without_fences(text: str) -> str:
    return re.sub(r"^[ ]*```.*?^[ ]*```", "", text, flags=re.M | re.S)


def _links(name: str) -> list[str]:
    text = _text(name)
    prose = re.sub(r"`[^`\n]*`", "", _without_fences(text))
    return [*LINK.findall(prose), *IMAGE.findall(prose)]


def slug(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", "").replace("*", ""))
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


@cache
def _anchors(path: Path) -> frozenset[str]:
    text = _without_fences(path.read_text("utf-8"))
    named = re.findall(r"""<a (?:id|name)=["']([^"']+)["']""", text)
    return frozenset([slug(found) for found in re.findall(r"^#{1,6} (.+?)\s*$", text, re.M)] + named)


def _examples() -> Iterator[Example]:
    for name in NAMES:
        for found in MARKED.finditer(_text(name)):
            yield Example(name, found["mark"].strip(), _dedented(found["body"]))


def _dedented(body: str) -> str:
    indent = min((len(line) - len(line.lstrip()) for line in body.splitlines() if line.strip()), default=0)
    return "\n".join(line[indent:] for line in body.splitlines()) + "\n"


EXAMPLES = tuple(_examples())
WHOLE = [one for one in EXAMPLES if one.mark.startswith("site example")]
PARTS = [one for one in EXAMPLES if one.mark == "site part"]


def merged(base: Any, over: Any) -> Any:
    """Return `over` laid over `base`: mappings add up, everything else replaces."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}
    return over


@pytest.mark.parametrize("name", NAMES)
def test_relative_links_lead_somewhere(name: str) -> None:
    broken = []
    for link in _links(name):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        path = ((ROOT / name).parent / target).resolve() if target else ROOT / name
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in _anchors(path)):
            broken.append(link)
    assert broken == []


@cache
def _edgectl() -> frozenset[str]:
    """Return the registered commands whose module is there; nothing of them is imported."""
    from edgectl.app import COMMANDS

    return frozenset(name for name, (module, _) in COMMANDS.items() if find_spec(module) is not None)


@pytest.mark.parametrize("name", NAMES)
def test_named_commands_of_edgectl_are_registered(name: str) -> None:
    text = _text(name)
    named = set(re.findall(r"python3? -m edgectl ([a-z][a-z-]*)", text)) | set(
        re.findall(r"`edgectl ([a-z][a-z-]*)", text)
    )
    assert named <= _edgectl()


@pytest.mark.parametrize("name", NAMES)
def test_named_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", _text("Makefile"), re.M))
    text = _text(name)
    named = set(re.findall(r"`make ([a-z][a-z-]*)", text)) | set(re.findall(r"^\s*make ([a-z][a-z-]*)", text, re.M))
    assert named <= targets


@pytest.mark.parametrize("name", NAMES)
def test_files_named_in_code_spans_exist(name: str) -> None:
    """A path such as `edge/stages.py` in a document is a promise; patterns with capitals, `*` or `<` are not."""
    rooms = "components|docs|edge|edgectl|lab|releases|schema|scripts|tests"
    spans = re.findall(rf"`((?:{rooms})/[a-z0-9_./-]*)`", _without_fences(_text(name)))
    assert [span for span in spans if not (ROOT / span).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_yaml_block_says_how_it_is_checked(name: str) -> None:
    blocks = len(re.findall(r"^[ ]*```yaml\s*$", _text(name), re.M))
    marked = [one for one in EXAMPLES if one.document == name]
    assert blocks == len(marked), (
        "put `<!-- site example: STACK -->`, `<!-- site part -->` or a reason above each block"
    )
    wrong = [
        one.mark for one in marked if not re.match(r"site example: \S+$|site part$|yaml: not checked, \S", one.mark)
    ]
    assert wrong == []


def _certificates(folder: Path) -> None:
    """Put the certificate files that the examples name beside the stack file."""
    sample = yaml.safe_load(_text("Pulumi.lab.yaml"))["config"]["edge-hosts:corporateCa"]
    for name in ("cluster-ca.pem", "corporate-ca.pem"):
        (folder / name).write_text(sample, "utf-8")


@pytest.mark.parametrize("example", WHOLE, ids=lambda one: f"{one.document}-{one.mark}")
def test_site_examples_are_valid(example: Example, tmp_path: Path) -> None:
    stack = example.mark.partition(":")[2].strip()
    file = tmp_path / f"Pulumi.{stack}.yaml"
    file.write_text(example.body, "utf-8")
    _certificates(tmp_path)
    settings = load_any(stack, ROOT, stack_file=file)
    assert settings.stack == stack


@pytest.mark.parametrize("example", PARTS, ids=lambda one: one.document)
def test_parts_of_a_site_are_valid_over_the_first_example(example: Example, tmp_path: Path) -> None:
    """Every key that a document shows exists, and its value is accepted."""
    stack = WHOLE[0].mark.partition(":")[2].strip()
    whole = yaml.safe_load(WHOLE[0].body)
    part = yaml.safe_load(example.body)
    whole["config"]["edge-hosts:site"] = merged(whole["config"]["edge-hosts:site"], part)
    _certificates(tmp_path)
    file = tmp_path / f"Pulumi.{stack}.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
    assert load_stack(stack, ROOT, stack_file=file).stack == stack


@pytest.mark.row("C6")
def test_the_top_level_is_as_the_owner_asked() -> None:
    wanted = ("Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py", "components", "tests", "requirements.txt", "README.md")
    assert [name for name in wanted if not (ROOT / name).exists()] == []


@pytest.mark.row("C5")
def test_the_packages_are_those_the_owner_named_and_pinned() -> None:
    pinned = dict(re.findall(r"^([a-z-]+)==([0-9.]+)$", _text("requirements.txt"), re.M))
    assert {"pulumi", "pulumi-command", "pulumi-aws", "pulumi-vsphere", "pydantic", "pytest"} <= set(pinned)


@pytest.mark.row("A5")
def test_the_documents_say_why_no_inbound_port_is_needed() -> None:
    assert "why-no-inbound-port-is-needed" in _anchors(ROOT / "docs" / "network.md")


@pytest.mark.row("C7")
def test_the_documents_say_which_mode_to_choose() -> None:
    text = _text("docs/modes.md")
    assert "which-mode-to-choose" in _anchors(ROOT / "docs" / "modes.md")
    assert "4.9.14" in text, "the vendor's deprecation belongs to the choice"


def test_the_readme_has_a_place_for_the_terminal() -> None:
    assert "<!-- terminal -->" in _text("README.md")


def test_slugs_are_those_of_github() -> None:
    assert slug("Why no inbound port is needed") == "why-no-inbound-port-is-needed"
    assert slug("After a killed run: `pulumi cancel`") == "after-a-killed-run-pulumi-cancel"
    assert slug("`edgectl` (what a person types)") == "edgectl-what-a-person-types"
