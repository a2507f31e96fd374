"""Checks of the host's own network: addresses, routes, firewall, ports, and the names it resolves."""

from __future__ import annotations

from edge.checks.model import ADVICE, ALWAYS, PRODUCTION, STRICT, Check

_PREPARE = "Palette docs, EKS Hybrid Nodes, prepare edge hosts"
_NETWORKING = "EKS User Guide, hybrid nodes networking"
_NODE_IP = "nodeadm source (aws/eks-hybrid), internal/network"
_INIT = "nodeadm source (aws/eks-hybrid), internal/flows"
_CILIUM = "Cilium docs, system requirements"
_VMXNET3 = "cilium/cilium issue 13096; Palette docs, prepare edge hosts"
_PRIVATE = "EKS User Guide, hybrid nodes private connectivity"
_KUBERNETES_DNS = "Kubernetes docs, DNS for services and pods"

NETWORK = (
    Check("host.network.ipv4", "The host has an IPv4 address", ("A2",), ALWAYS,
          "give the host an IPv4 address", _NETWORKING),
    Check("host.network.address", "The address of the settings is on the host", ("A2",), ALWAYS,
          "correct `address`, or set it on an interface: a translated address (NAT) is not the node's", _NODE_IP),
    Check("host.network.static", "The address is static", ("A2",), ALWAYS,
          "set it on the host (netplan, nmcli), or write `acceptDhcp: true` when the DHCP server reserves it", _PREPARE),
    Check("host.network.remotenode", "The address lies in a remote node network", ("A2", "A6"), ALWAYS,
          "choose another address, or add its block to the cluster's remote node networks and to `remoteNodeCidrs`", _NODE_IP),
    Check("host.network.defaultroute", "There is one default route", ("A4",), STRICT,
          "keep the one that leads to the VPC and the internet; nodeadm takes the address of its interface", _NODE_IP),
    Check("host.network.nodeip", "The default route leaves by the host's address", ("A2",), STRICT,
          "move the default route to the interface of the host's address, or name the other address in the settings", _NODE_IP),
    Check("host.network.overlap.pods", "Nothing on the host overlaps the pod network", ("A6",), ALWAYS,
          "remove the bridge or route (docker0, virbr0), or choose other pod CIDRs: packets to pods would go there", _NETWORKING),
    Check("host.network.overlap.services", "Nothing on the host overlaps the service network", ("A6",), ALWAYS,
          "remove the interface or route, or use another service CIDR: it cannot be changed after the cluster is made", _NETWORKING),
    Check("host.network.overlap.vpc", "Nothing local overlaps the VPC", ("A6",), STRICT,
          "renumber the local network: the API server's interfaces would be looked for there", _NETWORKING),
    Check("host.network.overlap.sites", "Nothing local overlaps another site of the cluster", ("A6",), STRICT,
          "renumber the local network: pods and nodes of that site would be looked for there", _NETWORKING),
    Check("host.network.route.enis", "The way to the control plane leaves by the host's network", ("A6",), ALWAYS,
          "remove the bridge or route that takes these addresses, and route the VPC to the VPN from the host's own address", _NETWORKING),
    Check("host.network.mtu", "The MTU is one that nodeadm accepts", (), PRODUCTION,
          "set the MTU of the interface to 1500 (or 9000 on jumbo networks)", _NODE_IP),
    Check("host.network.vmxnet3", "The VMXNET3 stage fits the host's network cards", ("A17",), STRICT,
          "write `vmxnet3: auto`: with the offload on, VXLAN packets arrive with wrong checksums", _VMXNET3),
    Check("host.network.offload", "VMXNET3's tunnel offload is off", ("A17",), STRICT,
          "run `ethtool --offload NIC tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off`, and the next `up` for"
          " the stage that keeps it so", _VMXNET3),
    Check("host.network.firewall", "The host's firewall lets VXLAN in", ("A7",), ALWAYS,
          "run `ufw allow 8472/udp`, or `firewall-cmd --permanent --add-port=8472/udp && firewall-cmd --reload`", _INIT),
    Check("host.network.firewalld.stopped", "firewalld is not installed and stopped", ("A7",), STRICT,
          "start firewalld, or remove the package: `nodeadm init` dies when it is there and does not run", "aws/eks-hybrid issue 352"),
)  # fmt: skip

PORTS = (
    Check("host.ports.cilium", "Cilium's ports are free", ("A7",), ALWAYS,
          "stop what listens there (`ss -lntup`), or move it to another port", _CILIUM),
    Check("host.ports.cilium.features", "The ports of Cilium's features are free", ("A7",), ALWAYS,
          "stop what listens there, or switch the feature off under `cilium`", _CILIUM),
    Check("host.ports.kubernetes", "The ports of kubelet and kube-proxy are free", ("A7",), ALWAYS,
          "stop what listens on 10250 or 10256: it is most likely another Kubernetes", _NETWORKING),
    Check("host.ports.localui", "The port of the agent's Local UI is free", (), ADVICE,
          "move what listens on 5080, or set `stylus.localUI.port` in `userDataExtra`", "Palette docs, installer reference"),
)  # fmt: skip

NAMES = (
    Check("host.dns.resolver", "The host has a name server", ("A6",), ALWAYS,
          "write one into /etc/resolv.conf, or into the network configuration that makes it", _NETWORKING),
    Check("host.dns.limits", "The resolver's lists are not too long", (), ADVICE,
          "keep 3 name servers and 6 search domains: kubelet and older resolvers drop the rest", _KUBERNETES_DNS),
    Check("host.dns.loopback", "Pods can reach the name server", (), PRODUCTION,
          "name a server that is not on the loopback address, or use systemd-resolved, whose real list kubelet finds", _KUBERNETES_DNS),
    Check("host.dns.answers", "Palette's name resolves", ("A5",), ALWAYS,
          "let the host reach a name server on udp and tcp 53 that knows the name", _PREPARE),
    Check("host.dns.wildcard", "A name that does not exist does not resolve", ("A6",), STRICT,
          "take the wildcard record, or the search domain that has it, out of the resolver", _KUBERNETES_DNS),
    Check("host.dns.pins", "No endpoint is pinned in /etc/hosts", ("A6",), STRICT,
          "remove the lines: the addresses change with every upgrade of the cluster", _NETWORKING),
    Check("host.dns.cluster", "The API server's name resolves to private addresses", ("A6",), STRICT,
          "set the cluster's endpoint to private, or forward the name to the inbound resolver; allow private answers in the"
          " site's DNS (rebind protection)", "EKS User Guide, hybrid nodes prerequisites"),
    Check("host.dns.cluster.public", "A public API server's name resolves to public addresses", ("A6",), STRICT,
          "correct `endpointMode` (`aws eks describe-cluster` shows it), or stop the site's DNS from answering for the name",
          "EKS User Guide, hybrid nodes prerequisites"),
    Check("host.dns.inbound", "The inbound resolvers answer on udp and tcp", ("A6",), ALWAYS,
          "route to their subnets, open udp and tcp 53 in their security group for the nodes, and associate the private zones"
          " with their VPC", _PRIVATE),
    Check("host.dns.privatepath", "The AWS names lead into the VPC", ("A6",), ALWAYS,
          "make the missing interface endpoint with private DNS, and forward amazonaws.com and api.aws to the inbound resolver",
          _PRIVATE),
)  # fmt: skip
