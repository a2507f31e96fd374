# shellcheck shell=bash
# Name resolution. A host whose only way out is a proxy needs none for the names that the proxy resolves.

EH_NO_SUCH_NAME=edge-hosts-no-such-name.invalid

# eh_by_proxy HOST PORT: does the way to HOST lead through the proxy?
eh_by_proxy() {
  [ -n "${EH_PROXY_HTTPS:-}" ] && ! eh_no_proxy "$1" "$2"
}

# eh_lookup NAME -> REPLY: its IPv4 addresses; ends 1 when there is none, 2 when nobody answered in time.
eh_lookup() {
  local text code=0 address rest found=''
  if eh_is_ip4 "$1"; then
    REPLY=$1
    return 0
  fi
  text=$(eh_capture "$EH_ATTEMPT" getent ahostsv4 "$1") || code=$?
  REPLY=
  [ "$code" != 124 ] || return 2
  while read -r address rest; do
    eh_is_ip4 "$address" || continue
    case " $found " in *" $address "*) ;; *) found+="${found:+ }$address" ;; esac
  done < <(printf '%s\n' "$text")
  : "${rest:-}"
  REPLY=$found
  [ -n "$REPLY" ]
}

# eh_resolv WORD [PATH] -> REPLY: what resolv.conf says under WORD (nameserver, search).
eh_resolv() {
  local word rest found='' text wanted=$1
  eh_read "${2:-/etc/resolv.conf}"
  text=$REPLY
  while read -r word rest; do
    [ "$word" != "$wanted" ] || found+="${found:+ }$rest"
  done < <(printf '%s\n' "$text")
  REPLY=$found
}

eh_check 0 host.dns.resolver eh_check_dns_resolver
eh_check_dns_resolver() {
  eh_resolv nameserver
  if [ -n "$REPLY" ]; then
    eh_ok "$REPLY"
  elif [ -n "${EH_PROXY_HTTPS:-}" ]; then
    eh_skip "no name server; the proxy resolves the names"
  else
    eh_bad "no name server in /etc/resolv.conf" "at least one"
  fi
}

eh_check 0 host.dns.limits eh_check_dns_limits
eh_check_dns_limits() {
  local servers domains
  eh_resolv nameserver
  read -r -a servers < <(printf '%s\n' "$REPLY")
  eh_resolv search
  read -r -a domains < <(printf '%s\n' "$REPLY")
  if [ "${#servers[@]}" -gt 3 ] || [ "${#domains[@]}" -gt 6 ] || [ "${#REPLY}" -gt 256 ]; then
    eh_bad "${#servers[@]} name servers, ${#domains[@]} search domains" "at most 3 and 6 (256 characters): the rest is dropped silently"
  else
    eh_ok "at most 3 name servers and 6 search domains"
  fi
}

eh_check 0 host.dns.loopback eh_check_dns_loopback
eh_check_dns_loopback() {
  local server
  eh_resolv nameserver
  for server in $REPLY; do
    case $server in
      127.0.0.53 | 127.0.0.54)
        [ -e "$EH_ROOT/run/systemd/resolve/resolv.conf" ] || { eh_bad "$server without systemd-resolved's own resolv.conf" "systemd-resolved running" && return; }
        ;;
      127.* | ::1)
        eh_bad "name server $server" "a name server that pods can reach: CoreDNS would ask itself in a circle"
        return
        ;;
    esac
  done
  eh_ok "name servers that pods can reach"
}

eh_check 0 host.dns.answers eh_check_dns_answers
eh_check_dns_answers() {
  local code=0
  if [ -z "${EH_PALETTE_HOST:-}" ]; then
    eh_skip "no endpoint of Palette is given"
  elif eh_by_proxy "$EH_PALETTE_HOST" 443; then
    eh_skip "the proxy resolves the names"
  else
    eh_lookup "$EH_PALETTE_HOST" || code=$?
    case $code in
      0) eh_ok "$EH_PALETTE_HOST resolves" ;;
      2) eh_bad "$EH_PALETTE_HOST: no answer in $EH_ATTEMPT s" "an address" ;;
      *) eh_bad "$EH_PALETTE_HOST: no such name" "an address" ;;
    esac
  fi
}

# A resolver (or a search domain) that answers every name sends typing errors and missing endpoints to a stranger.
eh_check 0 host.dns.wildcard eh_check_dns_wildcard
eh_check_dns_wildcard() {
  local code=0
  eh_lookup "$EH_NO_SUCH_NAME" || code=$?
  case $code in
    0) eh_bad "$EH_NO_SUCH_NAME resolves to $REPLY" "no such name" ;;
    2) eh_skip "no answer in $EH_ATTEMPT s" ;;
    *) eh_ok "a name that does not exist does not resolve" ;;
  esac
}

eh_check 0 host.dns.pins eh_check_dns_pins
eh_check_dns_pins() {
  local line word words found=''
  eh_endpoints
  while read -r line; do
    line=${line:0:4000}
    line=${line%%#*}
    read -r -a words < <(printf '%s\n' "$line")
    for word in "${words[@]:1}"; do
      case " ${EH_EP_HOST[*]} " in *" ${word,,} "*) found+="${found:+, }$word" ;; esac
    done
  done < <([ ! -r "$EH_ROOT/etc/hosts" ] || cat "$EH_ROOT/etc/hosts")
  if [ -z "$found" ]; then eh_ok "no endpoint is pinned in /etc/hosts"; else eh_bad "$found" "no endpoint in /etc/hosts: the addresses change"; fi
}

eh_check 0 host.dns.cluster eh_check_dns_cluster
eh_check_dns_cluster() {
  local host code=0 address open=''
  [ -n "${EH_CLUSTER_ENDPOINT:-}" ] || { eh_skip "no cluster endpoint is given" && return; }
  [ "${EH_ENDPOINT_MODE:-}" != public ] || { eh_skip "the cluster's endpoint is public" && return; }
  eh_url_host "$EH_CLUSTER_ENDPOINT"
  host=$REPLY
  ! eh_by_proxy "$host" "$REPLY2" || { eh_skip "the proxy resolves the names" && return; }
  eh_lookup "$host" || code=$?
  [ "$code" = 0 ] || { eh_bad "$host does not resolve" "the private addresses of the cluster" && return; }
  for address in $REPLY; do
    if [ -n "${EH_VPC_CIDRS:-}" ]; then
      eh_in_cidrs "$address" "$EH_VPC_CIDRS" || open+="${open:+, }$address"
    else
      eh_is_private "$address" || open+="${open:+, }$address"
    fi
  done
  if [ -z "$open" ]; then eh_ok "private addresses"; else eh_bad "$host is $open" "addresses inside ${EH_VPC_CIDRS:-the VPC}"; fi
}

# The other way round: a name that leads to private addresses is not that of a public endpoint, but of another cluster, of
# another mode, or an invention of the site's DNS.
eh_check 0 host.dns.cluster.public eh_check_dns_cluster_public
eh_check_dns_cluster_public() {
  local host address inside=''
  [ -n "${EH_CLUSTER_ENDPOINT:-}" ] || { eh_skip "no cluster endpoint is given" && return; }
  [ "${EH_ENDPOINT_MODE:-}" = public ] || { eh_skip "the cluster's endpoint is not public" && return; }
  eh_url_host "$EH_CLUSTER_ENDPOINT"
  host=$REPLY
  ! eh_by_proxy "$host" "$REPLY2" || { eh_skip "the proxy resolves the names" && return; }
  eh_lookup "$host" || { eh_bad "$host does not resolve" "the public addresses of the cluster" && return; }
  for address in $REPLY; do
    ! eh_is_private "$address" && ! eh_in_cidrs "$address" "${EH_VPC_CIDRS:-}" || inside+="${inside:+, }$address"
  done
  if [ -z "$inside" ]; then eh_ok "public addresses"; else eh_bad "$host is $inside" "public addresses, as its mode says"; fi
}

# With private DNS the names of a service with an interface endpoint lead into the VPC; where the endpoint is missing, or
# the site's DNS does not forward, a public address shows.
eh_check 0 host.dns.privatepath eh_check_dns_privatepath
eh_check_dns_privatepath() {
  local host address open=''
  [ "${EH_PRIVATE_PATH:-0}" = 1 ] || { eh_skip "no private path" && return; }
  [ -n "${EH_PRIVATE_NAMES:-}" ] || { eh_skip "no service has an interface endpoint" && return; }
  for host in $EH_PRIVATE_NAMES; do
    ! eh_by_proxy "$host" 443 || { open+="${open:+, }$host: by the proxy" && continue; }
    eh_lookup "$host" || { open+="${open:+, }$host: no such name" && continue; }
    for address in $REPLY; do
      eh_in_cidrs "$address" "${EH_VPC_CIDRS:-}" || { open+="${open:+, }$host is $address" && break; }
    done
  done
  if [ -z "$open" ]; then eh_ok "the AWS names lead into the VPC"; else eh_bad "$open" "addresses inside ${EH_VPC_CIDRS:-the VPC}"; fi
}
