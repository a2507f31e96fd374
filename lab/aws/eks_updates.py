"""How clusters change: each update has an id, and only one is at work.

Nothing is done at once: a cluster is CREATING or UPDATING, and an update InProgress, until somebody looks again.
Sources: EKS API reference (UpdateClusterConfig, UpdateClusterVersion, DescribeUpdate).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lab.aws import eks_rules as rules
from lab.aws.eks import Clusters
from lab.aws.eks_cluster import ANYWHERE, PLATFORM, Cluster, Data, Update, logging_of, plain
from lab.aws.refusal import RefusedError, invalid


class ChangingClusters(Clusters):
    """The clusters of one Region, with their updates."""

    def update_config(self, name: str, asked: Mapping[str, Any]) -> Update:
        """Change one thing of a cluster, and return the update. Raises RefusedError, also when nothing would change."""
        cluster = self.get(name)
        self._check_idle(cluster)
        changers: Mapping[str, Callable[[Cluster, Any], tuple[str, Data]]] = {
            "resourcesVpcConfig": self._update_vpc,
            "logging": self._update_logging,
            "accessConfig": self._update_access,
            "remoteNetworkConfig": self._update_remote,
            "upgradePolicy": self._update_policy,
            "deletionProtection": self._update_protection,
        }
        wanted = [key for key in asked if key not in ("name", "clientRequestToken") and asked[key] is not None]
        if unknown := [key for key in wanted if key not in changers]:
            raise RefusedError("NotImplemented", f"the lab's EKS cannot update {', '.join(unknown)}", 501)
        if len(wanted) != 1:
            raise invalid("Only one type of update can be allowed." if wanted else "No updates were specified.")
        kind, params = changers[wanted[0]](cluster, asked[wanted[0]])
        return self._started(cluster, kind, params)

    def update_version(self, name: str, version: str) -> Update:
        """Move a cluster to the next minor version: its interfaces are other ones after that. Raises RefusedError."""
        cluster = self.get(name)
        self._check_idle(cluster)
        self.check_version(version)
        old = str(cluster.shown["version"])
        if version == old:
            raise invalid(f"Cluster is already at Kubernetes version {version}")
        if int(version.split(".")[1]) != int(old.split(".")[1]) + 1:
            raise invalid(f"Unsupported Kubernetes minor version update from {old} to {version}")
        cluster.shown["version"] = version
        self.make_interfaces(cluster)
        return self._started(cluster, "VersionUpdate", {"Version": version, "PlatformVersion": PLATFORM})

    def _update_vpc(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        moved = any(asked.get(key) is not None for key in ("subnetIds", "securityGroupIds"))
        opened = any(
            asked.get(key) is not None for key in ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs")
        )
        if moved and opened:
            raise invalid("Only one type of update can be allowed.")
        return self._update_subnets(cluster, asked) if moved else self._update_endpoints(cluster, asked)

    def _update_endpoints(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        config = cluster.vpc_config
        public, private = (
            config[key] if asked.get(key) is None else bool(asked[key])
            for key in ("endpointPublicAccess", "endpointPrivateAccess")
        )
        rules.check_endpoints(public, private)
        cidrs = asked.get("publicAccessCidrs") or (config["publicAccessCidrs"] or [ANYWHERE])
        new = {
            "endpointPublicAccess": public,
            "endpointPrivateAccess": private,
            "publicAccessCidrs": list(cidrs) if public else [],
        }
        if all(config[key] == value for key, value in new.items()):
            raise invalid(
                f"Cluster is already at the desired configuration with endpointPrivateAccess: {str(private).lower()} , "
                f"endpointPublicAccess: {str(public).lower()}, and Public Endpoint Restrictions: {new['publicAccessCidrs']}"
            )
        config.update(new)
        return "EndpointAccessUpdate", {
            "EndpointPublicAccess": str(public).lower(),
            "EndpointPrivateAccess": str(private).lower(),
            "PublicAccessCidrs": str(new["publicAccessCidrs"]),
        }

    def _update_subnets(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        config = cluster.vpc_config
        subnets = list(asked["subnetIds"]) if asked.get("subnetIds") is not None else config["subnetIds"]
        groups = (
            list(asked["securityGroupIds"]) if asked.get("securityGroupIds") is not None else config["securityGroupIds"]
        )
        if rules.check_subnets(self.subnets(subnets)) != config["vpcId"]:
            raise invalid("Subnets specified must belong to the VPC of the cluster")
        self.check_groups(groups)
        if (set(subnets), set(groups)) == (set(config["subnetIds"]), set(config["securityGroupIds"])):
            raise invalid("No changes needed for the VPC config provided")
        config.update({"subnetIds": subnets, "securityGroupIds": groups})
        self.make_interfaces(cluster)
        return "VpcConfigUpdate", {"Subnets": str(subnets), "SecurityGroups": str(groups)}

    def _update_logging(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        on = {kind for one in cluster.shown["logging"]["clusterLogging"] if one["enabled"] for kind in one["types"]}
        new = set(on)
        for one in asked.get("clusterLogging") or []:
            kinds = set(one.get("types") or [])
            new = new | kinds if one.get("enabled") else new - kinds
        if new == on:
            raise invalid("No changes needed for the logging config provided")
        cluster.shown["logging"] = logging_of({"clusterLogging": [{"types": sorted(new), "enabled": True}]})
        return "LoggingUpdate", {"ClusterLogging": str(sorted(new))}

    def _update_access(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        mode = str(asked.get("authenticationMode") or cluster.mode)
        rules.check_mode_change(cluster.mode, mode)
        cluster.shown["accessConfig"]["authenticationMode"] = mode
        return "AccessConfigUpdate", {"AuthenticationMode": mode}

    def _update_remote(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        # A kind that is not named stays; one that is named is replaced whole.
        remote = {**cluster.remote, **rules.remote_cidrs(asked)}
        if plain(remote) == plain(cluster.remote):
            raise invalid("No changes detected in the remote network config")
        network = cluster.shown["kubernetesNetworkConfig"]
        rules.check_remote(
            remote,
            mode=cluster.mode,
            family=network["ipFamily"],
            vpc=self.vpc_cidrs(cluster.vpc_config["vpcId"]),
            services=network["serviceIpv4Cidr"],
        )
        self.set_remote(cluster, remote)
        return "RemoteNetworkConfigUpdate", {"RemoteNetworkConfig": str(plain(remote))}

    def _update_policy(self, cluster: Cluster, asked: Mapping[str, Any]) -> tuple[str, Data]:
        if dict(asked) == cluster.shown["upgradePolicy"]:
            raise invalid("No changes needed for the upgrade policy provided")
        cluster.shown["upgradePolicy"] = dict(asked)
        return "UpgradePolicyUpdate", {"UpgradePolicy": str(dict(asked))}

    def _update_protection(self, cluster: Cluster, asked: bool) -> tuple[str, Data]:
        if asked == cluster.shown["deletionProtection"]:
            raise invalid("No changes needed for the deletion protection provided")
        cluster.shown["deletionProtection"] = asked
        return "DeletionProtectionUpdate", {"DeletionProtection": str(asked).lower()}

    def _started(self, cluster: Cluster, kind: str, params: Data) -> Update:
        shown = [{"type": key, "value": str(value)} for key, value in params.items()]
        update = Update(str(uuid4()), kind, shown, datetime.now(UTC))
        cluster.updates[update.id] = update
        cluster.shown["status"] = "UPDATING"
        return update

    @staticmethod
    def _check_idle(cluster: Cluster) -> None:
        if cluster.busy():
            raise RefusedError(
                "ResourceInUseException", f"Cluster {cluster.name} currently has an update in progress", 409
            )
