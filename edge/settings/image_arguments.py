"""The arguments of the vendor's builder (`.arg`) that may be written by their own names, and why the others may not.

Source: Palette docs, Edge Artifact Build Configurations; CanvOS repository, Earthfile. What has a setting of its own, or
would make another product than an installer for hybrid nodes, is refused with what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from edge.canvos.arg import value_problem
from edge.findings import Finding
from edge.settings.base import kind_of
from edge.settings.translate import nearest

Form = Literal["switch", "path"]

ALLOWED: Mapping[str, Form] = {
    "BUNDLE_K8S_AND_AGENT_PROVIDER": "switch",
    "CLUSTERCONFIG": "path",
    "DISABLE_SELINUX": "switch",
    "EDGE_CUSTOM_CONFIG": "path",
    "TWO_NODE": "switch",
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "boolean" if form == "switch" else "string"} for name, form in ALLOWED.items()},
    "additionalProperties": False,
}

_TRUSTED_BOOT = "Remove it: Trusted Boot images are another target, whose keys and enrolment belong to one site"
_OTHER_TARGET = "Remove it: it belongs to images for a cloud or for MAAS, which this build does not make"
INSTEAD: Mapping[str, str] = {
    "ARCH": "Remove it: hybrid nodes of this build are amd64",
    "OS_DISTRIBUTION": "Use `os`",
    "OS_VERSION": "Use `osVersion`",
    "K8S_DISTRIBUTION": "Remove it: hybrid nodes need nodeadm",
    "K8S_VERSION": "Remove it: it is `kubernetes` of the release",
    "IMAGE_REGISTRY": "Use `registry`",
    "IMAGE_REPO": "Use `repo`",
    "CUSTOM_TAG": "Use `customTag`",
    "ISO_NAME": "Use `isoName`",
    "UPDATE_KERNEL": "Use `updateKernel`",
    "FIPS_ENABLED": "Use `fips`",
    "BASE_IMAGE": "Use `baseImage`",
    "CIS_HARDENING": "Use `cisHardening`",
    "HTTP_PROXY": "Use `proxy`",
    "HTTPS_PROXY": "Use `proxy`",
    "NO_PROXY": "Use `proxy`",
    "PROXY_CERT_PATH": "Use `certificates`",
    "FORCE_INTERACTIVE_INSTALL": "Remove it: the installer would wait for a person at every host",
    "UBUNTU_PRO_KEY": "Remove it: it is a secret, and would stand in the clear on the build machine and in the image",
    "IS_UKI": _TRUSTED_BOOT,
    "MY_ORG": _TRUSTED_BOOT,
    "UKI_BRING_YOUR_OWN_KEYS": _TRUSTED_BOOT,
    "INCLUDE_MS_SECUREBOOT_KEYS": _TRUSTED_BOOT,
    "AUTO_ENROLL_SECUREBOOT_KEYS": _TRUSTED_BOOT,
    "MAAS_IMAGE_NAME": _OTHER_TARGET,
    "REGION": _OTHER_TARGET,
    "S3_BUCKET": _OTHER_TARGET,
    "S3_KEY": _OTHER_TARGET,
}


def argument_findings(arguments: Mapping[str, Any], where: str) -> Iterator[Finding]:
    """Yield what is wrong with arguments: unknown names, those that have a setting, values of another kind."""
    for name, value in arguments.items():
        place = f"{where}.{name}"
        if name in INSTEAD:
            yield Finding(place, None, "is an argument that the program sets or refuses itself", f"{INSTEAD[name]}.")
        elif name not in ALLOWED:
            near = nearest(name, ALLOWED)
            hint = f"Did you mean {near}? Possible" if near else "Possible"
            yield Finding(place, None, "is no known argument of the builder", f"{hint} are {', '.join(ALLOWED)}.")
        elif ALLOWED[name] == "switch":
            if not isinstance(value, bool):
                remedy = "Write `true` or `false`, without quotes."
                yield Finding(place, value, f"must be true or false, but is {kind_of(value)}", remedy)
        else:
            yield from _path(place, value)


def _path(place: str, value: object) -> Iterator[Finding]:
    remedy = "Write the path of a file, relative to the CanvOS repository, on one line."
    if not isinstance(value, str):
        yield Finding(place, value, f"must be text, but is {kind_of(value)}", remedy)
    elif not value.strip() or value != value.strip():
        yield Finding(place, value, "is empty or has blanks around it", remedy)
    elif (problem := value_problem(value)) is not None:
        yield Finding(place, value, problem, remedy)


def argument_text(value: object) -> str:
    """Return the value of an argument as it stands in the file."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
