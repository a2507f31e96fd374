# shellcheck shell=bash
# Addresses, routes, MTU, firewalls.

eh_check 0 host.network.ipv4 eh_check_network_ipv4
eh_check_network_ipv4() {
  local i
  eh_net
  for ((i = 0; i < ${#EH_ADDR_NET[@]}; i++)); do
    case ${EH_ADDR_NET[i]} in 127.* | 169.254.*) ;; *) eh_ok "the host has an IPv4 address" && return ;; esac
  done
  eh_bad "no IPv4 address but loopback" "an IPv4 address: hybrid nodes do not work with IPv6 alone"
}

# eh_own_address -> REPLY: index of EH_ADDRESS among the host's addresses; 1 when it is not there.
eh_own_address() {
  local i
  eh_net
  for ((i = 0; i < ${#EH_ADDR_NET[@]}; i++)); do
    [ "${EH_ADDR_NET[i]%/*}" = "${EH_ADDRESS%/*}" ] || continue
    REPLY=$i
    return 0
  done
  return 1
}

eh_check 0 host.network.address eh_check_network_address
eh_check_network_address() {
  if eh_own_address; then
    eh_ok "${EH_ADDRESS%/*} on ${EH_ADDR_DEV[REPLY]}"
  else
    eh_bad "${EH_ADDR_NET[*]:-no address}" "${EH_ADDRESS%/*} on an interface of the host"
  fi
}

eh_check 0 host.network.static eh_check_network_static
eh_check_network_static() {
  if ! eh_own_address; then
    eh_skip "the address is not on the host"
  elif [ "$EH_NET" != ip ]; then
    eh_skip "iproute2 is missing, so the kernel's flags cannot be read"
  elif [[ ${EH_ADDR_FLAGS[REPLY]} != *' dynamic '* ]]; then
    eh_ok "${EH_ADDRESS%/*} is static"
  elif [ "${EH_ACCEPT_DHCP:-0}" = 1 ]; then
    eh_accepted "${EH_ADDRESS%/*} comes from DHCP" "a static address"
  else
    eh_bad "${EH_ADDRESS%/*} comes from DHCP" "a static address"
  fi
}

eh_check 0 host.network.remotenode eh_check_network_remotenode
eh_check_network_remotenode() {
  [ -n "${EH_REMOTE_NODE_CIDRS:-}" ] || { eh_skip "the remote node networks are not known" && return; }
  if eh_in_cidrs "${EH_ADDRESS%/*}" "$EH_REMOTE_NODE_CIDRS"; then
    eh_ok "${EH_ADDRESS%/*} in $REPLY"
  else
    eh_bad "${EH_ADDRESS%/*}" "an address in $EH_REMOTE_NODE_CIDRS"
  fi
}

eh_check 0 host.network.defaultroute eh_check_network_defaultroute
eh_check_network_defaultroute() {
  local i found=''
  eh_net
  for ((i = 0; i < ${#EH_ROUTE_NET[@]}; i++)); do
    [[ ${EH_ROUTE_NET[i]} != */0 ]] || found+="${found:+, }${EH_ROUTE_VIA[i]:-direct} on ${EH_ROUTE_DEV[i]}"
  done
  case $found in
    '')
      if [ -n "${EH_PROXY_HTTPS:-}" ] || [ "${EH_PRIVATE_PATH:-0}" = 1 ]; then
        eh_ok "none; the way out is the proxy or a private path"
      else
        eh_bad "no default route" "one default route"
      fi
      ;;
    *,*) eh_bad "$found" "one default route" ;;
    *) eh_ok "$found" ;;
  esac
}

eh_check 0 host.network.nodeip eh_check_network_nodeip
eh_check_network_nodeip() {
  local i dev=''
  eh_net
  for ((i = 0; i < ${#EH_ROUTE_NET[@]}; i++)); do
    [[ ${EH_ROUTE_NET[i]} != */0 ]] || dev=${EH_ROUTE_DEV[i]}
  done
  [ -n "$dev" ] || { eh_skip "no default route" && return; }
  for ((i = 0; i < ${#EH_ADDR_NET[@]}; i++)); do
    if [ "${EH_ADDR_DEV[i]}" = "$dev" ] && [ "${EH_ADDR_NET[i]%/*}" = "${EH_ADDRESS%/*}" ]; then
      eh_ok "${EH_ADDRESS%/*} is on $dev, which has the default route"
      return
    fi
  done
  eh_bad "the default route is on $dev, which does not have ${EH_ADDRESS%/*}" "the host's address on the interface of the default route"
}

# eh_overlaps BLOCKS MODE -> REPLY: the host's addresses and routes that lie in one of BLOCKS (MODE connected: no gateways).
# Cilium's own devices carry the pod network rightly.
eh_overlaps() {
  local block i net dev found='' mode=$2 blocks=$1
  eh_net
  for block in $blocks; do
    for ((i = 0; i < ${#EH_ROUTE_NET[@]} + ${#EH_ADDR_NET[@]}; i++)); do
      if [ "$i" -lt "${#EH_ROUTE_NET[@]}" ]; then
        net=${EH_ROUTE_NET[i]} dev=${EH_ROUTE_DEV[i]}
        [ "$mode" != connected ] || [ -z "${EH_ROUTE_VIA[i]}" ] || continue
      else
        net=${EH_ADDR_NET[i - ${#EH_ROUTE_NET[@]}]} dev=${EH_ADDR_DEV[i - ${#EH_ROUTE_NET[@]}]}
      fi
      case $dev in cilium* | lxc*) continue ;; esac
      [ "${net#*/}" -gt 1 ] || continue
      eh_overlap "$net" "$block" || continue
      [[ ", $found," == *", $net on $dev,"* ]] || found+="${found:+, }$net on $dev"
    done
  done
  REPLY=$found
}

eh_check_overlap() {
  local what=$1 blocks=$2
  [ -n "$blocks" ] || { eh_skip "the $what is not known" && return; }
  eh_overlaps "$blocks" "$3"
  if [ -z "$REPLY" ]; then
    eh_ok "nothing on the host overlaps the $what"
  else
    eh_bad "$REPLY" "no local address or route in $blocks"
  fi
}

eh_check 0 host.network.overlap.pods eh_check_network_overlap_pods
eh_check_network_overlap_pods() { eh_check_overlap "pod network" "${EH_REMOTE_POD_CIDRS:-}" all; }

eh_check 0 host.network.overlap.services eh_check_network_overlap_services
eh_check_network_overlap_services() { eh_check_overlap "service network" "${EH_SERVICE_CIDR:-}" all; }

eh_check 0 host.network.overlap.vpc eh_check_network_overlap_vpc
eh_check_network_overlap_vpc() { eh_check_overlap "VPC" "${EH_VPC_CIDRS:-}" connected; }

# One line per network: NAME CIDR. A route by a gateway is how the other site is reached; what is connected takes its place.
eh_check 0 host.network.overlap.sites eh_check_network_overlap_sites
eh_check_network_overlap_sites() {
  local name block found=''
  [ -n "${EH_OTHER_SITES:-}" ] || { eh_skip "no other site is known" && return; }
  while read -r name block; do
    [ -n "$block" ] || continue
    eh_overlaps "$block" connected
    [ -z "$REPLY" ] || found+="${found:+; }$REPLY ($name has $block)"
  done < <(printf '%s\n' "$EH_OTHER_SITES")
  if [ -z "$found" ]; then eh_ok "nothing local overlaps another site"; else eh_bad "$found" "no local address or network of another site"; fi
}

# eh_is_bridge DEVICE: a device that leads to containers or VMs on this host, and nowhere else.
eh_is_bridge() {
  eh_nic
  [ "$1" != "$REPLY" ] || return 1
  case $1 in
    lo | docker* | br-* | virbr* | cni* | podman* | flannel* | lxdbr* | lxcbr* | veth* | cali* | cilium* | lxc* | kube*) return 0 ;;
  esac
  [ -d "$EH_ROOT/sys/class/net/$1/bridge" ]
}

# eh_route_fault ADDRESS -> REPLY: what is wrong with the way to it, "" when nothing is.
eh_route_fault() {
  local text dev='' from=''
  text=$(eh_capture 5 ip -o -4 route get "$1") || text=
  [[ ! $text =~ \ dev\ ([^[:space:]]+) ]] || dev=${BASH_REMATCH[1]}
  [[ ! $text =~ \ src\ ([^[:space:]]+) ]] || from=${BASH_REMATCH[1]}
  REPLY=
  if [ -z "$dev" ]; then
    REPLY="no route to $1"
  elif eh_is_bridge "$dev"; then
    REPLY="$1 by $dev"
  elif [ -n "$from" ] && [ -n "${EH_REMOTE_NODE_CIDRS:-}" ] && ! eh_in_cidrs "$from" "$EH_REMOTE_NODE_CIDRS"; then
    REPLY="$1 by $dev from $from"
  else
    REPLY=
  fi
}

# Before their interfaces are known, the first address of each subnet stands for them.
eh_check 0 host.network.route.enis eh_check_network_route_enis
eh_check_network_route_enis() {
  local targets=${EH_ENI_ADDRESSES:-} subnet address found=''
  eh_have ip || { eh_skip "iproute2 is missing, so the kernel cannot be asked" && return; }
  if [ -z "$targets" ]; then
    for subnet in ${EH_ENI_SUBNETS:-}; do
      eh_cidr_range "$subnet"
      eh_int_ip $((REPLY + 1))
      targets+=" $REPLY"
    done
  fi
  [ -n "$targets" ] || { eh_skip "neither interfaces nor subnets of the control plane are known" && return; }
  for address in $targets; do
    eh_route_fault "$address"
    [ -z "$REPLY" ] || found+="${found:+, }$REPLY"
  done
  if [ -z "$found" ]; then
    eh_ok "by the host's own network"
  else
    eh_bad "$found" "by the host's own network, from an address in ${EH_REMOTE_NODE_CIDRS:-the remote node networks}"
  fi
}

eh_check 0 host.network.mtu eh_check_network_mtu
eh_check_network_mtu() {
  local dev text
  eh_nic
  dev=$REPLY
  eh_read "/sys/class/net/$dev/mtu"
  if [ -z "$REPLY" ] && [ -n "$dev" ] && eh_have ip; then
    # A container may see another network's /sys.
    text=$(eh_capture 5 ip -o link show dev "$dev") || text=
    [[ ! $text =~ \ mtu\ ([0-9]+) ]] || REPLY=${BASH_REMATCH[1]}
  fi
  if [ -z "$dev" ] || [ -z "$REPLY" ]; then
    eh_skip "the network interface is not known"
  elif { [ "$REPLY" -ge 68 ] && [ "$REPLY" -le 1500 ]; } || { [ "$REPLY" -ge 8000 ] && [ "$REPLY" -le 9001 ]; }; then
    eh_ok "$dev: $REPLY"
  else
    eh_bad "$dev: $REPLY" "68 to 1500, or 8000 to 9001"
  fi
}

# eh_vmxnet3 -> REPLY: the interfaces with that driver.
eh_vmxnet3() {
  local path found=''
  for path in "$EH_ROOT"/sys/class/net/*/device; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    path=${path%/device}
    eh_driver "${path##*/}"
    [ "$REPLY" != vmxnet3 ] || found+="${found:+ }${path##*/}"
  done
  REPLY=$found
}

eh_check 0 host.network.vmxnet3 eh_check_network_vmxnet3
eh_check_network_vmxnet3() {
  eh_vmxnet3
  case ${EH_VMXNET3:-auto}/${REPLY:+some} in
    off/some) eh_bad "$REPLY: driver vmxnet3, but the stage is off" "\`vmxnet3: auto\`, so that its offload is switched off" ;;
    on/) eh_bad "no interface with driver vmxnet3, but the stage is on" "\`vmxnet3: auto\`" ;;
    */) eh_ok "no vmxnet3" ;;
    *) eh_ok "$REPLY: driver vmxnet3, the stage switches its offload off" ;;
  esac
}

eh_check 0 host.network.offload eh_check_network_offload
eh_check_network_offload() {
  local dev text found=''
  eh_vmxnet3
  [ -n "$REPLY" ] && [ "${EH_VMXNET3:-auto}" != off ] || { eh_skip "no vmxnet3 to switch off" && return; }
  if eh_appliance && ! eh_have ethtool; then
    eh_bad "there is no ethtool in the image, so the stage could not run" "off"
    return
  elif ! eh_prepared || ! eh_have ethtool; then
    eh_skip "the stage runs at the first boot with the agent"
    return
  fi
  for dev in $REPLY; do
    text=$(eh_capture 5 ethtool -k "$dev") || :
    case $text in *tx-udp_tnl-segmentation:\ on* | *tx-udp_tnl-csum-segmentation:\ on*) found+="${found:+, }$dev" ;; esac
  done
  if [ -z "$found" ]; then eh_ok "tunnel offload is off"; else eh_bad "tunnel offload is on: $found" "off"; fi
}

# eh_port_listed PORT PROTOCOL LIST: is "8472/udp" (or a range that holds it) in the list?
eh_port_listed() {
  local word range
  for word in $3; do
    [ "${word#*/}" = "$2" ] || continue
    range=${word%/*}
    [ "$1" -lt "${range%[-:]*}" ] || [ "$1" -gt "${range#*[-:]}" ] || return 0
  done
  return 1
}

eh_check 0 host.network.firewall eh_check_network_firewall
eh_check_network_firewall() {
  local text zone
  if eh_have ufw; then
    text=$(eh_capture 10 ufw status) || :
    if [[ $text == *'Status: active'* ]]; then
      if [[ $text == *8472/udp* ]]; then eh_ok "ufw lets 8472/udp in"; else eh_bad "ufw is active without 8472/udp" "8472/udp let in"; fi
      return
    fi
  fi
  if eh_have firewall-cmd; then
    text=$(eh_capture 10 firewall-cmd --state) || :
    if [ "$text" = running ]; then
      zone=$(eh_capture 10 firewall-cmd --get-default-zone) || :
      text=$(eh_capture 10 firewall-cmd --list-ports) || :
      if [ "$zone" = trusted ] || eh_port_listed 8472 udp "$text"; then
        eh_ok "firewalld lets 8472/udp in"
      else
        eh_bad "firewalld is active without 8472/udp" "8472/udp let in"
      fi
      return
    fi
  fi
  eh_ok "no active firewall of ufw or firewalld"
}

eh_check 0 host.network.firewalld.stopped eh_check_network_firewalld_stopped
eh_check_network_firewalld_stopped() {
  eh_have firewall-cmd || { eh_ok "firewalld is not installed" && return; }
  eh_unit firewalld.service
  if [ "$REPLY" = active ]; then
    eh_ok "firewalld is running"
  else
    eh_bad "firewalld is installed but $REPLY" "firewalld running, or removed"
  fi
}
