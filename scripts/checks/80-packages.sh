# shellcheck shell=bash
# The package manager, its repositories and its index, and what the preparation leaves behind. Nothing here refreshes
# anything: a look at a host writes nothing.

eh_check 0 host.packages.manager eh_check_packages_manager
eh_check_packages_manager() {
  eh_package_manager
  if [ -n "$REPLY" ]; then eh_ok "$REPLY"; else eh_bad "neither apt-get nor dnf" "apt or dnf"; fi
}

eh_check 0 host.packages.consistent eh_check_packages_consistent
eh_check_packages_consistent() {
  local text
  eh_have dpkg || { eh_skip "no dpkg" && return; }
  text=$(eh_capture 30 dpkg --audit) || :
  eh_entries /var/lib/dpkg/updates
  if [ -z "$text" ] && [ "$REPLY" = 0 ]; then
    eh_ok "no package is half installed"
  else
    eh_bad "an installation was interrupted" "no half-installed package"
  fi
}

# eh_repositories -> REPLY: ids of enabled repositories (dnf) or "apt"; empty when there is none.
eh_repositories() {
  local file line id='' enabled=1 found=''
  for file in "$EH_ROOT"/etc/apt/sources.list "$EH_ROOT"/etc/apt/sources.list.d/*; do
    [ -f "$file" ] || continue
    while IFS= read -r line || [ -n "$line" ]; do
      [[ ! $line =~ ^(deb[[:space:]]|URIs:) ]] || found=apt
    done <"$file"
  done
  for file in "$EH_ROOT"/etc/yum.repos.d/*.repo; do
    [ -f "$file" ] || continue
    while IFS= read -r line || [ -n "$line" ]; do
      if [[ $line =~ ^\[([^]]+)\] ]]; then
        [ -z "$id" ] || [ "$enabled" = 0 ] || found+="${found:+ }$id"
        id=${BASH_REMATCH[1]} enabled=1
      elif [[ $line =~ ^enabled[[:space:]]*=[[:space:]]*([0-9a-zA-Z]+) ]]; then
        case ${BASH_REMATCH[1],,} in 0 | false | no) enabled=0 ;; esac
      fi
    done <"$file"
    [ -z "$id" ] || [ "$enabled" = 0 ] || found+="${found:+ }$id"
    id=
  done
  REPLY=$found
}

eh_check 0 host.packages.repositories eh_check_packages_repositories
eh_check_packages_repositories() {
  eh_repositories
  if [ -n "$REPLY" ]; then eh_ok "there are enabled repositories"; else eh_bad "no enabled repository" "at least one"; fi
}

# eh_refreshed -> REPLY: when the index was last refreshed without an error, in seconds since 1970; "" when never. What the
# preparation noted down counts, and the stamps that apt and dnf leave after a refresh that went through.
eh_refreshed() {
  local newest=0 path time
  eh_read "$EH_STATE_DIR/index"
  case $REPLY in failed) REPLY= && return ;; '' | *[!0-9]*) ;; *) newest=$REPLY ;; esac
  for path in /var/lib/apt/periodic/update-success-stamp /var/cache/dnf/last_makecache; do
    [ -e "$EH_ROOT$path" ] || continue
    time=$(eh_capture 5 stat -c %Y "$EH_ROOT$path") || time=0
    [ "$time" -le "$newest" ] || newest=$time
  done
  REPLY=${newest#0}
}

eh_check 0 host.packages.index.age eh_check_packages_index_age
eh_check_packages_index_age() {
  local limit=${EH_INDEX_MAX_AGE:-86400} age
  ! eh_in_cluster || { eh_ok "this host has joined; nodeadm has installed its packages" && return; }
  ! eh_left_to_preparation "the preparation refreshes the index" || return 0
  eh_refreshed
  [ -n "$REPLY" ] || { eh_bad "no refresh that went through" "one in the last $((limit / 3600)) h" && return; }
  age=$REPLY
  eh_now
  age=$((REPLY - age))
  if [ "$age" -le "$limit" ]; then
    eh_ok "younger than $((limit / 3600)) h"
  else
    eh_bad "$((age / 86400)) days and $((age % 86400 / 3600)) h old" "younger than $((limit / 3600)) h"
  fi
}

# apt keeps one list per target, dnf one repomd.xml per repository: what is missing was not fetched by the last refresh.
eh_check 0 host.packages.index.complete eh_check_packages_index_complete
eh_check_packages_index_complete() {
  local file id found='' paths
  ! eh_left_to_preparation "the preparation refreshes the index" || return 0
  eh_read "$EH_STATE_DIR/index"
  [ "$REPLY" != failed ] || { eh_bad "the last refresh met an error" "a refresh without an error" && return; }
  eh_package_manager
  if [ "$REPLY" = apt ]; then
    # shellcheck disable=SC2016 # apt expands it
    while IFS= read -r file; do
      [ -n "$file" ] || continue
      paths=("$EH_ROOT$file"*)
      [ -e "${paths[0]}" ] || found+="${found:+, }${file##*/}"
    done < <(eh_capture 10 apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages')
  elif [ "$REPLY" = dnf ]; then
    eh_repositories
    for id in $REPLY; do
      paths=("$EH_ROOT/var/cache/dnf/$id"-*/repodata/repomd.xml)
      [ -e "${paths[0]}" ] || found+="${found:+, }$id"
    done
  fi
  if [ -z "$found" ]; then eh_ok "every repository has an index"; else eh_bad "no index of $found" "an index of every repository"; fi
}

eh_check 0 host.packages.dependencies eh_check_packages_dependencies
eh_check_packages_dependencies() {
  local name missing='' wanted='jq zstd rsync conntrack iptables curl ethtool'
  # jq, zstd and rsync are asked for by the agent's installer, which an appliance does not run.
  ! eh_appliance || wanted='conntrack iptables curl ethtool'
  for name in $wanted; do
    eh_have "$name" || missing+="${missing:+ }$name"
  done
  [ -e "$EH_ROOT/etc/ssl/certs/ca-certificates.crt" ] || [ -e "$EH_ROOT/etc/pki/tls/certs/ca-bundle.crt" ] || missing+="${missing:+ }ca-certificates"
  if [ -z "$missing" ]; then
    eh_ok "all there"
  else
    eh_left_to_preparation "the preparation installs $missing" || eh_bad "missing: $missing" "all installed"
  fi
}

eh_check 0 host.packages.services eh_check_packages_services
eh_check_packages_services() {
  local unit bad=''
  [ -n "${EH_SERVICES:-}" ] || { eh_skip "no service is asked for" && return; }
  for unit in $EH_SERVICES; do
    case $unit in systemd-timesyncd*) ! eh_in_container || continue ;; esac
    eh_unit "${unit%.service}.service"
    [ "$REPLY" = active ] || bad+="${bad:+, }$unit is $REPLY"
  done
  if [ -z "$bad" ]; then
    eh_ok "active: $EH_SERVICES"
  else
    eh_left_to_preparation "the preparation sees to it: $bad" || eh_bad "$bad" "active: $EH_SERVICES"
  fi
}

# nodeadm cannot take containerd from RHEL's own repositories: it must be there already, or come from Docker's.
eh_check 0 host.packages.containerd eh_check_packages_containerd
eh_check_packages_containerd() {
  eh_os
  [ "$EH_OS_ID" = rhel ] || { eh_skip "not RHEL" && return; }
  if eh_have containerd && eh_have runc; then
    eh_ok "containerd and runc are there"
    return
  fi
  ! eh_appliance || { eh_bad "containerd or runc is not in the image" "both: nothing can be installed later" && return; }
  eh_repositories
  case " $REPLY " in
    *' docker-ce-stable '*) eh_ok "Docker's repository is configured" ;;
    *) eh_bad "neither containerd and runc nor Docker's repository" "one of them" ;;
  esac
}

# Pods hang at their end with an older containerd and the AppArmor profile of Ubuntu 24.04.
eh_check 0 host.packages.containerd.version eh_check_packages_containerd_version
eh_check_packages_containerd_version() {
  local text
  eh_os
  if [ "$EH_OS_KEY" != ubuntu-24.04 ] || ! eh_have containerd; then
    eh_skip "not Ubuntu 24.04 with containerd"
    return
  fi
  text=$(eh_capture 10 containerd --version) || :
  [[ $text =~ [[:space:]]v?([0-9]+)\.([0-9]+)\.([0-9]+) ]] || { eh_skip "its version is not known" && return; }
  if [ $((BASH_REMATCH[1] * 1000000 + BASH_REMATCH[2] * 1000 + BASH_REMATCH[3])) -ge 1007019 ]; then
    eh_ok "${BASH_REMATCH[1]}.${BASH_REMATCH[2]}.${BASH_REMATCH[3]}"
  else
    eh_bad "containerd ${BASH_REMATCH[1]}.${BASH_REMATCH[2]}.${BASH_REMATCH[3]}" "1.7.19 or newer"
  fi
}

eh_check 0 host.agent.running eh_check_agent_running
eh_check_agent_running() {
  local unit
  if eh_appliance; then
    eh_check_agent_appliance
    return
  elif ! eh_prepared || ! eh_agent_installed; then
    eh_skip "no agent of ours yet"
    return
  fi
  for unit in $EH_STYLUS_UNITS; do
    eh_unit "$unit"
    [ "$REPLY" != active ] || { eh_ok "$unit" && return; }
  done
  eh_bad "no unit of the agent is active" "spectro-stylus-agent.service active"
}

# The operator works for a cluster and may rest before there is one; the console's screen may be switched off.
eh_check_agent_appliance() {
  local unit found=''
  for unit in $EH_APPLIANCE_UNITS; do
    eh_unit "$unit"
    case $unit/$REPLY in
      stylus-agent.service/active) ;;
      stylus-agent.service/* | */failed) found+="${found:+, }$unit is $REPLY" ;;
    esac
  done
  if [ -z "$found" ]; then eh_ok stylus-agent.service; else eh_bad "$found" "stylus-agent.service active, and none failed"; fi
}
