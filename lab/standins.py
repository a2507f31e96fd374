"""Tells the stand-in services what this lab is: addresses, secrets, packages."""

from __future__ import annotations

from lab.aws.facts import AwsFacts
from lab.block import Block
from lab.machines import VM_NAME, vm_address
from lab.services import Services, ServicesConfig
from lab.site import (
    CLUSTER,
    CLUSTER_ENDPOINT,
    KUBERNETES,
    PALETTE_PROJECT,
    PROXY_USER,
    REGION,
    REMOTE_PODS,
    SERVICE_CIDR,
    Site,
)


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
        aws=aws_facts(block),
        registry_password=values.get("registryPassword", ""),
    )
    return Services(config)


def aws_facts(block: Block) -> AwsFacts:
    """Return what the lab's AWS account holds, with the addresses of a block."""
    return AwsFacts(
        region=REGION,
        cluster=CLUSTER,
        endpoint=CLUSTER_ENDPOINT,
        kubernetes=KUBERNETES,
        vpc=str(block.part(2)),
        subnets=dict(zip(map(str, block.eni_subnets), "ab", strict=True)),
        addresses=tuple(map(str, block.enis)),
        service_cidr=SERVICE_CIDR,
        remote_nodes=tuple(map(str, block.remote_nodes)),
        remote_pods=(REMOTE_PODS,),
    )
