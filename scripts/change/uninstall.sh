# shellcheck shell=bash
# Taking the agent away again: the vendor's own uninstaller, and then a look at what it left.
#
# uninstall.sh    eh_uninstall                    removes the agent and our files of it; ends with 70 when something is left
#
# Only what this program has put on the host is removed by us. What is left of the vendor's is listed, never deleted:
# folders like /opt/bin and /opt/cni are shared with others.

# eh_uninstall_left -> REPLY: what is still there of the agent.
eh_uninstall_left() {
  local root left='' path unit
  eh_agent_root
  root=$REPLY
  for path in bin/palette-agent state/agent-mode state/registration; do
    [ ! -e "$EH_ROOT$root/opt/spectrocloud/$path" ] || left+="${left:+, }$root/opt/spectrocloud/$path"
  done
  eh_agent_units
  for unit in $REPLY; do left+="${left:+, }unit $unit"; done
  REPLY=$left
}

# A unit of ours that is at work would go on installing what is being removed.
eh_uninstall_stop_units() {
  local unit rest
  while read -r unit rest; do
    case $unit in
      edge-hosts-*)
        eh_change "stopping $unit"
        # Stopping alone would spare the installer's children (KillMode=process) and wait for a reboot.
        case $unit in *.service) eh_run 30 systemctl kill --signal=KILL "$unit" || : ;; esac
        eh_run 240 systemctl stop "$unit" || :
        ;;
    esac
  done < <(eh_capture 10 systemctl list-units --plain --no-legend --no-pager --state=active,activating,deactivating 'edge-hosts-*' || :)
  : "${rest:-}"
}

eh_uninstall_vendor() {
  local program code=0
  eh_agent_root
  program=$EH_ROOT$REPLY/opt/spectrocloud/bin/palette-agent
  if [ ! -x "$program" ]; then
    eh_say "the agent's program is not there, so its uninstaller cannot run"
    return 0
  fi
  eh_change "removing the agent with its own uninstaller (palette-agent uninstall)"
  (
    umask 022
    eh_proxy_export
    cd /
    exec timeout --kill-after=30 900 "$program" uninstall --force </dev/null
  ) >"$EH_ROOT$EH_STATE_DIR/uninstall.log" 2>&1 || code=$?
  eh_say "the uninstaller ended with code $code"
}

# The token stands in the user-data, which the vendor's uninstaller leaves: ours goes, somebody else's stays.
eh_uninstall_userdata() {
  local file
  for file in "$EH_ROOT"/oem/userdata "$EH_ROOT"/oem/*.yaml; do
    [ -f "$file" ] || continue
    eh_read "${file#"$EH_ROOT"}"
    [[ $REPLY =~ edge-hosts-owner[\"\']?:[[:space:]]*[\"\']?${EH_OWNER//./\\.}[\"\']?([[:space:]]|$) ]] || continue
    eh_change "removing ${file#"$EH_ROOT"}, which holds the token"
    rm -f -- "$file"
  done
}

eh_uninstall() {
  local left folder
  eh_uninstall_stop_units
  eh_uninstall_left
  if [ -n "$REPLY" ]; then
    eh_uninstall_vendor
    eh_uninstall_left
    left=$REPLY
    if [ -n "$left" ]; then
      [ ! -f "$EH_ROOT$EH_STATE_DIR/uninstall.log" ] || tail -n 20 "$EH_ROOT$EH_STATE_DIR/uninstall.log" | eh_scrub >&2
      eh_fail 70 "the agent could not be removed completely; left: $left" \
        "remove these by hand (agents before 4.9.10 have no uninstaller of their own; the vendor's release page has one), then run again"
    fi
  fi
  eh_uninstall_userdata
  for folder in $EH_WORK_FOLDERS; do
    [ ! -d "$EH_ROOT$folder" ] || eh_uninstall_work "$folder"
  done
  rm -rf --one-file-system -- "$EH_ROOT$EH_STATE_DIR/work"
  eh_drop "$EH_STATE_DIR"/{install.json,user-data,unit,install.result,install.log}
}

# The work folder may be the operator's own: only the files that we put there go.
eh_uninstall_work() {
  rm -f -- "$EH_ROOT$1"/{palette-agent-install.sh,agent-verified,palette-agent,.may-run}
  rmdir -- "$EH_ROOT$1" 2>/dev/null || :
}
