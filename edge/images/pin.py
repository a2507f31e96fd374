"""Writing an image that was tried into a release: tag, commit, digest and the sha256 of every ISO, comments kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from edge.canvos.request import NEWEST
from edge.errors import SettingsError
from edge.facts import facts_of_file
from edge.findings import Finding
from edge.images.agree import disagreements
from edge.images.facts import ImageFacts
from edge.images.known import exported_image
from edge.settings.release import Canvos, Release, load


def pin_image(name: str, file: Path, root: Path) -> dict[str, str]:
    """Write the image that a build stack exported into a release, and return what was written, by its place.

    `file` holds the stack's exports as JSON. Raises SettingsError for an image of another tag, Kubernetes version or
    commit than the release says, and for one that was not pushed; FactsError for a file that holds no image.
    """
    release = load(name, root)
    facts = facts_of_file(file)
    image = exported_image(facts.stack, facts.outputs)
    # What the release records of another build is replaced; what it says of the sources must fit.
    plain = release.model_copy(update={"canvos": _sources(release.canvos)})
    findings = disagreements(plain, image, str(file))
    if not image.image_digest:
        findings.append(
            Finding(str(file), image.image, "was not pushed, so it has no digest", "Build with `push: true`.")
        )
    if not image.isos:
        findings.append(
            Finding(str(file), image.image, "has no ISO", "Run `pulumi up` for the build stack to its end.")
        )
    findings += _kinds_of_before(release, image, str(file))
    if findings:
        raise SettingsError(findings)
    path = root / "releases" / f"{name}.yaml"
    text = path.read_bytes().decode("utf-8")
    values = _values(image)
    if release.canvos is not None and release.canvos.tag == NEWEST:
        values = {"canvos.tag": image.canvos_tag, **values}
    for place, value in values.items():
        text = with_value(text, place.split("."), value, path.name)
    path.write_bytes(text.encode("utf-8"))
    load(name, root)
    return values


def _kinds_of_before(release: Release, image: ImageFacts, where: str) -> Iterator[Finding]:
    """Yield the ISOs that a release records of an earlier build and this image has not: they would pass for its own."""
    recorded = release.canvos.isos.by_kind() if release.canvos else {}
    for kind in sorted(set(recorded) - set(image.isos)):
        problem = f"has no ISO of kind {kind}, and the release records one of an earlier build"
        remedy = f"Add {kind} to `kinds` of the build and run it, or remove `canvos.isos.{kind}` from the release."
        yield Finding(where, image.image, problem, remedy)


def _sources(canvos: Canvos | None) -> Canvos | None:
    return canvos.model_copy(update={"image": None, "isos": type(canvos.isos)()}) if canvos else None


def _values(image: ImageFacts) -> dict[str, str]:
    values = {
        "canvos.commit": image.canvos_commit,
        "canvos.image.reference": image.image,
        "canvos.image.digest": image.image_digest,
    }
    return values | {f"canvos.isos.{kind}": iso.sha256 for kind, iso in sorted(image.isos.items())}


def with_value(text: str, keys: Sequence[str], value: str, file: str) -> str:
    """Return the text of a release with one value replaced, or added at the end of the mapping that it belongs to.

    Every other character stays. Raises SettingsError for a mapping that is written in braces.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for depth, key in enumerate(keys):
        where = f"releases/{file}: {'.'.join(keys[:depth]) or key}"
        if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
            raise SettingsError(
                [Finding(where, None, "is no mapping of lines", "Write each of its keys on a line of its own.")]
            )
        found = next((inner for name, inner in node.value if name.value == key), None)
        if found is None:
            return _added(text, node, keys[depth:], value)
        node = found
    assert node is not None
    return f'{text[: node.start_mark.index]}"{value}"{text[node.end_mark.index :]}'


def _added(text: str, parent: yaml.MappingNode, keys: Sequence[str], value: str) -> str:
    """Return the text with new lines behind the last value of a mapping."""
    indent = parent.value[0][0].start_mark.column
    lines = [f"{' ' * (indent + 2 * at)}{key}:" for at, key in enumerate(keys)]
    lines[-1] += f' "{value}"'
    end = text.find("\n", _last(parent).end_mark.index)
    head, tail = (text, "") if end < 0 else (text[:end], text[end:])
    return "\n".join([head, *lines]) + tail


def _last(node: yaml.Node) -> yaml.Node:
    """Return the last value inside a node: the end of a block itself lies behind the comments that follow it."""
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode) and node.value and not node.flow_style:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node
