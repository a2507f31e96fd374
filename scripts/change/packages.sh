# shellcheck shell=bash disable=SC2034
# Package managers: which packages are there, waiting for the lock, installing, one place for apt and dnf.
#
# packages.sh     eh_pm_start                     finds the package manager -> EH_PM (apt, dnf), EH_PM_ENTRIES
#                 eh_pm SECONDS COMMAND...        runs it: lock waited for, proxy set, output in eh_pm_lines
#                 eh_pm_lines                     prints the output of the last eh_pm
#                 eh_packages_missing ENTRY...    -> EH_MISSING: names of the packages that are not there
#                 eh_packages_install NAME...     installs them, without what is only recommended
#                 eh_index_age                    -> REPLY: seconds since the last good refresh, "" = none to believe
#                 eh_index_refresh                refreshes when older than EH_INDEX_MAX_AGE; any repository error is red
# An entry is `name` or `name|cmd:COMMAND|unit:UNIT`: the alternatives also count as "already there" (edge/packages.py).
EH_PM=
EH_PM_ENTRIES=
EH_MISSING=()

eh_pm_start() {
  eh_package_manager
  EH_PM=$REPLY
  eh_os
  case $EH_PM-$EH_OS_ID in
    apt-*) EH_PM_ENTRIES=${EH_PACKAGES_APT:-} EH_TIME_PACKAGE=${EH_TIME_APT:-} ;;
    dnf-amzn) EH_PM_ENTRIES=${EH_PACKAGES_AMAZON:-${EH_PACKAGES_DNF:-}} EH_TIME_PACKAGE=${EH_TIME_DNF:-} ;;
    dnf-*) EH_PM_ENTRIES=${EH_PACKAGES_DNF:-} EH_TIME_PACKAGE=${EH_TIME_DNF:-} ;;
    *) eh_fail 20 "neither apt-get nor dnf is on this host ($EH_OS_KEY)" \
      "use one of the supported systems: Ubuntu, Red Hat Enterprise Linux, Amazon Linux 2023" ;;
  esac
}

eh_pm_out() {
  REPLY=$EH_ROOT$EH_STATE_DIR/package-manager.out
}

eh_pm_lines() {
  local REPLY
  eh_pm_out
  [ ! -f "$REPLY" ] || cat "$REPLY"
}

# Nothing of a package may ask a person, restart services by itself, or open a pager.
eh_pm_environment() {
  export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true UCF_FORCE_CONFFOLD=1
  export NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none
  eh_proxy_export
}

eh_pm() {
  local seconds=$1 code deadline out left
  shift
  eh_pm_out
  out=$REPLY
  eh_now
  deadline=$((REPLY + ${EH_LOCK_TIMEOUT:-600}))
  while :; do
    eh_now
    left=$((deadline - REPLY))
    # Who has the lock open is only a hint, so that a wait can say for whom; the package manager's own word decides.
    eh_wait_lock "$((left > 0 ? left : 0))" || :
    code=0
    (
      umask 022
      eh_pm_environment
      exec timeout --kill-after=30 "$seconds" "$@" </dev/null
    ) >"$out" 2>&1 || code=$?
    cat "$out" >>"$EH_ROOT$EH_STATE_DIR/log"
    eh_pm_was_locked "$code" || return "$code"
    eh_now
    [ "$REPLY" -lt "$deadline" ] || eh_pm_locked
    sleep 2
  done
}

# dnf ends with 200 (exit_on_lock), apt with 100 and one of these lines.
eh_pm_was_locked() {
  local line
  case $EH_PM-$1 in
    dnf-200) return 0 ;;
    apt-0 | dnf-*) return 1 ;;
  esac
  while IFS= read -r line; do
    case $line in
      *'Could not get lock'* | *'Unable to lock'* | *'dpkg frontend lock'* | *'is locked by another process'*) return 0 ;;
    esac
  done < <(eh_pm_lines)
  return 1
}

eh_pm_locked() {
  local line holder
  eh_lock_holder
  holder=$REPLY
  while [ -z "$holder" ] && IFS= read -r line; do
    [[ ! $line =~ held\ by\ process\ ([0-9]+)\ \(([^\)]*)\) ]] || holder="${BASH_REMATCH[2]} (${BASH_REMATCH[1]})"
  done < <(eh_pm_lines)
  eh_fail 21 "the lock of the package manager is held by ${holder:-another process}, waited ${EH_LOCK_TIMEOUT:-600} s" \
    "let it finish, or stop it, then run again"
}

# eh_pm_last -> REPLY: the last line of the output that says something.
eh_pm_last() {
  local line
  REPLY='no output'
  while IFS= read -r line; do
    [[ $line =~ ^[[:space:]]*$ ]] || REPLY=$line
  done < <(eh_pm_lines)
  eh_mask "$REPLY"
  eh_short "$REPLY" 300
}

eh_packages_missing() {
  local entry name installed
  EH_MISSING=()
  installed=$(eh_packages_installed "$@") || :
  for entry in "$@"; do
    name=${entry%%|*}
    case $'\n'$installed$'\n' in *$'\n'"$name"$'\n'*) continue ;; esac
    ! eh_package_alternative "$entry" || continue
    EH_MISSING+=("$name")
  done
}

# One call for all names: asking for each costs more than everything else of an unchanged run.
eh_packages_installed() {
  if [ "$EH_PM" = apt ]; then
    # shellcheck disable=SC2016 # dpkg's own
    eh_capture 60 dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${@%%|*}" | sed -n 's/^.i[^ ]* *//p'
  else
    eh_capture 60 rpm -q --queryformat '%{NAME}\n' "${@%%|*}"
  fi
}

eh_package_alternative() {
  local other REPLY
  local IFS='|'
  for other in $1; do
    case $other in
      cmd:*) ! eh_have "${other#cmd:}" || return 0 ;;
      unit:*)
        eh_unit_state "${other#unit:}"
        [ "$REPLY" = absent ] || return 0
        ;;
    esac
  done
  return 1
}

eh_packages_install() {
  local code=0
  eh_change "installing $*"
  if [ "$EH_PM" = apt ]; then
    eh_apt 1800 install --no-install-recommends "$@" || code=$?
  else
    eh_dnf 1800 install "$@" || code=$?
  fi
  [ "$code" != 0 ] || return 0
  eh_packages_unknown
  [ -z "$REPLY" ] || eh_fail 20 "the repositories of this host do not have: $REPLY" "$(eh_packages_remedy "$REPLY")"
  eh_pm_last
  eh_fail 20 "installing $* ended with code $code: $REPLY" \
    "look into $EH_STATE_DIR/log on the host, repair the package manager, then run again"
}

# eh_packages_unknown -> REPLY: the names that no repository has, as the package manager said it.
eh_packages_unknown() {
  local line names=
  while IFS= read -r line; do
    case $line in
      'E: Unable to locate package '*) names+=" ${line##* }" ;;
      'E: Package '*' has no installation candidate')
        line=${line#*\'}
        names+=" ${line%%\'*}"
        ;;
      'No match for argument: '*) names+=" ${line##* }" ;;
    esac
  done < <(eh_pm_lines)
  REPLY=${names# }
}

eh_packages_remedy() {
  local text
  case $EH_PM-$EH_OS_ID in
    apt-ubuntu) text='enable the components main and universe' ;;
    apt-*) text='add the repository that has them to the sources of apt' ;;
    dnf-rhel) text='register the host (subscription-manager) and enable BaseOS, AppStream and, for systemd-timesyncd or systemd-networkd, EPEL' ;;
    *) text='enable the repository that has them' ;;
  esac
  case " $1 " in
    *' systemd-'*) text+=', or take ntp, dns, staticIp or overlay out of palette.manages' ;;
  esac
  printf '%s' "$text"
}

# --- the package index ------------------------------------------------------------------------------------------------

# Only a refresh that is known to have gone through without any error counts: apt and dnf also update their own files
# when half of the repositories did not answer.
eh_index_age() {
  local newest=0 path time
  local evidence=(/var/lib/apt/periodic/update-success-stamp)
  [ "$EH_PM" = apt ] || evidence=(/var/cache/dnf/last_makecache)
  eh_read "$EH_STATE_DIR/index"
  if [ "$REPLY" = failed ] || ! eh_index_there; then
    REPLY=
    return 0
  fi
  [[ ! $REPLY =~ ^[0-9]+$ ]] || newest=$REPLY
  for path in "${evidence[@]}"; do
    [ -e "$EH_ROOT$path" ] || continue
    time=$(stat -c %Y "$EH_ROOT$path") || time=0
    [ "$time" -le "$newest" ] || newest=$time
  done
  eh_now
  # A stamp from the future is a clock that was set back: not to be believed.
  if [ "$newest" = 0 ] || [ "$newest" -gt "$((REPLY + 300))" ]; then REPLY=; else REPLY=$((REPLY - newest)); fi
}

eh_index_there() {
  local pattern="$EH_ROOT/var/lib/apt/lists/*Packages*"
  [ "$EH_PM" = apt ] || pattern="$EH_ROOT/var/cache/dnf/*/repodata/repomd.xml"
  compgen -G "$pattern" >/dev/null
}

eh_index_refresh() {
  local REPLY
  [ -z "$EH_INDEX_DONE" ] || return 0
  eh_index_age
  if [ -n "$REPLY" ] && [ "$REPLY" -lt "${EH_INDEX_MAX_AGE:-86400}" ]; then
    return 0
  fi
  eh_change "refreshing the package index"
  eh_write "$EH_STATE_DIR/index" 0600 failed
  if [ "$EH_PM" = apt ]; then eh_apt_update; else eh_dnf_makecache; fi
  eh_now
  eh_write "$EH_STATE_DIR/index" 0600 "$REPLY"
  EH_INDEX_DONE=1
}
EH_INDEX_DONE=

eh_index_red() {
  eh_fail 20 "the package index could not be refreshed: $1" \
    "make every repository of this host answer, or take it out of its sources: nodeadm installs packages later"
}
