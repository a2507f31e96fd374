# shellcheck shell=bash disable=SC2034
# The transient unit that installs or reboots while nobody is logged in, and how SSH comes back when it fails.
#
# unit.sh         eh_unit_name KIND EPOCH         -> REPLY: edge-hosts-KIND-EPOCH
#                 eh_unit_running                 -> REPLY: the install or reboot unit of any epoch that runs, or ""
#                 eh_unit_start KIND              writes its file and starts it: KIND is install or reboot
#                 eh_unit_launch KIND             starts it with the file that is there
#                 eh_unit_failed                  did the last installation end badly? -> REPLY: how
#                 eh_unit_result                  -> REPLY: "KIND RESULT STATUS" of the last one, "" = not yet or no trace
#
# The installer cuts the connection and restarts the machine. A next step that logged in before that would be cut off in
# the middle. So the unit stops SSH before it begins (the running session lives on), and three things start SSH again:
# the unit's own end (ExecStopPost, whatever the end was), a timer, and the boot. Nothing of it survives a boot.
EH_SSH_UNITS='ssh.socket sshd.socket ssh.service sshd.service'
EH_UNIT_LIMIT=5400

eh_unit_name() {
  REPLY=edge-hosts-$1-$2
}

eh_unit_running() {
  local unit rest
  REPLY=
  while read -r unit rest; do
    case $unit in edge-hosts-install-*.service | edge-hosts-reboot-*.service) REPLY=${unit%.service} ;; esac
  done < <(eh_capture 10 systemctl list-units --plain --no-legend --no-pager \
    --state=active,activating,deactivating,reloading 'edge-hosts-*' || :)
  : "${rest:-}"
}

# eh_ssh_active -> REPLY: the SSH units that are up, sockets first, each under its own name (sshd may be an alias of ssh).
eh_ssh_active() {
  local unit rest text=''
  # shellcheck disable=SC2086 # the units are words
  while read -r unit rest; do
    case $unit in *.socket) text="$unit $text" ;; *.service) text+="$unit " ;; esac
  done < <(eh_capture 10 systemctl list-units --plain --no-legend --no-pager --state=active $EH_SSH_UNITS || :)
  : "${rest:-}"
  REPLY=${text% }
}

# Stopping sshd must not end the session that this step runs in. That is how it is shipped (KillMode=process); where
# somebody changed it, a drop-in that is gone after the boot changes it back.
eh_ssh_spare_session() {
  local unit mode
  for unit in $1; do
    mode=$(eh_capture 10 systemctl show --property=KillMode --value "$unit") || mode=
    case $unit-$mode in *.socket-* | *-process | *-none | *-) continue ;; esac
    eh_folder "/run/systemd/system/$unit.d"
    eh_write "/run/systemd/system/$unit.d/zz-edge-hosts.conf" 0644 "[Service]"$'\n'"KillMode=process"$'\n'
    eh_run 60 systemctl daemon-reload || :
  done
}

# --- what runs inside the unit: these functions travel to the host as the file `unit` ----------------------------------

eh_u_main() {
  case $1 in
    pre) eh_u_pre ;;
    run) eh_u_run ;;
    post) eh_u_post ;;
    open) eh_u_open ;;
  esac
}

eh_u_pre() {
  local unit
  for unit in $EH_U_SSH; do systemctl stop "$unit" || :; done
}

# The installer gets exactly these variables: a stray IMAGE or URL would change what it installs.
eh_u_run() {
  local name
  # The log may name the proxy; what the installer makes must be as open as it wants it.
  umask 077
  exec >>"$EH_U_DIR/install.log" 2>&1
  umask 022
  if [ "$EH_U_KIND" = reboot ]; then
    sleep 2
    systemctl reboot
    return
  fi
  cd "$EH_U_WORK" || return 1
  while IFS= read -r name; do unset "$name" || :; done < <(compgen -e)
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
  export USERDATA=$EH_U_DIR/user-data URL=$EH_U_URL
  [ -z "$EH_U_IMAGE" ] || export IMAGE=$EH_U_IMAGE
  [ -z "$EH_U_HTTP" ] || export http_proxy=$EH_U_HTTP HTTP_PROXY=$EH_U_HTTP
  [ -z "$EH_U_HTTPS" ] || export https_proxy=$EH_U_HTTPS HTTPS_PROXY=$EH_U_HTTPS
  [ -z "$EH_U_NO_PROXY" ] || export no_proxy=$EH_U_NO_PROXY NO_PROXY=$EH_U_NO_PROXY
  exec /bin/bash "$EH_U_WORK/palette-agent-install.sh" </dev/null
}

# An installer that ended well is followed by its reboot; only when that does not come is SSH needed again.
eh_u_post() {
  local second result=${SERVICE_RESULT:-unknown}
  # A reboot stops this unit like any other: whatever the installer's last code was then, it is the normal end.
  [ "$(systemctl is-system-running || :)" != stopping ] || result=reboot
  printf '%s %s %s\n' "$EH_U_KIND" "$result" "${EXIT_STATUS:-unknown}" >"$EH_U_DIR/install.result"
  [ "$result" != reboot ] || return 0
  if [ "$result" = success ]; then
    for ((second = 0; second < EH_U_GRACE; second++)); do
      [ "$(systemctl is-system-running || :)" != stopping ] || return 0
      sleep 1
    done
    eh_u_open
    return
  fi
  eh_u_open
  # KillMode=process lets a delayed reboot of the agent live on after a good end; a bad end must leave nothing at work.
  # systemd knows the unit's processes, this one among them: hence as the last act.
  systemctl kill --signal=KILL "$EH_U_NAME.service" || :
}

eh_u_open() {
  local unit
  for unit in $EH_U_SSH; do systemctl start --no-block "$unit" || :; done
}

# --- the step's side ---------------------------------------------------------------------------------------------------

# eh_unit_text KIND -> REPLY: the file `unit`. Values are quoted by bash; the file is root's alone (the proxy's password).
# shellcheck disable=SC2016 # the last argument is the file's own
eh_unit_text() {
  local text
  eh_unit_name "$1" "$EH_EPOCH"
  printf -v text 'EH_U_KIND=%q\nEH_U_NAME=%q' "$1" "$REPLY"
  printf -v text '%s\nEH_U_DIR=%q\nEH_U_WORK=%q\nEH_U_SSH=%q\nEH_U_GRACE=%q' "$text" \
    "$EH_ROOT$EH_STATE_DIR" "${EH_WORK:-}" "$EH_SSH_STOPPED" "${EH_REBOOT_GRACE:-60}"
  printf -v text '%s\nEH_U_URL=%q\nEH_U_IMAGE=%q' "$text" "file://${EH_WORK:-}/agent-verified" "${EH_AGENT_IMAGE:-}"
  printf -v text '%s\nEH_U_HTTP=%q\nEH_U_HTTPS=%q\nEH_U_NO_PROXY=%q' "$text" \
    "${EH_PROXY_HTTP:-}" "${EH_PROXY_HTTPS:-}" "${EH_NO_PROXY:-}"
  printf -v REPLY '%s\n%s\neh_u_main $1\n' "$text" \
    "$(declare -f eh_u_main eh_u_pre eh_u_run eh_u_post eh_u_open)"
}

eh_unit_start() {
  eh_ssh_active
  EH_SSH_STOPPED=$REPLY
  [ -n "$EH_SSH_STOPPED" ] || eh_finding agent.ssh "no SSH unit is active" "ssh.service, sshd.service or a socket" \
    "nothing to do; the next step may reach the host once before it reboots"
  eh_unit_text "$1"
  eh_write "$EH_STATE_DIR/unit" 0600 "$REPLY"
  eh_unit_launch "$1"
}

# The program of a unit is bash with a file as argument: SELinux lets systemd run no program in /var/lib.
eh_unit_launch() {
  local kind=$1 unit timer file=$EH_ROOT$EH_STATE_DIR/unit code=0
  eh_unit_name "$kind" "$EH_EPOCH"
  unit=$REPLY timer=edge-hosts-ssh-$EH_EPOCH
  eh_drop "$EH_STATE_DIR/install.result" "$EH_STATE_DIR/install.told"
  eh_ssh_active
  eh_ssh_spare_session "$REPLY"
  eh_run 30 systemctl stop "$timer.timer" || :
  eh_run 30 systemctl reset-failed "$unit.service" "$timer.service" "$timer.timer" || :
  eh_run 60 systemd-run --quiet --unit="$timer" --description="edge-hosts: start SSH again" \
    --on-active="${EH_SSH_BACK_AFTER:-1800}" --timer-property=AccuracySec=1s /bin/bash "$file" open ||
    eh_fail 40 "the timer that starts SSH again could not be set" "systemd-run --on-active on the host says why; SSH was not stopped"
  eh_run 120 systemd-run --quiet --unit="$unit" --description="edge-hosts: $kind" \
    --property=KillMode=process --property=RuntimeMaxSec="$EH_UNIT_LIMIT" --property=TimeoutStopSec=180 \
    --property="ExecStartPre=/bin/bash $file pre" --property="ExecStopPost=/bin/bash $file post" \
    /bin/bash "$file" run || code=$?
  if [ "$code" != 0 ]; then
    eh_run 60 /bin/bash "$file" open || :
    eh_run 30 systemctl stop "$timer.timer" || :
    eh_fail 40 "the unit $unit could not be started (code $code)" "journalctl -u $unit on the host says why; SSH is up again"
  fi
}

eh_unit_result() {
  eh_read "$EH_STATE_DIR/install.result"
}

# Did the last installation end badly? No trace of an end is no bad end: a hard reset leaves none.
eh_unit_failed() {
  eh_unit_result
  case $REPLY in '' | 'install success '* | 'install reboot '* | 'reboot '*) return 1 ;; esac
}

eh_install_log_tail() {
  [ ! -f "$EH_ROOT$EH_STATE_DIR/install.log" ] || tail -c 8192 "$EH_ROOT$EH_STATE_DIR/install.log" | tail -n 20 | eh_scrub
}
