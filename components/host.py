"""One edge host, from its claim in Palette to healthy: what every chain has, in the order of its `depends_on`.

Almost nothing in the chain is ever replaced: changed inputs make updates. A raised generation reaches the machine through
the claim's output, and every step after it through the generation and the machine's uuid among its values.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Optional

import pulumi
from pulumi import Input, Output, ResourceOptions

from components import names
from components.hooks import Hooks
from components.login import Login
from components.machine import Machine
from components.network import EksNetwork
from components.registration import (
    EdgeHostClaim,
    EdgeHostHealthy,
    EdgeHostRegistration,
    palette_inputs,
)
from components.remote_step import HostChecks
from components.secrets import Secrets
from components.site_vms import SiteVms
from edge.checks.values import checks_values
from edge.endpoints import endpoint_table, query_for
from edge.network import NetworkFacts
from edge.reports import counts, fact
from edge.settings import HostSettings, StackSettings


@dataclass(frozen=True)
class EdgeHostArgs:
    """What one host needs of its site: settings, the network's outputs, the registration token, secrets, hooks, its VMs.

    `instance_version` is the agent's version that a dedicated instance answers, None where the release pins one. `image`
    are the `ImageFacts` of the site's image as plain data, None for a site without appliances.
    """

    settings: StackSettings
    host: HostSettings
    network: EksNetwork
    token: Output[str]
    secrets: Secrets
    hooks: Hooks
    vms: SiteVms
    instance_version: Output[Optional[str]]
    image: Optional[Output[dict[str, Any]]] = None


class EdgeHost(pulumi.ComponentResource, ABC):
    """An edge host. `facts` holds what the stack exports of it: address, uid, state, checks, release, epoch.

    A kind of host says what its machine is made from, and registers its chain between claim and facts. Protection goes on
    claim, machine and readiness together, and on what installs.
    """

    machine: Machine
    checks: HostChecks
    registration: EdgeHostRegistration
    healthy: EdgeHostHealthy
    _login: Login
    facts: Output[dict[str, Any]]

    def __init__(self, name: str, args: EdgeHostArgs, opts: Optional[ResourceOptions] = None) -> None:
        super().__init__(names.token("EdgeHost"), name, {"address": str(args.host.address)}, opts)
        self._args = args
        self._wanted = self._made_from_wanted()
        self.claim = self._claim()
        # No `depends_on` on a component: where a claim fails, the engine would not know the component that it skipped, and
        # end the run for all hosts. What a machine is made of waits for the claim's outputs, every step for the claim.
        self._chain()
        self.facts = self._facts()
        self.register_outputs({"facts": self.facts})

    @abstractmethod
    def _made_from_wanted(self) -> Output[str]:
        """Return what the next machine of this host would be made from; the claim freezes it."""

    @abstractmethod
    def _chain(self) -> None:
        """Register everything between the claim and the exported facts."""

    @abstractmethod
    def _reports(self) -> Output[list[str]]:
        """Return the standard output of the steps that check something; the first one is that of the checks."""

    def _own_facts(self) -> Output[dict[str, Any]]:
        """Return what only this kind of host exports."""
        return self.machine.facts

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

    def _log_in(self) -> Login:
        args = self._args
        return Login(args.host, self.machine.address, self.machine.host_key, args.secrets, args.settings.root)

    def _registration(self, *, after: list[pulumi.Resource]) -> EdgeHostRegistration:
        inputs = {**self._identity(), "machine": self.machine.uuid}
        name = names.child(self._args.host.name, "registration")
        return EdgeHostRegistration(name, inputs, self._in_palette(after=after))

    def _healthy(
        self, *, after: list[pulumi.Resource], wanted: Output[str], timeout: timedelta, **more: Input[Any]
    ) -> EdgeHostHealthy:
        host = self._args.host
        inputs: dict[str, Input[Any]] = {
            **self._identity(),
            "machine": self.machine.uuid,
            "epoch": self.registration.epoch,
            "since": self.registration.since,
            "wantedVersion": wanted,
            "lost": host.state == "lost",
            "timeout": timeout.total_seconds(),
            **more,
        }
        opts = self._in_palette(after=after, protect=host.protect)
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

    def _given(self, **more: Input[Any]) -> Output[dict[str, Any]]:
        """Return what the values of a step are made of, as one Output: a secret when the host's steps need any."""
        return Output.all(
            network=self._args.network.facts,
            secrets=self._args.secrets.mapping(self._args.host.secret_names()),
            machine=self.machine.uuid,
            version=self._args.instance_version,
            **more,
        ).apply(dict)

    def _checks_values(self, **more: Input[Any]) -> Output[dict[str, str]]:
        settings = self._args.settings

        def values(given: dict[str, Any]) -> dict[str, str]:
            host = self._as_made(given)
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

        return self._given(**more).apply(values)

    def _as_made(self, given: dict[str, Any]) -> HostSettings:  # noqa: ARG002  (other kinds look into it)
        """Return the host that the checks compare with."""
        return self._args.host

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
                "checks": counts(*given["reports"]),
                "nic": fact(given["reports"][0], "nic"),
                "release": settings.release.id,
                "generation": host.generation,
                "epoch": given["epoch"],
                **given["own"],
            }

        plain = Output.all(
            uid=self.healthy.uid,
            state=self.healthy.state,
            health=self.healthy.health,
            moved=self.healthy.moved_by_palette,
            arch=self.healthy.arch,
            agent_version=self.healthy.agent_version,
            epoch=self.registration.epoch,
            own=self._own_facts(),
            reports=self._reports(),
        )
        return Output.unsecret(plain.apply(facts))
