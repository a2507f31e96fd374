# shellcheck shell=bash
# Who this machine says it is, and whether another one of the site says the same (cloned templates).

eh_machine_id() {
  eh_read /etc/machine-id
}

# A container shows the firmware of the machine that it runs on, which says nothing about itself.
eh_product_uuid() {
  REPLY=
  eh_in_container || eh_read /sys/class/dmi/id/product_uuid
  REPLY=${REPLY,,}
}

# eh_others COLUMN VALUE -> REPLY: the hosts of the site that have the same value (2 machine-id, 3 product_uuid).
eh_others() {
  local column=$1 value=$2 host machine uuid found=''
  while IFS=$'\t' read -r host machine uuid; do
    [ -n "$host" ] && [ "$host" != "$EH_HOST" ] || continue
    case $column in 2) REPLY=$machine ;; *) REPLY=$uuid ;; esac
    [ "${REPLY,,}" != "$value" ] || found+="${found:+, }$host"
  done < <(printf '%s\n' "${EH_KNOWN_IDS:-}")
  REPLY=$found
}

eh_check 0 host.identity.machineid eh_check_identity_machineid
eh_check_identity_machineid() {
  eh_machine_id
  if [[ $REPLY =~ ^[0-9a-f]{32}$ && ! $REPLY =~ ^0+$ ]]; then
    eh_ok "32 hexadecimal digits"
  else
    eh_bad "${REPLY:-empty}" "32 hexadecimal digits in /etc/machine-id"
  fi
}

eh_check 0 host.identity.machineid.unique eh_check_identity_machineid_unique
eh_check_identity_machineid_unique() {
  local id
  eh_machine_id
  id=$REPLY
  [ -n "$id" ] || { eh_skip "no machine-id" && return; }
  eh_others 2 "$id"
  if [ -z "$REPLY" ]; then eh_ok "no other host of the site has it"; else eh_bad "$id, like $REPLY" "an id of its own"; fi
}

eh_check 0 host.identity.productuuid eh_check_identity_productuuid
eh_check_identity_productuuid() {
  ! eh_in_container || { eh_skip "a container has no firmware of its own" && return; }
  eh_product_uuid
  case $REPLY in
    '') eh_bad "none" "a product_uuid from the firmware" ;;
    00000000-0000-0000-0000-000000000000 | ffffffff-ffff-ffff-ffff-ffffffffffff | 03000200-0400-0500-0006-000700080009)
      eh_bad "$REPLY, which many machines have" "a product_uuid of its own"
      ;;
    *) eh_ok "$REPLY" ;;
  esac
}

eh_check 0 host.identity.productuuid.unique eh_check_identity_productuuid_unique
eh_check_identity_productuuid_unique() {
  local uuid
  eh_product_uuid
  uuid=$REPLY
  [ -n "$uuid" ] || { eh_skip "no product_uuid" && return; }
  eh_others 3 "$uuid"
  if [ -z "$REPLY" ]; then eh_ok "no other host of the site has it"; else eh_bad "$uuid, like $REPLY" "a uuid of its own"; fi
}

eh_hostname() {
  eh_read /proc/sys/kernel/hostname
  REPLY=${REPLY:0:1000}
}

eh_check 0 host.identity.hostname eh_check_identity_hostname
eh_check_identity_hostname() {
  local label='[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
  eh_hostname
  if [ "${#REPLY}" -gt 253 ] || [[ ! $REPLY =~ ^$label(\.$label)*$ ]]; then
    eh_bad "${REPLY:-empty}" "lower-case letters, digits and '-', at most 63 per label"
  elif [[ $REPLY == localhost* ]]; then
    eh_bad "$REPLY" "a name of its own"
  else
    eh_ok "$REPLY"
  fi
}

eh_check 0 host.identity.hostname.wanted eh_check_identity_hostname_wanted
eh_check_identity_hostname_wanted() {
  eh_hostname
  if [ "${REPLY%%.*}" = "$EH_HOST" ]; then
    eh_ok "$REPLY"
  else
    if eh_appliance; then
      eh_bad "${REPLY:-empty}" "$EH_HOST, set at the first boot"
    else
      eh_bad "${REPLY:-empty}" "$EH_HOST: the agent renames the machine at its first boot"
    fi
  fi
}
