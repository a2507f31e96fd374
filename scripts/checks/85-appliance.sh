# shellcheck shell=bash
# What only an appliance must show: the host's own user-data was read, EKS's folders last, and it runs from its disk.

# Where user-data may lie after the first boot, the effective one first.
EH_OEM_FILES=('/run/stylus/userdata' '/oem/userdata' '/oem/*.yaml')

# eh_oem_tag NAME -> REPLY: a tag of this program in the host's user-data, "" when it is not there.
eh_oem_tag() {
  local pattern file
  for pattern in "${EH_OEM_FILES[@]}"; do
    for file in $EH_ROOT$pattern; do
      eh_read "${file#"$EH_ROOT"}"
      [[ $REPLY =~ $1[\"\']?:[[:space:]]*[\"\']?([A-Za-z0-9._-]+) ]] || continue
      REPLY=${BASH_REMATCH[1]}
      return 0
    done
  done
  REPLY=
}

eh_check 0 appliance.registration eh_check_appliance_registration
eh_check_appliance_registration() {
  local owner generation wanted="the registration of ${EH_OWNER:-this stack}, generation ${EH_GENERATION:-1}"
  eh_oem_tag edge-hosts-owner
  owner=$REPLY
  eh_oem_tag edge-hosts-generation
  generation=$REPLY
  if [ -z "$owner" ]; then
    eh_bad "no user-data of this program: the host's own ISO was not read" "$wanted"
  elif [ "$owner" != "${EH_OWNER:-}" ]; then
    eh_bad "the registration of $owner" "$wanted"
  elif [ "$generation" != "${EH_GENERATION:-1}" ]; then
    eh_bad "generation ${generation:-unknown}: the disk was not installed anew" "$wanted"
  else
    eh_ok "ours, generation $generation"
  fi
}

# eh_kept_on PATH MOUNTS -> REPLY: why what is written to a folder is lost at the next boot, "" when it is kept. The root of
# an appliance is read-only, with overlays in memory over what must be writable; what lasts is mounted from the disk.
eh_kept_on() {
  local device target kind options rest best='' found=''
  while read -r device target kind options rest; do
    [[ $1/ == "${target%/}/"* ]] && [ "${#target}" -ge "${#best}" ] || continue
    best=$target found=$kind,$options,
  done < <(printf '%s\n' "$2")
  : "${device:-}" "${rest:-}"
  case $found in
    tmpfs,* | ramfs,* | overlay,*upperdir=/run/*) REPLY="is in memory" ;;
    *,ro,*) REPLY="is read-only" ;;
    '') REPLY="is on no known file system" ;;
    *) REPLY= ;;
  esac
}

eh_check 0 appliance.mounts eh_check_appliance_mounts
eh_check_appliance_mounts() {
  local path text lost=''
  [ -n "${EH_BIND_MOUNTS:-}" ] || { eh_skip "no folder is given" && return; }
  eh_read /proc/self/mounts
  text=$REPLY
  for path in $EH_BIND_MOUNTS; do
    if [ -d "$EH_ROOT$path" ]; then eh_kept_on "$path" "$text"; else REPLY='is missing'; fi
    [ -z "$REPLY" ] || lost+="${lost:+, }$path $REPLY"
  done
  if [ -z "$lost" ]; then eh_ok "kept: $EH_BIND_MOUNTS"; else eh_bad "$lost" "all kept over a reboot: $EH_BIND_MOUNTS"; fi
}

# The initial file system leaves a file that names the system that was booted.
eh_check 0 appliance.system eh_check_appliance_system
eh_check_appliance_system() {
  local mode
  for mode in live passive recovery autoreset; do
    [ ! -e "$EH_ROOT/run/cos/${mode}_mode" ] || { eh_bad "the $mode system" "the active system, from disk" && return; }
  done
  if [ -e "$EH_ROOT/run/cos/active_mode" ]; then
    eh_ok "the active system"
  else
    eh_skip "nothing says which system was booted"
  fi
}
