# shellcheck shell=bash
# Looks whether the agent of this registration has come up: a new boot, its unit, its version, the offload of VMXNET3.
# It waits where waiting can help, and shows the end of the installer's log where it cannot.

STARTED_UNIT=

started_show_log() {
  local line
  while IFS= read -r line; do
    printf '  | %s\n' "$line" >&2
  done < <(eh_install_log_tail)
}

# started_left -> REPLY: seconds that may still be waited.
started_left() {
  eh_now
  REPLY=$((STARTED_DEADLINE - REPLY))
}

started_record() {
  eh_record_load
  [ "${EH_REC[epoch]}" = "$EH_EPOCH" ] || eh_fail 60 "the agent of this registration was not installed on this host" \
    "run the installation step again"
}

# Waits for an installer or a reboot that is still on its way; the reboot then cuts this connection.
started_wait() {
  local said=
  eh_unit_running
  while [ -n "$REPLY" ]; do
    [ -n "$said" ] || eh_say "$REPLY is still at work; its reboot cuts this connection"
    said=1
    started_left
    [ "$REPLY" -gt 0 ] || eh_fail 60 "${EH_REC[unit]} is still at work, and the machine did not reboot" \
      "$EH_STATE_DIR/install.log on the host shows how far it is; run again when it has ended"
    sleep 2
    eh_unit_running
  done
}

started_reboot() {
  local reason='' code=60
  eh_boot_id
  if [ "${EH_REC[reboot]}" = needed ] && [ "$REPLY" = "${EH_REC[boot_before]}" ]; then
    started_wait
    eh_unit_result
    reason="the machine did not reboot; ${EH_REC[unit]} ended with: ${REPLY:-no trace of its end}"
  elif eh_unit_failed; then
    reason="the installation ended with: $REPLY" code=61
  elif ! eh_agent_installed; then
    reason="the machine has rebooted, and there is no agent on it" code=61
  fi
  [ -n "$reason" ] || return 0
  started_show_log
  started_again "$reason"
  eh_write "$EH_STATE_DIR/install.told" 0600 "$EH_EPOCH"
  eh_fail "$code" "$reason" "remove the cause ($EH_STATE_DIR/install.log on the host), then run again: the next run installs again"
}

# For the engine the step before this one has succeeded, so it does not run it again. Hence, when a failure was told once
# and the next run comes here, this step starts what is still on the host: the verified files, or only the reboot.
started_again() {
  local kind=install
  eh_same "$EH_STATE_DIR/install.told" "$EH_EPOCH" || return 0
  eh_unit_failed || { ! eh_agent_installed || kind=reboot; }
  if [ "$kind" = install ]; then
    started_can_install || return 0
  fi
  eh_boot_id
  EH_REC[boot_before]=$REPLY EH_REC[reboot]=needed
  eh_unit_name "$kind" "$EH_EPOCH"
  EH_REC[unit]=$REPLY
  eh_record_save
  if [ "$kind" = install ]; then eh_unit_launch install; else eh_unit_start reboot; fi
  eh_fail 60 "pending: $1; the $kind was started again" "run again in some minutes"
}

started_can_install() {
  local folder
  eh_read "$EH_STATE_DIR/unit"
  case $REPLY in EH_U_KIND=install*) ;; *) return 1 ;; esac
  [ -f "$EH_ROOT$EH_STATE_DIR/user-data" ] || return 1
  for folder in $EH_WORK_FOLDERS "$EH_STATE_DIR/work"; do
    [ ! -f "$EH_ROOT$folder/agent-verified" ] || return 0
  done
  return 1
}

# shellcheck disable=SC2153 # REPLY2 is set by eh_agent_unit
started_agent() {
  local said=
  while :; do
    eh_agent_unit
    STARTED_UNIT=$REPLY
    [ "$REPLY2" != active ] || return 0
    started_left
    [ "$REPLY" -gt 0 ] || break
    [ -n "$said" ] || eh_say "waiting for the agent to come up (at most $REPLY s)"
    said=1
    sleep 2
  done
  started_show_log
  eh_agent_units
  eh_fail 61 "no unit of the agent is active; on this host are: ${REPLY:-none}" \
    "journalctl -u 'spectro-*' on the host says why"
}

started_version() {
  local version wanted=$EH_AGENT_VERSION
  [ "${EH_REC[version]}" != "$EH_AGENT_VERSION" ] || wanted=${EH_REC[expects]:-$EH_AGENT_VERSION}
  eh_agent_version
  version=$REPLY
  [ -n "$version" ] || eh_fail 62 "the agent does not say its version" "palette-agent version on the host shows why"
  eh_fact agent_version "$version"
  [ "$EH_AGENT_VERSION" != latest ] || return 0
  if eh_newer "$wanted" "$version"; then
    eh_fail 62 "the agent is version $version, older than $wanted" "run the installation step again; $EH_STATE_DIR/install.log says what it did"
  elif eh_newer "$version" "$wanted"; then
    eh_finding started.version "agent $version, moved by Palette" "$wanted" "nothing to do; a release with this version ends the finding"
  elif [ "$wanted" != "$EH_AGENT_VERSION" ]; then
    eh_finding started.version "the installer of $EH_AGENT_VERSION brings agent $wanted" "$EH_AGENT_VERSION" \
      "write agent.version: \"$wanted\" into the release"
  fi
}

# started_nics -> REPLY: the cards whose offload must be off.
started_nics() {
  local path driver found=''
  for path in "$EH_ROOT"/sys/class/net/*; do
    driver=$(readlink "$path/device/driver" 2>/dev/null) || continue
    [ "${driver##*/}" != vmxnet3 ] || found+=" ${path##*/}"
  done
  if [ "${EH_VMXNET3:-auto}" = on ] && [ -n "${EH_VMXNET3_NIC:-}" ]; then
    eh_in "$EH_VMXNET3_NIC" "$found" || found+=" $EH_VMXNET3_NIC"
  fi
  REPLY=${found# }
}

# started_offload_on -> REPLY: cards and features that are still on. A feature the card does not have cannot be on.
started_offload_on() {
  local nic line on=''
  for nic in $1; do
    while IFS= read -r line; do
      case $line in
        *tx-udp_tnl-segmentation:\ on* | *tx-udp_tnl-csum-segmentation:\ on*)
          line=${line%%:*}
          on+="${on:+, }$nic ${line//[[:space:]]/}"
          ;;
      esac
    done < <(eh_capture 10 ethtool -k "$nic" || :)
  done
  REPLY=$on
}

started_offload() {
  local nics
  [ "${EH_VMXNET3:-auto}" != off ] || return 0
  started_nics
  nics=$REPLY
  if [ -z "$nics" ]; then
    [ "${EH_VMXNET3:-auto}" != on ] || eh_finding started.offload "no card of this host is a vmxnet3" "at least one" \
      'write vmxnet3: "auto", or name the card with vmxnet3Nic'
    return 0
  fi
  # The stage runs early in the boot, but the agent reads it: give it the time that is left, a minute at most.
  eh_retry "${EH_OFFLOAD_TRIES:-30}" 2 started_offload_off "$nics" || {
    started_offload_on "$nics"
    eh_fail 63 "the offload is still on: $REPLY" \
      "the stage in the user-data did not run: look into journalctl -u 'spectro-*'; by hand: ethtool --offload CARD tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off"
  }
  eh_fact offload_off "$nics"
}

started_offload_off() {
  started_offload_on "$1"
  [ -z "$REPLY" ]
}

# SSH was stopped, never disabled; a host where it does not come up at the next boot is lost for every later step.
started_ssh() {
  local text
  # shellcheck disable=SC2086 # the units are words
  text=$(eh_capture 10 systemctl show --property=UnitFileState $EH_SSH_UNITS) || :
  case $text in
    *=enabled* | *=alias* | *=static* | *=generated*) ;;
    *) eh_finding started.ssh "no SSH unit is enabled" "SSH that starts at boot" "systemctl enable ssh (or sshd) on the host" ;;
  esac
}

started_clean() {
  local folder
  eh_run 30 systemctl stop "edge-hosts-ssh-$EH_EPOCH.timer" || :
  for folder in $EH_WORK_FOLDERS; do eh_uninstall_work "$folder"; done
  rm -rf --one-file-system -- "$EH_ROOT$EH_STATE_DIR/work"
  eh_drop "$EH_STATE_DIR/unit"
}

main() {
  eh_start started
  [ "${1:-run}" = run ] || eh_fail 90 "started.sh has no verb '$1'" "use run"
  eh_state_open
  eh_now
  STARTED_DEADLINE=$((REPLY + ${EH_STARTED_TIMEOUT:-300}))
  started_record
  started_reboot
  started_agent
  started_version
  started_offload
  started_ssh
  started_clean
  eh_fact agent_unit "$STARTED_UNIT"
  eh_report ok
}
