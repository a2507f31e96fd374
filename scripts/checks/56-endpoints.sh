# shellcheck shell=bash
# One check per side that must be reachable, over the rows of the endpoint table; phase 0 asks DNS, TCP and the proxy.

# eh_ep_failed CLASS NEED -> REPLY: the rows that do not answer; REPLY2: how many there are. CLASS "" takes all.
eh_ep_failed() {
  local i found='' more=0 count=0 line
  for i in "${!EH_EP_HOST[@]}"; do
    [ "${EH_EP_NEED[i]}" = "$2" ] || continue
    [ -z "$1" ] || [ "${EH_EP_CLASS[i]}" = "$1" ] || continue
    count=$((count + 1))
    [ "${EH_EP_KIND[i]:-}" != ok ] || continue
    line="${EH_EP_HOST[i]}:${EH_EP_PORT[i]} ${EH_EP_KIND[i]:-TCP}: ${EH_EP_TEXT[i]:-no answer}"
    if [ "${#found}" -lt 220 ]; then found+="${found:+; }$line"; else more=$((more + 1)); fi
  done
  [ "$more" = 0 ] || found+="; and $more more"
  REPLY=$found REPLY2=$count
}

eh_check_endpoints() {
  eh_probe_all
  eh_ep_failed "$1" required
  if [ "$REPLY2" = 0 ]; then
    eh_skip "no such endpoint in the table"
  elif [ -z "$REPLY" ]; then
    eh_ok "reachable"
  else
    eh_bad "$REPLY" "all reachable"
  fi
}

eh_check 0 host.endpoints.installer eh_check_endpoints_installer
eh_check_endpoints_installer() {
  if [ "${EH_PRIVATE_PATH:-0}" = 1 ] && ! eh_appliance; then
    eh_skip "a private path: the installer does not come from the internet"
    return
  fi
  eh_check_endpoints installer
}

eh_check 0 host.endpoints.palette eh_check_endpoints_palette
eh_check_endpoints_palette() { eh_check_endpoints palette; }

eh_check 0 host.endpoints.eks eh_check_endpoints_eks
eh_check_endpoints_eks() { eh_check_endpoints eks; }

eh_check 0 host.endpoints.ecr eh_check_endpoints_ecr
eh_check_endpoints_ecr() { eh_check_endpoints ecr; }

eh_check 0 host.endpoints.credentials eh_check_endpoints_credentials
eh_check_endpoints_credentials() { eh_check_endpoints credentials; }

eh_check 0 host.endpoints.cluster eh_check_endpoints_cluster
eh_check_endpoints_cluster() { eh_check_endpoints cluster; }

eh_check 0 host.endpoints.enis eh_check_endpoints_enis
eh_check_endpoints_enis() { eh_check_endpoints enis; }

eh_check 0 host.endpoints.resolvers eh_check_endpoints_resolvers
eh_check_endpoints_resolvers() { eh_check_endpoints resolvers; }

eh_check 0 host.endpoints.repositories eh_check_endpoints_repositories
eh_check_endpoints_repositories() { eh_check_endpoints repositories; }

eh_check 0 host.endpoints.other eh_check_endpoints_other
eh_check_endpoints_other() { eh_check_endpoints other; }

eh_check 0 host.endpoints.optional eh_check_endpoints_optional
eh_check_endpoints_optional() {
  eh_probe_all
  eh_ep_failed '' optional
  if [ "$REPLY2" = 0 ]; then
    eh_skip "no such endpoint in the table"
  elif [ -z "$REPLY" ]; then
    eh_ok "reachable"
  else
    eh_bad "$REPLY" "reachable, where the site uses it"
  fi
}

eh_check 0 host.proxy.reachable eh_check_proxy_reachable
eh_check_proxy_reachable() {
  [ -n "${EH_PROXY_HTTPS:-}" ] || { eh_skip "no proxy" && return; }
  eh_proxy_parse "$EH_PROXY_HTTPS"
  eh_dial "$EH_PX_HOST" "$EH_PX_PORT"
  if [ "$REPLY" = ok ]; then
    eh_ok "$EH_PX_HOST:$EH_PX_PORT"
  else
    eh_bad "$EH_PX_HOST:$EH_PX_PORT $REPLY: $REPLY2" "reachable from the host"
  fi
}

# The first endpoint that goes by the proxy is target enough: only the proxy's own 407 is judged here.
eh_check 0 host.proxy.login eh_check_proxy_login
eh_check_proxy_login() {
  local i
  [ -n "${EH_PROXY_HTTPS:-}" ] || { eh_skip "no proxy" && return; }
  eh_endpoints
  for i in "${!EH_EP_HOST[@]}"; do
    eh_via "$i" || continue
    eh_ask_proxy "${EH_EP_HOST[i]}" "${EH_EP_PORT[i]}"
    case $EH_PX_STATUS in
      '') eh_skip "the proxy does not answer" ;;
      407) eh_bad "the proxy answers 407" "a login that the proxy accepts" ;;
      *) eh_ok "accepted" ;;
    esac
    return
  done
  eh_skip "no endpoint goes by the proxy"
}
