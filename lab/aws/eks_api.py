"""The operations of EKS that the account answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from lab.aws.refusal import invalid, not_found
from lab.aws.service import Gated

if TYPE_CHECKING:
    from lab.aws.eks_cluster import Update
    from lab.aws.eks_entries import Entries
    from lab.aws.eks_updates import ChangingClusters

_PAGE = 100


class Eks(Gated, BaseResponse):
    """EKS: clusters, updates, access entries, tags."""

    def __init__(self) -> None:
        super().__init__(service_name="eks")
        self.automated_parameter_parsing = True

    @property
    def _clusters(self) -> ChangingClusters:
        return self.account.clusters(self.region)

    @property
    def _entries(self) -> Entries:
        return self.account.entries(self.region)

    def _asked(self) -> dict[str, Any]:
        """Return everything that was asked, what stands in the path included."""
        path = {key: unquote(str(value)) for key, value in self.uri_match.items()}
        return {**path, **dict(self.params)}

    def resource(self) -> str:
        name = self.uri_match.get("clusterName") or self.uri_match.get("name")
        return f"arn:aws:eks:{self.region}:{self.account.facts.account}:cluster/{unquote(name)}" if name else ""

    def create_cluster(self) -> ActionResult:
        asked = self._asked()
        cluster = self._clusters.create(asked)
        access = cluster.shown["accessConfig"]
        if cluster.mode != "CONFIG_MAP" and access["bootstrapClusterCreatorAdminPermissions"]:
            self._entries.create(cluster, {"principalArn": self.account.creator(self.get_access_key())})
        return ActionResult({"cluster": cluster.shown})

    def describe_cluster(self) -> ActionResult:
        cluster = self._clusters.get(self._asked()["name"])
        cluster.settle()
        return ActionResult({"cluster": cluster.shown})

    def list_clusters(self) -> ActionResult:
        return self._page("clusters", sorted(self._clusters.all))

    def delete_cluster(self) -> ActionResult:
        cluster = self._clusters.delete(self._asked()["name"])
        self._entries.forget(cluster.name)
        return ActionResult({"cluster": cluster.shown})

    def update_cluster_config(self) -> ActionResult:
        asked = self._asked()
        return self._update(self._clusters.update_config(asked["name"], asked))

    def update_cluster_version(self) -> ActionResult:
        asked = self._asked()
        return self._update(self._clusters.update_version(asked["name"], asked["version"]))

    def describe_update(self) -> ActionResult:
        asked = self._asked()
        cluster = self._clusters.get(asked["name"])
        if asked["updateId"] not in cluster.updates:
            raise not_found(f"No update found for ID: {asked['updateId']}")
        cluster.settle()
        return self._update(cluster.updates[asked["updateId"]])

    def list_updates(self) -> ActionResult:
        return self._page("updateIds", list(self._clusters.get(self._asked()["name"]).updates))

    def create_access_entry(self) -> ActionResult:
        asked = self._asked()
        entry = self._entries.create(self._clusters.get(asked["clusterName"]), asked)
        return ActionResult({"accessEntry": entry.shown()})

    def describe_access_entry(self) -> ActionResult:
        asked = self._asked()
        entry = self._entries.get(self._clusters.get(asked["clusterName"]), asked["principalArn"])
        return ActionResult({"accessEntry": entry.shown()})

    def list_access_entries(self) -> ActionResult:
        entries = self._entries.of(self._clusters.get(self._asked()["clusterName"]))
        return self._page("accessEntries", [entry.principal for entry in entries])

    def update_access_entry(self) -> ActionResult:
        asked = self._asked()
        entry = self._entries.update(self._clusters.get(asked["clusterName"]), asked)
        return ActionResult({"accessEntry": entry.shown()})

    def delete_access_entry(self) -> ActionResult:
        asked = self._asked()
        self._entries.delete(self._clusters.get(asked["clusterName"]), asked["principalArn"])
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"tags": self._tags()})

    def tag_resource(self) -> ActionResult:
        self._tags().update(self._asked()["tags"])
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        for key in self._asked()["tagKeys"]:
            self._tags().pop(key, None)
        return EmptyResult()

    def _tags(self) -> dict[str, str]:
        arn = self._asked()["resourceArn"]
        tagged: dict[str, dict[str, str]] = {str(c.shown["arn"]): c.shown["tags"] for c in self._clusters.all.values()}
        tagged |= {entry.arn: entry.tags for entry in self._entries.all.values()}
        if arn not in tagged:
            raise not_found(f"No resource found for ARN: {arn}")
        return tagged[arn]

    @staticmethod
    def _update(update: Update) -> ActionResult:
        return ActionResult({"update": update.shown()})

    def _page(self, key: str, found: list[str]) -> ActionResult:
        """Return one page of names; the token is the place where the next one begins."""
        asked = self._asked()
        token = str(asked.get("nextToken") or "0")
        if not token.isdigit():
            raise invalid("The provided nextToken is invalid")
        start, size = int(token), int(asked.get("maxResults") or _PAGE)
        end = start + size
        return ActionResult({key: found[start:end], "nextToken": str(end) if end < len(found) else None})
