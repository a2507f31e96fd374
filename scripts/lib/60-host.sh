# shellcheck shell=bash disable=SC2034
# What kind of host this is: operating system, units, the agent, the cluster.

EH_OS_ID=
EH_OS_VERSION=
EH_OS_NAME=
EH_OS_KEY=

# os-release is read as data, not sourced: it is a file of the machine, and this shell is root.
eh_os() {
  local line name value text flavor='' release=''
  [ -z "$EH_OS_ID" ] || return 0
  eh_read /etc/os-release
  [ -n "$REPLY" ] || eh_read /usr/lib/os-release
  text=$REPLY
  # An appliance may call itself kairos; then these say what its image was made of.
  eh_read /etc/kairos-release
  text+=$'\n'$REPLY
  while IFS= read -r line; do
    name=${line%%=*}
    value=${line#*=}
    value=${value#[\"\']}
    value=${value%[\"\']}
    case $name in
      ID) EH_OS_ID=${value,,} ;;
      VERSION_ID) EH_OS_VERSION=$value ;;
      PRETTY_NAME) EH_OS_NAME=$value ;;
      KAIROS_FLAVOR) flavor=${value,,} ;;
      KAIROS_FLAVOR_RELEASE) release=$value ;;
    esac
  done < <(printf '%s\n' "$text")
  if [ "$EH_OS_ID" = kairos ] && [ -n "$flavor" ]; then EH_OS_ID=$flavor EH_OS_VERSION=$release; fi
  EH_OS_ID=${EH_OS_ID:-unknown}
  EH_OS_KEY=$EH_OS_ID${EH_OS_VERSION:+-$EH_OS_VERSION}
}

eh_arch() {
  REPLY=$(uname -m 2>/dev/null) || REPLY=unknown
  case $REPLY in
    x86_64 | amd64) REPLY=amd64 ;;
    aarch64 | arm64) REPLY=arm64 ;;
  esac
}

eh_in_container() {
  [ -e "${EH_ROOT:-}/run/systemd/container" ] || [ -e "${EH_ROOT:-}/.dockerenv" ] || [ -e "${EH_ROOT:-}/run/.containerenv" ]
}

eh_unit_state() {
  local load
  REPLY=absent
  eh_have systemctl || return 0
  load=$(eh_capture 10 systemctl show --property=LoadState --value "$1") || return 0
  [ "$load" = loaded ] || [ "$load" = masked ] || return 0
  REPLY=$(eh_capture 10 systemctl is-active "$1") || :
  REPLY=${REPLY:-unknown}
}

eh_unit_enabled() {
  REPLY=absent
  eh_have systemctl || return 0
  REPLY=$(eh_capture 10 systemctl is-enabled "$1") || :
  REPLY=${REPLY:-absent}
}

# The agent's root is "/" unless user-data said otherwise; then /etc/spectro/environment holds STYLUS_ROOT.
eh_agent_root() {
  eh_read /etc/spectro/environment
  if [[ $REPLY =~ STYLUS_ROOT=[\"\']?(/[A-Za-z0-9._/-]*) ]]; then
    REPLY=${BASH_REMATCH[1]%/}
  else
    REPLY=
  fi
}

eh_agent_installed() {
  local REPLY root
  eh_agent_root
  root=${EH_ROOT:-}$REPLY
  [ -e "$root/opt/spectrocloud/bin/palette-agent" ] || [ -e "$root/opt/spectrocloud/state/agent-mode" ]
}

eh_agent_version() {
  local root text
  eh_agent_root
  root=${EH_ROOT:-}$REPLY
  REPLY=
  [ -x "$root/opt/spectrocloud/bin/palette-agent" ] || return 0
  text=$(eh_capture 10 "$root/opt/spectrocloud/bin/palette-agent" version) || return 0
  [[ $text =~ version:?[[:space:]]*v?([0-9][0-9A-Za-z.+-]*) ]] || return 0
  REPLY=${BASH_REMATCH[1]}
}

# Who installed the agent: the record that the installation leaves, else the tag in the agent's own user-data.
eh_agent_owner() {
  local file
  eh_read "${EH_STATE_DIR:-/var/lib/edge-hosts}/install.json"
  if [[ $REPLY =~ \"owner\":[[:space:]]*\"([A-Za-z0-9._-]+)\" ]]; then
    REPLY=${BASH_REMATCH[1]}
    return 0
  fi
  for file in "${EH_STATE_DIR:-/var/lib/edge-hosts}/user-data" /oem/userdata /oem/80_stylus.yaml /oem/90_custom.yaml; do
    eh_read "$file"
    if [[ $REPLY =~ edge-hosts-owner[\"\']?:[[:space:]]*[\"\']?([A-Za-z0-9._-]+) ]]; then
      REPLY=${BASH_REMATCH[1]}
      return 0
    fi
  done
  REPLY=
}

eh_joined() {
  local REPLY
  [ ! -e "${EH_ROOT:-}/opt/nodeadmutil/nodeadm.init" ] || return 0
  eh_unit_state kubelet.service
  [ "$REPLY" = active ]
}
