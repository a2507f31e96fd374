"""What Palette tells about edge hosts, projects and registration tokens, as typed values.

Only the fields we use are taken over. An edge host record also holds secrets (`hostAuthToken`, `serviceAuthToken`,
`hostPairingKey`): they never get into these models, so they cannot get into a state, a log or an error.

The answers are uneven, and the readers are tolerant of it (Palette API specification): `status.health` is missing for
an unpaired host; the project stands in `spec.host.project` of a single record, in `spec.projectMeta` of a search
result, and may stand in `aclmeta`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from edge.palette.masked import Masked

STATE_IN_USE = "in-use"
_MIB = 1024 * 1024
_MIB_LEAST = 64


@dataclass(frozen=True)
class Project:
    """A project of a tenant."""

    uid: str
    name: str


@dataclass(frozen=True)
class EdgeHostRecord:
    """One edge host as Palette knows it. `created` is an RFC 3339 text, exactly as Palette wrote it.

    `disk_gb` is its largest disk, `addresses` are those of the host and of its interfaces; 0 and empty are not reported.
    """

    uid: str
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    created: str = ""
    state: str = ""
    health: str = ""
    health_message: str = ""
    agent_version: str = ""
    project_uid: str = ""
    project_name: str = ""
    host_address: str = ""
    arch: str = ""
    host_type: str = ""
    clusters: tuple[str, ...] = ()
    cpus: int = 0
    memory_mib: float = 0.0
    disk_gb: float = 0.0
    addresses: tuple[str, ...] = ()

    @property
    def in_cluster(self) -> bool:
        """Return whether the host belongs to a cluster, by its state or by the clusters that it names."""
        return self.state == STATE_IN_USE or bool(self.clusters)

    @property
    def project(self) -> str:
        """Return the project as a person calls it: the name if it is known, else the uid."""
        return self.project_name or self.project_uid

    @property
    def status(self) -> str:
        """Return state and health in one short text for messages."""
        return f"state {self.state or 'unknown'}, health {self.health or 'not reported'}"


@dataclass(frozen=True)
class TokenRecord:
    """One registration token. Its value is masked, and does not take part in comparisons of records."""

    uid: str
    name: str = ""
    description: str = ""
    project_uid: str = ""
    project_name: str = ""
    expiry: datetime | None = None
    active: bool = True
    created: str = ""
    value: Masked = field(default_factory=lambda: Masked(""), compare=False)


def parse_time(text: str) -> datetime | None:
    """Return the instant of an RFC 3339 text, None for anything else. A text without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def edge_host_record(document: object, uid: str = "") -> EdgeHostRecord:
    """Return the record in a single answer or in one item of a search; `uid` is used if the document names none."""
    metadata, spec, status = (_part(document, key) for key in ("metadata", "spec", "status"))
    host, device, health = _part(spec, "host"), _part(spec, "device"), _part(status, "health")
    project = _part(host, "project") or _part(spec, "projectMeta")
    found_uid = _text(metadata, "uid") or _text(host, "hostUid") or uid
    return EdgeHostRecord(
        uid=found_uid,
        name=_text(metadata, "name") or found_uid,
        labels=_labels(metadata),
        created=_text(metadata, "creationTimestamp"),
        state=_text(status, "state"),
        health=_text(health, "state"),
        health_message=_text(health, "message"),
        agent_version=_text(health, "agentVersion"),
        project_uid=_text(project, "uid") or _text(_part(document, "aclmeta"), "projectUid"),
        project_name=_text(project, "name"),
        host_address=_address(host, device),
        arch=_text(device, "archType"),
        host_type=_text(device, "hostType"),
        clusters=tuple(_clusters(status)),
        cpus=int(_number(_part(device, "cpu"), "cores")),
        memory_mib=_memory(device),
        disk_gb=max((_number(disk, "size") for disk in _mappings(device, "disks")), default=0.0),
        addresses=_addresses(host, device),
    )


def token_record(document: object) -> TokenRecord:
    """Return a registration token.

    A read answer says `defaultProject`, although a create request says `defaultProjectUid`: with the wrong one of the
    two the token is accepted and bound to no project.
    """
    metadata, spec, status = (_part(document, key) for key in ("metadata", "spec", "status"))
    project = _part(spec, "defaultProject")
    return TokenRecord(
        uid=_text(metadata, "uid"),
        name=_text(metadata, "name"),
        description=_text(_part(metadata, "annotations"), "description"),
        project_uid=_text(project, "uid"),
        project_name=_text(project, "name"),
        expiry=parse_time(_text(spec, "expiry")),
        active=status.get("isActive", True) is not False,
        created=_text(metadata, "creationTimestamp"),
        value=Masked(_text(spec, "token")),
    )


def project_record(document: object) -> Project:
    """Return the project in one item of either project list."""
    metadata = _part(document, "metadata")
    return Project(uid=_text(metadata, "uid"), name=_text(metadata, "name"))


def items(document: object) -> list[object]:
    """Return the items of a list answer; an absent or null list is empty."""
    found = document.get("items") if isinstance(document, Mapping) else None
    return list(found) if isinstance(found, list) else []


def continuation(document: object) -> str:
    """Return the text that asks for the next page, empty at the end."""
    return _text(_part(document, "listmeta"), "continue")


def _part(document: object, key: str) -> Mapping[str, object]:
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(document: Mapping[str, object], key: str) -> str:
    found = document.get(key)
    return found if isinstance(found, str) else ""


def _labels(metadata: Mapping[str, object]) -> Mapping[str, str]:
    labels = _part(metadata, "labels")
    return MappingProxyType({str(key): str(value) for key, value in labels.items() if value is not None})


def _address(host: Mapping[str, object], device: Mapping[str, object]) -> str:
    """Return the address the host reports, else the one of its default interface."""
    return _text(host, "hostAddress") or next(iter(_nic_addresses(device)), "")


def _addresses(host: Mapping[str, object], device: Mapping[str, object]) -> tuple[str, ...]:
    """Return every address that the record tells, each once and without a prefix length."""
    found = (_text(host, "hostAddress"), *_nic_addresses(device))
    return tuple(dict.fromkeys(one.partition("/")[0] for one in found if one))


def _nic_addresses(device: Mapping[str, object]) -> list[str]:
    """Return the addresses of the interfaces, the default one first."""
    ordered = sorted(_mappings(device, "nics"), key=lambda nic: nic.get("isDefault") is not True)
    return [ip for nic in ordered if (ip := _text(nic, "ip"))]


def _memory(device: Mapping[str, object]) -> float:
    """Return the memory in MiB. The specification calls `sizeInMB` bytes; no machine has that many megabytes."""
    size = _number(_part(device, "memory"), "sizeInMB")
    return size / _MIB if size >= _MIB * _MIB_LEAST else size


def _mappings(document: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    found = document.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _number(document: Mapping[str, object], key: str) -> float:
    found = document.get(key)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else 0.0


def _clusters(status: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of the clusters that use the host: the hybrid cluster's, as a person sees it, if there is one."""
    references = status.get("inUseClustersRef") or status.get("inUseClusters")
    for reference in references if isinstance(references, list) else ():
        if not isinstance(reference, Mapping):
            continue
        hybrid = _part(reference, "hybridCluster")
        name = _text(hybrid, "name") or _text(reference, "name") or _text(reference, "uid")
        if name:
            yield name
