"""The rules for what the hosts are to AWS: their role, its access entry, and the activation they register with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from edge.aws.policy import Condition, Document, decide, matches, trust_conditions, trusted_services, trusts
from edge.aws.rules_model import Case, Hint, Judge, Red, Said, Seen, Skip, shown
from edge.aws.view import ActivationView, EntryView, RoleView
from edge.endpoints.partitions import partition_of
from edge.endpoints.regions import registry_of
from edge.settings.aws_values import shown_timestamp
from edge.settings.identity import GivenActivation, MadeActivation
from edge.settings.network import LookupNetwork, ManagedNetwork

LONGEST = timedelta(days=30)  # life of an activation that AWS allows
SOON = timedelta(days=2)
DEFAULT_SESSION = 3600  # seconds, of a Roles Anywhere profile and of a role

ENTRY_TYPE = "HYBRID_LINUX"
SERVICES = {"ssm": "ssm.amazonaws.com", "iamRolesAnywhere": "rolesanywhere.amazonaws.com"}
_TRUST_ACTIONS = {
    "ssm": ("sts:AssumeRole",),
    "iamRolesAnywhere": ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"),
}
_CLUSTER_ACTIONS = {
    "eks:DescribeCluster": "nodeadm reads endpoint, CA and service network",
    "eks:ListAccessEntries": "nodeadm 1.0.16 and newer looks for the access entry before it joins",
}
_ECR_ACTIONS = ("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_SSM_ACTIONS = ("ssm:UpdateInstanceInformation", "ssmmessages:OpenControlChannel")

# What policies of AWS allow of the above, for readers who may not read their documents (AWS Managed Policy Reference).
_MANAGED: dict[str, tuple[str, ...]] = {
    "AmazonEC2ContainerRegistryPullOnly": _ECR_ACTIONS,
    "AmazonEC2ContainerRegistryReadOnly": _ECR_ACTIONS,
    "AmazonEC2ContainerRegistryPowerUser": _ECR_ACTIONS,
    "AmazonSSMManagedInstanceCore": _SSM_ACTIONS,
    "AmazonEKSWorkerNodeMinimalPolicy": (),
    "AmazonEKSWorkerNodePolicy": ("eks:DescribeCluster",),
    "CloudWatchAgentServerPolicy": (),
    "AdministratorAccess": ("*",),
}


def role(case: Case) -> Iterator[Said]:
    """Judge the hybrid nodes role: whom it trusts, what it allows, how long its sessions are."""
    found = case.view.role
    if found is None:
        denied = case.denied("iam:GetRole", "eks:ListAccessEntries", "eks:DescribeAccessEntry")
        if denied:
            yield Skip(f"not judged: {denied} is not allowed")
            return
        name = case.facts.hybrid_role_arn or "the hybrid nodes role"
        problem = (
            "was not found: no HYBRID_LINUX access entry of the cluster and no setting leads to a role that exists"
        )
        yield Red(name, problem, "Make the role and its access entry, or write its name as `hybridRole`")
        return
    yield from _trust(case, found)
    denied = case.denied("iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies")
    if denied:
        yield Hint(found.name, f"has permissions that are not judged: {denied} is not allowed", f"Allow {denied}")
    else:
        yield from _permissions(case, found)
    yield from _session(case, found)
    yield Seen(found.arn)


def _trust(case: Case, found: RoleView) -> Iterator[Said]:
    provider = case.facts.credential_provider
    service = SERVICES.get(provider)
    if service is None:
        return
    missing = [one for one in _TRUST_ACTIONS[provider] if trusts(found.trust, service, one) in ("implicit", "denied")]
    fix = case.command(f"iam update-assume-role-policy --role-name {found.name} --policy-document file://trust.json")
    if missing:
        problem = f"does not let {service} do {shown(missing)}, which credential provider {provider} needs"
        yield Red(found.name, problem, f"Correct its trust policy: {fix}", shown(trusted_services(found.trust)))
        return
    for wrong in _wrong_conditions(case, found.trust, service):
        problem = f"trusts {service} only where {wrong.key} is another one than this account, Region or trust anchor"
        yield Red(found.name, problem, f"Correct its trust policy: {fix}", shown(wrong.values))


def _wrong_conditions(case: Case, trust: Document, service: str) -> Iterator[Condition]:
    """Yield the conditions that cannot hold for this cluster's hosts."""
    view, facts = case.view, case.facts
    partition = partition_of(view.region).id
    for one in trust_conditions(trust, service):
        key = one.key.lower()
        if not one.operator.removesuffix("IfExists").startswith(("StringEquals", "StringLike", "ArnEquals", "ArnLike")):
            continue
        if key == "aws:sourceaccount" and not any(matches(value, view.account) for value in one.values):
            yield one
        elif key == "aws:sourcearn" and service == SERVICES["ssm"]:
            scope = f"arn:{partition}:ssm:{view.region}:{view.account}"
            heads = [":".join(value.split(":")[:5]) for value in one.values]
            if not any(matches(head, scope) for head in heads):
                yield one
        elif (
            key == "aws:sourcearn"
            and facts.trust_anchor_arn
            and not any(matches(value, facts.trust_anchor_arn) for value in one.values)
        ):
            yield one


def _permissions(case: Case, found: RoleView) -> Iterator[Said]:
    """Yield what the role may not do; a policy that was not read may allow it, which makes it a warning."""
    kind, doubt = _unread(found)
    attach = f"iam attach-role-policy --role-name {found.name} --policy-arn arn:{partition_of(case.view.region).id}:iam::aws:policy/"
    for action, why in _CLUSTER_ACTIONS.items():
        decision = _allowed(found, action, case.view.cluster.arn)
        put = case.command(
            f"iam put-role-policy --role-name {found.name} --policy-name eks --policy-document file://eks.json"
        )
        yield from _lacks(kind, doubt, found, action, case.view.cluster.arn, decision, why, f"Allow it: {put}")
    registry = registry_of(case.view.region)
    images = f"arn:{partition_of(registry.region).id}:ecr:{registry.region}:{registry.host.partition('.')[0]}:repository/eks/pause"
    for action in _ECR_ACTIONS:
        resource = "*" if action == _ECR_ACTIONS[0] else images
        decision = _allowed(found, action, resource)
        fix = f"Attach the policy of AWS: {case.command(attach + 'AmazonEC2ContainerRegistryPullOnly')}"
        yield from _lacks(kind, doubt, found, action, resource, decision, "containerd pulls images with it", fix)
    for action in _SSM_ACTIONS if case.facts.credential_provider == "ssm" else ():
        decision = _allowed(found, action, "*")
        fix = f"Attach the policy of AWS: {case.command(attach + 'AmazonSSMManagedInstanceCore')}"
        yield from _lacks(kind, doubt, found, action, "*", decision, "the SSM agent needs it", fix)


def _lacks(
    kind: type[Red], doubt: str, found: RoleView, action: str, resource: str, decision: str, why: str, fix: str
) -> Iterator[Red]:
    if decision == "denied":
        yield Red(found.name, f"is denied {action} on {resource} ({why})", f"Remove the Deny. {fix}")
    elif decision == "implicit":
        yield kind(found.name, f"may not do {action} on {resource} ({why}){doubt}", fix)
    elif decision == "conditional":
        yield Hint(
            found.name, f"may do {action} on {resource} under a condition only ({why})", "Make sure that it holds"
        )


def _unread(found: RoleView) -> tuple[type[Red], str]:
    """Return how bad a missing permission is, and what makes it doubtful: policies that were not read."""
    unread = [arn for arn in found.managed if not _document_of(found, arn) and arn.rpartition("/")[2] not in _MANAGED]
    return (Hint, f", unless {shown(unread)} allows it, which was not read") if unread else (Red, "")


def _document_of(found: RoleView, arn: str) -> Document | None:
    return found.policies.get(arn) or found.policies.get(arn.rpartition("/")[2])


def _allowed(found: RoleView, action: str, resource: str) -> str:
    """Return the decision of all policies of a role; attached ones that were not read count as AWS documents them."""
    known = [
        {"Statement": {"Effect": "Allow", "Action": list(_MANAGED[name]), "Resource": "*"}}
        for arn in found.managed
        if not _document_of(found, arn) and (name := arn.rpartition("/")[2]) in _MANAGED and ":aws:policy/" in arn
    ]
    return decide([*found.policies.values(), *known], action, resource)


def _session(case: Case, found: RoleView) -> Iterator[Said]:
    if case.facts.credential_provider != "iamRolesAnywhere":
        return
    network = case.question.network
    identity = network.identity if isinstance(network, LookupNetwork | ManagedNetwork) else None
    anywhere = identity.roles_anywhere if identity else None
    wanted = int(anywhere.session.total_seconds()) if anywhere else DEFAULT_SESSION
    longer = case.command(f"iam update-role --role-name {found.name} --max-session-duration {max(2 * wanted, 7200)}")
    if found.max_session < wanted:
        problem = f"allows sessions of {found.max_session} s, but the Roles Anywhere profile asks for {wanted} s"
        yield Red(found.name, problem, f"Allow longer ones: {longer}", found.max_session)
    elif found.max_session == wanted:
        problem = f"allows sessions of {found.max_session} s, not longer than those of the Roles Anywhere profile"
        yield Hint(found.name, problem, f"Allow longer ones, as the EKS User Guide asks: {longer}", found.max_session)


def accessentry(case: Case) -> Iterator[Said]:
    """Judge the access entry of the role."""
    if case.view.cluster.auth_mode == "CONFIG_MAP":
        yield Skip("the authentication mode of the cluster knows no access entries")
        return
    arn = case.view.role.arn if case.view.role else case.facts.hybrid_role_arn
    hybrid = [one for one in case.view.entries if one.kind == ENTRY_TYPE]
    mine = next((one for one in case.view.entries if arn and one.principal == arn), None)
    name = case.view.cluster.name
    create = case.command(
        f"eks create-access-entry --cluster-name {name} --principal-arn {arn or 'ROLE_ARN'} --type {ENTRY_TYPE}"
    )
    if mine is not None and mine.kind == ENTRY_TYPE:
        yield Seen(f"{mine.principal}, {mine.kind}")
    elif mine is not None:
        yield _wrong_type(case, mine, create)
    elif not arn and hybrid:
        yield Seen(f"{shown(one.principal for one in hybrid)}, {ENTRY_TYPE}")
    else:
        problem = (
            f"has no access entry of type {ENTRY_TYPE} for {arn or 'a hybrid nodes role'}; the mapping in aws-auth alone"
            " is not found by nodeadm, which then refuses to join"
        )
        yield Red(
            case.cluster, problem, f"Make it: {create}", shown(one.principal for one in hybrid) if hybrid else None
        )


def _wrong_type(case: Case, entry: EntryView, create: str) -> Red:
    words = f"eks delete-access-entry --cluster-name {case.view.cluster.name} --principal-arn {entry.principal}"
    problem = (
        f"has an access entry of type {entry.kind}, but hybrid nodes need {ENTRY_TYPE}, and a type cannot be changed"
    )
    return Red(
        entry.principal, problem, f"Delete it and make it anew: {case.command(words)}, then {create}", entry.kind
    )


def activation(case: Case) -> Iterator[Said]:
    """Judge the SSM activation: life, registrations left for the hosts still to join, role."""
    wanted = case.question.activation
    if case.facts.credential_provider != "ssm":
        yield Skip("the hosts get their credentials from IAM Roles Anywhere")
    elif wanted is None:
        yield Skip("the settings name no activation")
    elif isinstance(wanted, GivenActivation):
        yield from _given(case, wanted)
    else:
        yield from _made(case, wanted)


def _given(case: Case, wanted: GivenActivation) -> Iterator[Said]:
    denied = case.denied("ssm:DescribeActivations")
    if denied:
        yield Skip(f"not judged: {denied} is not allowed")
        return
    found = next((one for one in case.view.activations if one.id == wanted.id), None)
    if found is None:
        problem = f"does not exist in {case.view.region}, the Region of the cluster, where hosts register"
        look = case.command("ssm describe-activations")
        yield Red(f"activation {wanted.id}", problem, f"Make one there, or write the right id: {look}")
        return
    yield from _living(case, found, still=_still_to_join(case))


def _made(case: Case, wanted: MadeActivation) -> Iterator[Said]:
    """One that this stack makes: what is written must be possible, and what was made must still serve."""
    where, moment = "site.activation.expires", shown_timestamp(wanted.expires)
    remedy = (
        f'Write a moment up to 30 days ahead, for example "{shown_timestamp(case.now + LONGEST - timedelta(days=1))}"'
    )
    still = _still_to_join(case)
    if wanted.expires > case.now + LONGEST:
        yield Red(where, "is more than 30 days ahead, the longest life that AWS allows", remedy, moment)
    elif wanted.expires <= case.now and still:
        yield Red(where, f"is over, and {still} registrations are still to come", remedy, moment)
    mine = [one for one in case.view.activations if one.expires == wanted.expires and wanted.expires > case.now]
    for one in mine:
        yield from _living(case, one, still)
    yield Seen(f"until {moment}, {still} registrations to come")


def _living(case: Case, found: ActivationView, still: int) -> Iterator[Said]:
    name = f"activation {found.id}"
    fix = "Make a new activation: `activation: {source: create, expires: ...}`, or one by hand and write its id"
    over = found.expired or (found.expires is not None and found.expires <= case.now)
    moment = shown_timestamp(found.expires) if found.expires else None
    left = found.limit - found.count
    if over:
        kind = Red if still else Hint
        yield kind(name, f"is expired, and {still} registrations are still to come", fix, moment)
    elif found.expires is not None and still and found.expires - case.now < SOON:
        yield Hint(name, "expires within two days", f"Let the hosts join before, or renew it. {fix}", moment)
    if left < still:
        problem = f"has {left} of {found.limit} registrations left, but {still} are still to come"
        yield Red(name, problem, fix, left)
    arn = case.facts.hybrid_role_arn
    if arn and found.role and arn.partition(":role/")[2].rpartition("/")[2] != found.role.rpartition("/")[2]:
        yield Red(name, f"gives hosts the role {found.role}, but the cluster knows them as {arn}", fix, found.role)
    yield Seen(f"{name}: {left} of {found.limit} registrations left, until {moment or 'an unknown moment'}")


def _still_to_join(case: Case) -> int:
    """Return how many registrations are to come: every generation of every host is one, less those that were used."""
    used = sum(one.count for one in case.view.activations)
    return max(0, max(case.question.generations, len(case.question.hosts)) - used)


JUDGES: dict[str, Judge] = {
    "aws.role": role,
    "aws.accessentry": accessentry,
    "aws.activation": activation,
}
