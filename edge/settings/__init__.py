"""The settings of a site: models, rules, and reading them from a stack file or from the engine.

    load_stack("prod")      what `edgectl` uses: reads Pulumi.prod.yaml and its release, offline
    load_any("plants-prod") the same, also for stacks of kind network and build
    from_config(...)        what the program uses: the same, out of what the engine hands over

Secrets never pass through here. Inside a site a secret is only named, as {secret: NAME}.
"""

from __future__ import annotations

from edge.settings.access import JumpHost, KeyFile, Proxy, SecretRef, Ssh, SshOverride
from edge.settings.build_stack import AnySettings, BuildSettings
from edge.settings.hosts import ExistingHost, Host, VsphereHost
from edge.settings.image import (
    Builder,
    BuiltImage,
    GivenImage,
    GivenIso,
    Image,
    ImageBuild,
    IsoDatastore,
    LocalBuilder,
    SshBuilder,
    StackImage,
)
from edge.settings.load import from_config, load_any, load_stack, load_with_network
from edge.settings.network import GivenNetwork, LookupNetwork, ManagedNetwork, StackNetwork
from edge.settings.network_stack import AwsSettings, NetworkSettings
from edge.settings.palette import (
    API_KEY_SECRET,
    TOKEN_SECRET,
    ApiToken,
    ConfigToken,
    Palette,
    RegistryCredentials,
    StaticNetwork,
    User,
)
from edge.settings.release import Agent, Canvos, Release
from edge.settings.site import BuildStack, Cilium, NetworkStack, Site
from edge.settings.stack import HostSettings, StackSettings
from edge.settings.vm import VmSettings
from edge.settings.vsphere import PASSWORD_SECRET, SEED_SECRET, Placement, Vcenter, Vsphere

__all__ = [
    "API_KEY_SECRET",
    "PASSWORD_SECRET",
    "SEED_SECRET",
    "TOKEN_SECRET",
    "Agent",
    "AnySettings",
    "ApiToken",
    "AwsSettings",
    "BuildSettings",
    "BuildStack",
    "Builder",
    "BuiltImage",
    "Canvos",
    "Cilium",
    "ConfigToken",
    "ExistingHost",
    "GivenImage",
    "GivenIso",
    "GivenNetwork",
    "Host",
    "HostSettings",
    "Image",
    "ImageBuild",
    "IsoDatastore",
    "JumpHost",
    "KeyFile",
    "LocalBuilder",
    "LookupNetwork",
    "ManagedNetwork",
    "NetworkSettings",
    "NetworkStack",
    "Palette",
    "Placement",
    "Proxy",
    "RegistryCredentials",
    "Release",
    "SecretRef",
    "Site",
    "Ssh",
    "SshBuilder",
    "SshOverride",
    "StackImage",
    "StackNetwork",
    "StackSettings",
    "StaticNetwork",
    "User",
    "Vcenter",
    "VmSettings",
    "Vsphere",
    "VsphereHost",
    "from_config",
    "load_any",
    "load_stack",
    "load_with_network",
]
