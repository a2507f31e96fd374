# shellcheck shell=bash disable=SC2034
# Addresses, blocks and proxies, in plain bash: ipcalc, python and curl are not there yet.

eh_is_ip4() {
  local part
  [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || return 1
  for part in "${BASH_REMATCH[@]:1}"; do
    [ "$part" -le 255 ] || return 1
  done
}

eh_ip_int() {
  local IFS=.
  # shellcheck disable=SC2086 # the dots are to be split at
  set -- $1
  REPLY=$(((10#$1 << 24) + (10#$2 << 16) + (10#$3 << 8) + 10#$4))
}

eh_int_ip() {
  REPLY=$(($1 >> 24 & 255)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))
}

# eh_cidr_range CIDR -> REPLY first address, REPLY2 last address, as numbers.
eh_cidr_range() {
  local bits=32 address=${1%/*} mask
  [[ $1 != */* ]] || bits=${1#*/}
  eh_ip_int "$address"
  mask=$((bits == 0 ? 0 : (0xffffffff << (32 - bits)) & 0xffffffff))
  REPLY=$((REPLY & mask))
  REPLY2=$((REPLY | (~mask & 0xffffffff)))
}

eh_in_cidr() {
  eh_overlap "$1/32" "$2"
}

eh_overlap() {
  local first last
  eh_is_ip4 "${1%/*}" && eh_is_ip4 "${2%/*}" || return 1
  eh_cidr_range "$1"
  first=$REPLY last=$REPLY2
  eh_cidr_range "$2"
  [ "$first" -le "$REPLY2" ] && [ "$REPLY" -le "$last" ]
}

eh_in_cidrs() {
  local block
  for block in $2; do
    if eh_in_cidr "$1" "$block"; then
      REPLY=$block
      return 0
    fi
  done
  REPLY=
  return 1
}

eh_is_private() {
  eh_in_cidrs "$1" '10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 127.0.0.0/8'
}

# The words of NO_PROXY as curl and Go read them: a name, a domain with or without its leading dot, an address, a block, *.
eh_no_proxy() {
  local host=${1%.} port=${2:-443} word list=${EH_NO_PROXY:-} -
  set -f # a word may be *
  host=${host,,}
  case $host in localhost | 127.* | ::1) return 0 ;; esac
  for word in ${list//,/ }; do
    word=${word,,}
    [ "$word" != '*' ] || return 0
    if [[ $word == *:* ]]; then
      [ "${word##*:}" = "$port" ] || continue
      word=${word%:*}
    fi
    if eh_is_ip4 "${word%/*}"; then
      ! eh_is_ip4 "$host" || ! eh_in_cidr "$host" "$word" || return 0
      continue
    fi
    word=${word#\*}
    word=${word#.}
    [ -z "$word" ] || case $host in "$word" | *."$word") return 0 ;; esac
  done
  return 1
}

eh_url_host() {
  local rest=${1#*://} scheme=${1%%://*}
  rest=${rest%%[/?#]*}
  rest=${rest##*@}
  REPLY=${rest%:*}
  case $rest in
    *:*) REPLY2=${rest##*:} ;;
    *) if [ "$scheme" = http ]; then REPLY2=80; else REPLY2=443; fi ;;
  esac
}

eh_proxy_parse() {
  local authority=${1#*://} user
  case $1 in *://*) EH_PX_SCHEME=${1%%://*} ;; *) EH_PX_SCHEME=http ;; esac
  authority=${authority%%[/?#]*}
  EH_PX_AUTH=
  if [[ $authority == *@* ]]; then
    user=${authority%@*}
    user=${user//\\/\\\\}
    printf -v user '%b' "${user//%/\\x}"
    EH_PX_AUTH=$(printf '%s' "$user" | base64 -w0)
  fi
  authority=${authority##*@}
  EH_PX_HOST=${authority%:*}
  case $authority in
    *:*) EH_PX_PORT=${authority##*:} ;;
    *) if [ "$EH_PX_SCHEME" = https ]; then EH_PX_PORT=443; else EH_PX_PORT=80; fi ;;
  esac
}
