# shellcheck shell=bash
# Installs the Palette agent, brings it up to date, or takes it away: one converging script for create and update.
#
# What a difference leads to (agent_decide): nothing installed -> install and reboot; older agent -> the same; another
# epoch (the record in Palette was lost) -> user-data, and a reboot or, where that is not allowed, a restart of the agent;
# proxy, CA or tags -> user-data and restart; token -> user-data; nothing -> nothing.
#
# The step ends as soon as the installer runs on its own. It does not wait: the machine reboots under it.

AGENT_INSTALLED=
AGENT_COMPLETE=
AGENT_VERSION=
AGENT_DO=
AGENT_WHY=

agent_values() {
  [[ ${EH_EPOCH:-} =~ ^[0-9a-f]{16}$ ]] || eh_fail 90 "EH_EPOCH is not 16 hexadecimal digits" "report it"
  case ${EH_USERDATA:-} in '#cloud-config'*) ;; *) eh_fail 90 "the user-data does not begin with #cloud-config" "report it" ;; esac
}

# The unit of this epoch at work is this step's own work of a moment ago; another epoch's must not be disturbed.
agent_busy() {
  local limit=${EH_INSTALL_WAIT:-600} waited=0 unit
  eh_unit_running
  unit=$REPLY
  case $unit in
    '') return 0 ;;
    *-"$EH_EPOCH")
      eh_say "$unit is at work already: nothing is changed"
      eh_fact action attached
      eh_report unchanged
      eh_end 0
      ;;
  esac
  eh_say "waiting for $unit, of another registration, to end (at most $limit s)"
  while [ "$unit" = "$REPLY" ]; do
    [ "$waited" -lt "$limit" ] || eh_fail 41 "the installer of another registration ($unit) still runs after $limit s" \
      "systemctl status $unit on the host shows what it does; run again when it has ended"
    sleep 2
    waited=$((waited + 2))
    eh_unit_running
  done
}

# What is on the host, and whose it is.
agent_look() {
  local root
  eh_record_load
  if ! eh_agent_installed; then
    eh_agent_units
    [ -z "$REPLY" ] || [ -n "${EH_REC[owner]}" ] || agent_foreign "units of an agent without its program: $REPLY"
    return 0
  fi
  AGENT_INSTALLED=1
  if [ -z "${EH_REC[owner]}" ]; then
    eh_record_adopt || agent_foreign "an agent that this program did not install"
    eh_say "the record of the installation was lost; the agent's own user-data says whose it is"
  fi
  [ "${EH_REC[owner]}" = "$EH_OWNER" ] || agent_foreign "the agent of ${EH_REC[owner]}"
  if [ "${EH_REC[generation]}" != "$EH_GENERATION" ] || [ "${EH_REC[machine]}" != "${EH_MACHINE:-}" ]; then
    eh_fail 70 "the agent of generation ${EH_REC[generation]:-0} is still on this host" \
      "run the preparation again: it removes an agent of another generation"
  fi
  eh_agent_version
  AGENT_VERSION=$REPLY
  eh_agent_root
  root=$EH_ROOT$REPLY/opt/spectrocloud
  eh_agent_units
  [ -x "$root/bin/palette-agent" ] && { [ -e "$root/state/agent-mode" ] || [ -n "$REPLY" ]; } || return 0
  [ -z "$AGENT_VERSION" ] || eh_unit_failed || AGENT_COMPLETE=1
}

agent_foreign() {
  eh_fail 40 "on this host is $1" "remove it (palette-agent uninstall --force), or take the host out of this stack"
}

# agent_expected -> REPLY: what the installed program should call its version. A tag and the version inside can differ.
agent_expected() {
  REPLY=$EH_AGENT_VERSION
  [ "${EH_REC[version]}" != "$EH_AGENT_VERSION" ] || REPLY=${EH_REC[expects]:-$EH_AGENT_VERSION}
}

agent_decide() {
  local expected
  if [ -z "$AGENT_COMPLETE" ]; then
    AGENT_DO=install AGENT_WHY="there is no agent on this host"
    [ -z "$AGENT_INSTALLED" ] || AGENT_WHY="the last installation did not come to its end"
    return 0
  fi
  agent_expected
  expected=$REPLY
  if [ "$EH_AGENT_VERSION" != latest ]; then
    if eh_newer "$expected" "$AGENT_VERSION"; then
      AGENT_DO=install AGENT_WHY="agent $AGENT_VERSION is older than $expected"
      return 0
    fi
    ! eh_newer "$AGENT_VERSION" "$expected" || eh_finding agent.version "agent $AGENT_VERSION, moved by Palette" "$expected" \
      "nothing to do; a release with this version ends the finding"
  fi
  eh_boot_id
  if [ "${EH_REC[epoch]}" != "$EH_EPOCH" ]; then
    AGENT_DO=restart AGENT_WHY="this host registers anew"
    [ "${EH_ALLOW_REBOOT:-0}" != 1 ] || AGENT_DO=reboot
  elif [ "${EH_REC[reboot]}" = needed ] && [ "${EH_REC[boot_before]}" = "$REPLY" ]; then
    AGENT_DO=reboot AGENT_WHY="the reboot after the installation has not happened"
  else
    agent_decide_userdata
  fi
}

# The record knows the core that the agent took last, and the digest of the file as we wrote it.
agent_decide_userdata() {
  local stored
  eh_sha256_file "$EH_STATE_DIR/user-data"
  stored=$REPLY
  eh_sha256 "$EH_USERDATA"
  if [ "${EH_REC[core]}" != "$EH_USERDATA_CORE_SHA" ]; then
    AGENT_DO=restart AGENT_WHY="the user-data differs"
  elif [ "$stored" = "$REPLY" ]; then
    AGENT_DO=none
  elif [ "$stored" = "${EH_REC[userdata]}" ]; then
    AGENT_DO=rewrite AGENT_WHY="only the token differs"
  else
    AGENT_DO=restart AGENT_WHY="the stored user-data was changed on the host"
  fi
}

agent_may_reboot() {
  [ "${EH_ALLOW_REBOOT:-0}" = 1 ] || eh_fail 50 "this host must be rebooted ($AGENT_WHY), and that is not allowed" \
    "set allowReboot: true for this host, in a time when it may reboot; nothing was changed"
}

# agent_record KIND: what the record says once the change is done; KIND is needed, not-needed or kept.
agent_record() {
  local kind=$1
  agent_expected
  EH_REC[expects]=$REPLY
  EH_REC[version]=$EH_AGENT_VERSION
  EH_REC[owner]=$EH_OWNER EH_REC[generation]=$EH_GENERATION EH_REC[machine]=${EH_MACHINE:-} EH_REC[epoch]=$EH_EPOCH
  EH_REC[core]=$EH_USERDATA_CORE_SHA
  eh_sha256 "$EH_USERDATA"
  EH_REC[userdata]=$REPLY
  [ "$kind" != kept ] || return 0
  eh_boot_id
  EH_REC[boot_before]=$REPLY
  EH_REC[reboot]=$kind
}

agent_install() {
  local arch url sum
  agent_may_reboot
  eh_arch
  arch=${REPLY^^}
  url=EH_BINARY_URL_$arch sum=EH_BINARY_SHA256_$arch
  [ -n "${!url:-}" ] || eh_fail 30 "there is no agent for this machine ($REPLY)" "use amd64 or arm64"
  eh_say "installing: $AGENT_WHY"
  eh_work_open
  eh_download palette-agent-install.sh "$EH_SCRIPT_URL" "${EH_SCRIPT_SHA256:-}" script
  eh_download agent-verified "${!url}" "${!sum:-}" binary
  EH_REC[version]='' EH_REC[expects]=''
  agent_record needed
  agent_baked
  EH_REC[expects]=$REPLY
  eh_unit_name install "$EH_EPOCH"
  EH_REC[unit]=$REPLY
  eh_userdata_write
  eh_record_save
  eh_change "starting the installer of agent $EH_AGENT_VERSION: SSH stops now, the machine reboots when it is done"
  eh_unit_start install
}

# agent_baked -> REPLY: the version that the installer has written into it.
agent_baked() {
  local line
  REPLY=$EH_AGENT_VERSION
  while IFS= read -r line; do
    [[ $line =~ ^VERSION=[\"\']?v?([0-9][0-9A-Za-z.-]*)[\"\']?$ ]] || continue
    REPLY=${BASH_REMATCH[1]}
    break
  done <"$EH_WORK/palette-agent-install.sh"
  [ "$REPLY" = "$EH_AGENT_VERSION" ] || eh_say "the installer of $EH_AGENT_VERSION calls its version $REPLY"
}

agent_reboot() {
  agent_may_reboot
  eh_userdata_write
  agent_record needed
  eh_unit_name reboot "$EH_EPOCH"
  EH_REC[unit]=$REPLY
  eh_record_save
  eh_change "rebooting: $AGENT_WHY"
  eh_unit_start reboot
}

agent_restart() {
  local kind=kept unit
  [ "${EH_REC[epoch]}" = "$EH_EPOCH" ] || kind=not-needed
  eh_userdata_write
  eh_agent_unit
  unit=${REPLY:-spectro-stylus-agent.service}
  eh_change "restarting $unit: $AGENT_WHY"
  eh_run 120 systemctl restart "$unit" || :
  eh_unit_state "$unit"
  case $REPLY in
    active | activating | reloading) ;;
    *) eh_fail 61 "the agent did not come up again: $unit is $REPLY" "journalctl -u $unit on the host says why; run again" ;;
  esac
  agent_record "$kind"
  eh_record_save
}

agent_rewrite() {
  eh_change "writing the user-data anew: $AGENT_WHY"
  eh_userdata_write
  agent_record kept
  eh_record_save
}

agent_run() {
  agent_values
  eh_state_open
  agent_busy
  agent_look
  agent_decide
  case $AGENT_DO in
    install) agent_install ;;
    reboot) agent_reboot ;;
    restart) agent_restart ;;
    rewrite) agent_rewrite ;;
    none)
      agent_record kept
      eh_record_save
      ;;
  esac
  eh_fact action "$AGENT_DO"
  eh_outcome
}

# Afterwards only the log is left in the state folder: what a person needs to see what happened, and nothing secret.
agent_uninstall() {
  local file
  if ! eh_agent_installed && [ ! -e "$EH_ROOT$EH_STATE_DIR" ]; then
    eh_agent_units
    [ -n "$REPLY" ] || {
      eh_outcome
      return 0
    }
  fi
  eh_state_open
  eh_record_load
  if [ -z "${EH_REC[owner]}" ] && eh_agent_installed && ! eh_record_adopt; then
    eh_fail 70 "nothing on this host proves that the agent is this program's" \
      "remove it by hand (palette-agent uninstall --force), then run again"
  fi
  if [ -n "${EH_REC[owner]}" ] && [ "${EH_REC[owner]}" != "$EH_OWNER" ]; then
    eh_finding agent.owner "the agent belongs to ${EH_REC[owner]}" "$EH_OWNER" "nothing to do: it was left alone"
    eh_outcome
    return 0
  fi
  eh_uninstall
  for file in "$EH_ROOT$EH_STATE_DIR"/*; do
    case ${file##*/} in log | backup | uninstall.log | ca | ca.pem | '*') ;; *) rm -rf --one-file-system -- "$file" ;; esac
  done
  eh_outcome
}

main() {
  eh_start agent
  case ${1:-run} in
    run) agent_run ;;
    uninstall) agent_uninstall ;;
    *) eh_fail 90 "agent.sh has no verb '$1'" "use run or uninstall" ;;
  esac
}
