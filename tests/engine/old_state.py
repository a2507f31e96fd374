"""Old states of this program: made into a text that fits any lab, and filled in for the lab at hand.

`python -m tests.engine.old_state FILE` writes one from the stack of a lab that is up under the engine (EDGE_HOSTS_LAB). Do
so with a release of this program that changes what is stored; the files before stay, for they must be destroyable.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.errors import LabError
from lab.client import LabClient
from lab.engine import Engine
from lab.paths import CHECKOUT, LabPaths
from lab.site import Site, load_site

HOST = "bare"
_PARTS = ("Stack::edge-hosts-lab", "EdgeSite::lab", "default", "network", "token")


def marks(site: Site, epoch: str) -> dict[str, str]:
    """Return what differs from lab to lab, by the mark that stands for it in a committed state."""
    third = [str(subnet.network_address).removesuffix("0") for subnet in site.block.network.subnets(new_prefix=24)]
    return {
        "@epoch@": epoch,
        "@host-key@": site.ssh(HOST).host_key,
        "@public-ca@": (site.paths.root / "ca" / "public.pem").read_text("utf-8").strip(),
        "@corporate-ca@": (site.paths.root / "ca" / "corporate.pem").read_text("utf-8").strip(),
        **{f"@{name}@": value.strip() for name, value in site.secrets.items()},
        **{f"@net{number}@": prefix for number, prefix in enumerate(third)},
    }


def committed(state: str, known: Mapping[str, str]) -> str:
    """Return an exported state, secrets in clear, cut down to one host and with marks in place of this lab's values."""
    document = json.loads(state)
    del document["deployment"]["secrets_providers"]
    resources = document["deployment"]["resources"]
    document["deployment"]["resources"] = [_short(one) for one in resources if _belongs(str(one["urn"]))]
    text = json.dumps(_walk(document, lambda value: _marked(value, known)), indent=1)
    left = [mark for mark, value in known.items() if value in text]
    if left:
        raise LabError(f"the state still holds {', '.join(left)}", remedy="look where, before it is committed.")
    return text + "\n"


def filled(text: str, known: Mapping[str, str], own: str) -> str:
    """Return a committed state with the values of the lab at hand; `own` is its own state, for how it is encrypted."""

    def fill(value: str) -> str:
        for mark, real in known.items():
            value = value.replace(mark, real)
        return value

    document = _walk(json.loads(text), fill)
    document["deployment"]["secrets_providers"] = json.loads(own)["deployment"]["secrets_providers"]
    return json.dumps(document)


def _belongs(urn: str) -> bool:
    name = urn.rsplit("::", 1)[-1]
    return name == HOST or name.startswith(f"{HOST}-") or any(part in urn for part in _PARTS)


def _short(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without what no delete looks at: exports, and the text of a step that has nothing to undo."""
    if resource["type"] == "pulumi:pulumi:Stack":
        resource["outputs"] = {}
    if "stdin" in resource.get("inputs", {}) and not resource["inputs"].get("delete"):
        for part in ("inputs", "outputs"):
            resource[part]["stdin"] = ""
    return resource


def _marked(value: str, known: Mapping[str, str]) -> str:
    for mark, real in known.items():
        value = value.replace(real, mark)
    return value


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    """Change every text of a state; a secret in clear is itself JSON inside a text."""
    if isinstance(value, dict):
        if "plaintext" in value:
            return {**value, "plaintext": json.dumps(_walk(json.loads(value["plaintext"]), change))}
        return {key: _walk(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def main(arguments: list[str]) -> int:
    """Write the state of the lab's stack into the file that is named."""
    site = load_site(LabPaths.find())
    if site is None or len(arguments) != 1:
        print("usage: EDGE_HOSTS_LAB=FOLDER python -m tests.engine.old_state FILE", file=sys.stderr)
        return 2
    engine = Engine(CHECKOUT, site.paths.root / "engine")
    epoch = LabClient(site.paths).palette("record", uid=HOST)["metadata"]["labels"]["edge-hosts-epoch"]
    Path(arguments[0]).write_text(committed(engine.export(show_secrets=True), marks(site, epoch)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
