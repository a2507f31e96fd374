# shellcheck shell=bash
# What the host's network looks like, read once: by `ip` where it is there, else from /proc.

EH_NET=
EH_ADDR_DEV=()
EH_ADDR_NET=()
EH_ADDR_FLAGS=()
EH_ROUTE_NET=()
EH_ROUTE_DEV=()
EH_ROUTE_VIA=()

eh_net() {
  [ -z "$EH_NET" ] || return 0
  if eh_have ip; then
    EH_NET=ip
    eh_net_addresses
    eh_net_routes
  else
    EH_NET=proc
    eh_proc_routes
    eh_proc_addresses
  fi
}

eh_net_addresses() {
  local words i
  while read -r -a words; do
    # 2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global dynamic eth0\ valid_lft ...
    [ "${words[2]:-}" = inet ] || continue
    EH_ADDR_DEV+=("${words[1]%%@*}")
    i=${words[3]}
    [[ $i == */* ]] || i=$i/32
    EH_ADDR_NET+=("$i")
    EH_ADDR_FLAGS+=(" ${words[*]:4} ")
  done < <(eh_capture 10 ip -o -4 addr show)
}

eh_net_routes() {
  local words i net via dev
  while read -r -a words; do
    net=${words[0]:-}
    case $net in
      '' | blackhole | unreachable | prohibit | broadcast | local | multicast) continue ;;
      default) net=0.0.0.0/0 ;;
      */*) ;;
      *) net=$net/32 ;;
    esac
    via='' dev=''
    for ((i = 1; i < ${#words[@]}; i++)); do
      case ${words[i]} in
        via) via=${words[i + 1]:-} ;;
        dev) dev=${words[i + 1]:-} ;;
      esac
    done
    EH_ROUTE_NET+=("$net")
    EH_ROUTE_DEV+=("$dev")
    EH_ROUTE_VIA+=("$via")
  done < <(eh_capture 10 ip -o -4 route show)
}

# eh_hex_ip HEX -> REPLY: the address of a little-endian hexadecimal number as /proc/net shows it.
eh_hex_ip() {
  REPLY=$((16#${1:6:2})).$((16#${1:4:2})).$((16#${1:2:2})).$((16#${1:0:2}))
}

eh_proc_routes() {
  local dev net via flags mask bits rest
  [ -r "$EH_ROOT/proc/net/route" ] || return 0
  while read -r dev net via flags rest rest rest mask rest; do
    [[ $net =~ ^[0-9A-F]{8}$ ]] || continue
    eh_hex_ip "$net"
    net=$REPLY
    eh_hex_ip "$via"
    via=$REPLY
    eh_hex_ip "$mask"
    eh_ip_int "$REPLY"
    for ((bits = 0; REPLY & (0x80000000 >> bits) && bits < 32; bits++)); do :; done
    EH_ROUTE_NET+=("$net/$bits")
    EH_ROUTE_DEV+=("$dev")
    [ "$via" != 0.0.0.0 ] || via=
    EH_ROUTE_VIA+=("$via")
  done <"$EH_ROOT/proc/net/route"
  : "${flags:-}" "${rest:-}"
}

# fib_trie lists every local address; device and length come from the route to its block. Flags (dynamic) are not there.
eh_proc_addresses() {
  local line last='' i
  [ -r "$EH_ROOT/proc/net/fib_trie" ] || return 0
  while read -r line; do
    case $line in
      '|-- '*) last=${line#'|-- '} ;;
      '/32 host LOCAL')
        case $last in 127.*) continue ;; esac
        case " ${EH_ADDR_NET[*]} " in *" $last/"*) continue ;; esac
        for ((i = 0; i < ${#EH_ROUTE_NET[@]}; i++)); do
          [[ -z ${EH_ROUTE_VIA[i]} && ${EH_ROUTE_NET[i]} != */0 ]] || continue
          eh_in_cidr "$last" "${EH_ROUTE_NET[i]}" || continue
          EH_ADDR_DEV+=("${EH_ROUTE_DEV[i]}")
          EH_ADDR_NET+=("$last/${EH_ROUTE_NET[i]#*/}")
          EH_ADDR_FLAGS+=(' ')
          break
        done
        ;;
    esac
  done <"$EH_ROOT/proc/net/fib_trie"
}

# eh_nic -> REPLY: the device that has EH_ADDRESS, else that of the default route, else "".
eh_nic() {
  local i
  eh_net
  REPLY=
  for ((i = 0; i < ${#EH_ADDR_NET[@]}; i++)); do
    [ "${EH_ADDR_NET[i]%/*}" != "${EH_ADDRESS%/*}" ] || REPLY=${EH_ADDR_DEV[i]}
  done
  [ -z "$REPLY" ] || return 0
  for ((i = 0; i < ${#EH_ROUTE_NET[@]}; i++)); do
    [[ ${EH_ROUTE_NET[i]} != */0 ]] || REPLY=${EH_ROUTE_DEV[i]}
  done
}

# eh_driver DEVICE -> REPLY: name of its driver, "" for a virtual device.
eh_driver() {
  REPLY=$(eh_capture 5 readlink "$EH_ROOT/sys/class/net/$1/device/driver") || REPLY=
  REPLY=${REPLY##*/}
}
