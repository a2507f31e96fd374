# shellcheck shell=bash
# Processors, memory, disks. Sizes are decimal for disks (as they are sold) and binary for memory (as it is built in).

EH_GB=1000000000

eh_cpus() {
  REPLY=$(eh_capture 5 nproc) || REPLY=0
}

eh_check_cpu() {
  eh_cpus
  if [ "$REPLY" -ge "$1" ]; then
    eh_ok "$REPLY CPUs"
  else
    eh_bad "$REPLY CPUs" "at least $1"
  fi
}

eh_check 0 host.cpu.minimum eh_check_cpu_minimum
eh_check_cpu_minimum() { eh_check_cpu 2; }

eh_check 0 host.cpu.recommended eh_check_cpu_recommended
eh_check_cpu_recommended() { eh_check_cpu 4; }

# The kernel keeps some of the memory to itself: MemTotal of a machine of 8 GiB is about 7.7 GiB. Hence a tenth of grace.
eh_check_memory() {
  local kib=0 want=$1 tenths
  eh_read /proc/meminfo
  [[ $REPLY =~ MemTotal:[[:space:]]+([0-9]+) ]] && kib=${BASH_REMATCH[1]}
  tenths=$((kib * 10 / 1048576))
  if [ "$kib" -ge $((want * 1048576 * 9 / 10)) ]; then
    eh_ok "$((tenths / 10)).$((tenths % 10)) GiB"
  else
    eh_bad "$((tenths / 10)).$((tenths % 10)) GiB" "at least $want GiB (a tenth less is accepted)"
  fi
}

eh_check 0 host.memory.minimum eh_check_memory_minimum
eh_check_memory_minimum() { eh_check_memory 4; }

eh_check 0 host.memory.recommended eh_check_memory_recommended
eh_check_memory_recommended() { eh_check_memory 8; }

# eh_df COLUMN PATH -> REPLY: one number of df in bytes (or inodes), 0 when unknown.
eh_df() {
  local text
  text=$(eh_capture 10 df -B1 --output="$1" "$2") || text=
  REPLY=${text##*$'\n'}
  REPLY=${REPLY//[^0-9]/}
  REPLY=${REPLY:-0}
}

# eh_disk_size -> REPLY, REPLY2: bytes and name of what a host's size is judged by: the root file system; of an appliance,
# whose root is a small read-only image, the largest disk. A container sees its host's disks, so its root counts.
eh_disk_size() {
  local path size=0 name=/
  if eh_appliance && ! eh_in_container; then
    for path in "$EH_ROOT"/sys/block/*; do
      case ${path##*/} in loop* | ram* | zram* | sr* | fd* | dm-* | md*) continue ;; esac
      eh_read "${path#"$EH_ROOT"}/removable"
      [ "$REPLY" != 1 ] || continue
      eh_read "${path#"$EH_ROOT"}/size"
      case $REPLY in '' | *[!0-9]*) continue ;; esac
      [ $((REPLY * 512)) -le "$size" ] || size=$((REPLY * 512)) name=/dev/${path##*/}
    done
  fi
  [ "$size" != 0 ] || { eh_df size / && size=$REPLY; }
  REPLY=$size REPLY2=$name
}

eh_check_disk() {
  eh_disk_size
  if [ "$REPLY" -ge $(($1 * EH_GB)) ]; then
    eh_ok "$REPLY2 has $((REPLY / EH_GB)) GB"
  else
    eh_bad "$REPLY2 has $((REPLY / EH_GB)) GB" "at least $1 GB"
  fi
}

eh_check 0 host.disk.minimum eh_check_disk_minimum
eh_check_disk_minimum() { eh_check_disk 32; }

eh_check 0 host.disk.recommended eh_check_disk_recommended
eh_check_disk_recommended() { eh_check_disk 100; }

eh_check 0 host.disk.free eh_check_disk_free
eh_check_disk_free() {
  local path low='' paths='/var /opt'
  ! eh_appliance || paths=/usr/local
  for path in $paths; do
    [ -d "$EH_ROOT$path" ] || continue
    eh_df avail "$path"
    [ "$REPLY" -ge $((10 * EH_GB)) ] || low+="${low:+, }$path has $((REPLY / EH_GB)) GB free"
  done
  if [ -z "$low" ]; then eh_ok "10 GB or more are free in ${paths/ / and }"; else eh_bad "$low" "at least 10 GB"; fi
}

eh_check 0 host.disk.inodes eh_check_disk_inodes
eh_check_disk_inodes() {
  local path total low='' paths='/ /var'
  ! eh_appliance || paths=/usr/local
  for path in $paths; do
    eh_df itotal "$path"
    total=$REPLY
    [ "$total" -gt 0 ] || continue
    eh_df iavail "$path"
    [ $((REPLY * 10)) -ge "$total" ] || low+="${low:+, }$path has $((REPLY * 100 / total)) % of its inodes free"
  done
  if [ -z "$low" ]; then eh_ok "a tenth or more of the inodes is free in ${paths/ / and }"; else eh_bad "$low" "at least 10 %"; fi
}

# eh_mount_options PATH -> REPLY: ",rw,noexec,...," of the file system that PATH lies on.
eh_mount_options() {
  local target options best='' line device kind rest
  eh_read /proc/self/mounts
  local text=$REPLY
  REPLY=,
  while read -r device target kind options rest; do
    line=${target%/}/
    [[ $1/ == "$line"* ]] && [ "${#line}" -ge "${#best}" ] || continue
    best=$line
    REPLY=,$options,
  done < <(printf '%s\n' "$text")
  : "$device" "$kind" "$rest"
}

eh_check 0 host.disk.writable eh_check_disk_writable
eh_check_disk_writable() {
  local path stuck='' paths='/etc /var /opt /usr/local'
  eh_appliance || paths="/ $paths"
  for path in $paths; do
    eh_mount_options "$path"
    case $REPLY in *,ro,*) stuck+="${stuck:+, }$path" ;; esac
  done
  if [ -z "$stuck" ]; then eh_ok "writable: $paths"; else eh_bad "read-only: $stuck" "writable"; fi
}

eh_check 0 host.disk.workdir eh_check_disk_workdir
eh_check_disk_workdir() {
  local path
  for path in /opt/palette-agent /root; do
    eh_mount_options "$path"
    case $REPLY in *,noexec,* | *,ro,*) ;; *) eh_ok "$path" && return ;; esac
  done
  eh_bad "/opt and /root are mounted noexec or read-only" "a folder in which the installer may run a program"
}

eh_check 0 host.disk.vartmp eh_check_disk_vartmp
eh_check_disk_vartmp() {
  local mode
  mode=$(eh_capture 5 stat -c %a "$EH_ROOT/var/tmp") || mode=missing
  if [ "$mode" = 1777 ]; then eh_ok "mode 1777"; else eh_bad "/var/tmp: $mode" "mode 1777"; fi
}
