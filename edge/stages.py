"""What each stage allows: one table for the settings, and the defaults that differ from stage to stage.

A rule is data: its id, the sentence, the remedy and a level per stage. Finding out where a rule is broken is the task
of `edge.settings.rules`; how bad that is stands only here, so that a reader sees at one glance what production refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge.findings import Finding

Stage = Literal["dev", "staging", "prod"]
Severity = Literal["off", "warning", "error"]

STAGES: tuple[Stage, ...] = ("dev", "staging", "prod")


@dataclass(frozen=True)
class StageRule:
    """One thing that a stage may refuse. `rows` are the requirement rows that want it."""

    id: str
    problem: str
    remedy: str
    dev: Severity
    staging: Severity
    prod: Severity
    rows: tuple[str, ...] = ()

    def severity(self, stage: Stage) -> Severity:
        """Return how bad a broken rule is in `stage`."""
        return {"dev": self.dev, "staging": self.staging, "prod": self.prod}[stage]


@dataclass(frozen=True)
class StageDefaults:
    """Values of a host that were not written, by stage."""

    protect: bool
    allow_reboot: bool


DEFAULTS: Mapping[Stage, StageDefaults] = {
    "dev": StageDefaults(protect=False, allow_reboot=True),
    "staging": StageDefaults(protect=False, allow_reboot=True),
    "prod": StageDefaults(protect=True, allow_reboot=False),
}

_TABLE = (
    StageRule(
        "agent.version.unpinned",
        "the release does not pin the agent's version",
        "Choose a release whose `agent.version` is a number, for example 4.9.38",
        "warning", "error", "error", ("A18",),
    ),
    StageRule(
        "agent.checksum.missing",
        "the release has no sha256 for everything that is downloaded",
        "Run `python -m edge.releases pin RELEASE --script FILE --binary-amd64 FILE`, which writes the digests",
        "warning", "error", "error", ("A18",),
    ),
    StageRule(
        "agent.checksum.placeholder",
        "the release's sha256 is a placeholder, so the installation will stop at the download",
        "Run `python -m edge.releases pin RELEASE --script FILE --binary-amd64 FILE`, which writes the digests",
        "warning", "warning", "warning", ("A18",),
    ),
    StageRule(
        "agent.download.plain",
        "the installer would be downloaded without TLS",
        "Use an https:// address as `agent.baseUrl`",
        "warning", "error", "error", ("A18",),
    ),
    StageRule(
        "tls.unverified",
        "a TLS certificate would not be verified",
        "Remove this setting and give the signing CA instead, in `caCerts` or `palette.caCert`",
        "warning", "error", "error", ("A16",),
    ),
    StageRule(
        "host.key.unpinned",
        "the SSH host key is not pinned, so another machine could answer in its place",
        "Add `hostKey:` with the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the leading address, after"
        " comparing it on the console",
        "warning", "warning", "error", ("A3",),
    ),
    StageRule(
        "ssh.password",
        "the login would use a password",
        "Log in with a key: set `ssh.privateKey` and remove `ssh.password`",
        "warning", "warning", "error", ("A3",),
    ),
    StageRule(
        "user.password",
        "this user gets a password on the host, which also opens the Local UI",
        "Prefer `sshAuthorizedKeys`, and remove `passwordHash` when the Local UI is not used",
        "off", "warning", "warning", ("A15",),
    ),
    StageRule(
        "os.accepted",
        "an operating system that AWS does not list for hybrid nodes is accepted",
        "Install Ubuntu 20.04, 22.04 or 24.04, RHEL 8 or 9, or Amazon Linux 2023, and remove `acceptOs`",
        "warning", "warning", "error", ("A9",),
    ),
    StageRule(
        "dhcp.accepted",
        "a DHCP address is accepted as static",
        "Make sure that the address is reserved in the DHCP server, or set it on the host and remove `acceptDhcp`",
        "warning", "warning", "warning", ("A2",),
    ),
    StageRule(
        "preflight.reported",
        "red checks would only be reported, so a host that cannot work would be changed",
        "Write `preflight: enforce`",
        "warning", "warning", "error", (),
    ),
    StageRule(
        "reboot.unstated",
        "nothing says whether this existing machine may be rebooted",
        "Add `allowReboot: true` (the first installation needs it) or `allowReboot: false`",
        "off", "off", "error", ("A20",),
    ),
    StageRule(
        "reboot.forbidden",
        "this machine may not be rebooted, so an installation or a new agent version will stop before it starts",
        "Write `allowReboot: true` for the time of the change",
        "warning", "warning", "warning", ("A20",),
    ),
    StageRule(
        "force.set",
        "`force` lifts the guard of hosts that belong to a cluster",
        "Remove `force: true` as soon as the change is done",
        "warning", "warning", "warning", (),
    ),
    StageRule(
        "protect.off",
        "the host is not protected against deletion",
        "Remove `protect: false`; use `state: retired` to let a host go",
        "off", "off", "warning", (),
    ),
    StageRule(
        "activation.short",
        "the activation ends within 24 hours",
        "Write a later `expires`, at most 30 days ahead, unless all hosts join before",
        "warning", "warning", "warning", ("C7",),
    ),
    StageRule(
        "activation.room",
        "the activation has no registration to spare, so no host could be reinstalled with it",
        "Remove `registrations`, or write about twice the number of hosts",
        "off", "warning", "warning", ("C7",),
    ),
    StageRule(
        "vm.small",
        "the virtual machine is smaller than 4 CPUs, 8 GiB of memory and 100 GiB of disk",
        "Raise `cpus`, `memory` or `disk`, at the host or in `vsphere`",
        "warning", "warning", "error", ("A1",),
    ),
    StageRule(
        "vm.template.stack",
        "the stack names a template of its own, so its machines are not those that the release was tested with",
        "Write it as `vm: {template: NAME}` in the release, and remove it here",
        "off", "warning", "error", ("A18",),
    ),
    StageRule(
        "builder.small",
        "an image may be built on a machine below the minimums, which fails without a clear word when it is too small",
        "Take a machine with 4 CPUs, 8 GB and 150 GB of free disk, and remove `acceptSmall`",
        "warning", "warning", "error", ("B1",),
    ),
    StageRule(
        "image.built.here",
        "the site builds its image itself, so its hosts are not installed from what was tried before",
        "Let a stack of kind build make it, and write {source: stack, stack: NAME}, or {source: given, ...}",
        "off", "warning", "error", ("B14",),
    ),
    StageRule(
        "image.repository.plain",
        "the builder would be fetched without TLS",
        "Use an https:// address as `repository`",
        "warning", "error", "error", ("B3",),
    ),
    StageRule(
        "image.registry.ttl",
        "images vanish from ttl.sh within a day, and no cluster could pull them",
        "Use a registry of your own as `registry`",
        "warning", "error", "error", ("B13",),
    ),
    StageRule(
        "image.checksum.placeholder",
        "the sha256 of the ISO is a placeholder, so no file can match it",
        "Write the sha256 that the build stack exports",
        "warning", "warning", "warning", ("B12",),
    ),
    StageRule(
        "canvos.tag.unplain",
        "the release builds a candidate, a patch or a letter tag, which are moved and withdrawn",
        "Choose a plain tag of the form v4.5.15",
        "warning", "error", "error", ("B3",),
    ),
    StageRule(
        "canvos.tag.newest",
        "what is built depends on the day: the build takes the newest plain tag that there is",
        "Write the tag that was tried: `python -m edge.releases pin RELEASE --image FACTS` does it",
        "warning", "error", "error", ("B3",),
    ),
    StageRule(
        "canvos.commit.missing",
        "the release does not pin the commit of its CanvOS tag, so a moved tag would be taken",
        "Add `commit:` beside `tag:`, as the build stack exports it",
        "off", "warning", "error", ("B3",),
    ),
    StageRule(
        "image.digest.missing",
        "the release does not pin the provider image that was tried",
        "Add `image: {reference: NAME, digest: DIGEST}`, as the build stack exports them",
        "off", "warning", "error", ("B13",),
    ),
    StageRule(
        "image.isos.missing",
        "the release does not pin the ISO that was tried",
        "Add its sha256, as the build stack exports it",
        "off", "warning", "error", ("B12",),
    ),
)  # fmt: skip

RULES: Mapping[str, StageRule] = {rule.id: rule for rule in _TABLE}


def judge(rule: str, stage: Stage, where: str, value: object = None) -> Finding | None:
    """Return the finding of a broken rule in `stage`, or None where the stage does not mind.

    Raises KeyError for a rule that is not in the table.
    """
    entry = RULES[rule]
    severity = entry.severity(stage)
    if severity == "off":
        return None
    problem = f"{entry.problem}, which stage {stage} refuses" if severity == "error" else entry.problem
    return Finding(where, value, problem, entry.remedy + ".", severity)
