# shellcheck shell=bash
# The operating system and how it is set up: is it one that AWS and Palette support, and does it behave like one?

eh_check 0 host.os.supported eh_check_os_supported
eh_check_os_supported() {
  local expected='Ubuntu 20.04, 22.04 or 24.04, RHEL 8 or 9, or Amazon Linux 2023'
  eh_os
  case $EH_OS_KEY in
    ubuntu-20.04 | ubuntu-22.04 | ubuntu-24.04 | rhel-8 | rhel-8.* | rhel-9 | rhel-9.* | amzn-2023 | amzn-2023.*)
      eh_ok "${EH_OS_NAME:-$EH_OS_KEY}"
      return
      ;;
  esac
  if eh_in "$EH_OS_KEY" "${EH_ACCEPT_OS:-}" || eh_in "$EH_OS_ID-${EH_OS_VERSION%%.*}" "${EH_ACCEPT_OS:-}"; then
    eh_accepted "$EH_OS_KEY" "$expected"
  else
    eh_bad "$EH_OS_KEY" "$expected"
  fi
}

eh_check 0 host.os.architecture eh_check_os_architecture
eh_check_os_architecture() {
  eh_arch
  case $REPLY in amd64 | arm64) eh_ok "$REPLY" ;; *) eh_bad "$REPLY" "amd64 or arm64" ;; esac
}

eh_check 0 host.os.fips eh_check_os_fips
eh_check_os_fips() {
  eh_os
  if [ "${EH_FIPS:-0}" != 1 ]; then
    eh_skip "FIPS is not asked for"
  elif [ "$EH_OS_ID" = rhel ]; then
    eh_ok "$EH_OS_KEY"
  else
    eh_bad "$EH_OS_KEY" "RHEL, the only system of the FIPS agent"
  fi
}

eh_check 0 host.os.fipsmode eh_check_os_fipsmode
eh_check_os_fipsmode() {
  local mode wanted=${EH_FIPS:-0}
  eh_read /proc/sys/crypto/fips_enabled
  mode=${REPLY:-0}
  if [ "$mode" = "$wanted" ]; then
    eh_ok "kernel FIPS mode $mode"
  else
    eh_bad "kernel FIPS mode $mode" "$wanted, as \`fips\` in the settings says"
  fi
}

eh_check 0 host.os.credentialprovider eh_check_os_credentialprovider
eh_check_os_credentialprovider() {
  eh_os
  case ${EH_CREDENTIAL_PROVIDER:-ssm}/$EH_OS_KEY in
    iamRolesAnywhere/ubuntu-20.04 | iamRolesAnywhere/rhel-8 | iamRolesAnywhere/rhel-8.*)
      eh_bad "iamRolesAnywhere on $EH_OS_KEY" "ssm on this system"
      ;;
    *) eh_ok "${EH_CREDENTIAL_PROVIDER:-ssm} on $EH_OS_KEY" ;;
  esac
}

eh_check 0 host.os.platform eh_check_os_platform
eh_check_os_platform() {
  local virt vendor
  eh_read /sys/class/dmi/id/sys_vendor
  vendor=$REPLY
  eh_os
  if [ "$vendor" = 'Amazon EC2' ]; then
    eh_bad "an EC2 instance" "a machine outside of AWS"
    return
  fi
  virt=$(eh_capture 5 systemd-detect-virt) || :
  if [ "$EH_OS_ID" = amzn ] && [ "${virt:-none}" = none ]; then
    eh_bad "Amazon Linux on bare metal" "Amazon Linux 2023 in a virtual machine"
  else
    eh_ok "${vendor:-unknown maker}"
  fi
}

eh_check 0 host.os.systemd eh_check_os_systemd
eh_check_os_systemd() {
  eh_read /proc/1/comm
  if [ "$REPLY" = systemd ] && [ -d "$EH_ROOT/run/systemd/system" ]; then
    eh_ok "systemd is process 1"
  else
    eh_bad "process 1 is ${REPLY:-unknown}" "systemd"
  fi
}

eh_check 0 host.os.failedunits eh_check_os_failedunits
eh_check_os_failedunits() {
  local text unit rest names=''
  eh_have systemctl || { eh_skip "no systemctl" && return; }
  text=$(eh_capture 10 systemctl list-units --failed --plain --no-legend --no-pager) || :
  while read -r unit rest; do
    [ -z "$unit" ] || names+="${names:+, }$unit"
  done < <(printf '%s\n' "$text")
  : "${rest:-}"
  if [ -z "$names" ]; then eh_ok "no failed unit"; else eh_bad "failed: $names" "no failed unit"; fi
}

eh_check 0 host.os.rebootpending eh_check_os_rebootpending
eh_check_os_rebootpending() {
  if [ -e "$EH_ROOT/run/reboot-required" ]; then
    eh_bad "an update waits for a reboot" "no reboot pending"
  else
    eh_ok "no reboot pending"
  fi
}

eh_check 0 host.os.selinux eh_check_os_selinux
eh_check_os_selinux() {
  local state
  eh_read /sys/fs/selinux/enforce
  if [ "$REPLY" != 1 ]; then
    eh_ok "SELinux does not enforce"
  elif [ "${EH_FIPS:-0}" != 1 ]; then
    eh_ok "SELinux enforces"
  else
    state=$(eh_capture 5 getsebool rsync_full_access) || state='rsync_full_access is unknown'
    case $state in *' on') eh_ok "$state" ;; *) eh_bad "$state" "rsync_full_access --> on, for the FIPS agent's installer" ;; esac
  fi
}

eh_check 0 host.os.docker eh_check_os_docker
eh_check_os_docker() {
  local names='docker-ce docker-ee docker.io docker docker-engine moby-engine podman-docker' name state found='' text=''
  if eh_have dpkg-query; then
    # shellcheck disable=SC2086,SC2016 # the names are words; ${...} is dpkg's
    text=$(eh_capture 10 dpkg-query -W -f '${Package} ${db:Status-Status}\n' $names) || :
  elif eh_have rpm; then
    # shellcheck disable=SC2086 # the names are words
    text=$(eh_capture 10 rpm -q --qf '%{NAME} installed\n' $names) || :
  fi
  while read -r name state; do
    [ "$state" != installed ] || found+="${found:+, }package $name"
  done < <(printf '%s\n' "$text")
  [ ! -e "$EH_ROOT/snap/docker" ] || found+="${found:+, }snap docker"
  [ -n "$found" ] || ! eh_have docker || found="command docker"
  if [ -z "$found" ]; then eh_ok "no Docker"; else eh_bad "$found" "no Docker (containerd alone is fine)"; fi
}

eh_login_user() {
  REPLY=${EH_LOGIN_USER:-${SUDO_USER:-root}}
}

eh_check 0 host.access.shell eh_check_access_shell
eh_check_access_shell() {
  local user line
  eh_login_user
  user=$REPLY
  line=$(eh_capture 10 getent passwd "$user") || line=
  if [ -z "$line" ]; then
    eh_bad "user $user is unknown" "a login user with bash"
  elif [ "${line##*/}" = bash ]; then
    eh_ok "$user: ${line##*:}"
  elif [ "${EH_SET_BASH:-0}" = 1 ] && [ "${EH_WRITE:-0}" = 1 ]; then
    eh_skip "$user: ${line##*:}; the preparation sets bash"
  else
    eh_bad "$user: ${line##*:}" "bash"
  fi
}

eh_check 0 host.access.root eh_check_access_root
eh_check_access_root() {
  local uid
  uid=$(eh_capture 5 id -u) || uid=unknown
  if [ "$uid" = 0 ]; then eh_ok "the step runs as root"; else eh_bad "the step runs as uid $uid" "root"; fi
}

# eh_expired USER -> REPLY: what an expired account or password of USER says, "" when neither is.
eh_expired() {
  local name password changed least most warn inactive expires rest today
  eh_now
  today=$((REPLY / 86400))
  REPLY=
  [ -r "$EH_ROOT/etc/shadow" ] || return 0
  while IFS=: read -r name password changed least most warn inactive expires rest; do
    [ "$name" = "$1" ] || continue
    case $expires in '' | *[!0-9]*) ;; *) [ "$expires" -ge "$today" ] || REPLY="account $name has expired" ;; esac
    [ "$changed" != 0 ] || REPLY="password of $name must be changed at the next login"
    case $password:$changed:$most in
      [!*]*:[0-9]*:[0-9]*) [ $((changed + most)) -ge "$today" ] || REPLY="password of $name has expired" ;;
    esac
  done <"$EH_ROOT/etc/shadow"
  : "${least:-}" "${warn:-}" "${inactive:-}" "${rest:-}"
}

eh_check 0 host.access.expiry eh_check_access_expiry
eh_check_access_expiry() {
  local user found=''
  eh_login_user
  for user in "$REPLY" root; do
    eh_expired "$user"
    case $found in *"$REPLY"*) ;; *) found+="${found:+, }$REPLY" ;; esac
  done
  if [ -z "$found" ]; then eh_ok "no expired account"; else eh_bad "$found" "no expired account or password"; fi
}

eh_check 0 host.access.statedir eh_check_access_statedir
eh_check_access_statedir() {
  local dir=$EH_ROOT$EH_STATE_DIR mode
  if [ ! -e "$dir" ] && [ ! -L "$dir" ]; then
    eh_ok "$EH_STATE_DIR is not there yet"
  elif [ -L "$dir" ] || [ ! -d "$dir" ]; then
    eh_bad "$EH_STATE_DIR is a link or a file" "a folder of root with mode 700"
  else
    mode=$(eh_capture 5 stat -c %a "$dir") || mode=unknown
    if [ "$mode" = 700 ] && [ -O "$dir" ]; then
      eh_ok "mode 700"
    else
      eh_bad "$EH_STATE_DIR has mode $mode$([ -O "$dir" ] || printf ' and is not root'\''s')" "a folder of root with mode 700"
    fi
  fi
}
