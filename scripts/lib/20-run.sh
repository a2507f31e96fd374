# shellcheck shell=bash
# Running other programs: always with a time limit and a closed stdin; and waiting for the package manager's lock.

eh_run() {
  local seconds=$1 log=/dev/null
  shift
  [ "${EH_WRITE:-0}" != 1 ] || [ ! -d "$EH_ROOT$EH_STATE_DIR" ] || [ -L "$EH_ROOT$EH_STATE_DIR" ] || log=$EH_ROOT$EH_STATE_DIR/log
  timeout --kill-after=5 "$seconds" "$@" </dev/null >>"$log" 2>&1
}

eh_capture() {
  local seconds=$1
  shift
  timeout --kill-after=5 "$seconds" "$@" </dev/null 2>/dev/null
}

# The variables stand in the child's environment only, in both cases, because half of the tools read one and half the other.
eh_proxied() {
  (
    eh_proxy_export
    eh_run "$@"
  )
}

eh_proxy_export() {
  if [ -n "${EH_PROXY_HTTP:-}" ]; then
    export http_proxy=$EH_PROXY_HTTP HTTP_PROXY=$EH_PROXY_HTTP
  fi
  if [ -n "${EH_PROXY_HTTPS:-}" ]; then
    export https_proxy=$EH_PROXY_HTTPS HTTPS_PROXY=$EH_PROXY_HTTPS
  fi
  if [ -n "${EH_NO_PROXY:-}" ]; then
    export no_proxy=$EH_NO_PROXY NO_PROXY=$EH_NO_PROXY
  fi
}

eh_retry() {
  local times=$1 pause=$2 try
  shift 2
  for ((try = 1; try <= times; try++)); do
    ! "$@" || return 0
    [ "$try" -ge "$times" ] || sleep "$pause"
  done
  return 1
}

eh_package_manager() {
  REPLY=
  if eh_have apt-get; then
    REPLY=apt
  elif eh_have dnf; then
    REPLY=dnf
  fi
}

EH_LOCKS='/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock
  /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock /var/cache/dnf/metadata_lock.pid'

# Who has a lock file open is who uses it: neither lsof nor fuser is needed, and a test of the lock would take it.
eh_lock_holder() {
  local lock fd pid
  REPLY=
  for lock in $EH_LOCKS; do
    [ -e "$EH_ROOT$lock" ] || continue
    for fd in "$EH_ROOT"/proc/[0-9]*/fd/*; do
      [[ $fd -ef $EH_ROOT$lock ]] || continue
      pid=${fd#"$EH_ROOT"/proc/}
      pid=${pid%%/*}
      [ "$pid" != "$$" ] || continue
      eh_read "/proc/$pid/comm"
      REPLY="${REPLY:-a process} ($pid)"
      return 0
    done
  done
}

eh_wait_lock() {
  local limit=$1 waited=0 said=
  while :; do
    eh_lock_holder
    [ -n "$REPLY" ] || return 0
    [ "$waited" -lt "$limit" ] || return 1
    if [ "$said" != "$REPLY" ]; then
      said=$REPLY
      eh_say "waiting for $said to let go of the package manager (at most $limit s)"
    fi
    sleep 2
    waited=$((waited + 2))
  done
}
