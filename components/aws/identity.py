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
        self._name, self._tags, self._protect = name, dict(tags), protect
        self.trust_anchor_arn = self._trust_anchor(anywhere.trust_anchor) if anywhere else Output.from_input("")
        if identity.role.arn:
            self.role_arn = Output.from_input(identity.role.arn)
            self.role_name = Output.from_input(iam.role_parts(iam.role_in(identity.role.arn))[1])
        else:
            self._role(identity, provider, account, region, partition, cluster_arn)
        if identity.access_entry:
            aws.eks.AccessEntry(
                names.child(name, "access-entry"),
                cluster_name=cluster_name,
                principal_arn=self.role_arn,
                # User name and group follow from the type; AWS takes neither groups nor access policies with it.
                type="HYBRID_LINUX",
                region=region,
                tags=self._tags or None,
                opts=ResourceOptions(parent=self),
            )
        self.profile_arn = self._profile(anywhere) if anywhere else Output.from_input("")
        outputs = ("role_arn", "role_name", "trust_anchor_arn", "profile_arn")
        self.register_outputs({key: getattr(self, key) for key in outputs})

    def _role(
        self,
        identity: Identity,
        provider: CredentialProvider,
        account: Input[str],
        region: str,
        partition: str,
        cluster_arn: Input[str],
    ) -> None:
        """Make the role with its policies, and set `role_arn` and `role_name`."""
        wanted = identity.role
        path, role_name = iam.role_parts(wanted.name or ROLE_NAME)

        def trust(given: Mapping[str, Any]) -> str:
            where = {"partition": partition, "region": region, "account": given["account"]}
            return iam.rendered(iam.trust_policy(provider, **where, trust_anchor=given["anchor"]))

        def rights(given: Mapping[str, Any]) -> str:
            where = {"partition": partition, "region": region, **given}
            how: dict[str, Any] = {"deregister_by": wanted.deregister_by, "pod_identity": wanted.pod_identity}
            return iam.rendered(iam.inline_policy(provider, **where, **how))

        session = identity.roles_anywhere.session if identity.roles_anywhere else None
        role = aws.iam.Role(
            names.child(self._name, "role"),
            name=role_name,
            path=path,
            description="EKS hybrid nodes",
            assume_role_policy=Output.all(account=account, anchor=self.trust_anchor_arn).apply(trust),
            max_session_duration=iam.max_session(session) if session else None,
            permissions_boundary=wanted.permissions_boundary,
            tags=self._tags or None,
            opts=ResourceOptions(parent=self, protect=self._protect),
        )
        aws.iam.RolePolicy(
            names.child(self._name, "policy"),
            name=iam.POLICY_NAME,
            role=role.name,
            policy=Output.all(account=account, cluster_arn=cluster_arn).apply(rights),
            opts=ResourceOptions(parent=self),
        )
        for word, arn in iam.managed_policies(provider, partition).items():
            aws.iam.RolePolicyAttachment(
                names.child(self._name, word), role=role.name, policy_arn=arn, opts=ResourceOptions(parent=self)
            )
        self.role_arn, self.role_name = role.arn, role.name

    def _trust_anchor(self, wanted: TrustAnchor) -> Output[str]:
        if wanted.arn:
            return Output.from_input(wanted.arn)
        bundle = wanted.certificates is not None
        anchor = aws.rolesanywhere.TrustAnchor(
            names.child(self._name, "trust-anchor"),
            enabled=True,
            source=aws.rolesanywhere.TrustAnchorSourceArgs(
                source_type="CERTIFICATE_BUNDLE" if bundle else "AWS_ACM_PCA",
                source_data=aws.rolesanywhere.TrustAnchorSourceSourceDataArgs(
                    x509_certificate_data=wanted.certificates, acm_pca_arn=wanted.acm_pca
                ),
            ),
            tags=self._tags or None,
            opts=ResourceOptions(parent=self, protect=self._protect),
        )
        arn: Output[str] = anchor.arn
        return arn

    def _profile(self, wanted: RolesAnywhere) -> Output[str]:
        if wanted.profile:
            return Output.from_input(wanted.profile)
        profile = aws.rolesanywhere.Profile(
            names.child(self._name, "profile"),
            enabled=True,
            role_arns=[self.role_arn],
            # The session is named after the node, and the cluster knows the node by the name of its session.
            accept_role_session_name=True,
            duration_seconds=int(wanted.session.total_seconds()),
            tags=self._tags or None,
            opts=ResourceOptions(parent=self, protect=self._protect),
        )
        arn: Output[str] = profile.arn
        return arn


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
