"""Deliberate breaks of the chains of appliances, one line each: every one of them must be found by their rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.components.breaks import LIBRARIES, broken, copy_of
from tests.components.forked import Judge

HOST, MACHINE = "components/appliance_host.py", "components/appliance_vm.py"
# What is broken: the file, the line as it is, and the line as a hurried person would leave it.
BREAKS = {
    "the ISO looked for before the VM": (MACHINE, "depends_on=[check],", ""),
    "checks before the first boot": (HOST, "after=[self.boot], first_boot=True", "after=[self.claim], first_boot=True"),
    "the patience with a first boot": (HOST, "after=[self.boot], first_boot=True", "after=[self.boot], first_boot=False"),
    "the advice about a first boot": (HOST, "advice=partial(advice, host.name, host.generation) if first_boot else None,", ""),
    "readiness before the checks": (HOST, "after=[self.checks, self.registration]", "after=[self.registration]"),
    "media taken out too early": (HOST, "self._dynamic(after=[self.healthy]))", "self._dynamic(after=[self.claim]))"),
    "a file deleted too early": (HOST, "opts = self._dynamic(after=[self.healthy])", "opts = self._dynamic(after=[self.site_iso])"),
    "bare metal checked before it is there": (HOST, "after=[self.healthy], first_boot=False", "after=[self.claim], first_boot=False"),
    "the user-data as a secret": (HOST, "return Output.secret(_in_any_case", "return Output.unsecret(_in_any_case"),
    "the user-data in the state": (HOST, '["user_data"] if secret', '["user_data"] if not secret'),
    "the token": (HOST, 'token=given["token"]', 'token="tpm"'),
    "the registration in the user-data": (HOST, 'epoch=given["epoch"]', 'epoch=""'),
    "the host key of the generation": (HOST, "host=host.name, generation=host.generation)\n            with", "host=host.name, generation=0)\n            with"),
    "the protection of a boot": (HOST, "*self.machine.ready], protect=host.protect", "*self.machine.ready], protect=False"),
    "the protection of an appliance VM": (MACHINE, "protect=host.protect", "protect=False"),
    "what is ignored of the drives": (MACHINE, '(*MOVED_BY_OTHERS, "cdroms")', "(*MOVED_BY_OTHERS,)"),
    "delete_before_replace": (MACHINE, "delete_before_replace=True", "delete_before_replace=False"),
    "a trigger that passes by the guard": (MACHINE, "claim.generation.apply(lambda number: str(int(number)))", "str(host.generation)"),
    "an ISO that is not frozen": (HOST, 'self.made = frozen(self.claim.made_from, self._wanted, APPLIANCE)\n        self.installer', "self.made = self._wanted.apply(MadeFrom.from_json)\n        self.installer"),
    "a wait for VMware Tools": (MACHINE, "wait_for_guest_net_timeout=0", "wait_for_guest_net_timeout=5"),
    "the slot of the adapter": (MACHINE, '"ethernet0.pciSlotNumber": str(APPLIANCE_SLOT),', ""),
    "an answer to a locked drive": (MACHINE, '"msg.autoAnswer": "TRUE",', ""),
    "the second drive": (MACHINE, "vsphere.VirtualMachineCdromArgs(client_device=True),", ""),
    "the machine in the user-data": (HOST, 'machine_uuid=given["machine"]', 'machine_uuid=""'),
    "the machine of a boot": (HOST, '"uuid": self.machine.uuid,\n            "installer"', '"uuid": "",\n            "installer"'),
    "the time of an installation": (HOST, '"timeout": host.install_timeout.total_seconds()', '"timeout": 600.0'),
    "the time of somebody with a medium": (HOST, "timeout=host.install_timeout,", "timeout=self._args.settings.site.healthy_timeout,"),
    "the size of bare metal": (HOST, "timeout=host.install_timeout,\n            appliance=True", "timeout=host.install_timeout,\n            appliance=False"),
    "the pinned host key": (MACHINE, "self.host_key: Input[Optional[str]] = made.apply(lambda one: one.host_key or None)", "self.host_key: Input[Optional[str]] = None"),
    "the provider of the VM": (MACHINE, "                provider=self._args.vcenter.provider,\n", ""),
    "the vCenter's password": (HOST, "**login_inputs(vcenter)}", '**login_inputs(vcenter), "password": self._args.secrets.get(vcenter.password.secret)}'),
    "a secret in an export": (HOST, '"siteDigest": given["installed"]', '"siteDigest": given["user_data"]'),
}  # fmt: skip

JUDGE = """
def judge():
    from pathlib import Path
    from tests.components.appliance_rules import CHAINS, problems
    from tests.components.appliance_site import record, site
    raw = site(hosts={name: {"protect": True} for name in CHAINS})
    return problems(record(raw, root=Path.cwd()), protect=True)
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with Judge(copy_of(tmp_path_factory.mktemp("broken")), LIBRARIES, JUDGE) as one:
        yield one


def test_the_unbroken_copy_keeps_every_rule(judge: Judge) -> None:
    assert judge.problems() == []


@pytest.mark.row("B14", "B17", "C4")
@pytest.mark.parametrize("what", sorted(BREAKS))
def test_a_deliberate_break_is_found(judge: Judge, what: str) -> None:
    with broken(judge.folder, *BREAKS[what]):
        assert judge.problems(), f"nothing noticed that {what} was broken"
