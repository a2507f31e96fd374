"""Rules about the AWS side that the settings alone can judge: credential provider, identity, and the site's activation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from edge.aws import activation as activations  # the module: it reads settings, too
from edge.aws.iam import role_in
from edge.findings import Finding
from edge.settings.identity import ROLE_NAME, Identity
from edge.settings.network import CredentialProvider, GivenNetwork, LookupNetwork, ManagedNetwork, Network
from edge.settings.site import Site

# A role's session lasts 12 hours at most, and must be longer than the profile's (EKS User Guide, hybrid nodes credentials).
_LONGEST_SESSION = timedelta(hours=12)


def aws_findings(site: Site, now: datetime | None = None) -> list[Finding]:
    """Return what is wrong with identity and activation of a site; `now` has a time zone, the present without it."""
    network = site.network
    found = identity_findings(network, "site.network")
    activation = site.activation
    if activation is None:
        return found
    if network.credential_provider != "ssm":
        return [
            *found,
            Finding(
                "site.activation",
                activation.source,
                f"does not fit `credentialProvider: {network.credential_provider}`: a host has one provider",
                "Remove `activation`, or write `credentialProvider: ssm`.",
            ),
        ]
    found += activations.activation_findings(
        activation, hosts=len(site.hosts), stage=site.stage, now=now or datetime.now(UTC)
    )
    role = known_role(network)
    if activation.source == "create" and role is not None:
        found += activations.role_findings(activation.role, role)
    return found


def known_role(network: Network) -> str | None:
    """Return the hybrid nodes role as Systems Manager takes it, "" where there is none, None where a run will tell."""
    if isinstance(network, GivenNetwork):
        return role_in(network.hybrid_role_arn or "")
    if isinstance(network, ManagedNetwork) and network.identity is not None:
        role = network.identity.role
        return role_in(role.arn) if role.arn else role.name or ROLE_NAME
    return None


def identity_findings(network: Network, where: str) -> list[Finding]:
    """Return what is wrong with the identity that a network makes; `where` is the YAML path of the network."""
    if not isinstance(network, LookupNetwork | ManagedNetwork) or network.identity is None:
        return []
    return fit_findings(network.identity, network.credential_provider, f"{where}.identity")


def fit_findings(identity: Identity, provider: CredentialProvider, where: str) -> list[Finding]:
    """Return where an identity does not fit the credential provider of the hosts; `where` is its YAML path."""
    return list(_fit(identity, provider, where))


def _fit(identity: Identity, provider: CredentialProvider, where: str) -> Iterator[Finding]:
    anywhere = identity.roles_anywhere
    if provider == "iamRolesAnywhere" and anywhere is None:
        remedy = "Write `rolesAnywhere` with a `trustAnchor`, or `credentialProvider: ssm`."
        yield Finding(f"{where}.rolesAnywhere", None, "is missing, but the hosts use IAM Roles Anywhere", remedy)
    if provider == "ssm" and anywhere is not None:
        remedy = "Remove it, or write `credentialProvider: iamRolesAnywhere`."
        yield Finding(f"{where}.rolesAnywhere", None, "does not fit `credentialProvider: ssm`", remedy)
    if anywhere is not None and anywhere.session >= _LONGEST_SESSION:
        problem = "must be less than 12h: the role's own session has to be longer, and 12h is the longest there is"
        yield Finding(f"{where}.rolesAnywhere.session", None, problem, "Write 11h or less.")
    if "/" in (identity.role.name or "") or "/" in role_in(identity.role.arn or ""):
        yield Finding(
            f"{where}.role",
            identity.role.name or identity.role.arn,
            "has a path, which the ConfigMap aws-auth does not know",
            "Use a role without a path if Palette maps it in aws-auth.",
            "warning",
        )
