# shellcheck shell=bash
# Phase 1, by curl: do the certificates verify from here, does HTTP answer, is it the right server, is the clock right?

EH_WEB_ASKED=
EH_WEB_KIND=()
EH_WEB_TEXT=()

# eh_ca_text CLASS: the system's bundle, the site's own authorities, which the preparation installs, and for Palette the
# one of its own instance, which the agent gets with its user-data.
eh_ca_text() {
  local file
  for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -r "$EH_ROOT$file" ] || { cat "$EH_ROOT$file" && break; }
  done
  printf '\n%s\n' "${EH_CA_PEM:-}"
  [ "$1" != palette ] || printf '%s\n' "${EH_PALETTE_CA:-}"
}

# The proxy's login travels in a configuration on curl's stdin, never on its command line.
eh_curl_config() {
  local url
  if eh_by_proxy "$1" "$2" && [ "$3" = proxy ]; then
    url=${EH_PROXY_HTTPS//\\/\\\\}
    printf 'proxy = "%s"\n' "${url//\"/\\\"}"
  else
    printf 'noproxy = "*"\n'
  fi
}

# eh_curl HOST PORT VIA OPTION...: curl's stdout; ends as curl ends (124: time-out).
eh_curl() {
  local host=$1 port=$2 via=$3
  shift 3
  eh_curl_config "$host" "$port" "$via" | timeout 12 curl -q -s -S --connect-timeout 5 --max-time 10 -K - "$@"
}

# eh_curl_site CLASS HOST PORT VIA OPTION...: the same, with the authorities that the site adds.
eh_curl_site() {
  local class=$1
  shift
  if [ "$class" = palette ] && [ "${EH_PALETTE_INSECURE:-0}" = 1 ]; then
    eh_curl "$@" -k
  elif [ -n "${EH_CA_PEM:-}${EH_PALETTE_CA:-}" ]; then
    eh_curl "$@" --cacert <(eh_ca_text "$class")
  else
    eh_curl "$@"
  fi
}

# eh_curl_error CODE CONNECT-STATUS TEXT -> REPLY kind, REPLY2 text.
eh_curl_error() {
  local text=$3
  text=${text#*curl: (*) }
  eh_short "$text" 100
  text=$REPLY
  case $1 in
    5) REPLY=proxy REPLY2="its name does not resolve" ;;
    6) REPLY=DNS REPLY2="no such name" ;;
    7) REPLY=TCP REPLY2="no connection" ;;
    28 | 124) REPLY=TCP REPLY2="no answer in time" ;;
    60 | 51) REPLY=TLS REPLY2="certificate not trusted: $text" ;;
    77) REPLY=TLS REPLY2="curl cannot read the certificate authorities of this host" ;;
    35 | 53 | 54 | 58 | 59 | 66 | 80 | 83) REPLY=TLS REPLY2=$text ;;
    *) REPLY=HTTP REPLY2=${text:-"curl ended with $1"} ;;
  esac
  case $2 in '' | 000 | 200) ;; *) REPLY=proxy REPLY2="answers $2" ;; esac
}

# eh_web_one I: prints "I kind text" for a row with probe tls or https.
eh_web_one() {
  local host=${EH_EP_HOST[$1]} port=${EH_EP_PORT[$1]} out code=0 status tunnel
  out=$(eh_curl_site "${EH_EP_CLASS[$1]}" "$host" "$port" "${EH_EP_VIA[$1]}" -o /dev/null -w '%{http_code} %{http_connect}' "https://$host:$port/" 2>&1) || code=$?
  out=${out##*$'\n'}
  [[ $out =~ ([0-9]{3})\ ([0-9]{3})$ ]] && status=${BASH_REMATCH[1]} tunnel=${BASH_REMATCH[2]} || status=000 tunnel=000
  REPLY=ok REPLY2=
  if [ "${EH_EP_PROBE[$1]}" = tls ] && { [ "$code" = 52 ] || [ "$code" = 56 ] || [ "$code" = 1 ]; } && [ "$tunnel" != 407 ]; then
    : # the handshake was done; what speaks behind it need not be HTTP
  elif [ "$code" != 0 ]; then
    eh_curl_error "$code" "$tunnel" "$out"
  elif [ "${EH_EP_PROBE[$1]}" = https ] && [ "$status" -ge 500 ]; then
    REPLY=HTTP REPLY2="answers $status"
  fi
  printf '%s\t%s\t%s\n' "$1" "$REPLY" "$REPLY2"
}

# Only rows that answered in phase 0 are asked, so that one fault is told once; without a phase 0, all are.
eh_web_all() {
  local i kind text rows=()
  [ -z "$EH_WEB_ASKED" ] || return 0
  EH_WEB_ASKED=1
  eh_endpoints
  for i in "${!EH_EP_HOST[@]}"; do
    case ${EH_EP_PROBE[i]} in tls | https) ;; *) continue ;; esac
    [ "${EH_EP_NEED[i]}" = required ] || continue
    [ -z "$EH_EP_PROBED" ] || [ "${EH_EP_KIND[i]:-}" = ok ] || continue
    rows+=("$i")
  done
  [ "${#rows[@]}" -gt 0 ] || return 0
  eh_say "looking at the certificates of ${#rows[@]} endpoints"
  while IFS=$'\t' read -r i kind text; do
    EH_WEB_KIND[i]=$kind
    EH_WEB_TEXT[i]=$text
  done < <(eh_pool eh_web_one "${rows[@]}")
}

# eh_check_web PATTERN...: the rows whose class is one of the words.
eh_check_web() {
  local i found='' asked=0
  eh_web_all
  for i in "${!EH_WEB_KIND[@]}"; do
    eh_in "${EH_EP_CLASS[i]}" "$1" || continue
    asked=$((asked + 1))
    [ "${EH_WEB_KIND[i]}" != ok ] || continue
    [ "${#found}" -gt 220 ] || found+="${found:+; }${EH_EP_HOST[i]}:${EH_EP_PORT[i]} ${EH_WEB_KIND[i]}: ${EH_WEB_TEXT[i]}"
  done
  if [ "$asked" = 0 ]; then
    eh_skip "no endpoint to ask"
  elif [ -z "$found" ]; then
    eh_ok "trusted and answering"
  else
    eh_bad "$found" "a trusted certificate and an answer"
  fi
}

eh_check 1 host.tls.palette eh_check_tls_palette
eh_check_tls_palette() { eh_check_web "palette installer"; }

eh_check 1 host.tls.aws eh_check_tls_aws
eh_check_tls_aws() { eh_check_web "eks ecr credentials"; }

eh_check 1 host.tls.other eh_check_tls_other
eh_check_tls_other() { eh_check_web "repositories other"; }

# An AWS name whose certificate verifies with the site's own authority alone is not AWS: something opens the TLS between.
eh_check 1 host.tls.interception eh_check_tls_interception
eh_check_tls_interception() {
  local i
  [ -n "${EH_CA_PEM:-}" ] || { eh_skip "the site has no authority of its own" && return; }
  eh_endpoints
  for i in "${!EH_EP_HOST[@]}"; do
    case ${EH_EP_CLASS[i]}/${EH_EP_PROBE[i]}/${EH_EP_NEED[i]} in eks/tls/required | eks/https/required) ;; *) continue ;; esac
    if eh_curl "${EH_EP_HOST[i]}" "${EH_EP_PORT[i]}" "${EH_EP_VIA[i]}" -o /dev/null --capath /nowhere \
      --cacert <(printf '%s\n' "$EH_CA_PEM") "https://${EH_EP_HOST[i]}:${EH_EP_PORT[i]}/" >/dev/null 2>&1; then
      eh_bad "${EH_EP_HOST[i]} shows a certificate of the site's own authority" "AWS's own certificate"
    else
      eh_ok "AWS's own certificate"
    fi
    return
  done
  eh_skip "no AWS endpoint to ask"
}

# eh_curl_redirected CLASS URL: "status connect-status type" at the end of the redirections. Each hop is a curl of its own:
# curl reads the authorities once per host, and they come by a pipe, because nothing is written here.
eh_curl_redirected() {
  local class=$1 url=$2 out next hop
  for hop in 1 2 3 4 5; do
    eh_url_host "$url"
    # One byte is asked for, not the head: some stores answer HEAD with 403.
    out=$(eh_curl_site "$class" "$REPLY" "$REPLY2" proxy -r 0-0 -o /dev/null -w '%{http_code} %{http_connect} %{content_type}\t%{redirect_url}' "$url" 2>&1) || { hop=$?; printf '%s\n' "${out%%$'\t'*}"; return "$hop"; }
    next=${out##*$'\t'}
    [ -n "$next" ] || break
    url=$next
  done
  printf '%s\n' "${out%%$'\t'*}"
}

eh_check 1 host.download.installer eh_check_download_installer
eh_check_download_installer() {
  local out code=0 status kind
  [ -n "${EH_INSTALLER_URL:-}" ] || { eh_skip "no installer is given" && return; }
  [ "${EH_PRIVATE_PATH:-0}" != 1 ] || { eh_skip "a private path: the installer does not come from the internet" && return; }
  out=$(eh_curl_redirected installer "$EH_INSTALLER_URL") || code=$?
  out=${out##*$'\n'}
  read -r status _ kind < <(printf '%s\n' "$out")
  if [ "$code" != 0 ]; then
    eh_curl_error "$code" '' "$out"
    eh_bad "$REPLY: $REPLY2" "the installer's script"
  elif [ "$status" != 200 ] && [ "$status" != 206 ]; then
    eh_bad "HTTP $status" "200: the installer's script"
  elif [[ $kind == text/html* ]]; then
    eh_bad "an HTML page" "the installer's script"
  else
    eh_ok "there"
  fi
}

# nodeadm asks the same without a login: 401 (or 403 before Kubernetes 1.32) with a JSON Status is an API server.
eh_check 1 host.cluster.answers eh_check_cluster_answers
eh_check_cluster_answers() {
  local host port out code=0 status tunnel via=direct i note=''
  [ -n "${EH_CLUSTER_ENDPOINT:-}" ] || { eh_skip "no cluster endpoint is given" && return; }
  eh_url_host "$EH_CLUSTER_ENDPOINT"
  host=$REPLY port=$REPLY2
  eh_endpoints
  for i in "${!EH_EP_HOST[@]}"; do
    [ "${EH_EP_CLASS[i]}" != cluster ] || via=${EH_EP_VIA[i]}
  done
  if [ -n "${EH_CLUSTER_CA:-}" ]; then
    out=$(eh_curl "$host" "$port" "$via" --cacert <(printf '%s\n' "$EH_CLUSTER_CA") -w '\n%{http_code} %{http_connect}' "https://$host:$port/api" 2>&1) || code=$?
  else
    note=', certificate not verified: the settings give no clusterCa'
    out=$(eh_curl "$host" "$port" "$via" -k -w '\n%{http_code} %{http_connect}' "https://$host:$port/api" 2>&1) || code=$?
  fi
  read -r status tunnel < <(printf '%s\n' "${out##*$'\n'}")
  if [ "$code" != 0 ]; then
    eh_curl_error "$code" "${tunnel:-}" "${out%%$'\n'*}"
    eh_bad "$REPLY: $REPLY2" "401 or 403 from the API server"
  elif { [ "$status" = 401 ] || [ "$status" = 403 ]; } && [[ $out == *'"Status"'* ]]; then
    eh_ok "$status$note"
  else
    eh_bad "HTTP $status$note" "401 or 403 with a Status of Kubernetes"
  fi
}

# eh_http_date HOST PORT VIA -> REPLY: the server's time in seconds, "" when it says none. The certificate does not matter here.
eh_http_date() {
  local out line date=''
  out=$(eh_curl "$1" "$2" "$3" -k -I "https://$1:$2/" 2>/dev/null) || :
  while IFS= read -r line; do
    case ${line,,} in date:*) date=${line#*: } ;; esac
  done < <(printf '%s\n' "${out//$'\r'/}")
  REPLY=
  [ -z "$date" ] || REPLY=$(date -u -d "$date" +%s 2>/dev/null) || REPLY=
}

eh_check 1 host.clock.skew eh_check_clock_skew
eh_check_clock_skew() {
  local i skew asked=0
  eh_endpoints
  for i in "${!EH_EP_HOST[@]}"; do
    case ${EH_EP_CLASS[i]}/${EH_EP_PROBE[i]} in palette/https | palette/tls | eks/tls | eks/https) ;; *) continue ;; esac
    [ "$asked" -lt 3 ] || break
    asked=$((asked + 1))
    eh_http_date "${EH_EP_HOST[i]}" "${EH_EP_PORT[i]}" "${EH_EP_VIA[i]}"
    [ -n "$REPLY" ] || continue
    skew=$REPLY
    eh_now
    skew=$((REPLY - skew))
    if [ "${skew#-}" -le 60 ]; then
      eh_ok "within a minute of ${EH_EP_HOST[i]}"
    else
      eh_bad "$(((skew < 0 ? -skew : skew) / 60)) min $([ "$skew" -lt 0 ] && printf behind || printf 'ahead of') ${EH_EP_HOST[i]}" "within a minute"
    fi
    return
  done
  eh_skip "no endpoint told its time"
}
