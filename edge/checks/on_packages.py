"""Checks of the package manager, its index, and of what the preparation leaves on a host."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, STRICT, Check

_PREPARE = "Palette docs, EKS Hybrid Nodes, prepare edge hosts"
_NODEADM = "EKS User Guide, hybrid nodes troubleshooting"
_CONTAINERD = "nodeadm source (aws/eks-hybrid), internal/containerd"

PACKAGES = (
    Check("host.packages.manager", "The host has apt or dnf", ("A10",), ALWAYS,
          "use one of the supported operating systems", _PREPARE),
    Check("host.packages.consistent", "No package is half installed", ("A10",), STRICT,
          "nothing, the preparation repairs it; by hand: `dpkg --configure -a`", "dpkg"),
    Check("host.packages.repositories", "A package repository is enabled", ("A8", "A10"), ALWAYS,
          "write the sources of apt, or register the host (`subscription-manager register`) and enable its repositories", _NODEADM),
    Check("host.packages.index.age", "The package index is fresh", ("A8",), ADVICE,
          "run `apt-get update` or `dnf makecache` before the node pool is made, or raise `indexMaxAge`", _NODEADM),
    Check("host.packages.index.complete", "Every repository gave its index", ("A8",), STRICT,
          "run `apt-get update` or `dnf makecache --refresh`, and repair or remove the repository that fails", _NODEADM),
    Check("host.packages.dependencies", "The agent's dependencies are installed", ("A10",), ALWAYS,
          "run `pulumi up`: the preparation installs them again", _PREPARE),
    Check("host.packages.services", "The services that Palette needs are active", ("A10",), STRICT,
          "run `systemctl enable --now SERVICE`, or `pulumi up`", _PREPARE),
    Check("host.packages.containerd", "containerd can be had on RHEL", ("A9",), STRICT,
          "install containerd.io and runc, or add Docker's repository (docker-ce.repo): RHEL's own repositories have no containerd",
          _CONTAINERD),
    Check("host.packages.containerd.version", "containerd ends pods on Ubuntu 24.04", ("A9",), STRICT,
          "update containerd to 1.7.19 or newer", "EKS User Guide, hybrid nodes operating systems"),
)  # fmt: skip
