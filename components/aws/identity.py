"""What a cluster knows its hosts by: the hybrid nodes role, its access entry, and IAM Roles Anywhere where it is used."""

import os
from collections.abc import Mapping
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components import names
from edge.aws import iam
from edge.errors import SettingsError
from edge.findings import Finding, errors
from edge.settings.aws_rules import fit_findings
from edge.settings.identity import ROLE_NAME, Identity, RolesAnywhere, TrustAnchor
from edge.settings.network import CredentialProvider


class HybridIdentity(pulumi.ComponentResource):
    """Makes or takes the role of the hosts; makes its HYBRID_LINUX access entry, and trust anchor and profile.

    One per cluster: it belongs to the stack that owns the cluster's networks. What is given by its ARN is used as it is:
    nothing of it is made or changed, except that a given role still gets the access entry of this cluster. Of a
    certificate authority only the certificate is known here, never its key.

    Outputs: `role_arn`, `role_name` (without its path), `trust_anchor_arn` and `profile_arn` ("" without Roles Anywhere).
    Raises SettingsError when `identity` does not fit `provider`, the hosts' credential provider.
    """

    role_arn: Output[str]
    role_name: Output[str]
    trust_anchor_arn: Output[str]
    profile_arn: Output[str]

    def __init__(
        self,
        name: str,
        identity: Identity,
        *,
        provider: CredentialProvider,
        account: Input[str],
        region: str,
        partition: str,
        cluster_name: Input[str],
        cluster_arn: Input[str],
        tags: Mapping[str, str],
        protect: bool,
        opts: Optional[ResourceOptions] = None,
    ) -> None:
        anywhere = identity.roles_anywhere
        found = errors([*fit_findings(identity, provider, "identity"), *_region_findings(anywhere, region)])
        if found:
            raise SettingsError(found)
        super().__init__(names.token("HybridIdentity"), name, {"provider": provider}, opts)
        # The SDK keeps `_name` and `_protect` of its own, and children would take the latter over.
        self._prefix, self._tags, self._kept = name, dict(tags) or None, ResourceOptions(parent=self, protect=protect)
        self.trust_anchor_arn = self._trust_anchor(anywhere.trust_anchor) if anywhere else Output.from_input("")
        if identity.role.arn:
            self.role_arn = Output.from_input(identity.role.arn)
            self.role_name = Output.from_input(iam.role_parts(iam.role_in(identity.role.arn))[1])
        else:
            where = {"partition": partition, "region": region}
            trust = _trust(provider, where, account, self.trust_anchor_arn)
            self._role(identity, provider, trust, _rights(provider, identity, where, account, cluster_arn), partition)
        if identity.access_entry:
            self._entry(cluster_name, region)
        self.profile_arn = self._profile(anywhere) if anywhere else Output.from_input("")
        outputs = ("role_arn", "role_name", "trust_anchor_arn", "profile_arn")
        self.register_outputs({key: getattr(self, key) for key in outputs})

    def _role(
        self, identity: Identity, provider: CredentialProvider, trust: Output[str], rights: Output[str], partition: str
    ) -> None:
        """Make the role with its policies, and set `role_arn` and `role_name`."""
        path, role_name = iam.role_parts(identity.role.name or ROLE_NAME)
        anywhere, child = identity.roles_anywhere, ResourceOptions(parent=self)
        role = aws.iam.Role(
            names.child(self._prefix, "role"),
            name=role_name,
            path=path,
            description="EKS hybrid nodes",
            assume_role_policy=trust,
            max_session_duration=iam.max_session(anywhere.session) if anywhere else None,
            permissions_boundary=identity.role.permissions_boundary,
            tags=self._tags,
            opts=self._kept,
        )
        policy = names.child(self._prefix, "policy")
        aws.iam.RolePolicy(policy, name=iam.POLICY_NAME, role=role.name, policy=rights, opts=child)
        for word, arn in iam.managed_policies(provider, partition).items():
            aws.iam.RolePolicyAttachment(names.child(self._prefix, word), role=role.name, policy_arn=arn, opts=child)
        self.role_arn, self.role_name = role.arn, role.name

    def _entry(self, cluster_name: Input[str], region: str) -> None:
        aws.eks.AccessEntry(
            names.child(self._prefix, "access-entry"),
            cluster_name=cluster_name,
            principal_arn=self.role_arn,
            # User name and group follow from the type; AWS takes neither groups nor access policies with it.
            type="HYBRID_LINUX",
            region=region,
            tags=self._tags,
            opts=ResourceOptions(parent=self),
        )

    def _trust_anchor(self, wanted: TrustAnchor) -> Output[str]:
        if wanted.arn:
            return Output.from_input(wanted.arn)
        bundle = wanted.certificates is not None
        anchor = aws.rolesanywhere.TrustAnchor(
            names.child(self._prefix, "trust-anchor"),
            enabled=True,
            source=aws.rolesanywhere.TrustAnchorSourceArgs(
                source_type="CERTIFICATE_BUNDLE" if bundle else "AWS_ACM_PCA",
                source_data=aws.rolesanywhere.TrustAnchorSourceSourceDataArgs(
                    x509_certificate_data=wanted.certificates, acm_pca_arn=wanted.acm_pca
                ),
            ),
            tags=self._tags,
            opts=self._kept,
        )
        arn: Output[str] = anchor.arn
        return arn

    def _profile(self, wanted: RolesAnywhere) -> Output[str]:
        if wanted.profile:
            return Output.from_input(wanted.profile)
        profile = aws.rolesanywhere.Profile(
            names.child(self._prefix, "profile"),
            enabled=True,
            role_arns=[self.role_arn],
            # The session is named after the node, and the cluster knows the node by the name of its session.
            accept_role_session_name=True,
            duration_seconds=int(wanted.session.total_seconds()),
            tags=self._tags,
            opts=self._kept,
        )
        arn: Output[str] = profile.arn
        return arn


def _trust(
    provider: CredentialProvider, where: Mapping[str, str], account: Input[str], anchor: Output[str]
) -> Output[str]:
    """Return the text of the role's trust policy."""
    return Output.all(account=account, trust_anchor=anchor).apply(
        lambda given: iam.rendered(iam.trust_policy(provider, **where, **given))
    )


def _rights(
    provider: CredentialProvider,
    identity: Identity,
    where: Mapping[str, str],
    account: Input[str],
    cluster_arn: Input[str],
) -> Output[str]:
    """Return the text of the role's inline policy."""
    role = identity.role
    how: dict[str, Any] = {**where, "deregister_by": role.deregister_by, "pod_identity": role.pod_identity}
    return Output.all(account=account, cluster_arn=cluster_arn).apply(
        lambda given: iam.rendered(iam.inline_policy(provider, **how, **given))
    )


def _region_findings(anywhere: Optional[RolesAnywhere], region: str) -> list[Finding]:
    """Return what keeps trust anchor and profile from being made: they have no Region of their own in the provider."""
    if anywhere is None or (anywhere.trust_anchor.arn and anywhere.profile):
        return []
    own = pulumi.Config("aws").get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if own in (None, region):
        return []
    problem = f"is not the region of the network, {region}, where trust anchor and profile have to be made"
    remedy = f"Write `aws:region: {region}`, or give a trust anchor and a profile that exist."
    return [Finding("aws:region", own, problem, remedy)]
