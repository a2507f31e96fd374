"""What a build is asked for, and what it has made: plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Power = Literal["poweroff", "reboot"]
# Stands for the newest plain tag that the repository has at the time of the build.
NEWEST = "newest"


@dataclass(frozen=True)
class BuildRequest:
    """What is built. `arg` are the arguments without those that belong to one ISO; `user_data` one text per kind of ISO.

    `tag` is a tag of the repository, or `newest`; `commit` pins it ("" = as it is). `bundle` is the folder of a content
    bundle on the build machine ("" = none), `seconds` the most that a build may take. `accept_small` makes warnings of what
    the build machine lacks in processors, memory and disk.
    """

    workdir: str
    repository: str
    tag: str
    arg: Mapping[str, str]
    user_data: Mapping[Power, str]
    registry: str
    repo: str
    kubernetes: str
    custom_tag: str
    iso_name: str
    commit: str = ""
    dockerfile: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    bundle: str = ""
    push: bool = True
    earthly: bool = False
    seconds: int = 3600
    accept_small: bool = False

    def iso_of(self, power: Power) -> str:
        """Return the name of the ISO of one kind, without `.iso`; with one kind only, the plain name."""
        return self.iso_name if len(self.user_data) == 1 else f"{self.iso_name}-{power}"

    @property
    def digest(self) -> str:
        """The sha256 over everything that is asked for, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; it holds no secret.

        The arguments are a list: the engine hands a mapping on in any order, and another order of the lines in `.arg` would
        be another build.
        """
        data = asdict(self) | {"arg": [f"{name}={value}" for name, value in self.arg.items()]}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BuildRequest:
        """Return the request out of plain data, whose numbers may be floats. Raises TypeError for a missing or unknown key."""
        lists = {key: tuple(map(str, data[key] or ())) for key in ("dockerfile", "certificates") if key in data}
        seconds = {"seconds": int(data["seconds"])} if "seconds" in data else {}
        pairs = (str(line).partition("=") for line in data["arg"])
        ordered = {
            "arg": {name: value for name, _, value in pairs},
            "user_data": dict(sorted(data["user_data"].items())),
        }
        return cls(**{**data, **lists, **seconds, **ordered})


@dataclass(frozen=True)
class Built:
    """What a build has made: everything that a site needs to know of it. Digests are sha256, in hexadecimal.

    `image_id` tells the image from another one of its name on the same machine, `image_digest` is that of the pushed one
    ("" = not pushed). `isos` has, per kind, `name`, `path` on the build machine, `sha256` and `size`. `parts` are short digests
    of what it was made of, `inputs` is the digest over them. `warnings` are sentences about machine and tag. `bundle_seen` is
    the fingerprint of the content bundle as it went in ("" = none).
    """

    tag: str
    commit: str
    pe_version: str
    image: str
    image_digest: str
    image_id: str
    isos: Mapping[str, Mapping[str, str]]
    inputs: str
    parts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    bundle_seen: str = ""

    @classmethod
    def from_text(cls, text: str | None) -> Built | None:
        """Return what stands in a file of an earlier build, None when it is none, or of another form."""
        try:
            data = json.loads(text or "null")
            return cls(**{**data, "warnings": tuple(data.get("warnings", ()))})
        except (AttributeError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Waiting:
    """Not done yet: what is going on, for how many seconds, and the end of its log."""

    what: str
    seconds: int
    tail: str = ""
