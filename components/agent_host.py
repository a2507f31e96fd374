"""An edge host in Agent Mode: a machine with a Linux of its own, on which the agent is installed over SSH."""

from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from components.host import EdgeHost
from components.machine import ExistingMachine, Machine
from components.remote_step import AgentStarted, HostChecks, HostPreparation, PaletteAgent
from components.version import wanted_version
from components.vsphere_machine import VsphereMachine
from edge.network import NetworkFacts
from edge.steps_values import agent_values, prepare_values, started_values


class AgentHost(EdgeHost):
    """Claim, machine, checks, preparation, registration, agent, its first boot, healthy.

    A host that is `lost` stores `force` and keeps its agent out of the delete: the machine is dead, nothing can be
    uninstalled.
    """

    def _made_from_wanted(self) -> Output[str]:
        host = self._args.host
        return Output.from_input(host.made_from) if host.vm is None else self._args.vms.wanted(host, host.vm)

    def _chain(self) -> None:
        settings, host = self._args.settings, self._args.host
        self.machine = self._machine()
        self._login = self._log_in()
        first: list[pulumi.Resource] = [self.claim, *self.machine.ready]
        self.checks = self._step(HostChecks, self._checks_values(), after=first, first_boot=host.vm is not None)
        self.preparation = self._step(HostPreparation, self._prepare_values(), after=[self.checks])
        self.registration = self._registration(after=[self.preparation])
        self.agent = self._agent()
        self.started = self._step(AgentStarted, self._started_values(), after=[self.agent])
        self.healthy = self._healthy(
            after=[self.started, self.registration],
            wanted=self._args.instance_version.apply(lambda asked: wanted_version(settings, asked)),
            timeout=settings.site.healthy_timeout,
        )

    def _reports(self) -> Output[list[str]]:
        return Output.all(self.checks.stdout, Output.unsecret(self.preparation.stdout))

    def _machine(self) -> Machine:
        host, opts = self._args.host, ResourceOptions(parent=self)
        if host.vm is None:
            return ExistingMachine(host, self.claim.made_from, opts)
        return VsphereMachine(self._args.vms.args(host, host.vm), self.claim, self._wanted, opts)

    def _agent(self) -> PaletteAgent:
        """Return the agent step. Its delete uninstalls, on an existing machine only: a VM goes with all that is on it.

        `lost` keeps it out of the delete, because the machine cannot be reached any more.
        """
        host = self._args.host
        step: PaletteAgent = self._step(
            PaletteAgent,
            self._agent_values(),
            after=[self.registration],
            delete="uninstall" if host.vm is None else None,
            protect=host.protect,
            retain_on_delete=host.state == "lost",
        )
        return step

    def _prepare_values(self) -> Output[dict[str, str]]:
        settings, host = self._args.settings, self._args.host

        def values(given: dict[str, Any]) -> dict[str, str]:
            network = NetworkFacts.from_dict(given["network"])
            return prepare_values(settings, host, network, given["secrets"], machine=given["machine"])

        return self._given().apply(values)

    def _agent_values(self) -> Output[dict[str, str]]:
        settings, host = self._args.settings, self._args.host

        def values(given: dict[str, Any]) -> dict[str, str]:
            network = NetworkFacts.from_dict(given["network"])
            return agent_values(
                settings,
                host,
                network,
                given["secrets"],
                machine=given["machine"],
                token=given["token"],
                epoch=given["epoch"],
                instance_version=given["version"],
            )

        return self._given(token=self._args.token, epoch=self.registration.epoch).apply(values)

    def _started_values(self) -> Output[dict[str, str]]:
        settings, host = self._args.settings, self._args.host

        def values(given: dict[str, Any]) -> dict[str, str]:
            return started_values(
                settings, host, epoch=given["epoch"], machine=given["machine"], instance_version=given["version"]
            )

        return Output.all(
            machine=self.machine.uuid, epoch=self.registration.epoch, version=self._args.instance_version
        ).apply(values)
