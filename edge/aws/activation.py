"""The SSM hybrid activation of a site: how many registrations, how long, for which role, and what is wrong with it.

**How many.** Nothing of an activation can be changed: another limit makes another activation, whose id and code a person
has to give to Palette again. So the limit follows the number of hosts in steps that double, twice what the hosts need at
least: it changes when a site doubles, not when a host is added. It does not follow the generations of the hosts, because
an activation lives for 30 days at most and counts only what registered with it, and because a roll that crossed a step
would replace the activation in its middle. Twice leaves every host one reinstallation within those 30 days.

**When it has ended.** Hosts that have registered go on without it: SSM renews their credentials by the registration. Only
a host that still has to register (new, reinstalled, a new generation) needs one that is alive. Who is told how many
registrations were used can tell these cases apart. The clock alone cannot, so there an end in the past is an error, in
every stage: the way out is a line either way, a new `expires` or no `activation`, and both are found before a host is
touched, where a host that cannot join is found an hour later. AWS would refuse to make it anyway, and once AWS does
not list it any more, the engine wants to make it again.

Sources: SSM API reference, CreateActivation, Activation and DeleteActivation; EKS User Guide, hybrid nodes credentials;
the AWS provider (hashicorp/terraform-provider-aws, internal/service/ssm/activation.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from edge.aws.iam import CLUSTER_TAG, role_in
from edge.aws.view import ActivationView
from edge.errors import SettingsError
from edge.findings import Finding
from edge.owner import OWNER_TAG
from edge.settings.aws_values import shown_timestamp
from edge.stages import Stage, judge

if TYPE_CHECKING:
    from edge.settings.identity import Activation, MadeActivation

STEPS = (10, 20, 40, 80, 160, 320, 640, 1000)
MOST = STEPS[-1]
LONGEST = timedelta(days=30)
SOON = timedelta(hours=24)
ROLE_LENGTH = 64
SITE_TAG = "edge-hosts-site"
WHERE = "site.activation"


def registration_limit(hosts: int) -> int:
    """Return how many registrations a site of so many hosts gets: the first step that is at least twice as many, or 1000."""
    return next((step for step in STEPS if step >= 2 * hosts), MOST)


def limit_of(activation: MadeActivation, hosts: int) -> int:
    """Return how many registrations an activation gets: what the settings say, else by the number of hosts."""
    return activation.registrations or registration_limit(hosts)


def instance_name(site: str) -> str:
    """Return the name that all hosts of a site get in Systems Manager (256 characters at most; a site's name has 63)."""
    return site


def description(owner: str, site: str) -> str:
    """Return the description of an activation: whose hosts it registers, and which stack made it."""
    return f"Edge hosts of site {site}, stack {owner}"


def activation_tags(owner: str, site: str, cluster_arn: str) -> dict[str, str]:
    """Return the tags that the activation hands on to its hosts; the cluster's only when its ARN is known.

    A changed tag is a new activation: nothing that changes by itself stands here.
    """
    tags = {OWNER_TAG: owner, SITE_TAG: site}
    return {**tags, CLUSTER_TAG: cluster_arn} if cluster_arn else tags


def role_findings(own: str | None, networks: str) -> list[Finding]:
    """Return what is wrong with the role of an activation: `own` is what it names itself, `networks` the network's role.

    Both are roles as Systems Manager takes them: the name, after its path when it has one, of 64 characters together.
    """
    where = f"{WHERE}.role"
    if not own and not networks:
        remedy = "Write the name of the role here, or its ARN as `network.hybridRoleArn` where the network is given."
        return [Finding(where, None, "is missing, and the network tells no hybrid nodes role", remedy)]
    if own and networks and own != networks:
        problem = f"is not the hybrid nodes role of the network, {networks}, so the cluster would not know the hosts"
        return [Finding(where, own, problem, f"Remove `role`, or write {networks}.")]
    role = own or networks
    if len(role) > ROLE_LENGTH:
        remedy = f"Use a role whose path and name have at most {ROLE_LENGTH} characters together."
        return [Finding(where, role, f"is too long for an activation ({len(role)} characters)", remedy)]
    return []


def role_of(own: str | None, hybrid_role_arn: str) -> str:
    """Return the role of an activation as Systems Manager takes it. Raises SettingsError when it cannot be used."""
    networks = role_in(hybrid_role_arn)
    found = role_findings(own, networks)
    if found:
        raise SettingsError(found)
    return own or networks


def activation_findings(
    activation: Activation, *, hosts: int, stage: Stage, now: datetime, view: ActivationView | None = None
) -> list[Finding]:
    """Return what is wrong with the life and the size of an activation.

    `hosts`: hosts of the site. `view`: what AWS says of it; one that ends at another moment than the settings say is not
    it. Without a view the settings and the clock (`now`, with a time zone) are judged alone, and nothing can be said of a
    given activation.
    """
    if activation.source == "create" and view is not None and view.expires != activation.expires:
        view = None  # it is of the activation that this one will replace
    found: list[Finding | None] = []
    waiting = hosts
    if view is not None:
        waiting = max(0, hosts - view.count)
        found += _used(view, hosts, waiting, stage, now)
    if activation.source == "create":
        if view is None or activation.expires > now:
            found += _life(activation.expires, waiting, stage, now)
        found += _size(activation, hosts, stage)
    return [finding for finding in found if finding is not None]


def _life(expires: datetime, waiting: int, stage: Stage, now: datetime) -> Iterator[Finding | None]:
    where, shown = f"{WHERE}.expires", shown_timestamp(expires)
    if expires <= now:
        yield Finding(
            where,
            shown,
            "lies in the past, so no host can register with this activation any more",
            f"Write a moment of the next 30 days (before {shown_timestamp(now + LONGEST)}) if a host still has to join or"
            " to be reinstalled; else remove `activation`: hosts that have joined work on without it.",
        )
    elif expires > now + LONGEST:
        yield Finding(
            where,
            shown,
            "lies more than 30 days ahead, and AWS makes no activation that lives longer",
            f"Write a moment before {shown_timestamp(now + LONGEST)}.",
        )
    elif waiting and expires <= now + SOON:
        yield judge("activation.short", stage, where, shown)


def _size(activation: MadeActivation, hosts: int, stage: Stage) -> Iterator[Finding | None]:
    where, limit = f"{WHERE}.registrations", activation.registrations
    if hosts > MOST:
        problem = f"cannot register the {hosts} hosts of the site: one activation takes {MOST}"
        yield Finding(where, limit, problem, "Split the site into stacks of at most 1000 hosts.")
    elif limit is not None and limit < hosts:
        yield Finding(
            where,
            limit,
            f"is less than the {hosts} hosts of the site, so the last ones could not join",
            f"Write at least {hosts}, or remove it for {registration_limit(hosts)}.",
        )
    elif limit == hosts or (limit is None and hosts == MOST):
        yield judge("activation.room", stage, where, limit)


def _used(view: ActivationView, hosts: int, waiting: int, stage: Stage, now: datetime) -> Iterator[Finding | None]:
    """Yield what AWS's own answer says: whether it has ended, and whether it has room for the hosts that wait."""
    over = view.expired or (view.expires is not None and view.expires <= now)
    left = view.limit - view.count
    if over and waiting:
        problem = f"has ended, and {waiting} of {hosts} hosts have not registered with it"
        yield Finding(WHERE, view.id, problem, "Make a new one: a new `expires`, or the id and code of another one.")
    elif over:
        problem = "has ended; all hosts have registered, and work on without it"
        remedy = "Remove `activation`, or make a new one before a host joins or is reinstalled."
        yield Finding(WHERE, view.id, problem, remedy, "warning")
    elif left < waiting:
        problem = f"has {left} of {view.limit} registrations left, but {waiting} hosts have not registered with it"
        remedy = "Make a new one with more: raise `registrations`, or give the id and code of another one."
        yield Finding(WHERE, view.id, problem, remedy)
    elif not left:
        yield judge("activation.room", stage, WHERE, view.id)
