# shellcheck shell=bash
# systemd-networkd and systemd-resolved for hosts whose static address or overlay network Palette manages.
#
# network.sh      eh_network_prepare              for `staticIp` and `overlay` in EH_MANAGES
#                 eh_resolver_keep                hands the name servers of this host to systemd-resolved
#                 eh_resolver_link                for `overlay`: /etc/resolv.conf becomes the one of systemd-resolved
#
# The vendor's page moves netplan's files away, matches every interface with DHCP and restarts the network. Done like that
# to a host with a static address, it is never seen again. So here every interface keeps what it has: its address is
# written down for networkd first; a copy of what was there is kept; and where another service configures the network
# now, the hand-over happens at the reboot that ends the agent's installation, not under a running connection.

EH_NETWORK_FOLDER=/etc/systemd/network
EH_NETWORK_OTHERS='NetworkManager networking dhcpcd wicked'

# eh_network_nics -> EH_NICS: interfaces with a global IPv4 address, without those of containers and tunnels.
eh_network_nics() {
  local _ nic
  EH_NICS=()
  while read -r _ nic _; do
    case $nic in '' | lo | docker* | cni* | cilium* | lxc* | veth* | virbr* | flannel* | kube-* | tun* | tap* | wg*) continue ;; esac
    eh_in "$nic" "${EH_NICS[*]:-}" || EH_NICS+=("$nic")
  done < <(eh_capture 10 ip -o -4 addr show scope global || :)
}

# eh_network_strange -> REPLY: an interface that is more than a plain card, "" when there is none.
eh_network_strange() {
  local nic sys
  REPLY=
  for nic in "${EH_NICS[@]}"; do
    sys=$EH_ROOT/sys/class/net/$nic
    [ ! -e "$sys/bonding" ] && [ ! -e "$sys/bridge" ] && [ ! -e "$sys/wireless" ] && [ ! -e "$EH_ROOT/proc/net/vlan/$nic" ] || {
      REPLY=$nic
      return 0
    }
  done
}

# Is every interface configured by systemd-networkd already? Then there is nothing to hand over.
eh_network_is_networkd() {
  local nic line
  eh_unit_state systemd-networkd.service
  case $REPLY in active | activating) ;; *) return 1 ;; esac
  for nic in "${EH_NICS[@]}"; do
    line=$(eh_capture 10 networkctl --no-legend --no-pager list "$nic") || return 1
    case $line in *' configured'* | *' configuring'*) ;; *) return 1 ;; esac
  done
}

# eh_network_other -> REPLY: the service that configures the network now, or "".
eh_network_other() {
  local name
  for name in $EH_NETWORK_OTHERS; do
    eh_unit_state "$name.service"
    if [ "$REPLY" = active ]; then
      REPLY=$name
      return 0
    fi
  done
  REPLY=
}

eh_network_prepare() {
  local other REPLY
  eh_in staticIp "${EH_MANAGES:-}" || eh_in overlay "${EH_MANAGES:-}" || return 0
  eh_network_nics
  eh_network_strange
  if [ -n "$REPLY" ]; then
    eh_finding prepare.network "$REPLY is a bond, bridge, VLAN or radio interface" "plain network cards" \
      "hand the network over to systemd-networkd by hand, as the vendor's overlay page says: nothing was changed here"
    return 0
  fi
  if ! eh_network_is_networkd; then
    eh_network_other
    other=$REPLY
    eh_network_write
    eh_network_hand_over "$other"
  fi
  ! eh_in overlay "${EH_MANAGES:-}" || eh_network_mask_wait
}

eh_network_hand_over() {
  local other=$1
  ! eh_in overlay "${EH_MANAGES:-}" || eh_netplan_away
  if [ -z "$other" ]; then
    eh_service systemd-networkd
    return 0
  fi
  eh_unit_enabled systemd-networkd.service
  if [ "$REPLY" != enabled ]; then
    eh_change "enabling systemd-networkd: it takes over from $other at the next boot"
    eh_run 60 systemctl enable systemd-networkd.service || eh_fail 22 "systemd-networkd could not be enabled" \
      "systemctl enable systemd-networkd on the host says why"
  fi
  eh_in overlay "${EH_MANAGES:-}" || return 0
  eh_unit_enabled "$other.service"
  case $REPLY in
    enabled*)
      eh_change "disabling $other from the next boot on: systemd-networkd has its addresses"
      eh_run 60 systemctl disable "$other.service" || eh_fail 22 "$other could not be disabled" \
        "systemctl disable $other on the host says why"
      ;;
  esac
}

eh_network_write() {
  local nic dynamic='' text
  eh_folder "$EH_NETWORK_FOLDER"
  for nic in "${EH_NICS[@]}"; do
    if [[ $(eh_capture 10 ip -o -4 addr show dev "$nic" scope global) == *' dynamic '* ]]; then
      dynamic+=" $nic"
    elif [ ! -e "$EH_ROOT$EH_NETWORK_FOLDER/20-static-$nic.network" ]; then
      # Written once: what networkd then makes of it would read as something new.
      eh_network_static "$nic"
      eh_network_file "20-static-$nic.network" "$REPLY"
    fi
  done
  [ -n "$dynamic" ] || return 0
  # The server knows the host by its card's address: another client id would be given another address.
  text="[Match]"$'\n'"Name=${dynamic# }"$'\n\n'"[Network]"$'\n'"DHCP=yes"$'\n\n'"[DHCP]"$'\n'"ClientIdentifier=mac"$'\n'
  eh_network_file 20-dhcp.network "$text"
}

eh_network_file() {
  local path=$EH_NETWORK_FOLDER/$1
  ! eh_same "$path" "$2" || return 0
  eh_backup "$path"
  eh_change "writing $path"
  eh_write "$path" 0644 "$2"
}

# eh_network_static NIC -> REPLY: the .network file that keeps its addresses, routes and name servers.
eh_network_static() {
  local nic=$1 line word text routes='' gateway=''
  text="[Match]"$'\n'"Name=$nic"$'\n\n'"[Network]"$'\n'
  while IFS= read -r line; do
    [[ ! $line =~ \ inet\ ([0-9./]+) ]] || text+="Address=${BASH_REMATCH[1]}"$'\n'
  done < <(eh_capture 10 ip -o -4 addr show dev "$nic" scope global || :)
  while IFS= read -r line; do
    if [[ $line =~ ^default\ via\ ([0-9.]+) ]]; then
      gateway=${BASH_REMATCH[1]}
      text+="Gateway=$gateway"$'\n'
    elif [[ $line =~ ^([0-9./]+)\ via\ ([0-9.]+) ]]; then
      routes+=$'\n'"[Route]"$'\n'"Destination=${BASH_REMATCH[1]}"$'\n'"Gateway=${BASH_REMATCH[2]}"$'\n'
    fi
  done < <(eh_capture 10 ip -4 route show dev "$nic" || :)
  if [ -n "$gateway" ] || [ "${#EH_NICS[@]}" = 1 ]; then
    eh_resolver_servers
    for word in $REPLY; do text+="DNS=$word"$'\n'; done
  fi
  REPLY=$text$routes
}

eh_network_mask_wait() {
  local unit=systemd-networkd-wait-online.service REPLY
  eh_unit_enabled "$unit"
  case $REPLY in masked*) return 0 ;; esac
  eh_change "masking $unit: with an overlay network a boot must not wait for all interfaces"
  eh_run 60 systemctl mask "$unit" || eh_fail 22 "$unit could not be masked" "systemctl mask $unit on the host says why"
}

eh_netplan_away() {
  local file
  for file in "$EH_ROOT"/etc/netplan/*.yaml; do
    [ -e "$file" ] || continue
    eh_change "moving ${file#"$EH_ROOT"} to /etc/netplan/backup"
    eh_folder /etc/netplan/backup
    mv -n "$file" "$EH_ROOT/etc/netplan/backup/"
  done
}

# eh_backup PATH: a copy of a file as we found it, once.
eh_backup() {
  local copy=$EH_ROOT$EH_STATE_DIR/backup$1
  [ -e "$EH_ROOT$1" ] && [ ! -e "$copy" ] || return 0
  mkdir -p "${copy%/*}"
  cp -a -- "$EH_ROOT$1" "$copy"
}

# eh_resolver_servers -> REPLY: name servers of /etc/resolv.conf, as it was before systemd-resolved came.
eh_resolver_servers() {
  eh_resolver_of /etc/resolv.conf
  [ -n "$REPLY" ] || eh_resolver_of "$EH_STATE_DIR/backup/etc/resolv.conf"
}

# eh_resolver_of PATH -> REPLY: the servers it names, without resolved's own stub.
eh_resolver_of() {
  local line servers=''
  eh_read "$1"
  while IFS= read -r line; do
    [[ $line =~ ^nameserver[[:space:]]+([0-9a-fA-F.:]+) ]] || continue
    case ${BASH_REMATCH[1]} in 127.0.0.53 | 127.0.0.54) ;; *) servers+=" ${BASH_REMATCH[1]}" ;; esac
  done < <(printf '%s\n' "$REPLY")
  REPLY=${servers# }
}

# On Debian the mere installation of systemd-resolved replaces /etc/resolv.conf, and the servers in it are forgotten.
eh_resolver_keep() {
  local REPLY
  eh_resolver_servers
  [ -n "$REPLY" ] || return 0
  eh_backup /etc/resolv.conf
  eh_folder /etc/systemd/resolved.conf.d
  eh_write /etc/systemd/resolved.conf.d/50-edge-hosts.conf 0644 "[Resolve]"$'\n'"DNS=$REPLY"$'\n'
}

eh_resolver_link() {
  local target=/run/systemd/resolve/resolv.conf before REPLY
  eh_in overlay "${EH_MANAGES:-}" || return 0
  [ "$(readlink "$EH_ROOT/etc/resolv.conf" || :)" != "$target" ] || return 0
  before=
  ! eh_capture 10 getent hosts "${EH_PALETTE_HOST:-localhost}" >/dev/null || before=1
  eh_backup /etc/resolv.conf
  eh_resolver_keep
  eh_run 60 systemctl restart systemd-resolved.service || :
  eh_change "linking /etc/resolv.conf to the one of systemd-resolved"
  ln -sfn "$target" "$EH_ROOT/etc/resolv.conf"
  [ -z "$before" ] || eh_retry 5 1 eh_capture 10 getent hosts "${EH_PALETTE_HOST:-localhost}" >/dev/null || {
    rm -f -- "$EH_ROOT/etc/resolv.conf"
    cp -a -- "$EH_ROOT$EH_STATE_DIR/backup/etc/resolv.conf" "$EH_ROOT/etc/resolv.conf"
    eh_fail 22 "names are no longer resolved through systemd-resolved; /etc/resolv.conf was put back" \
      "resolvectl status on the host shows which servers it asks"
  }
}
