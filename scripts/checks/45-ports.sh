# shellcheck shell=bash
# Ports that must be free, or be held by whom they are meant for. Only listeners count, on any address: Cilium's agent
# listens on loopback for many of them. Read from `ss`, else from /proc/net.

EH_LISTENERS=
EH_LISTENERS_READ=

# eh_listeners: one line "PROTOCOL PORT HOLDER" per listening socket in EH_LISTENERS; "?" when the holder is not known.
eh_listeners() {
  [ -z "$EH_LISTENERS_READ" ] || return 0
  EH_LISTENERS_READ=1
  if eh_have ss; then eh_listeners_ss; else eh_listeners_proc; fi
}

eh_listeners_ss() {
  local kind state received sent here there users holder
  while read -r kind state received sent here there users; do
    case $kind/$state in tcp/LISTEN | udp/UNCONN) ;; *) continue ;; esac
    holder='?'
    [[ $users =~ \(\(\"([^\"]+)\" ]] && holder=${BASH_REMATCH[1]}
    EH_LISTENERS+="$kind ${here##*:} $holder"$'\n'
  done < <(eh_capture 10 ss -Hlntup)
  : "${received:-}" "${sent:-}" "${there:-}"
}

# eh_socket_holder INODE -> REPLY: name of a process that has the socket.
eh_socket_holder() {
  local pid inode kind path
  for pid in "$EH_ROOT"/proc/[0-9]*; do
    while IFS='|' read -r inode kind path; do
      [ "$inode" = "$1" ] && [ "$kind" = socket ] || continue
      eh_read "/proc/${pid##*/}/comm"
      return 0
    done < <(eh_capture 5 stat -L -c '%i|%F|%n' "$pid"/fd/*)
  done
  : "${path:-}"
  REPLY='?'
}

# State 0A listens (tcp), 07 is bound (udp). Holders are looked up only for ports that somebody asks about.
eh_listeners_proc() {
  local kind file slot here there state queue timer retry uid timeout inode rest
  for kind in tcp tcp6 udp udp6; do
    file=$EH_ROOT/proc/net/$kind
    [ -r "$file" ] || continue
    while read -r slot here there state queue timer retry uid timeout inode rest; do
      case ${kind%6}/$state in tcp/0A | udp/07) ;; *) continue ;; esac
      EH_LISTENERS+="${kind%6} $((16#${here##*:})) inode:$inode"$'\n'
    done <"$file"
  done
  : "${slot:-}" "${there:-}" "${queue:-}" "${timer:-}" "${retry:-}" "${uid:-}" "${timeout:-}" "${rest:-}"
}

# eh_held PROTOCOL PORT -> REPLY: who listens there, "" when nobody does.
eh_held() {
  local kind port holder found=''
  eh_listeners
  while read -r kind port holder; do
    [ "$kind $port" = "$1 $2" ] || continue
    case $holder in inode:*) eh_socket_holder "${holder#inode:}" && holder=$REPLY ;; esac
    case " $found " in *" $holder "*) ;; *) found+="${found:+ }$holder" ;; esac
  done < <(printf '%s' "$EH_LISTENERS")
  REPLY=$found
}

# The kernel's own VXLAN socket has no process: it is Cilium's when Cilium's device is there.
eh_is_cilium() {
  case $1 in
    cilium* | hubble* | envoy*) return 0 ;;
    '?') [ -d "$EH_ROOT/sys/class/net/cilium_vxlan" ] || [ -d "$EH_ROOT/sys/class/net/cilium_wg0" ] || [ -d "$EH_ROOT/sys/class/net/cilium_geneve" ] ;;
    *) return 1 ;;
  esac
}

# eh_check_ports OWNER PORT...: ports as "tcp:4240"; OWNER is a function that says whether a holder is the right one.
eh_check_ports() {
  local owner=$1 word holder taken='' ours=''
  shift
  for word in "$@"; do
    eh_held "${word%%:*}" "${word#*:}"
    for holder in $REPLY; do
      if "$owner" "$holder"; then
        ours=1
      else
        taken+="${taken:+, }${word#*:}/${word%%:*} is held by ${holder/#'?'/somebody unknown}"
      fi
    done
  done
  if [ -n "$taken" ]; then
    eh_bad "$taken" "free"
  elif [ -n "$ours" ]; then
    eh_ok "held by whom they are meant for"
  else
    eh_ok "free"
  fi
}

eh_check 0 host.ports.cilium eh_check_ports_cilium
eh_check_ports_cilium() {
  local port ports=()
  for port in 4240 4244 6060 6061 6062 9878 9879 9890 9891 9893 9901 9962 9963 9964; do
    ports+=("tcp:$port")
  done
  eh_check_ports eh_is_cilium "${ports[@]}" udp:8472
}

eh_check 0 host.ports.cilium.features eh_check_ports_cilium_features
eh_check_ports_cilium_features() {
  local feature ports=()
  for feature in ${EH_CILIUM:-}; do
    case $feature in
      geneve) ports+=(udp:6081) ;;
      wireguard) ports+=(udp:51871) ;;
      mutualAuth) ports+=(tcp:4250 tcp:4251) ;;
      hubbleRelay) ports+=(tcp:4245) ;;
      bgp) ports+=(tcp:179) ;;
    esac
  done
  [ "${#ports[@]}" -gt 0 ] || { eh_skip "no further feature of Cilium is on" && return; }
  eh_check_ports eh_is_cilium "${ports[@]}"
}

eh_is_kubernetes() {
  case $1 in kubelet* | kube-proxy*) return 0 ;; *) return 1 ;; esac
}

eh_check 0 host.ports.kubernetes eh_check_ports_kubernetes
eh_check_ports_kubernetes() { eh_check_ports eh_is_kubernetes tcp:10250 tcp:10256; }

eh_is_palette() {
  case $1 in palette* | stylus* | spectro*) return 0 ;; *) return 1 ;; esac
}

eh_check 0 host.ports.localui eh_check_ports_localui
eh_check_ports_localui() { eh_check_ports eh_is_palette tcp:5080; }
