"""A whole site: one network, one registration token, and a chain per host. Independent hosts run side by side."""

import gc
import os
import secrets as random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import pulumi
from pulumi import ResourceOptions

from components import names
from components.hooks import Hooks
from components.host import EdgeHost, EdgeHostArgs
from components.network import EksNetwork
from components.secrets import Secrets
from components.site_vms import SiteVms
from components.token import RegistrationToken
from components.version import instance_version
from components.vsphere_machine import VsphereMachine
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion, question_of
from edge.network_source import answer_of
from edge.settings import StackSettings
from edge.site_exports import firewall_rows, profile_values

if TYPE_CHECKING:
    from components.aws.activation import SiteActivation

# A site of hundreds of hosts makes millions of small objects that all live until the end of the run; the collector would
# walk them again and again (half of the time for 200 hosts).
_GC_THRESHOLD = (200_000, 50, 1000)


@dataclass(frozen=True)
class EdgeSiteArgs:
    """The validated settings of a stack, and access to its secrets."""

    settings: StackSettings
    secrets: Secrets


class EdgeSite(pulumi.ComponentResource):
    """Every host of a site, and what the site exports.

    `exports` holds per host its facts, and per site the release, the network, the values for the cluster profile and the
    firewall table; with an activation also its facts, and `activationCode`. That one is a secret as a whole; no other
    export holds a secret, because one secret field would make the whole object one.
    """

    exports: dict[str, Any]

    def __init__(self, name: str, args: EdgeSiteArgs, opts: Optional[ResourceOptions] = None) -> None:
        settings = args.settings
        question = question_of(settings)
        answer = answer_of(question)  # before anything is registered
        super().__init__(names.token("EdgeSite"), name, {"stage": settings.stage, "release": settings.release.id}, opts)
        gc.set_threshold(*_GC_THRESHOLD)
        for warning in settings.warnings:
            pulumi.log.warn(str(warning), self)
        child = ResourceOptions(parent=self)
        self.network = EksNetwork(f"{name}-network", question, args.secrets, child, answer=answer)
        self.activation = self._activation(question, args.secrets, child)
        hooks = Hooks()
        version = instance_version(settings, args.secrets)
        self.token = RegistrationToken(f"{name}-token", settings, args.secrets, hooks, child)
        vms = SiteVms(settings, args.secrets, self)
        views = {host: settings.host_view(host) for host in settings.site.hosts}
        self.hosts = {
            name: EdgeHost(
                name,
                EdgeHostArgs(settings, view, self.network, self.token.token, args.secrets, hooks, vms, version),
                child,
            )
            for name, view in views.items()
        }
        machines = {name: host.machine for name, host in self.hosts.items()}
        vms.finish({name: one for name, one in machines.items() if isinstance(one, VsphereMachine)}, views)
        self.exports = self._exports(settings)
        self.register_outputs({"release": settings.release.id, "hosts": list(self.hosts)})

    def _exports(self, settings: StackSettings) -> dict[str, Any]:
        """Return the exports. A host's facts carry the id of the run that made them: an errored run leaves old ones."""
        run = os.environ.get("EDGE_HOSTS_RUN_ID") or random.token_hex(8)
        facts = {name: host.facts.apply(lambda given: {**given, "run": run}) for name, host in self.hosts.items()}
        network = self.network.facts
        return {
            "kind": settings.site.kind,
            "stage": settings.stage,
            "owner": settings.owner,
            "release": settings.release.id,
            "run": run,
            "hosts": facts,
            "network": network,
            "profile": profile_values(settings),
            "firewall": network.apply(lambda given: firewall_rows(settings, NetworkFacts.from_dict(given))),
            **self._activation_exports(),
        }

    def _activation(
        self, question: NetworkQuestion, secrets: Secrets, child: ResourceOptions
    ) -> Optional["SiteActivation"]:
        if question.activation is None:
            return None
        from components.aws.activation import SiteActivation  # only who makes something waits for the SDK of AWS

        return SiteActivation(f"{self._name}-activation", question, self.network.facts, secrets, child)

    def _activation_exports(self) -> dict[str, Any]:
        if self.activation is None:
            return {}
        code = self.activation.code
        return {"activation": self.activation.facts} | ({} if code is None else {"activationCode": code})
