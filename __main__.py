"""The Pulumi program of one stack: settings in; out comes a site of edge hosts, a network, or an image."""

from pathlib import Path

import pulumi

from components.build_stack import EdgeBuild
from components.errors import said_plainly
from components.network_stack import EdgeNetwork, EdgeNetworkArgs
from components.secrets import Secrets
from components.site import EdgeSite, EdgeSiteArgs
from edge.aws.access import KEYS
from edge.settings import BuildSettings, NetworkSettings, from_config

config, aws = pulumi.Config(), pulumi.Config("aws")
with said_plainly():
    settings = from_config(
        pulumi.get_stack(),
        pulumi.get_project(),
        config.get_object("site"),
        config.get("release"),
        {key: aws.get(key) for key in KEYS},
        plain=config.get,
        site_is_secret=pulumi.runtime.is_config_secret(f"{config.name}:site"),
        root=Path(__file__).resolve().parent,
    )
    secrets = Secrets(config)
    if isinstance(settings, NetworkSettings):
        exports = EdgeNetwork(settings.site.name, EdgeNetworkArgs(settings=settings, secrets=secrets)).exports
    elif isinstance(settings, BuildSettings):
        exports = EdgeBuild(settings.site.name, settings).exports
    else:
        exports = EdgeSite(settings.site.name, EdgeSiteArgs(settings=settings, secrets=secrets)).exports
for name, value in exports.items():
    pulumi.export(name, value)
