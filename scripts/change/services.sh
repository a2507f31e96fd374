# shellcheck shell=bash
# Services that must be there and run, the clock, and the login shell.
#
# services.sh     eh_service NAME                 enables and starts a unit; ends with 22 when it does not run
#                 eh_time_daemon                  -> REPLY: what keeps the clock besides systemd-timesyncd, or ""
#                 eh_clock_package                -> REPLY: the package a host without any time daemon needs, or ""
#                 eh_clock                        one time daemon, the right one, enabled and running
#                 eh_login_shell                  bash for the login user, where that is asked for
EH_TIME_PACKAGE=

eh_service() {
  local unit=$1.service REPLY
  eh_unit_enabled "$unit"
  case $REPLY in
    enabled* | static | indirect | alias | generated) ;;
    absent | not-found) eh_fail 22 "the service $1 is not on this host" "install the package that brings it, then run again" ;;
    masked*) eh_fail 22 "the service $1 is masked" "systemctl unmask $1, or let Palette not manage what needs it" ;;
    *)
      eh_change "enabling $1"
      eh_run 60 systemctl enable "$unit" || eh_fail 22 "the service $1 could not be enabled" "systemctl enable $1 on the host says why"
      ;;
  esac
  eh_service_start "$1"
}

eh_service_start() {
  local unit=$1.service REPLY
  eh_unit_state "$unit"
  case $REPLY in active | activating | reloading) return 0 ;; esac
  eh_run 120 systemctl start "$unit" || :
  eh_unit_state "$unit"
  case $REPLY in
    active | activating | reloading) eh_change "started $1" ;;
    *)
      # systemd-timesyncd never runs inside a container, whose clock is the host's: that is no failure and no change.
      if [ "$(eh_capture 10 systemctl show --property=ConditionResult --value "$unit")" = no ]; then
        eh_say "$1 does not run here: a condition of its unit is not met (a container?)"
      else
        eh_fail 22 "the service $1 does not run: it is $REPLY" "systemctl status $1 on the host says why"
      fi
      ;;
  esac
}

# One question for all of them: each call of systemctl costs as much as the rest of this function.
eh_time_daemon() {
  local line id='' found=''
  while IFS= read -r line; do
    case $line in
      Id=*) id=${line#Id=} ;;
      ActiveState=active | ActiveState=activating | UnitFileState=enabled) found=${found:-${id%.service}} ;;
    esac
  done < <(eh_capture 10 systemctl show --property=Id --property=ActiveState --property=UnitFileState \
    chronyd.service chrony.service ntpsec.service ntp.service ntpd.service openntpd.service || :)
  REPLY=$found
}

eh_clock_package() {
  local other
  eh_time_daemon
  other=$REPLY
  REPLY=
  if [ -z "$other" ] && ! eh_in ntp "${EH_MANAGES:-}"; then
    eh_unit_state systemd-timesyncd.service
    if [ "$REPLY" = absent ]; then REPLY=$EH_TIME_PACKAGE; else REPLY=; fi
  fi
}

eh_clock() {
  local other
  eh_time_daemon
  other=$REPLY
  if eh_in ntp "${EH_MANAGES:-}"; then
    [ -z "$other" ] || {
      eh_change "switching off $other: Palette manages NTP through systemd-timesyncd"
      eh_run 60 systemctl disable --now "$other.service" || eh_fail 22 "the service $other could not be switched off" \
        "systemctl disable --now $other on the host says why"
    }
    return 0
  fi
  if [ -z "$other" ]; then
    eh_unit_state systemd-timesyncd.service
    if [ "$REPLY" = absent ]; then
      other=$EH_TIME_PACKAGE
      [ "$other" != chrony ] || other=chronyd
    else
      other=systemd-timesyncd
    fi
    eh_service "$other"
  elif [ "$EH_PM" = apt ]; then
    eh_finding prepare.clock "$other keeps the clock and is left alone" "systemd-timesyncd" \
      "nothing to do, or add ntp to palette.manages to let Palette manage the time"
  fi
}

eh_login_shell() {
  local user=${EH_LOGIN_USER:-root} line
  line=$(eh_capture 10 getent passwd "$user") || line=
  [ -n "$line" ] && [ "${line##*/}" != bash ] || return 0
  if [ "${EH_SET_BASH:-0}" != 1 ]; then
    eh_finding prepare.shell "the login shell of $user is ${line##*:}" "bash" \
      "chsh -s /bin/bash $user, or set setBashShell: true for this host"
    return 0
  fi
  eh_change "making bash the login shell of $user (was ${line##*:})"
  eh_run 30 usermod --shell /bin/bash "$user" || eh_finding prepare.shell "the login shell of $user could not be changed" "bash" \
    "change it where the user is defined (LDAP?), then run again"
}
