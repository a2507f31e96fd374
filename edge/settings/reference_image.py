"""The part of docs/configuration.md about installer images: where a site takes its from, and the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

from edge.settings.image import BuiltImage, GivenImage, StackImage
from edge.settings.image_arguments import ALLOWED, INSTEAD
from edge.settings.image_rules import FIXED_INSTALL

_IMAGE = """## The installer image: `site.image`

What the appliances of a site boot: hosts with `mode: appliance`. A stack of kind `build` makes an image once; what it
exports is tried on a site and then written into the release, which all later sites follow.

| source | who knows the values | for |
| --- | --- | --- |
| `stack` | a stack of kind build | sites that follow the build |
| `given` | this file | sites that cannot read that stack |
| `build` | this stack, which builds | trying out; refused in production |

Virtual machines are installed by the ISO of kind `poweroff`, bare metal by that of kind `reboot`.
"""

BUILD_KIND = """A stack of kind `build` has no hosts and no AWS side. It makes one installer image on a build machine, pushes it, uploads
its ISOs, and exports what sites need to know. CanvOS tag and Kubernetes version are those of its release.
"""

_FORMS = {"switch": "true/false", "path": "text"}


def image_parts(model: Callable[..., Iterator[str]]) -> Iterator[str]:
    """Yield the section; `model` writes the table of one model."""
    yield _IMAGE
    for one in (StackImage, GivenImage, BuiltImage):
        source = get_args(one.model_fields["source"].annotation)[0]
        yield from model("site.image", one, title=f"image of source: {source}")


def argument_part() -> str:
    """Return which arguments of the builder may be written, and what to write instead of the others."""
    lines = [
        "## More arguments and `install` keys of an image\n",
        "Below `build.arguments` may stand:\n",
        "| argument | kind |",
        "| --- | --- |",
        *(f"| `{name}` | {_FORMS[form]} |" for name, form in ALLOWED.items()),
        "\nThese may not:\n",
        "| part | instead |",
        "| --- | --- |",
        *(f"| `arguments.{name}` | {instead} |" for name, instead in INSTEAD.items()),
        *(f"| `install.{name}` | {instead} |" for name, instead in FIXED_INSTALL.items()),
    ]
    return "\n".join(lines) + "\n"
