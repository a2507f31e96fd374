# shellcheck shell=bash
# Do the inbound resolvers of the VPC answer? A question is asked by udp and by tcp with bash alone: dig is not there yet,
# and an open port says nothing about what stands behind it.

EH_DNS_PORT=53

# eh_dns_question NAME -> REPLY: a question for its address as escapes for printf, REPLY2: its length in bytes.
eh_dns_question() {
  local label text='' length rest=${1%.}.
  REPLY2=18
  while [ -n "$rest" ]; do
    label=${rest%%.*}
    rest=${rest#*.}
    printf -v length '\\x%02x' "${#label}"
    text+=$length$label
    REPLY2=$((REPLY2 + ${#label} + 1))
  done
  # 16 bits each: id, flags (recursion is wanted), one question, nothing else; at the end the root, type A, class IN.
  REPLY2=$((REPLY2 - 1))
  REPLY='\x45\x48\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00'$text'\x00\x00\x01\x00\x01'
}

# dd writes the question in one piece: bash would send a datagram for every line of it, and a length of ten is a line feed.
# shellcheck disable=SC2016 # the child expands it
EH_ASK_DNS='
  exec 3<>"/dev/$2/$0/$1"
  printf "$3" | dd bs=512 count=1 iflag=fullblock >&3 2>/dev/null
  dd bs=512 count=1 <&3 2>/dev/null | od -An -v -tx1'

# eh_dns_ask PROTOCOL SERVER NAME -> REPLY: "" for an answer with an address in it, else what came instead.
eh_dns_ask() {
  local text code=0 question size bytes
  eh_dns_question "$3"
  question=$REPLY
  if [ "$1" = tcp ]; then
    printf -v size '\\x%02x\\x%02x' $((REPLY2 >> 8)) $((REPLY2 & 255))
    question=$size$question
  fi
  text=$(timeout "$EH_ATTEMPT" bash -c "$EH_ASK_DNS" "$2" "$EH_DNS_PORT" "$1" "$question" </dev/null 2>&1) || code=$?
  read -r -a bytes < <(printf '%s\n' "${text//$'\n'/ }")
  [ "$1" != tcp ] || bytes=("${bytes[@]:2}")
  # The id of the question comes back, with the bit that marks an answer; then its code, and how many records it has.
  if [ "${bytes[0]:-}${bytes[1]:-}" != 4548 ]; then
    eh_network_error "$text" "$code"
    [ "$code" != 0 ] || [ "${#bytes[@]}" != 0 ] || REPLY="no answer"
    return
  fi
  case $((16#${bytes[3]} & 15)) in
    0) if [ "$((16#${bytes[6]}${bytes[7]}))" -gt 0 ]; then REPLY=; else REPLY="no address of $3"; fi ;;
    2) REPLY="it failed (SERVFAIL)" ;;
    3) REPLY="no such name: $3" ;;
    5) REPLY="it refuses the question" ;;
    *) REPLY="answer code $((16#${bytes[3]} & 15))" ;;
  esac
}

# eh_own_servers -> REPLY: the name servers of this host, those behind systemd-resolved's own address too.
eh_own_servers() {
  local own
  eh_resolv nameserver
  own=$REPLY
  eh_resolv nameserver /run/systemd/resolve/resolv.conf
  REPLY="$own $REPLY"
}

EH_DNS_ASKED=()

eh_dns_one() {
  local protocol server name
  read -r protocol server name < <(printf '%s\n' "${EH_DNS_ASKED[$1]}")
  eh_dns_ask "$protocol" "$server" "$name"
  printf '%s\t%s\n' "$1" "${REPLY:-ok}"
}

# eh_dns_all NAME -> REPLY: what went wrong with the resolvers, asked side by side by both protocols.
eh_dns_all() {
  local server protocol i text said=()
  EH_DNS_ASKED=()
  for server in $EH_INBOUND_RESOLVERS; do
    for protocol in udp tcp; do EH_DNS_ASKED+=("$protocol $server $1"); done
  done
  while IFS=$'\t' read -r i text; do
    said[i]=$text
  done < <(eh_pool eh_dns_one "${!EH_DNS_ASKED[@]}")
  REPLY=
  for i in "${!EH_DNS_ASKED[@]}"; do
    read -r protocol server text < <(printf '%s\n' "${EH_DNS_ASKED[i]}")
    [ "${said[i]:-no answer}" = ok ] || REPLY+="${REPLY:+, }$server $protocol: ${said[i]:-no answer}"
  done
}

# A host that asks the site's DNS servers works without a way of its own to the resolvers: there their silence is a warning.
eh_check 0 host.dns.inbound eh_check_dns_inbound
eh_check_dns_inbound() {
  local server name=${EH_PRIVATE_NAMES:-} own found direct=''
  [ -n "${EH_INBOUND_RESOLVERS:-}" ] || { eh_skip "no inbound resolver is known" && return; }
  name=${name%% *}
  if [ -z "$name" ]; then
    eh_url_host "${EH_CLUSTER_ENDPOINT:-}"
    name=$REPLY
  fi
  [ -n "$name" ] || { eh_skip "there is no name to ask them for" && return; }
  eh_own_servers
  own=$REPLY
  for server in $EH_INBOUND_RESOLVERS; do
    ! eh_in "$server" "$own" || direct=1
  done
  eh_dns_all "$name"
  found=$REPLY
  if [ -z "$found" ]; then
    eh_ok "answer on udp and tcp: $EH_INBOUND_RESOLVERS"
  elif [ -n "$direct" ]; then
    eh_bad "$found" "an address of $name"
  else
    eh_remark "$found" "an address of $name; this host asks other name servers, and those must reach them"
  fi
}
