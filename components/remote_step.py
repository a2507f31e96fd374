"""The one way in which a step runs on a host: one connection, the script and its values on standard input.

`update` is the same converging script as `create`. There are no triggers (they replace) and no environment (a server
rejects names it does not accept). The previous output is not sent back (a chatty first run would break the second one).
Only stderr is shown while a step runs; stdout ends with one JSON report, which the state keeps.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Optional

import pulumi
from pulumi import Output, Resource, ResourceOptions
from pulumi_command import remote

from components import names
from components.hooks import Hooks
from components.login import Login
from edge.steps import Step, bundle, login_command
from edge.waiting import Advice

# What a step that will be skipped has for a text: were it run, it would fail.
SKIPPED = "exit 90\n"


class RemoteStep(remote.Command):
    """A step of the chain of one host, as a `command:remote:Command`.

    `report` is the step's standard output, whose last line is its JSON report. It is a secret output where the step
    handles secrets. `advice` is what to do when it fails, beside what the provider or the step says.
    """

    step: ClassVar[Step]
    role: ClassVar[str]
    after_reboot: ClassVar[bool] = False
    has_secrets: ClassVar[bool] = True

    def __init__(
        self,
        host: str,
        *,
        login: Login,
        values: Output[dict[str, str]],
        hooks: Hooks,
        parent: Resource,
        depends_on: Sequence[Resource],
        delete: Optional[str] = None,
        protect: bool = False,
        retain_on_delete: bool = False,
        first_boot: bool = False,
        advice: Optional[Advice] = None,
    ) -> None:
        step, name = self.step, names.child(host, self.role)
        command = login_command("run")
        super().__init__(
            name,
            opts=ResourceOptions(
                parent=parent,
                depends_on=list(depends_on),
                protect=protect,
                retain_on_delete=retain_on_delete,
                additional_secret_outputs=["stdout", "stderr"] if self.has_secrets else None,
                hooks=hooks.login(
                    jump_host=login.behind_jump_host,
                    after_reboot=self.after_reboot,
                    first_boot=first_boot,
                    advised=None if advice is None else (name, advice),
                ),
            ),
            connection=login.connection(after_reboot=self.after_reboot, first_boot=first_boot),
            create=command,
            update=command,
            delete=None if delete is None else login_command(delete),
            stdin=_stdin(step, values),
            add_previous_output_in_env=False,
            logging=remote.Logging.STDERR,
        )


def _stdin(step: Step, values: Output[dict[str, str]]) -> Output[str]:
    """Return the text of a step; a separate function, so that no component is captured by the closure.

    In an update, unknown values mean that something before this step has failed, so that the engine skips the step. It
    looks at the inputs all the same, and for a secret without a value it ends the run for all hosts (seen on the engine).
    So there is a text in any case, one that could do no harm.
    """
    if pulumi.runtime.is_dry_run():
        return values.apply(lambda given: bundle(step, given))
    return values.apply(lambda given: _text(step, given), run_with_unknowns=True)


def _text(step: Step, given: object) -> str:
    return bundle(step, given) if isinstance(given, Mapping) else SKIPPED


class HostChecks(RemoteStep):
    """Read-only checks, before anything is changed. Red and enforced: the step fails and the host is as it was found.

    Holds every input that changes often (endpoint table, ENI addresses, routes), so that such a change touches this
    step only.
    """

    step = "checks"
    role = "checks"
    has_secrets = False


class HostPreparation(RemoteStep):
    """Packages, services and shell; removes an agent of another generation. Rows A8 to A12 and A14."""

    step = "prepare"
    role = "preparation"


class PaletteAgent(RemoteStep):
    """User-data, the pinned installer, and the reboot. Delete uninstalls, on existing machines only. Rows A15 to A19."""

    step = "agent"
    role = "agent"


class AgentStarted(RemoteStep):
    """The new boot, the agent's units and version, and the VMXNET3 offload. Rows A17, A20."""

    step = "started"
    role = "started"
    after_reboot = True
