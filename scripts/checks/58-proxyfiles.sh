# shellcheck shell=bash
# Proxy settings that lie on the host already, and say something else than the settings of the stack.

EH_PROXY_FILES=(
  '/etc/environment' '/etc/profile.d/*.sh' '/etc/apt/apt.conf' '/etc/apt/apt.conf.d/*' '/etc/dnf/dnf.conf' '/etc/yum.conf'
  '/etc/systemd/system.conf.d/*.conf' '/etc/systemd/system/containerd.service.d/*.conf' '/etc/systemd/system/kubelet.service.d/*.conf'
)

# eh_proxy_of LINE -> REPLY: the proxy that a line sets, "" when it sets none.
eh_proxy_of() {
  REPLY=
  case $1 in '#'* | '//'*) return 0 ;; esac
  if [[ $1 =~ [Hh][Tt][Tt][Pp][Ss]?_[Pp][Rr][Oo][Xx][Yy]=[\"\']?([^\"\'[:space:]]+) ]] ||
    [[ $1 =~ Acquire::[Hh][Tt][Tt][Pp][Ss]?::[Pp]roxy[[:space:]]+\"([^\"]+)\" ]] ||
    [[ $1 =~ ^[[:space:]]*proxy[[:space:]]*=[[:space:]]*([^[:space:]]+) ]]; then
    REPLY=${BASH_REMATCH[1]}
  fi
  case $REPLY in DIRECT | _none_ | none) REPLY= ;; esac
}

eh_check 0 host.proxy.files eh_check_proxy_files
eh_check_proxy_files() {
  local pattern file line want='' found='' url
  for url in "${EH_PROXY_HTTP:-}" "${EH_PROXY_HTTPS:-}"; do
    [ -n "$url" ] || continue
    eh_proxy_parse "$url"
    want+=" $EH_PX_HOST:$EH_PX_PORT"
  done
  for pattern in "${EH_PROXY_FILES[@]}"; do
    for file in $EH_ROOT$pattern; do
      [ -f "$file" ] && [ -r "$file" ] || continue
      while IFS= read -r line || [ -n "$line" ]; do
        eh_proxy_of "$line"
        [ -n "$REPLY" ] || continue
        eh_proxy_parse "$REPLY"
        eh_in "$EH_PX_HOST:$EH_PX_PORT" "$want" || found+="${found:+, }${file#"$EH_ROOT"} says $EH_PX_HOST:$EH_PX_PORT"
      done <"$file"
    done
  done
  if [ -z "$found" ]; then eh_ok "no file says anything else"; else eh_bad "$found" "${want:-no proxy}"; fi
}

# nodeadm refuses a host whose upper and lower case variables differ.
eh_check 0 host.proxy.cases eh_check_proxy_cases
eh_check_proxy_cases() {
  local line name found='' pair
  declare -A set_to=()
  [ -r "$EH_ROOT/etc/environment" ] || { eh_ok "no /etc/environment" && return; }
  while IFS= read -r line || [ -n "$line" ]; do
    name=${line%%=*}
    name=${name#export }
    line=${line#*=}
    line=${line#[\"\']}
    set_to[${name:-_}]=${line%[\"\']}
  done <"$EH_ROOT/etc/environment"
  for pair in http_proxy https_proxy no_proxy; do
    [ "${set_to[$pair]:-}" = "${set_to[${pair^^}]:-}" ] || found+="${found:+, }$pair and ${pair^^}"
  done
  if [ -z "$found" ]; then eh_ok "both cases agree"; else eh_bad "$found differ in /etc/environment" "the same value in both cases"; fi
}

# A file that sends everything to the proxy, private addresses too: containerd and nodeadm would ask the proxy for what only
# the VPN reaches. Each must be kept off it in every file that names both a proxy and NO_PROXY, or no NO_PROXY at all.
eh_check 0 host.proxy.past eh_check_proxy_past
eh_check_proxy_past() {
  local pattern file line proxied list targets target i found='' missing files=0
  targets="${EH_ENI_ADDRESSES:-} ${EH_PRIVATE_NAMES:-}"
  eh_endpoints
  for i in "${!EH_EP_HOST[@]}"; do
    [ "${EH_EP_CLASS[i]}/${EH_EP_VIA[i]}" != cluster/direct ] || targets+=" ${EH_EP_HOST[i]}"
  done
  for pattern in "${EH_PROXY_FILES[@]}"; do
    for file in $EH_ROOT$pattern; do
      [ -f "$file" ] && [ -r "$file" ] || continue
      case ${file#"$EH_ROOT"} in /etc/apt/* | /etc/dnf/* | /etc/yum.conf) continue ;; esac
      proxied='' list=''
      while IFS= read -r line || [ -n "$line" ]; do
        eh_proxy_of "$line"
        [ -z "$REPLY" ] || proxied=1
        [[ $line == '#'* ]] || [[ ! $line =~ [Nn][Oo]_[Pp][Rr][Oo][Xx][Yy]=[\"\']?([^\"\'[:space:]]*) ]] || list=${BASH_REMATCH[1]}
      done <"$file"
      [ -n "$proxied" ] || continue
      files=$((files + 1)) missing=''
      for target in $targets; do
        EH_NO_PROXY=$list eh_no_proxy "$target" || missing+="${missing:+ }$target"
      done
      [ -z "$missing" ] || found+="${found:+; }${file#"$EH_ROOT"} lacks $missing"
    done
  done
  if [ "$files" = 0 ]; then
    eh_skip "no file on the host names a proxy"
  elif [ -z "$found" ]; then
    eh_ok "private addresses are kept off the proxy"
  else
    eh_bad "$found" "NO_PROXY with all of them, or their networks"
  fi
}
