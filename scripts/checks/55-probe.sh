# shellcheck shell=bash
# Is an endpoint reachable? Asked side by side from the host itself, as nodeadm asks: five seconds per attempt, by the
# proxy with CONNECT and a demand for 200. What is seen tells DNS, TCP and proxy apart; TLS and HTTP are asked by curl.

EH_PROBES=24
EH_PROBE_LIMIT=15
EH_ATTEMPT=5
EH_AGAIN_AFTER=1

EH_EP_READ=
EH_EP_HOST=()
EH_EP_PORT=()
EH_EP_PROBE=()
EH_EP_NEED=()
EH_EP_VIA=()
EH_EP_CLASS=()
EH_EP_PROBED=
EH_EP_KIND=()
EH_EP_TEXT=()

# eh_class HOST -> REPLY: which check answers for an endpoint. Each has exactly one.
eh_class() {
  local palette=${EH_PALETTE_HOST:-} cluster='' installer=''
  eh_url_host "${EH_CLUSTER_ENDPOINT:-}"
  cluster=$REPLY
  eh_url_host "${EH_INSTALLER_URL:-}"
  installer=$REPLY
  if eh_in "$1" "${EH_ENI_ADDRESSES:-}"; then
    REPLY=enis
  elif eh_in "$1" "${EH_INBOUND_RESOLVERS:-}"; then
    REPLY=resolvers
  else
    case $1 in
      "$cluster") REPLY=cluster ;;
      "$palette" | *.spectrocloud.com | *.pkg.dev | 415789037893.dkr.ecr.*) REPLY=palette ;;
      "$installer" | github.com | *.githubusercontent.com) REPLY=installer ;;
      *.dkr.ecr.* | *.dkr.ecr-fips.* | api.ecr.* | ecr-fips.* | *-starport-layer-bucket.s3.*) REPLY=ecr ;;
      ssm.* | ssm-fips.* | ssmmessages.* | ec2messages.* | rolesanywhere* | sts.* | sts-fips.* | iam.* | amazon-ssm-*) REPLY=credentials ;;
      hybrid-assets.eks.* | eks-hybrid-assets.* | eks.* | eks-auth* | fips.eks.* | oidc.eks.* | oidc-eks.*) REPLY=eks ;;
      *.ubuntu.com | *.debian.org | *.redhat.com | *.snapcraft.io | *.snapcraftcontent.com | *.amazonlinux.com | al2023-repos-* | download.docker.com)
        REPLY=repositories
        ;;
      *) REPLY=other ;;
    esac
  fi
}

eh_endpoints() {
  local host port probe need via reason
  [ -z "$EH_EP_READ" ] || return 0
  EH_EP_READ=1
  while IFS=$'\t' read -r host port probe need via reason; do
    [ -n "$host" ] && [ -n "$port" ] || continue
    EH_EP_HOST+=("${host,,}")
    EH_EP_PORT+=("$port")
    EH_EP_PROBE+=("$probe")
    EH_EP_NEED+=("$need")
    EH_EP_VIA+=("$via")
    eh_class "${host,,}"
    EH_EP_CLASS+=("$REPLY")
  done < <(printf '%s\n' "${EH_ENDPOINTS:-}")
  : "${reason:-}"
}

# eh_via I: does the way to endpoint I lead through the proxy?
eh_via() {
  [ "${EH_EP_VIA[$1]}" = proxy ] && eh_by_proxy "${EH_EP_HOST[$1]}" "${EH_EP_PORT[$1]}"
}

# eh_network_error TEXT CODE -> REPLY: what a failed connect says, in one word or two.
eh_network_error() {
  case $2/$1 in
    124/*) REPLY="no answer in $EH_ATTEMPT s" ;;
    *refused*) REPLY="connection refused" ;;
    *'No route'*) REPLY="no route to it" ;;
    *nreachable*) REPLY="network unreachable" ;;
    *) REPLY="no connection" ;;
  esac
}

# eh_connect ADDRESS PORT -> REPLY: "" or the error; ends 0, 1, or 124 for a time-out.
eh_connect() {
  local text code=0
  # shellcheck disable=SC2016 # the child expands it
  text=$(timeout "$EH_ATTEMPT" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" </dev/null 2>&1) || code=$?
  REPLY=
  [ "$code" != 0 ] || return 0
  eh_network_error "$text" "$code"
  [ "$code" = 124 ] && return 124 || return 1
}

# eh_dial HOST PORT -> REPLY kind (ok, DNS, TCP), REPLY2 text. What is refused is asked again once, as nodeadm does.
eh_dial() {
  local code=0 addresses address try
  eh_lookup "$1" || code=$?
  addresses=$REPLY
  case $code in
    1) REPLY=DNS REPLY2="no such name" && return ;;
    2) REPLY=DNS REPLY2="no answer in $EH_ATTEMPT s" && return ;;
  esac
  for try in 1 2; do
    for address in $addresses; do
      code=0
      eh_connect "$address" "$2" || code=$?
      REPLY2=$REPLY
      [ "$code" != 0 ] || { REPLY=ok && return; }
      [ "$code" != 124 ] || break 2
    done
    [ "$try" = 2 ] || sleep "$EH_AGAIN_AFTER"
  done
  REPLY=TCP
}

# The child reads the login from its stdin: an argument could be seen in `ps`.
# shellcheck disable=SC2016 # the child expands it
EH_ASK_PROXY='
  IFS= read -r login || :
  exec 3<>"/dev/tcp/$0/$1"
  printf "%s HTTP/1.1\r\nHost: %s\r\n" "$2" "$3" >&3
  [ -z "$login" ] || printf "Proxy-Authorization: Basic %s\r\n" "$login" >&3
  printf "Connection: close\r\n\r\n" >&3
  IFS= read -r line <&3
  printf "%s" "${line%%[![:print:]]*}"'

# eh_ask_proxy HOST PORT -> REPLY kind (ok, proxy), REPLY2 text, EH_PX_STATUS. Plain http goes by the proxy as a request.
eh_ask_proxy() {
  local text code=0 request="CONNECT $1:$2" name=$1:$2
  eh_proxy_parse "$EH_PROXY_HTTPS"
  if [ "$2" = 80 ]; then
    eh_proxy_parse "${EH_PROXY_HTTP:-$EH_PROXY_HTTPS}"
    request="HEAD http://$1/"
    name=$1
  fi
  EH_PX_STATUS=
  text=$(timeout "$EH_ATTEMPT" bash -c "$EH_ASK_PROXY" "$EH_PX_HOST" "$EH_PX_PORT" "$request" "$name" 2>&1 < <(printf '%s\n' "$EH_PX_AUTH")) || code=$?
  REPLY=proxy
  case $text in
    HTTP/*) EH_PX_STATUS=${text#* } EH_PX_STATUS=${EH_PX_STATUS%% *} ;;
    *)
      eh_network_error "$text" "$code"
      REPLY2="$EH_PX_HOST:$EH_PX_PORT: $REPLY"
      REPLY=proxy
      return
      ;;
  esac
  case $EH_PX_STATUS in
    407) REPLY2="407, its login is missing or wrong" ;;
    403) REPLY2="403, it refuses this target" ;;
    502 | 503 | 504) REPLY2="$EH_PX_STATUS, it cannot reach the target" ;;
    200) REPLY=ok REPLY2= ;;
    [1-4]??) if [ "$2" = 80 ]; then REPLY=ok REPLY2=; else REPLY2="answers $EH_PX_STATUS"; fi ;;
    *) REPLY2="answers ${EH_PX_STATUS:-nothing}" ;;
  esac
}

eh_probe_one() {
  local host=${EH_EP_HOST[$1]} port=${EH_EP_PORT[$1]}
  if eh_via "$1"; then eh_ask_proxy "$host" "$port"; else eh_dial "$host" "$port"; fi
  printf '%s\t%s\t%s\n' "$1" "$REPLY" "$REPLY2"
}

# eh_pool FUNCTION INDEX...: runs FUNCTION INDEX side by side, a bounded number at a time; each prints one line.
eh_pool() {
  local function=$1 i running=0 start
  shift
  eh_now
  start=$REPLY
  for i in "$@"; do
    eh_now
    if [ $((REPLY - start)) -ge "$EH_PROBE_LIMIT" ]; then
      printf '%s\tTCP\tnot asked any more after %s s\n' "$i" "$EH_PROBE_LIMIT"
      continue
    fi
    "$function" "$i" &
    running=$((running + 1))
    if [ "$running" -ge "$EH_PROBES" ]; then
      wait -n || :
      running=$((running - 1))
    fi
  done
  wait
}

eh_probe_all() {
  local i kind text
  [ -z "$EH_EP_PROBED" ] || return 0
  EH_EP_PROBED=1
  eh_endpoints
  [ "${#EH_EP_HOST[@]}" -gt 0 ] || return 0
  eh_say "asking ${#EH_EP_HOST[@]} endpoints side by side"
  while IFS=$'\t' read -r i kind text; do
    EH_EP_KIND[i]=$kind
    EH_EP_TEXT[i]=$text
  done < <(eh_pool eh_probe_one "${!EH_EP_HOST[@]}")
}
