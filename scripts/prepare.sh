# shellcheck shell=bash
# Prepares a host for the agent: package index, packages, services, clock, network, login shell; takes an agent of another
# generation away. Every part looks first and changes only what differs, so a second run writes nothing.
#
# The order is one promise: a host that fails an enforced check is left as it was found. On a bare machine curl and the CA
# certificates come first, because TLS and HTTP cannot be looked at without them, then the checks, then everything else.

# The entry of one package in the list of this family: prepare_entry NAME -> REPLY.
prepare_entry() {
  local entry
  for entry in $EH_PM_ENTRIES; do
    [ "${entry%%|*}" != "$1" ] || {
      REPLY=$entry
      return 0
    }
  done
  REPLY=$1
}

prepare_downloader() {
  local entries=() name
  eh_trust_install
  for name in curl ca-certificates; do
    prepare_entry "$name"
    entries+=("$REPLY")
  done
  eh_packages_missing "${entries[@]}"
  [ "${#EH_MISSING[@]}" != 0 ] || return 0
  eh_say "${EH_MISSING[*]} must be there before TLS and HTTP can be checked"
  [ "$EH_PM" != apt ] || eh_dpkg_repair
  eh_index_refresh
  eh_packages_install "${EH_MISSING[@]}"
  eh_trust_install
}

prepare_checks() {
  ! eh_phase1_done || return 0
  eh_checks_load || eh_fail 90 "the checks have left no table in $EH_STATE_DIR" "run the checks of this host first"
  eh_say "checking TLS, HTTP and Palette, now that curl is there"
  eh_run_checks 1
  eh_count fail
  if [ "$REPLY" != 0 ]; then
    eh_report_text red
    eh_write "$EH_STATE_DIR/report.json" 0600 "$REPLY"$'\n'
  fi
  eh_enforce
}

prepare_packages() {
  local extra=() REPLY
  [ "$EH_PM" != apt ] || eh_dpkg_repair
  eh_index_refresh
  eh_clock_package
  [ -z "$REPLY" ] || extra=("$REPLY")
  # shellcheck disable=SC2086 # the entries are words
  eh_packages_missing $EH_PM_ENTRIES "${extra[@]}"
  ! eh_in systemd-resolved "${EH_MISSING[*]:-}" || eh_resolver_keep
  [ "${#EH_MISSING[@]}" = 0 ] || eh_packages_install "${EH_MISSING[@]}"
}

prepare_services() {
  local name
  eh_clock
  for name in ${EH_SERVICES:-rsyslog}; do
    # networkd is started where every address is known to survive it: see eh_network_prepare.
    [ "$name" = systemd-networkd ] || eh_service "$name"
  done
  eh_network_prepare
  eh_resolver_link
}

# A raised generation means another machine under the same name: what the old one left must be gone before it registers.
prepare_old_agent() {
  eh_record_load
  if [ -z "${EH_REC[owner]}" ]; then
    eh_agent_installed && eh_record_adopt || return 0
  fi
  if [ "${EH_REC[owner]}" != "$EH_OWNER" ]; then
    ! eh_agent_installed || eh_fail 10 "the agent on this host belongs to ${EH_REC[owner]}" \
      "remove the host from that stack first; two stacks must not share a machine"
    return 0
  fi
  [ "${EH_REC[generation]}" != "$EH_GENERATION" ] || [ "${EH_REC[machine]}" != "${EH_MACHINE:-}" ] || return 0
  eh_say "this host still has generation ${EH_REC[generation]:-0}; generation $EH_GENERATION is wanted"
  eh_uninstall
}

main() {
  eh_start prepare
  [ "${1:-run}" = run ] || eh_fail 90 "prepare.sh has no verb '$1'" "use run"
  eh_state_open
  eh_pm_start
  prepare_downloader
  prepare_checks
  prepare_packages
  prepare_services
  eh_login_shell
  prepare_old_agent
  eh_pm_out
  rm -f -- "$REPLY"
  eh_fact os "$EH_OS_KEY"
  eh_fact package_manager "$EH_PM"
  eh_outcome
}
