# shellcheck shell=bash
# The facts of the report: who this host is, for comparison across hosts and with Palette.

eh_facts() {
  local user line nic
  eh_machine_id
  eh_fact machine_id "$REPLY"
  eh_product_uuid
  eh_fact product_uuid "$REPLY"
  eh_hostname
  eh_fact hostname "$REPLY"
  eh_os
  eh_fact os_id "$EH_OS_ID"
  eh_fact os_version "$EH_OS_VERSION"
  line=$(eh_capture 5 uname -r) || line=
  eh_fact kernel "$line"
  eh_arch
  eh_fact arch "$REPLY"
  eh_nic
  nic=$REPLY
  eh_fact nic "$nic"
  [ -z "$nic" ] || eh_driver "$nic"
  eh_fact nic_driver "$REPLY"
  eh_fact address "${EH_ADDRESS%/*}"
  eh_login_user
  user=$REPLY
  line=$(eh_capture 10 getent passwd "$user") || line=
  eh_fact default_shell "${line##*:}"
  eh_agent_version
  eh_fact agent_version "$REPLY"
}
