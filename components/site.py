"""A whole site: one network, one registration token, and a chain per host. Independent hosts run side by side."""

import gc
import os
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import pulumi
from pulumi import ResourceOptions

from components import names
from components.agent_host import AgentHost
from components.appliance_host import ApplianceBareHost, ApplianceVmHost
from components.appliance_vm import ApplianceVm
from components.hooks import Hooks
from components.host import EdgeHost, EdgeHostArgs
from components.image import SiteImage
from components.network import EksNetwork
from components.secrets import Secrets
from components.site_vms import SiteVms
from components.token import RegistrationToken
from components.version import instance_version
from components.vsphere_machine import VsphereMachine
from edge.images.facts import ImageFacts
from edge.network import NetworkFacts
from edge.network_question import NetworkQuestion, question_of
from edge.network_source import answer_of
from edge.settings import HostSettings, StackSettings
from edge.site_exports import firewall_rows, profile_values

if TYPE_CHECKING:
    from components.aws.activation import SiteActivation

# A site of hundreds of hosts makes millions of small objects that all live until the end of the run; the collector would
# walk them again and again (half of the time for 200 hosts).
_GC_THRESHOLD = (200_000, 50, 1000)


def _kind(host: HostSettings) -> type[EdgeHost]:
    """Return the chain of a host."""
    if host.mode == "agent":
        return AgentHost
    return ApplianceBareHost if host.vm is None else ApplianceVmHost


@dataclass(frozen=True)
class EdgeSiteArgs:
    """The validated settings of a stack, and access to its secrets."""

    settings: StackSettings
    secrets: Secrets


class EdgeSite(pulumi.ComponentResource):
    """Every host of a site, and what the site exports.

    `exports` holds per host its facts, and per site the release, the network, the values for the cluster profile and the
    firewall table; with an activation also its facts, and `activationCode`. That one is a secret as a whole; no other
    export holds a secret, because one secret field would make the whole object one. A site with appliances also exports its
    `image`, and as `media` what somebody has to do for bare-metal ones.
    """

    exports: dict[str, Any]

    def __init__(self, name: str, args: EdgeSiteArgs, opts: Optional[ResourceOptions] = None) -> None:
        settings = args.settings
        question = question_of(settings)
        answer = answer_of(question)  # before anything is registered
        super().__init__(names.token("EdgeSite"), name, {"stage": settings.stage, "release": settings.release.id}, opts)
        gc.set_threshold(*_GC_THRESHOLD)
        self._settings = settings
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
        self.image = self._image(views, hooks, child)
        image = self.image.facts if self.image else None
        self.hosts = {
            name: _kind(view)(
                name,
                EdgeHostArgs(settings, view, self.network, self.token.token, args.secrets, hooks, vms, version, image),
                child,
            )
            for name, view in views.items()
        }
        machines = {name: host.machine for name, host in self.hosts.items()}
        vms.finish(
            {name: one for name, one in machines.items() if isinstance(one, VsphereMachine | ApplianceVm)}, views
        )
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
            "profile": self._profile(settings),
            "firewall": network.apply(lambda given: firewall_rows(settings, NetworkFacts.from_dict(given))),
            **self._image_exports(),
            **self._activation_exports(),
        }

    def _image(self, views: Mapping[str, HostSettings], hooks: Hooks, child: ResourceOptions) -> Optional[SiteImage]:
        """Return the image of the site's appliances; a site without any has none, whatever its settings say."""
        if all(host.mode != "appliance" for host in views.values()):
            return None
        return SiteImage(f"{self._name}-image", self._settings, hooks, child)

    def _profile(self, settings: StackSettings) -> Any:
        if self.image is None:
            return profile_values(settings)
        return self.image.facts.apply(lambda facts: profile_values(settings, ImageFacts.from_dict(facts)))

    def _image_exports(self) -> dict[str, Any]:
        """Return the image, and by host what somebody does by hand; both are known before the hosts are healthy."""
        if self.image is None:
            return {}
        by_hand = {name: host.by_hand for name, host in self.hosts.items() if isinstance(host, ApplianceBareHost)}
        return {"image": self.image.facts} | ({"media": by_hand} if by_hand else {})

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
