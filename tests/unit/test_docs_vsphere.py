"""What `docs/vsphere.md` says of vCenter is what the program asks for: the role to paste, and the keys that change a VM."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.checks.catalogue import checks_at
from edge.vcenter.privileges import OPTIONAL, as_govc, every
from edge.vm.changes import SIZES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "vsphere.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def block(text: str, mark: str) -> str:
    """Return the shell block under a comment."""
    found = re.findall(rf"^<!-- {mark} -->\n```sh\n(.*?)^```$", text, re.M | re.S)
    assert len(found) == 1, f"one block under <!-- {mark} -->"
    return str(found[0])


def table(text: str, mark: str) -> dict[str, tuple[str, ...]]:
    """Return the table under a comment: the first cell, and what stands in code in the second."""
    _, _, rest = text.partition(f"<!-- {mark} -->\n")
    rows = [line.strip("|").split("|") for line in rest.split("\n\n")[0].splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): tuple(re.findall(r"`([^`]+)`", row[1])) for row in rows}


def rows_of(section: str) -> str:
    """Return one section of the page."""
    _, _, rest = PAGE.partition(f"\n## {section}\n")
    assert rest, f"the page has a section {section!r}"
    return rest.split("\n## ")[0]


def test_the_role_to_paste_is_the_one_that_the_program_asks_for() -> None:
    wanted = as_govc() + "\n"
    assert block(README, "role") == wanted, "paste what `python -m edge.vcenter.privileges` prints"


def test_what_only_some_sites_need_is_listed_by_setting() -> None:
    assert table(PAGE, "optional privileges") == {name: privileges for name, (_, privileges) in OPTIONAL.items()}


def test_no_other_privilege_is_named() -> None:
    named = set(
        re.findall(
            r"\b(?:VirtualMachine|Datastore|Folder|Host|Network|Resource|Global|InventoryService)\.[A-Z][\w.]+", PAGE
        )
    )
    assert named <= set(every())


@pytest.mark.parametrize("key", [*SIZES, "thin", "network", "switch", "folder", "address", "gateway", "nameservers",
                                 "searchDomains", "mac", "cluster", "host", "resourcePool", "datastore",
                                 "datastoreCluster", "template", "vcenter", "datacenter", "generation"])  # fmt: skip
def test_the_life_of_a_vm_names_every_key_that_can_change(key: str) -> None:
    assert f"`{key}`" in rows_of("The life of a VM")


def test_checks_that_are_named_exist() -> None:
    known = {check.id for check in checks_at("vsphere")}
    for name, text in (("docs/vsphere.md", PAGE), ("README.md", README)):
        named = set(re.findall(r"`(vsphere\.[a-z]+(?:\.[a-z]+)?)`", text))
        assert named <= known, name


@pytest.mark.parametrize("system", ["Ubuntu", "RHEL", "Amazon Linux 2023"])
def test_the_template_is_told_for_every_system_of_the_list(system: str) -> None:
    page = rows_of("The template")
    assert re.search(rf"^{system}:$", page, re.M), f"commands for {system}"
    assert "datasource_list: [VMware" in page
