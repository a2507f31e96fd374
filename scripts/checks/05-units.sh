# shellcheck shell=bash
# The states of all units that some check asks about, by one call: twenty calls cost more than all other checks together.

declare -A EH_UNIT_STATE=()
EH_UNITS_READ=
EH_STYLUS_UNITS='spectro-stylus-agent.service stylus-agent.service palette-agent.service'
EH_APPLIANCE_UNITS='stylus-agent.service stylus-operator.service palette-tui.service'
EH_TIME_UNITS='chronyd.service chrony.service systemd-timesyncd.service ntpd.service ntp.service ntpsec.service openntpd.service'
EH_SSM_UNITS='amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service'

# systemctl answers with one block per unit, in the order of the question; an alias shows the name of its target.
eh_units() {
  local units unit line i=0 load='' service
  [ -z "$EH_UNITS_READ" ] || return 0
  EH_UNITS_READ=1
  eh_have systemctl || return 0
  units="kubelet.service firewalld.service $EH_TIME_UNITS $EH_SSM_UNITS $EH_STYLUS_UNITS stylus-operator.service palette-tui.service"
  for service in ${EH_SERVICES:-}; do
    units+=" ${service%.service}.service"
  done
  read -r -a units < <(printf '%s\n' "$units")
  while IFS= read -r line; do
    unit=${units[i]:-}
    case $line in
      '') i=$((i + 1)) load='' ;;
      LoadState=*) load=${line#*=} ;;
      ActiveState=*) case $load in not-found | error | '') ;; *) EH_UNIT_STATE[$unit]=${line#*=} ;; esac ;;
    esac
  done < <(eh_capture 10 systemctl show --property=LoadState --property=ActiveState "${units[@]}")
}

# eh_unit UNIT -> REPLY: active, inactive, failed, ... or "absent".
eh_unit() {
  eh_units
  REPLY=${EH_UNIT_STATE[$1]:-absent}
}

# Has this host joined its cluster? Then kubelet, containerd and the SSM agent are there rightly.
eh_in_cluster() {
  [ ! -e "$EH_ROOT/opt/nodeadmutil/nodeadm.init" ] || return 0
  eh_unit kubelet.service
  [ "$REPLY" = active ]
}
