"""Tells the stand-in services what this lab is: addresses, secrets, packages."""

from __future__ import annotations

from lab.machines import VM_NAME, vm_address
from lab.services import Services, ServicesConfig
from lab.site import PALETTE_PROJECT, PROXY_USER, REGION, Site


def make_services(site: Site) -> Services:
    """Return the stand-ins of a site, not started yet."""
    block, values = site.block, site.secrets
    config = ServicesConfig(
        root=site.paths.root,
        services_ip=str(block.services),
        corporate_ip=str(block.corporate),
        gateway_ip=str(block.gateway),
        eni_ips=tuple(str(address) for address in block.enis),
        silent_ip=str(block.silent),
        region=REGION,
        suite=site.suite,
        debs_dir=site.debs,
        proxy_user=PROXY_USER,
        proxy_password=values["proxyPassword"],
        api_key=values["paletteApiKey"],
        registration_token=values["registrationToken"],
        token_project=PALETTE_PROJECT,
        clients={**{plan.name: str(plan.way_out) for plan in site.plans}, VM_NAME: str(vm_address(block))},
    )
    return Services(config)
