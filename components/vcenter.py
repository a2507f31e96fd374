"""A vCenter as the program uses it: one explicit provider, and look-ups by name that are asked once each.

vSphere names are unique only inside a datacenter, so every look-up names one. The provider verifies the server's
certificate with the trust store of its own process, and nothing here can turn that off.
"""

import os
from collections.abc import Callable
from typing import Any, Optional

import pulumi
import pulumi_vsphere as vsphere
from pulumi import InvokeOptions, Output, ResourceOptions
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from components.secrets import Secrets
from edge.errors import SettingsError
from edge.settings import StackSettings
from edge.vcenter.trust import check_environment


class Vcenter:
    """One vCenter of the settings: its provider, and ids of what the settings only name."""

    def __init__(self, name: str, settings: StackSettings, secrets: Secrets, parent: pulumi.Resource) -> None:
        vcenter = settings.vcenter(name)
        self.provider = vsphere.Provider(
            f"vcenter-{name}",
            vsphere_server=vcenter.server,
            user=vcenter.user,
            # The provider does not know that this is a secret; what comes from the configuration is one.
            password=secrets.get(vcenter.password.secret),
            allow_unverified_ssl=False,
            api_timeout=max(1, int(vcenter.api_timeout.total_seconds() // 60)),
            opts=ResourceOptions(parent=parent),
        )
        self._ask = InvokeOptions(provider=self.provider)
        self._known: dict[tuple[str, ...], Output[Any]] = {}

    def datacenter(self, name: str) -> Output[str]:
        """Return the id of a datacenter."""
        return self._id("datacenter", lambda: vsphere.get_datacenter_output(name=name, opts=self._ask), name)

    def cluster(self, datacenter: str, name: str) -> Output[str]:
        """Return the id of a compute cluster."""
        dc = self.datacenter(datacenter)
        return self._id(
            "cluster",
            lambda: vsphere.get_compute_cluster_output(name=name, datacenter_id=dc, opts=self._ask),
            datacenter,
            name,
        )

    def pool(
        self, datacenter: str, *, cluster: Optional[str], esxi_host: Optional[str], pool: Optional[str]
    ) -> Output[str]:
        """Return the id of a resource pool: the named one below its cluster or host, else the root pool there."""
        dc, owner = self.datacenter(datacenter), str(cluster or esxi_host)
        if pool is None and cluster is None:
            found = self._once(
                ("host", datacenter, owner),
                lambda: vsphere.get_host_output(name=owner, datacenter_id=dc, opts=self._ask),
            )
            return found.apply(_root_pool)
        path = f"{owner}/Resources" + (f"/{pool.strip('/')}" if pool else "")
        return self._id(
            "pool",
            lambda: vsphere.get_resource_pool_output(name=path, datacenter_id=dc, opts=self._ask),
            datacenter,
            path,
        )

    def datastore(self, datacenter: str, name: str) -> Output[str]:
        """Return the id of a datastore."""
        dc = self.datacenter(datacenter)
        return self._id(
            "datastore",
            lambda: vsphere.get_datastore_output(name=name, datacenter_id=dc, opts=self._ask),
            datacenter,
            name,
        )

    def datastore_cluster(self, datacenter: str, name: str) -> Output[str]:
        """Return the id of a datastore cluster."""
        dc = self.datacenter(datacenter)
        return self._id(
            "datastoreCluster",
            lambda: vsphere.get_datastore_cluster_output(name=name, datacenter_id=dc, opts=self._ask),
            datacenter,
            name,
        )

    def network(self, datacenter: str, name: str, switch: Optional[str] = None) -> Output[str]:
        """Return the id of a port group; `switch` tells distributed port groups of one name apart."""
        dc = self.datacenter(datacenter)
        uuid = None
        if switch:
            uuid = self._id(
                "switch",
                lambda: vsphere.get_distributed_virtual_switch_output(name=switch, datacenter_id=dc, opts=self._ask),
                datacenter,
                switch,
            )

        def ask() -> Any:
            return vsphere.get_network_output(
                name=name, datacenter_id=dc, distributed_virtual_switch_uuid=uuid, opts=self._ask
            )

        return self._id("network", ask, datacenter, name, switch or "")

    def template(self, datacenter: str, path: str) -> Output[dict[str, Any]]:
        """Return what a clone takes over from a template: id, guest id, firmware, secure boot, SCSI controller."""
        dc = self.datacenter(datacenter)
        found = self._once(
            ("template", datacenter, path),
            lambda: vsphere.get_virtual_machine_output(name=path, datacenter_id=dc, opts=self._ask),
        )
        return found.apply(_hardware)

    def tag(self, category: str, name: str) -> Output[str]:
        """Return the id of a tag that exists already."""
        of = self._id("category", lambda: vsphere.get_tag_category_output(name=category, opts=self._ask), category)
        return self._id(
            "tag", lambda: vsphere.get_tag_output(name=name, category_id=of, opts=self._ask), category, name
        )

    def attribute(self, name: str) -> Output[str]:
        """Return the id of a custom attribute that exists already."""
        return self._id("attribute", lambda: vsphere.get_custom_attribute_output(name=name, opts=self._ask), name)

    def _once(self, key: tuple[str, ...], ask: Callable[[], Any]) -> Output[Any]:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]

    def _id(self, kind: str, ask: Callable[[], Any], *names: str) -> Output[str]:
        return self._once((kind, *names), ask).apply(_id_of)


class Vcenters:
    """The vCenters of a stack by name, each made when a host first needs it."""

    def __init__(self, settings: StackSettings, secrets: Secrets, parent: pulumi.Resource) -> None:
        self._settings, self._secrets, self._parent = settings, secrets, parent
        self._made: dict[str, Vcenter] = {}

    def get(self, name: str) -> Vcenter:
        """Return a vCenter. Raises SettingsError where its certificate could not be verified by the provider."""
        if name not in self._made:
            if not isinstance(get_monitor(), MockMonitor):
                finding = check_environment(self._settings, os.environ)
                if finding is not None:
                    raise SettingsError([finding])
            self._made[name] = Vcenter(name, self._settings, self._secrets, self._parent)
        return self._made[name]


def _id_of(found: Any) -> str:
    return str(found.id)


def _root_pool(found: Any) -> str:
    return str(found.resource_pool_id)


def _hardware(found: Any) -> dict[str, Any]:
    return {
        "id": found.id,
        "guestId": found.guest_id,
        "firmware": found.firmware or "bios",
        "secureBoot": bool(found.efi_secure_boot_enabled),
        "scsiType": found.scsi_type,
    }
