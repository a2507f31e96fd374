"""One edge host, from its claim in Palette to healthy: the chain, in the order of its `depends_on`.

Almost nothing in the chain is ever replaced: changed inputs make updates. A raised generation reaches the machine through
the claim's output, and every step after it through the generation and the machine's uuid among its values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
from pulumi import Input, Output, ResourceOptions

from components import names
from components.hooks import Hooks
from components.login import Login
from components.machine import ExistingMachine, Machine
from components.network import EksNetwork
from components.registration import (
    EdgeHostClaim,
    EdgeHostHealthy,
    EdgeHostRegistration,
    palette_inputs,
)
from components.remote_step import AgentStarted, HostChecks, HostPreparation, PaletteAgent
from components.secrets import Secrets
from components.site_vms import SiteVms
from components.version import wanted_version
from components.vsphere_machine import VsphereMachine
from edge.checks.values import checks_values
from edge.endpoints import endpoint_table, query_for
from edge.network import NetworkFacts
from edge.reports import counts, fact
from edge.settings import HostSettings, StackSettings
from edge.steps_values import agent_values, prepare_values, started_values


@dataclass(frozen=True)
class EdgeHostArgs:
    """What one host needs of its site: settings, the network's outputs, the registration token, secrets, hooks, its VMs.

    `instance_version` is the agent's version that a dedicated instance answers, None where the release pins one.
    """

    settings: StackSettings
    host: HostSettings
    network: EksNetwork
    token: Output[str]
    secrets: Secrets
    hooks: Hooks
    vms: SiteVms
    instance_version: Output[Optional[str]]


class EdgeHost(pulumi.ComponentResource):
    """An edge host. `facts` holds what the stack exports of it: address, uid, state, checks, release, epoch.

    Protection goes on claim, agent and readiness together (and on a VM). A host that is `lost` stores `force` and keeps
    its agent out of the delete: the machine is dead, nothing can be uninstalled.
    """

    facts: Output[dict[str, Any]]

    def __init__(self, name: str, args: EdgeHostArgs, opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(names.token("EdgeHost"), name, {"address": str(args.host.address)}, opts)
        self._args = args
        host = args.host
        self._wanted = self._made_from_wanted()
        self.claim = self._claim()
        # No `depends_on` on a component: where a claim fails, the engine would not know the component that it skipped, and
        # end the run for all hosts. What a machine is made of waits for the claim's outputs, every step for the claim.
        self.machine = self._machine()
        self._login = Login(host, self.machine.address, self.machine.host_key, args.secrets, args.settings.root)
        first = [self.claim, *self.machine.ready]
        self.checks = self._step(HostChecks, self._checks_values(), after=first, first_boot=host.vm is not None)
        self.preparation = self._step(HostPreparation, self._prepare_values(), after=[self.checks])
        self.registration = self._registration()
        self.agent = self._agent()
        self.started = self._step(AgentStarted, self._started_values(), after=[self.agent])
        self.healthy = self._healthy()
        self.facts = self._facts()
        self.register_outputs({"facts": self.facts})

    def _in_palette(self, *, after: Input[Sequence[Input[pulumi.Resource]]], protect: bool = False) -> ResourceOptions:
        """Return the options of a resource in Palette: all of them are repeated while Palette says "not yet"."""
        return ResourceOptions(parent=self, depends_on=after, protect=protect, hooks=self._args.hooks.pending())

    def _identity(self) -> dict[str, Input[Any]]:
        """Return the inputs that every resource of this host in Palette carries."""
        settings, host = self._args.settings, self._args.host
        palette = settings.site.palette
        return {
            **palette_inputs(palette),
            "host": host.name,
            "owner": settings.owner,
            "generation": host.generation,
            "force": host.force,
        }

    def _made_from_wanted(self) -> Output[str]:
        """Return what the next machine of this host would be made from; the claim freezes it."""
        host = self._args.host
        return Output.from_input(host.made_from) if host.vm is None else self._args.vms.wanted(host, host.vm)

    def _machine(self) -> Machine:
        host, opts = self._args.host, ResourceOptions(parent=self)
        if host.vm is None:
            return ExistingMachine(host, self.claim.made_from, opts)
        return VsphereMachine(self._args.vms.args(host, host.vm), self.claim, self._wanted, opts)

    def _claim(self) -> EdgeHostClaim:
        host = self._args.host
        # The engine's own protection would refuse the VM only after the claim has moved on.
        inputs: dict[str, Input[Any]] = {
            **self._identity(),
            "made_from_wanted": self._wanted,
            "protect": host.protect,
        }
        # Nothing of a host is made while the facts of the network are not known to be good.
        opts = self._in_palette(after=self._args.network.ready, protect=host.protect)
        return EdgeHostClaim(names.child(host.name, "claim"), inputs, opts)

    def _registration(self) -> EdgeHostRegistration:
        inputs = {**self._identity(), "machine": self.machine.uuid}
        name = names.child(self._args.host.name, "registration")
        return EdgeHostRegistration(name, inputs, self._in_palette(after=[self.preparation]))

    def _healthy(self) -> EdgeHostHealthy:
        settings, host = self._args.settings, self._args.host
        inputs: dict[str, Input[Any]] = {
            **self._identity(),
            "machine": self.machine.uuid,
            "epoch": self.registration.epoch,
            "since": self.registration.since,
            "wantedVersion": self._args.instance_version.apply(lambda asked: wanted_version(settings, asked)),
            "lost": host.state == "lost",
            "timeout": settings.site.healthy_timeout.total_seconds(),
        }
        opts = self._in_palette(after=[self.started, self.registration], protect=host.protect)
        return EdgeHostHealthy(names.child(host.name, "healthy"), inputs, opts)

    def _step(
        self, kind: type[Any], values: Output[dict[str, str]], *, after: list[pulumi.Resource], **more: Any
    ) -> Any:
        return kind(
            self._args.host.name,
            login=self._login,
            values=values,
            hooks=self._args.hooks,
            parent=self,
            depends_on=after,
            **more,
        )

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

    def _given(self, **more: Input[Any]) -> Output[dict[str, Any]]:
        """Return what the values of a step are made of, as one Output: a secret when the host's steps need any."""
        return Output.all(
            network=self._args.network.facts,
            secrets=self._args.secrets.mapping(self._args.host.secret_names()),
            machine=self.machine.uuid,
            version=self._args.instance_version,
            **more,
        ).apply(dict)

    def _checks_values(self) -> Output[dict[str, str]]:
        settings, host = self._args.settings, self._args.host

        def values(given: dict[str, Any]) -> dict[str, str]:
            network = NetworkFacts.from_dict(given["network"])
            table = endpoint_table(query_for(settings, network, host))
            return checks_values(
                settings,
                host,
                network,
                table,
                secrets=given["secrets"],
                machine=given["machine"],
                instance_version=given["version"],
            )

        return self._given().apply(values)

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

    def _facts(self) -> Output[dict[str, Any]]:
        """Return what the stack exports of this host: known only when the host is healthy, and without a secret."""
        settings, host = self._args.settings, self._args.host

        def facts(given: dict[str, Any]) -> dict[str, Any]:
            return {
                "address": str(host.address),
                "uid": given["uid"],
                "state": given["state"],
                "health": given["health"],
                "movedByPalette": given["moved"],
                "arch": given["arch"],
                "agentVersion": given["agent_version"],
                "checks": counts(given["checks"], given["preparation"]),
                "nic": fact(given["checks"], "nic"),
                "release": settings.release.id,
                "generation": host.generation,
                "epoch": given["epoch"],
                **given["machine"],
            }

        plain = Output.all(
            uid=self.healthy.uid,
            state=self.healthy.state,
            health=self.healthy.health,
            moved=self.healthy.moved_by_palette,
            arch=self.healthy.arch,
            agent_version=self.healthy.agent_version,
            epoch=self.registration.epoch,
            machine=self.machine.facts,
            checks=self.checks.stdout,
            preparation=Output.unsecret(self.preparation.stdout),
        )
        return Output.unsecret(plain.apply(facts))
