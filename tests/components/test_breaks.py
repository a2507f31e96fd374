"""Deliberate breaks of the program, one line each: every one of them must be found by the rules of the chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.components.breaks import LIBRARIES, broken, copy_of
from tests.components.forked import Judge

# What is broken: the file, the line as it is, and the line as a hurried person would leave it.
BREAKS = {
    "a depends_on": (
        "components/agent_host.py",
        "] = [self.claim, *self.machine.ready]",
        "] = [*self.machine.ready]",
    ),
    "the order of agent and readiness": (
        "components/agent_host.py",
        "after=[self.started, self.registration]",
        "after=[self.registration]",
    ),
    "a secret": ("components/secrets.py", "self._config.get_secret(name)", "self._config.get(name)"),
    "an update": ("components/remote_step.py", "update=command,", 'update="true",'),
    "a delete": ("components/agent_host.py", 'delete="uninstall" if host.vm is None else None,', ""),
    "a delete on a VM": (
        "components/agent_host.py",
        'delete="uninstall" if host.vm is None else None',
        'delete="uninstall"',
    ),
    "ignore_changes": ("components/vsphere_machine.py", "ignore_changes=list(", "replace_on_changes=list("),
    "what is ignored": ("components/vm_parts.py", '("extraConfig", "hostSystemId"', '("hostSystemId"'),
    "replace_trigger": (
        "components/vsphere_machine.py",
        "replace_trigger=claim.generation.apply",
        "annotation=claim.generation.apply",
    ),
    "a trigger that passes by the guard": (
        "components/vsphere_machine.py",
        "replace_trigger=claim.generation.apply(lambda number: str(int(number)))",
        "replace_trigger=str(host.generation)",
    ),
    "delete_before_replace": (
        "components/vsphere_machine.py",
        "delete_before_replace=True",
        "delete_before_replace=False",
    ),
    "extra_config as a secret": (
        "components/vsphere_machine.py",
        "return Output.secret(given",
        "return Output.unsecret(given",
    ),
    "a template that is not frozen": (
        "components/vsphere_machine.py",
        "template_uuid=made.apply(lambda one: one.template)",
        'template_uuid=self._args.vcenter.template(self._args.vm.datacenter, self._args.vm.template).apply(lambda one: one["id"])',
    ),
    "the protection of a VM": ("components/vsphere_machine.py", "protect=self._args.host.protect", "protect=False"),
    "the provider of a VM": (
        "components/vsphere_machine.py",
        "            provider=self._args.vcenter.provider,\n",
        "",
    ),
    "the vCenter's password": (
        "components/vcenter.py",
        "password=secrets.get(vcenter.password.secret)",
        "password=Output.unsecret(secrets.get(vcenter.password.secret))",
    ),
    "TLS of the vCenter": ("components/vcenter.py", "allow_unverified_ssl=False", "allow_unverified_ssl=True"),
    "the patience with a first boot": ("components/agent_host.py", ", first_boot=host.vm is not None", ""),
    "a wait for VMware Tools": (
        "components/vsphere_machine.py",
        "wait_for_guest_net_timeout=0",
        "wait_for_guest_net_timeout=5",
    ),
    "the uuid in the steps": (
        "components/vsphere_machine.py",
        "self.uuid = self.vm.id",
        'self.uuid = Output.from_input("")',
    ),
    "a protect": ("components/agent_host.py", "            protect=host.protect,\n", ""),
    "a hook": ("components/host.py", ", hooks=self._args.hooks.pending()", ""),
    "a hook behind the jump host": ("components/hooks.py", "if not jump_host:", "if jump_host:"),
    "a secret output": ("components/remote_step.py", '["stdout", "stderr"] if self.has_secrets else None', "None"),
    "retain_on_delete of a lost host": (
        "components/agent_host.py",
        'retain_on_delete=host.state == "lost"',
        "retain_on_delete=False",
    ),
    "the stored force": ("components/host.py", '"force": host.force', '"force": False'),
    "the previous output": (
        "components/remote_step.py",
        "add_previous_output_in_env=False",
        "add_previous_output_in_env=True",
    ),
    "the shown output": ("components/remote_step.py", "Logging.STDERR", "Logging.STDOUT_AND_STDERR"),
    "the private key": ("components/login.py", 'if key == "secret":', 'if key == "secrets":'),
    "a pinned host key": ("components/login.py", "host_key=self._host_key,", "host_key=None,"),
    "a component that waits": (
        "components/agent_host.py",
        "host, opts = self._args.host, ResourceOptions(parent=self)",
        "host, opts = self._args.host, ResourceOptions(parent=self, depends_on=[self.claim])",
    ),
    "a parent": ("components/remote_step.py", "                parent=parent,\n", ""),
    "a trigger": ("components/remote_step.py", "logging=remote", 'triggers=["x"], logging=remote'),
    "the provider as a secret": (
        "components/providers.py",
        "serialize_as_secret_always = False",
        "serialize_as_secret_always = True",
    ),
    "a secret in an export": (
        "components/site.py",
        '"stage": settings.stage,\n            "owner"',
        '"stage": Output.unsecret(self.token.token),\n            "owner"',
    ),
}

JUDGE = """
def judge():
    from pathlib import Path
    from tests.components.harness import record_stack
    from tests.components.rules import problems
    from tests.components.test_chain import EXPECTED, _with_host
    hosts = {**EXPECTED["lab"], "bare": {**EXPECTED["lab"]["bare"], "force": True, "retain": True}}
    hosts["proxied"] = {**hosts["proxied"], "protect": True}
    hosts["vm"] = {**hosts["vm"], "protect": True}
    site = _with_host("bare", state="lost")
    site["hosts"]["proxied"]["protect"] = site["hosts"]["vm"]["protect"] = True
    return problems(record_stack("lab", Path.cwd(), site), hosts)
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with Judge(copy_of(tmp_path_factory.mktemp("broken")), LIBRARIES, JUDGE) as one:
        yield one


def test_the_unbroken_copy_keeps_every_rule(judge: Judge) -> None:
    assert judge.problems() == []


@pytest.mark.row("C4")
@pytest.mark.parametrize("what", sorted(BREAKS))
def test_a_deliberate_break_is_found(judge: Judge, what: str) -> None:
    with broken(judge.folder, *BREAKS[what]):
        assert judge.problems(), f"nothing noticed that {what} was broken"
