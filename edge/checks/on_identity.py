"""Checks of who a machine is, what an earlier life left on it, and who keeps its clock."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, STRICT, Check

_CLONES = "Palette docs, install agent host (cloned machines)"
_SSM = "nodeadm source (aws/eks-hybrid), internal/ssm"
_AGENT = "Palette docs, install agent host (uninstall)"
_PROVIDER = "kairos-io/provider-nodeadm"
_TIME = "EKS User Guide, hybrid nodes troubleshooting"

IDENTITY = (
    Check("host.identity.machineid", "The host has a machine-id", ("A21",), ALWAYS,
          "run `rm -f /etc/machine-id && systemd-machine-id-setup`, then reboot", _CLONES),
    Check("host.identity.machineid.unique", "No other host of the site has the same machine-id", ("A21",), ALWAYS,
          "the machine was cloned: run `rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup`, reboot,"
          " and clear the file in the template", _CLONES),
    Check("host.identity.productuuid", "The firmware gives the machine a uuid", ("A21",), ADVICE,
          "set one in the firmware or in the VM's settings; the program names hosts itself and does not need it", _CLONES),
    Check("host.identity.productuuid.unique", "No other host of the site has the same product_uuid", ("A21",), ALWAYS,
          "give the cloned VM a new uuid (vSphere: `uuid.action = change`), or set one in the firmware", _CLONES),
    Check("host.identity.hostname", "The host name is valid", ("A15",), ADVICE,
          "run `hostnamectl set-hostname NAME` with lower-case letters, digits and '-'",
          "Palette docs, installer reference"),
    Check("host.identity.hostname.wanted", "The host has the name that the settings give it", ("A15",), ADVICE,
          "nothing, if the agent may rename the machine; else change the key under `hosts`", "Palette docs, installer reference"),
)  # fmt: skip

LEFTOVERS = (
    Check("host.leftover.ssm", "There is no SSM registration from before", (), ALWAYS,
          "deregister the managed instance in SSM, then remove /var/lib/amazon/ssm: a clone would share its identity", _SSM),
    Check("host.leftover.ssmagent", "No SSM agent from before is running", (), STRICT,
          "stop and remove amazon-ssm-agent (package or snap): nodeadm installs its own", _SSM),
    Check("host.leftover.agent", "There is no agent of somebody else", ("A21",), ALWAYS,
          "take the host out of the other stack, or run `palette-agent uninstall --force` and delete its record in Palette", _AGENT),
    Check("host.leftover.kubernetes", "There is no other Kubernetes on the host", (), ALWAYS,
          "drain and remove that node, then remove the folders named: what is left breaks `nodeadm init`", _PROVIDER),
    Check("host.leftover.containerd", "There is no data of other containers", (), ADVICE,
          "stop containerd and remove /var/lib/containerd, if nothing there is needed", _PROVIDER),
    Check("host.leftover.cni", "There is no CNI configuration from before", (), STRICT,
          "remove the files: with them a node calls itself Ready before Cilium runs", "EKS User Guide, hybrid nodes troubleshooting"),
    Check("host.agent.running", "The agent is running", ("A20",), STRICT,
          "look into `journalctl -u spectro-stylus-agent`, then `systemctl restart spectro-stylus-agent`", _AGENT),
)  # fmt: skip

CLOCK = (
    Check("host.clock.daemon", "A time daemon is active", ("A10",), STRICT,
          "enable chrony or systemd-timesyncd: a wrong clock breaks TLS and AWS signatures", _TIME),
    Check("host.clock.conflict", "Only one time daemon is active", ("A10",), ADVICE,
          "disable one of them; with `ntp` in `palette.manages` the preparation keeps systemd-timesyncd", _TIME),
    Check("host.clock.synchronised", "The clock is synchronised", ("A10",), ADVICE,
          "let the host reach a time server on udp 123 (`timedatectl timesync-status`, `chronyc sources`)", _TIME),
    Check("host.clock.skew", "The clock agrees with Palette's", ("A5", "A6"), ALWAYS,
          "set the clock (`date -s`, `chronyc makestep`) and let a time daemon keep it: signatures fail from 5 minutes on",
          _TIME, phase=1),
)  # fmt: skip
