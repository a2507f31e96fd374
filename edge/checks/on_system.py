"""Checks of the machine itself: its size, its operating system, its kernel, and who may log in."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, PRODUCTION, STRICT, Check

_SIZE = "Palette docs, agent mode, minimum device requirements and installation (the larger of both)"
_PREPARE = "Palette docs, EKS Hybrid Nodes, prepare edge hosts"
_OS = "EKS User Guide, hybrid nodes operating systems"
_NODEADM = "nodeadm source (aws/eks-hybrid)"
_CILIUM = "Cilium docs, system requirements"
_TROUBLE = "Palette docs, edge troubleshooting"

RESOURCES = (
    Check("host.cpu.minimum", "The host has 2 CPUs", ("A1",), ALWAYS,
          "give the machine at least 2 CPUs (4 are recommended)", _SIZE),
    Check("host.cpu.recommended", "The host has 4 CPUs", ("A1",), PRODUCTION,
          "give the machine 4 CPUs: with fewer it has no room for workloads", _SIZE),
    Check("host.memory.minimum", "The host has 4 GiB of memory", ("A1",), ALWAYS,
          "give the machine at least 4 GiB of memory (8 are recommended)", _SIZE),
    Check("host.memory.recommended", "The host has 8 GiB of memory", ("A1",), PRODUCTION,
          "give the machine 8 GiB of memory: with less it has no room for workloads", _SIZE),
    Check("host.disk.minimum", "The root file system has 32 GB", ("A1",), ALWAYS,
          "enlarge the disk and the root file system to at least 32 GB (100 are recommended)", _SIZE),
    Check("host.disk.recommended", "The root file system has 100 GB", ("A1",), PRODUCTION,
          "enlarge the disk and the root file system to 100 GB", _SIZE),
    Check("host.disk.free", "/var and /opt have room for images", ("A1",), PRODUCTION,
          "free 10 GB there: `du -xh --max-depth=2 /var | sort -h | tail`, `journalctl --vacuum-size=200M`", _SIZE),
    Check("host.disk.inodes", "The file systems have free inodes", ("A1",), STRICT,
          "remove many small files (find them with `du --inodes -x /var | sort -n | tail`)", _SIZE),
    Check("host.disk.writable", "The file systems are writable", ("A18",), ALWAYS,
          "mount them rw; after an error of the disk look into `dmesg` first. Agent Mode does not work on a read-only root",
          "Palette docs, agent mode"),
    Check("host.disk.workdir", "There is a folder in which the installer may run", ("A18",), ALWAYS,
          "remount the file system of /opt or /root without `noexec`", "spectrocloud/agent-mode, CIS hardening guide"),
    Check("host.disk.vartmp", "All users may write to /var/tmp", (), STRICT,
          "run `chmod 1777 /var/tmp`: else systemd-resolved does not start", _TROUBLE),
)  # fmt: skip

SYSTEM = (
    Check("host.os.supported", "The operating system is supported", ("A9",), ALWAYS,
          "install Ubuntu 20.04, 22.04 or 24.04, RHEL 8 or 9, or Amazon Linux 2023; outside of production `acceptOs` lets"
          " another one pass with a warning", _OS),
    Check("host.os.architecture", "The processor is amd64 or arm64", ("A9",), ALWAYS,
          "use a machine with an x86-64 or ARMv8 processor: there is no agent for others", "spectrocloud/agent-mode, installer"),
    Check("host.os.fips", "FIPS is used on RHEL only", ("A9",), ALWAYS,
          "install RHEL, or write `fips: false`", _PREPARE),
    Check("host.os.fipsmode", "The kernel's FIPS mode is as the settings say", ("A9",), STRICT,
          "run `fips-mode-setup --enable` (or --disable) and reboot, or correct `fips`: in FIPS mode nodeadm asks for other"
          " names of the image registry", _NODEADM),
    Check("host.os.credentialprovider", "The credential provider fits the operating system", ("A9",), ALWAYS,
          "write `credentialProvider: ssm`, or install a newer system", _OS),
    Check("host.os.platform", "The machine is one on which hybrid nodes are supported", ("A9",), STRICT,
          "use a machine outside of AWS; Amazon Linux 2023 only in a virtual machine", "EKS User Guide, hybrid nodes overview"),
    Check("host.os.systemd", "systemd is process 1", ("A10",), ALWAYS,
          "boot the machine with systemd: the agent is a set of units", _PREPARE),
    Check("host.os.failedunits", "No unit has failed", (), ADVICE,
          "look at each with `systemctl status UNIT`, repair it, then `systemctl reset-failed`", "systemd"),
    Check("host.os.rebootpending", "No reboot is pending", (), ADVICE,
          "reboot the machine before the agent does, so that a faulty kernel update is not taken for a faulty agent", "update-notifier"),
    Check("host.os.selinux", "SELinux lets the FIPS installer copy", ("A9",), ALWAYS,
          "run `setsebool -P rsync_full_access 1` and load a policy that lets rsync read the payload",
          "Palette docs, install agent host (FIPS)"),
    Check("host.os.docker", "Docker is absent", ("A11",), STRICT,
          "remove it, after a look at what it runs: its rules and its containerd collide with those of Kubernetes", _PREPARE),
)  # fmt: skip

ACCESS = (
    Check("host.access.shell", "The login shell is bash", ("A12",), STRICT,
          "run `chsh -s /bin/bash USER`, or write `setBashShell: true` and let the preparation do it", _PREPARE),
    Check("host.access.root", "The step runs as root", ("A19",), ALWAYS,
          "allow the login user sudo without a password (`USER ALL=(ALL) NOPASSWD: ALL`), or log in as root", _PREPARE),
    Check("host.access.expiry", "No account that is needed has expired", (), STRICT,
          "run `chage -l USER`, then `chage -E -1 -M -1 USER` or set a new password: expired ones break upgrades",
          "Palette release notes 4.9.14"),
    Check("host.access.statedir", "The state folder belongs to root alone", (), ALWAYS,
          "look at what is there, then `chown root: /var/lib/edge-hosts && chmod 700 /var/lib/edge-hosts`, or remove it",
          "this program"),
)  # fmt: skip

KERNEL = (
    Check("host.kernel.version", "The kernel is 5.10 or newer", ("A9",), STRICT,
          "update the system: current Cilium builds need 5.10 (on RHEL 8 at least the 4.18 of RHEL 8.10)", _CILIUM),
    Check("host.kernel.cgroup", "cgroup v2 is in use", ("A9",), STRICT,
          "boot with `systemd.unified_cgroup_hierarchy=1` (`grubby --update-kernel=ALL --args=...` on RHEL)",
          "Palette docs, install agent host"),
    Check("host.kernel.modules", "The kernel has the modules of a node", ("A7",), STRICT,
          "install the extra modules of the kernel, and remove `install MODULE /bin/true` from /etc/modprobe.d", _CILIUM),
    Check("host.kernel.forwarding", "Nothing switches IPv4 forwarding off", ("A7",), STRICT,
          "remove the line, then `sysctl --system`: after the next boot no pod would reach anything", _CILIUM),
    Check("host.kernel.limits", "Services may open enough files and processes", (), ADVICE,
          "raise DefaultLimitNOFILE and DefaultLimitNPROC in /etc/systemd/system.conf, then reboot", _NODEADM),
    Check("host.kernel.iptables", "Only one kind of iptables is in use", ("A10",), ADVICE,
          "flush the legacy tables (`iptables-legacy -F`), remove what fills them, and reboot", _CILIUM),
    Check("host.swap.partition", "No swap partition is in use", (), ALWAYS,
          "run `swapoff -a` and remove the line from /etc/fstab (zram: remove zram-generator): nodeadm refuses it", _NODEADM),
    Check("host.swap.file", "No swap file is in use", (), ADVICE,
          "run `swapoff -a` and remove the line from /etc/fstab; nodeadm switches it off otherwise", _NODEADM),
)  # fmt: skip
