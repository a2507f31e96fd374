# shellcheck shell=bash
# Who keeps the clock. A container has its host's clock, and systemd-timesyncd does not start in one.

# eh_time_daemons -> REPLY: the active ones, each once (chrony.service may be another name of chronyd.service).
eh_time_daemons() {
  local unit found='' chrony=''
  for unit in $EH_TIME_UNITS; do
    eh_unit "$unit"
    [ "$REPLY" = active ] || continue
    case $unit in
      chrony*)
        [ -z "$chrony" ] || continue
        chrony=1
        ;;
    esac
    found+="${found:+ }${unit%.service}"
  done
  REPLY=$found
}

eh_check 0 host.clock.daemon eh_check_clock_daemon
eh_check_clock_daemon() {
  ! eh_in_container || { eh_skip "a container has its host's clock" && return; }
  eh_time_daemons
  if [ -n "$REPLY" ]; then
    eh_ok "$REPLY"
  else
    eh_left_to_preparation "none yet; the preparation installs one" || eh_bad "no time daemon is active" "chrony or systemd-timesyncd"
  fi
}

eh_check 0 host.clock.conflict eh_check_clock_conflict
eh_check_clock_conflict() {
  eh_time_daemons
  case $REPLY in
    *' '*) eh_bad "$REPLY" "one time daemon" ;;
    *) eh_ok "${REPLY:-none} only" ;;
  esac
}

eh_check 0 host.clock.synchronised eh_check_clock_synchronised
eh_check_clock_synchronised() {
  local state
  ! eh_in_container || { eh_skip "a container has its host's clock" && return; }
  eh_have timedatectl || { eh_skip "no timedatectl" && return; }
  state=$(eh_capture 10 timedatectl show --property=NTPSynchronized --value) || state=
  case $state in
    yes) eh_ok "synchronised" ;;
    no) eh_left_to_preparation "not yet; the preparation sees to a time daemon" || eh_bad "not synchronised" "synchronised by NTP" ;;
    *) eh_skip "timedatectl does not say" ;;
  esac
}
