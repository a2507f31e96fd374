"""From a stack file, or from what the engine hands over, to checked settings: all problems at once.

Both ways end in the same function, so that `edgectl check` and `pulumi up` judge alike. Nothing here needs a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edge.aws.access import AwsAccess, access_of, structured
from edge.errors import SettingsError
from edge.findings import Finding, errors
from edge.settings import release as releases
from edge.settings.aws_values import Region
from edge.settings.base import kind_of
from edge.settings.build_rules import build_stack_findings
from edge.settings.build_stack import AnySettings, BuildSettings
from edge.settings.certificates import Sources, nothing
from edge.settings.network_rules import network_stack_findings
from edge.settings.network_stack import AwsSettings, NetworkSettings
from edge.settings.partial import pruned
from edge.settings.rules import site_findings
from edge.settings.secrets import inside_site, plain_secrets
from edge.settings.site import AnyStack, BuildStack, NetworkStack, Site
from edge.settings.stack import StackSettings
from edge.settings.translate import validate
from edge.settings.yamltext import Document, dotted, read

T = TypeVar("T")
NAMESPACE = "edge-hosts"
AWS = "aws"


@dataclass(frozen=True)
class _Input:
    """What one stack says, wherever it was read from."""

    stack: str
    project: str
    site: object
    release: object
    aws: Mapping[str, Any]
    root: Path
    sources: Sources
    document: Document | None = None
    found: tuple[Finding, ...] = ()
    secrets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> object:
        """The kind of stack that is meant, as it was written."""
        return self.site.get("kind", "site") if isinstance(self.site, Mapping) else "site"

    @property
    def origin(self) -> dict[str, Any]:
        """What the settings of every kind of stack say of themselves."""
        return {"stack": self.stack, "project": self.project, "root": self.root}

    def access(self, region: str) -> AwsAccess:
        """Return how AWS is reached."""
        return access_of(self.aws, region)


def from_config(
    stack: str,
    project: str,
    raw_site: object,
    release_id: str | None,
    aws: Mapping[str, Any],
    *,
    site_is_secret: bool,
    root: Path,
    files: Path | None = None,
    plain: Callable[[str], str | None] = nothing,
) -> AnySettings:
    """Return the settings out of what the engine hands to the program: of a site, a network stack or a build stack.

    `aws` holds the `aws:` keys without their prefix (objects may be JSON text). `files` is the folder that {file: PATH} is relative to (the stack file's; `root` when not given), `plain` returns a
    plain top-level config value of the project, for {config: NAME}. Raises SettingsError with every finding.
    """
    found = (_secret_site(),) if site_is_secret else ()
    return _checked(
        _Input(stack, project, raw_site, release_id, structured(aws), root, Sources(files or root, plain), found=found)
    )


def load_any(stack: str, root: Path | None = None, *, stack_file: Path | None = None) -> AnySettings:
    """Return the settings of a stack, read from its file without an engine or a network; of any kind.

    `root` is the project's folder (the current one when not given), `stack_file` another place for the stack's file.
    Raises SettingsError with every finding: those of the settings, of the release, and where the two readers of the
    file would see different things.
    """
    given, where = _read(stack, root, stack_file)
    return _checked(given, where=where)


def load_stack(stack: str, root: Path | None = None, *, stack_file: Path | None = None) -> StackSettings:
    """Return the settings of a site, as `load_any` does. Raises SettingsError for stacks of other kinds, in one sentence."""
    given, where = _read(stack, root, stack_file)
    if given.kind in _NO_SITE:
        raise SettingsError([_NO_SITE[given.kind]], where=where)
    return _checked_site(given, where=where)


def load_with_network(stack: str, root: Path | None = None, *, stack_file: Path | None = None) -> AwsSettings:
    """Return the settings of a stack with an AWS side, as `load_any` does. Raises SettingsError also for a build stack."""
    given, where = _read(stack, root, stack_file)
    if given.kind == "build":
        raise SettingsError([_NO_SITE["build"]], where=where)
    return _checked_network(given, where=where) if given.kind == "network" else _checked_site(given, where=where)


_NO_SITE: Mapping[object, Finding] = {
    "network": Finding(
        "site.kind",
        "network",
        "is a network stack, which has no hosts and no release",
        "Name a stack of one of its sites; network stacks are for `check`, `preflight`, `plan`, `env` and `firewall`.",
    ),
    "build": Finding(
        "site.kind",
        "build",
        "is a build stack, which has no hosts and no AWS side",
        "Name a stack of a site that takes its image; build stacks are for `check`, `render`, `plan`, `env` and `firewall`.",
    ),
}


def _read(stack: str, root: Path | None, stack_file: Path | None) -> tuple[_Input, str]:
    """Return what a stack file says, and what the file is called."""
    folder = (root or Path.cwd()).absolute()
    short = stack.rpartition("/")[2]
    path = stack_path(stack, folder, stack_file)
    document = read(path)
    config = _config(document, path)

    def plain(name: str) -> str | None:
        value = config.get(f"{NAMESPACE}:{name}")
        return value if isinstance(value, str) else None

    site = config.get(f"{NAMESPACE}:site")
    found = [*document.findings(below=("config", f"{NAMESPACE}:site"), prefix="site"), *_elsewhere(document)]
    if isinstance(site, dict) and set(site) == {"secure"}:
        found, site = [_secret_site()], None
    else:
        found += inside_site(site)
    given = _Input(
        short,
        _project(folder),
        site,
        config.get(f"{NAMESPACE}:release"),
        structured({key.removeprefix(f"{AWS}:"): one for key, one in config.items() if key.startswith(f"{AWS}:")}),
        folder,
        Sources(path.absolute().parent, plain),
        document,
        tuple(found),
        config,
    )
    return given, path.name


def stack_kind(stack: str, root: Path, *, stack_file: Path | None = None) -> str:
    """Return the kind of a stack as its file names it, right or wrong: `site` where none is written."""
    return str(_read(stack, root, stack_file)[0].kind)


def stack_path(stack: str, root: Path, stack_file: Path | None = None) -> Path:
    """Return the path of a stack's file; of `organization/project/stack` only the last part counts."""
    return stack_file or root / f"Pulumi.{stack.rpartition('/')[2]}.yaml"


def config_of(stack: str, root: Path, *, stack_file: Path | None = None) -> dict[str, Any]:
    """Return the raw config of a stack's file, as the engine reads it. Raises SettingsError when it has none."""
    path = stack_path(stack, root, stack_file)
    return _config(read(path), path)


def _config(document: Document, path: Path) -> dict[str, Any]:
    config = document.data.get("config") if isinstance(document.data, dict) else None
    if isinstance(config, dict):
        return config
    raise SettingsError(
        [Finding("config", None, "is missing", "Write `config:` and below it `edge-hosts:site:`.")], where=path.name
    )


def _elsewhere(document: Document) -> list[Finding]:
    """Return the problems of the file outside `edge-hosts:site`, and unknown keys of our own namespace."""
    inside = ("config", f"{NAMESPACE}:site")
    return [
        Finding(dotted(path), one.value, one.problem, one.remedy, one.level)
        for path, one in document.problems
        if path[:2] != inside
    ]


def _project(root: Path) -> str:
    data = read(root / "Pulumi.yaml").data
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or not name:
        raise SettingsError(
            [Finding("name", name, "is missing", "Write the name of the project.")], where="Pulumi.yaml"
        )
    return name


def _secret_site() -> Finding:
    return Finding(
        "site",
        None,
        "is set as a secret: the engine would hand it over decrypted and lose track of what is secret in it",
        "Remove `secure:` from `edge-hosts:site`, set each secret as a key of its own (`pulumi config set --secret"
        " NAME`) and write {secret: NAME} inside the site.",
    )


def _checked(given: _Input, *, where: str = "") -> AnySettings:
    if given.kind == "network":
        return _checked_network(given, where=where)
    return _checked_build(given, where=where) if given.kind == "build" else _checked_site(given, where=where)


def _checked_build(given: _Input, *, where: str) -> BuildSettings:
    findings = list(given.found)
    release = _release(given, findings)
    whole = _judged(
        given, BuildStack, lambda one: build_stack_findings(given.stack, given.project, one, release), findings, where
    )
    assert release is not None  # else there is a finding about it
    return BuildSettings(**given.origin, site=whole, release=release, warnings=tuple(_unique(findings)))


def _checked_network(given: _Input, *, where: str) -> NetworkSettings:
    findings = list(given.found)
    if given.release is not None:
        problem = "is set, but a network stack has no release: nothing is installed by it"
        findings.append(Finding("release", given.release, problem, "Remove `edge-hosts:release`."))
    region = _region(given, findings)
    whole = _judged(
        given,
        NetworkStack,
        lambda one: network_stack_findings(given.stack, given.project, one, region),
        findings,
        where,
    )
    assert region is not None  # else there is a finding about it
    return NetworkSettings(
        **given.origin, site=whole, region=region, aws=given.access(region), warnings=tuple(_unique(findings))
    )


def _judged(
    given: _Input, kind: type[T], rules: Callable[[T], list[Finding]], findings: list[Finding], where: str
) -> T:
    """Return what stands in the file, adding what the rules say, also about what is right in a broken one.

    Raises SettingsError with all errors, these and those found before.
    """
    exact, whole, hidden = _shape(given, findings)
    if isinstance(whole, kind):
        findings += [one for one in rules(whole) if not _under(one.where, hidden)]
    if errors(findings) or not isinstance(exact, kind):
        raise SettingsError(_unique(errors(findings)), where=where)
    return exact


def _checked_site(given: _Input, *, where: str = "") -> StackSettings:
    findings = list(given.found)
    release = _release(given, findings)
    if given.site is None:
        if not findings:
            findings.append(Finding("site", None, "is missing", "Write `edge-hosts:site:` below `config:`."))
        raise SettingsError(_unique(findings), where=where)
    region = _region(given, findings)
    site = _judged(
        given, Site, lambda one: site_findings(given.stack, given.project, one, release, region), findings, where
    )
    assert release is not None and region is not None  # else there is a finding about them
    return StackSettings(
        **given.origin,
        site=site,
        release=release,
        region=region,
        aws=given.access(region),
        warnings=tuple(_unique(findings)),
    )


def _release(given: _Input, findings: list[Finding]) -> releases.Release | None:
    name = given.release
    if name is None:
        there = ", ".join(releases.known(given.root)) or "the files in releases/"
        findings.append(Finding("release", None, "is missing", f"Add `edge-hosts:release:` with one of: {there}."))
        return None
    if not isinstance(name, str) or not name:
        findings.append(Finding("release", name, f"must be text, but is {kind_of(name)}", "Put it in quotes."))
        return None
    try:
        return releases.load(name, given.root)
    except SettingsError as error:
        findings += error.findings
        return None


def _shape(given: _Input, findings: list[Finding]) -> tuple[object, object, tuple[str, ...]]:
    """Return the stack if its shape is right, the same or what is right of it for the rules, and what was left out.

    Adds the findings about its shape.
    """
    known = {finding.where for finding in findings}
    exact, found = validate(
        AnyStack,  # type: ignore[arg-type]
        given.site,
        document=given.document,
        below=("config", f"{NAMESPACE}:site"),
        prefix="site",
        sources=given.sources,
    )
    findings += [finding for finding in found if finding.where not in known]
    findings += plain_secrets(given.site, given.secrets)
    if exact is not None:
        return exact, exact, ()
    whole, hidden = pruned(given.site, findings, given.sources)
    return None, whole, hidden


def _under(where: str, hidden: tuple[str, ...]) -> bool:
    """Return whether a rule speaks about a place that was left out because it is wrong itself."""
    return any(where.startswith(place) or place.startswith(f"{where}.") for place in hidden)


def _region(given: _Input, findings: list[Finding]) -> str | None:
    """Return the region of the network, or else of the stack; None with a finding when it is missing or wrong.

    Read from the raw site: the rules want it even when something else there is wrong.
    """
    network = given.site.get("network") if isinstance(given.site, Mapping) else None
    own = network.get("region") if isinstance(network, Mapping) else None
    value, where = (own, "") if own is not None else (given.aws.get("region"), "aws:region")
    if value is None:
        remedy = "Write it here, or `aws:region:` below `config:`."
        findings.append(Finding("site.network.region", None, "is missing", remedy))
        return None
    region, found = validate(Region, value, prefix=where)
    if where:
        findings += found  # a wrong region of the network is found again with the site
    return region


def _unique(findings: list[Finding]) -> list[Finding]:
    """Return the findings without repetitions: of one place and sentence the first."""
    seen: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        seen.setdefault((finding.where, finding.problem), finding)
    return list(seen.values())
