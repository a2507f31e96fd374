"""The customization of the image: lines below the marker of the vendor's Dockerfile, in a block of our own.

The block stands right after the marker, not at the end of the file: at many tags the last line is a comment without a
line break, and what is appended there becomes a part of that comment (CanvOS repository, Dockerfile of v4.4.4 to v4.7.11).
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import EdgeError

# The marker by its words: the number of signs around them differs from tag to tag.
MARKER = "Add any other image customizations here"
BEGIN = "# edge-hosts: begin of the customizations"
END = "# edge-hosts: end of the customizations"


class DockerfileError(EdgeError):
    """The vendor's Dockerfile has not the form that the customization needs."""


def customized(text: str, lines: Sequence[str]) -> str:
    """Return the Dockerfile with `lines` as its only block of customizations; without lines, with none.

    Everything above the marker stays as it is, byte by byte, and so does everything else below it. The same lines again
    change nothing. Raises DockerfileError when the marker is missing or stands twice, or a block of ours has no end.
    """
    plain = _without_block(text)
    rows = plain.splitlines(keepends=True)
    marked = [at for at, row in enumerate(rows) if MARKER in row]
    if len(marked) != 1:
        found = "is missing" if not marked else f"stands there {len(marked)} times"
        raise DockerfileError(
            f"the line `{MARKER}` {found}",
            where="Dockerfile",
            remedy="check the CanvOS tag out again, without changes of others",
        )
    if not lines:
        return plain
    at = marked[0] + 1
    # A marker that is the very last line may lack its line break.
    above = "".join(rows[:at])
    above += "" if above.endswith("\n") else "\n"
    block = "".join(f"{line.rstrip()}\n" for line in (BEGIN, *lines, END))
    return above + block + "".join(rows[at:])


def _without_block(text: str) -> str:
    """Return the text without the block of an earlier run."""
    rows = text.splitlines(keepends=True)
    begins = [at for at, row in enumerate(rows) if row.strip() == BEGIN]
    ends = [at for at, row in enumerate(rows) if row.strip() == END]
    if not begins and not ends:
        return text
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise DockerfileError(
            "a block of customizations has no end, or there are several",
            where="Dockerfile",
            remedy="check the CanvOS tag out again: the file was changed by hand",
        )
    return "".join(rows[: begins[0]] + rows[ends[0] + 1 :])
