# shellcheck shell=bash
# apt and dpkg: Debian and Ubuntu.
#
# apt.sh          eh_apt SECONDS VERB ARGUMENT... apt-get with the options that every call needs
#                 eh_apt_update                   refreshes the index; ends with 20 on any repository error
#                 eh_dpkg_repair                  finishes what an interrupted dpkg left half done

# The pause before a repeated request is switched off: with it, apt 2.6 waits for ever when one repository of a server
# answers 503 and another one of it works (seen; the requests after the pause are never sent).
eh_apt() {
  local seconds=$1
  local options=(
    -q -y -o DPkg::Lock::Timeout=5 -o Dpkg::Use-Pty=0 -o APT::Color=0
    -o Acquire::Retries=2 -o Acquire::Retries::Delay=false -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold
  )
  shift
  # Before ca-certificates is there, a repository behind the site's own CA can be verified with that CA alone.
  if [ -n "${EH_CA_PEM:-}" ] && [ ! -e "$EH_ROOT/etc/ssl/certs/ca-certificates.crt" ]; then
    options+=(-o "Acquire::https::CaInfo=$EH_STATE_DIR/ca.pem")
  fi
  eh_pm "$seconds" apt-get "${options[@]}" "$@"
}

# apt-get update ends 0 when a part of the repositories failed ("they have been ignored, or old ones used instead").
eh_apt_update() {
  local code=0 line red='' count=0 warned=''
  eh_apt 600 update || code=$?
  while IFS= read -r line; do
    case $line in
      'W: '*'configured multiple times'* | 'W: '*'legacy trusted.gpg'* | 'W: '*'unsandboxed'* | 'W: '*'uses weak'*)
        warned=${warned:-$line}
        ;;
      'E: '* | 'W: '* | 'Err:'*)
        count=$((count + 1))
        [ "$count" -gt 3 ] || red+="${red:+; }$line"
        ;;
    esac
  done < <(eh_pm_lines)
  [ -z "$warned" ] || eh_finding prepare.index.warning "${warned#W: }" "no warnings of apt" "correct the sources of apt"
  [ "$code" != 124 ] || eh_index_red "apt-get update did not end within 600 s"
  if [ -n "$red" ]; then
    eh_mask "$red"
    eh_index_red "$REPLY"
  fi
  if [ "$code" != 0 ]; then
    eh_pm_last
    eh_index_red "apt-get update ended with code $code: $REPLY"
  fi
}

# eh_dpkg_broken -> REPLY: packages that are unpacked, half installed or half configured, or "" (all is well).
# shellcheck disable=SC2016 # the braces are dpkg's own
eh_dpkg_broken() {
  local line
  REPLY=
  while IFS= read -r line; do
    [[ $line != ?[UFHWt]* ]] || REPLY+="${REPLY:+ }${line##* }"
  done < <(eh_capture 60 dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' || :)
  [ -n "$REPLY" ] || ! compgen -G "$EH_ROOT/var/lib/dpkg/updates/[0-9]*" >/dev/null || REPLY='its journal'
}

eh_dpkg_repair() {
  local code=0 broken
  eh_dpkg_broken
  [ -n "$REPLY" ] || return 0
  # A dpkg that is at work looks the same as one that was interrupted.
  eh_wait_lock "${EH_LOCK_TIMEOUT:-600}" || eh_pm_locked
  eh_dpkg_broken
  [ -n "$REPLY" ] || return 0
  eh_short "$REPLY" 200
  broken=$REPLY
  eh_change "dpkg was interrupted ($broken): repairing with dpkg --configure -a"
  eh_pm 900 dpkg --force-confdef --force-confold --configure -a || code=$?
  eh_dpkg_broken
  [ "$code" != 0 ] || [ -n "$REPLY" ] || return 0
  if [ "$code" != 0 ] || [ "$REPLY" = 'its journal' ]; then eh_dpkg_red "dpkg --configure -a" "$code" "$broken"; fi
  eh_dpkg_reinstall "$REPLY"
}

# eh_dpkg_reinstall NAMES. What was cut while it was unpacked is half installed: dpkg passes over it and ends 0, and
# apt's own --fix-broken without a name removes it (both seen). Only unpacking it again helps.
eh_dpkg_reinstall() {
  local code=0 names=$1
  eh_say "half installed still: $names"
  eh_index_refresh
  eh_change "unpacking again: $names"
  # shellcheck disable=SC2086 # the names are words
  eh_apt 900 install --fix-broken --reinstall --no-install-recommends $names || code=$?
  eh_dpkg_broken
  [ "$code" = 0 ] && [ -z "$REPLY" ] || eh_dpkg_red "unpacking it again" "$code" "$names"
}

# eh_dpkg_red WHAT CODE PACKAGES: ends with 20.
eh_dpkg_red() {
  local what=$1 code=$2 broken=$3
  eh_dpkg_broken
  broken=${REPLY:-$broken}
  eh_pm_last
  eh_fail 20 "$what could not repair $broken (code $code): $REPLY" \
    "repair it by hand with apt-get install -f, then run again"
}
