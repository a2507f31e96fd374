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

# A folder outlives a reboot when something is mounted there, and that is no memory and not read-only.
eh_check 0 appliance.mounts eh_check_appliance_mounts
eh_check_appliance_mounts() {
  local path device target kind options rest text lost=''
  [ -n "${EH_BIND_MOUNTS:-}" ] || { eh_skip "no folder is given" && return; }
  eh_read /proc/self/mounts
  text=$REPLY
  for path in $EH_BIND_MOUNTS; do
    REPLY='is no mount'
    [ -d "$EH_ROOT$path" ] || REPLY='is missing'
    while read -r device target kind options rest; do
      [ "$target" = "$path" ] || continue
      case ,$options,/$kind in
        */tmpfs | */ramfs) REPLY="is in memory" ;;
        *,ro,*) REPLY="is read-only" ;;
        *) REPLY= ;;
      esac
    done < <(printf '%s\n' "$text")
    [ -z "$REPLY" ] || lost+="${lost:+, }$path $REPLY"
  done
  : "${device:-}" "${rest:-}"
  if [ -z "$lost" ]; then eh_ok "persistent: $EH_BIND_MOUNTS"; else eh_bad "$lost" "all persistent and writable: $EH_BIND_MOUNTS"; fi
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
