# shellcheck shell=bash
# The first step of a host: a look at it, before anything is changed. It writes nothing but its own report and the
# endpoint table, and with EH_WRITE=0 (verify, preflight) not even these. Exit code 10: an enforced check is red.

main() {
  local outcome=ok
  eh_start checks
  [ "${EH_WRITE:-0}" != 1 ] || eh_state_open
  eh_say "looking at $EH_HOST"
  eh_run_checks "${EH_PHASES:-0 1}"
  eh_facts
  eh_count fail
  [ "$REPLY" = 0 ] || outcome=red
  eh_report_text "$outcome"
  if [ "${EH_WRITE:-0}" = 1 ]; then
    eh_same "$EH_STATE_DIR/report.json" "$REPLY" || eh_write "$EH_STATE_DIR/report.json" 0600 "$REPLY"
    eh_checks_keep
  fi
  eh_summary
  eh_enforce
  eh_report "$outcome"
  eh_end 0
}
