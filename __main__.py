"""The Pulumi program of one stack: settings in, a site of healthy edge hosts out."""

from pathlib import Path

import pulumi

from components.secrets import Secrets
from components.site import EdgeSite, EdgeSiteArgs
from edge.settings import from_config

config = pulumi.Config()
settings = from_config(
    pulumi.get_stack(),
    pulumi.get_project(),
    config.get_object("site"),
    config.get("release"),
    pulumi.Config("aws").get("region"),
    plain=config.get,
    site_is_secret=pulumi.runtime.is_config_secret(f"{config.name}:site"),
    root=Path(__file__).resolve().parent,
)
site = EdgeSite(settings.site.name, EdgeSiteArgs(settings=settings, secrets=Secrets(config)))
for name, value in site.exports.items():
    pulumi.export(name, value)
