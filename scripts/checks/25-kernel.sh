# shellcheck shell=bash
# The kernel and what is set in it: version, cgroups, modules, forwarding, swap, limits.

# A container has its host's kernel: modules and swap there are the host's own, and prove nothing about this machine.
eh_kernel_is_ours() {
  ! eh_in_container || { eh_skip "a container: this belongs to the kernel of its host" && return 1; }
}

eh_check 0 host.kernel.version eh_check_kernel_version
eh_check_kernel_version() {
  local release major minor
  release=$(eh_capture 5 uname -r) || release=0.0
  major=${release%%.*}
  minor=${release#*.}
  minor=${minor%%[!0-9]*}
  eh_os
  if [ "${major:-0}" -gt 5 ] || { [ "$major" = 5 ] && [ "${minor:-0}" -ge 10 ]; }; then
    eh_ok "$release"
  elif [ "$EH_OS_ID" = rhel ] && [[ $release == 4.18.* ]]; then
    # Upstream Cilium still runs on the 4.18 of RHEL 8.10; Kubernetes from 1.32 on does not.
    eh_remark "$release of RHEL 8" "5.10 or newer for Kubernetes 1.32 and current AWS builds of Cilium"
  else
    eh_bad "$release" "5.10 or newer"
  fi
}

eh_check 0 host.kernel.cgroup eh_check_kernel_cgroup
eh_check_kernel_cgroup() {
  if [ -e "$EH_ROOT/sys/fs/cgroup/cgroup.controllers" ]; then
    eh_ok "cgroup v2"
  else
    eh_bad "cgroup v1" "cgroup v2 (unified)"
  fi
}

eh_check 0 host.kernel.modules eh_check_kernel_modules
eh_check_kernel_modules() {
  local module release known file line missing='' barred=''
  eh_kernel_is_ours || return 0
  release=$(eh_capture 5 uname -r) || release=
  eh_read "/lib/modules/$release/modules.builtin"
  known=$REPLY
  eh_read "/lib/modules/$release/modules.dep"
  known+=$'\n'$REPLY
  for module in overlay br_netfilter vxlan; do
    [ ! -d "$EH_ROOT/sys/module/$module" ] || continue
    [[ $known == */"$module".ko* ]] || missing+="${missing:+, }$module"
  done
  for file in "$EH_ROOT"/etc/modprobe.d/*.conf; do
    [ -r "$file" ] || continue
    while IFS= read -r line; do
      [[ ! $line =~ ^[[:space:]]*install[[:space:]]+(overlay|br_netfilter|vxlan)[[:space:]]+/(usr/)?bin/(true|false) ]] ||
        barred+="${barred:+, }${BASH_REMATCH[1]} barred in ${file#"$EH_ROOT"}"
    done <"$file"
  done
  if [ -z "$missing$barred" ]; then
    eh_ok "overlay, br_netfilter and vxlan can be loaded"
  else
    eh_bad "${missing:+missing: $missing}${missing:+${barred:+; }}$barred" "overlay, br_netfilter and vxlan"
  fi
}

eh_check 0 host.kernel.forwarding eh_check_kernel_forwarding
eh_check_kernel_forwarding() {
  local file line found=''
  for file in "$EH_ROOT"/etc/sysctl.conf "$EH_ROOT"/etc/sysctl.d/*.conf; do
    [ -r "$file" ] || continue
    while IFS= read -r line; do
      [[ ! $line =~ ^[[:space:]]*-?net[./]ipv4[./](ip_forward|conf[./]all[./]forwarding)[[:space:]]*=[[:space:]]*0 ]] ||
        found+="${found:+, }${file#"$EH_ROOT"}"
    done <"$file"
  done
  if [ -z "$found" ]; then
    eh_ok "no file switches IPv4 forwarding off"
  else
    eh_bad "net.ipv4.ip_forward = 0 in $found" "no setting that switches forwarding off again at boot"
  fi
}

eh_check 0 host.kernel.limits eh_check_kernel_limits
eh_check_kernel_limits() {
  local files processes
  eh_read /proc/1/limits
  [[ $REPLY =~ Max\ open\ files[[:space:]]+[a-z0-9]+[[:space:]]+([a-z0-9]+) ]] && files=${BASH_REMATCH[1]} || files=unlimited
  [[ $REPLY =~ Max\ processes[[:space:]]+[a-z0-9]+[[:space:]]+([a-z0-9]+) ]] && processes=${BASH_REMATCH[1]} || processes=unlimited
  if { [ "$files" = unlimited ] || [ "$files" -ge 1024 ]; } && { [ "$processes" = unlimited ] || [ "$processes" -ge 4096 ]; }; then
    eh_ok "services may open 1024 files and 4096 processes or more"
  else
    eh_bad "open files $files, processes $processes" "at least 1024 and 4096"
  fi
}

# eh_swaps KIND -> REPLY: the swap areas of that kind (partition, file).
eh_swaps() {
  local name kind rest text wanted=$1
  eh_read /proc/swaps
  text=$REPLY
  REPLY=
  while read -r name kind rest; do
    [ "$kind" != "$wanted" ] || REPLY+="${REPLY:+, }$name"
  done < <(printf '%s\n' "$text")
  : "${rest:-}"
}

eh_check 0 host.swap.partition eh_check_swap_partition
eh_check_swap_partition() {
  eh_kernel_is_ours || return 0
  eh_swaps partition
  if [ -z "$REPLY" ]; then eh_ok "no swap partition"; else eh_bad "swap on $REPLY" "no swap partition"; fi
}

eh_check 0 host.swap.file eh_check_swap_file
eh_check_swap_file() {
  eh_kernel_is_ours || return 0
  eh_swaps file
  if [ -z "$REPLY" ]; then eh_ok "no swap file"; else eh_bad "swap in $REPLY" "no swap file"; fi
}

eh_check 0 host.kernel.iptables eh_check_kernel_iptables
eh_check_kernel_iptables() {
  local version
  eh_have iptables || { eh_skip "iptables is not there yet; the preparation installs it" && return; }
  version=$(eh_capture 5 iptables --version) || version=unknown
  eh_read /proc/net/ip_tables_names
  if [[ $version == *nf_tables* && -n $REPLY ]] && ! eh_in_container; then
    eh_bad "$version, but the legacy tables ${REPLY//$'\n'/, } are in use" "one kind of tables"
  else
    eh_ok "$version"
  fi
}
