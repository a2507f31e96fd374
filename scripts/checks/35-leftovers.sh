# shellcheck shell=bash
# What an earlier life of this machine left behind. After the join the same things are there rightly, and between
# installation and join our own agent makes them, at a time of its choice.

eh_not_joined() {
  if eh_in_cluster; then
    eh_ok "this host has joined its cluster"
  elif eh_agent_installed && eh_agent_is_ours; then
    eh_skip "our own agent is at work here"
  else
    return 0
  fi
  return 1
}

eh_agent_is_ours() {
  local REPLY
  eh_agent_owner
  [ -n "$REPLY" ] && [ "$REPLY" = "${EH_OWNER:-}" ]
}

# eh_entries FOLDER -> REPLY: how many entries a folder has (hidden ones too).
eh_entries() {
  local entry count=0
  for entry in "$EH_ROOT$1"/* "$EH_ROOT$1"/.[!.]*; do
    [ ! -e "$entry" ] || count=$((count + 1))
  done
  REPLY=$count
}

eh_check 0 host.leftover.ssm eh_check_leftover_ssm
eh_check_leftover_ssm() {
  eh_not_joined || return 0
  if [ -s "$EH_ROOT/var/lib/amazon/ssm/registration" ]; then
    eh_bad "/var/lib/amazon/ssm/registration" "no registration from an earlier join or a cloned template"
  else
    eh_ok "no SSM registration"
  fi
}

eh_check 0 host.leftover.ssmagent eh_check_leftover_ssmagent
eh_check_leftover_ssmagent() {
  local unit
  eh_not_joined || return 0
  for unit in $EH_SSM_UNITS; do
    eh_unit "$unit"
    [ "$REPLY" != active ] || { eh_bad "$unit is active" "no SSM agent before nodeadm installs its own" && return; }
  done
  eh_ok "no SSM agent is running"
}

eh_check 0 host.leftover.agent eh_check_leftover_agent
eh_check_leftover_agent() {
  if ! eh_agent_installed; then
    eh_ok "no Palette agent"
    return
  fi
  eh_agent_owner
  if [ "$REPLY" = "${EH_OWNER:-}" ]; then
    eh_ok "our own agent"
  elif [ -n "$REPLY" ]; then
    eh_bad "an agent of $REPLY" "no agent, or one of ${EH_OWNER:-this stack}"
  else
    eh_bad "an agent that this program did not install" "no agent, or one of ${EH_OWNER:-this stack}"
  fi
}

eh_check 0 host.leftover.kubernetes eh_check_leftover_kubernetes
eh_check_leftover_kubernetes() {
  local path found=''
  eh_not_joined || return 0
  for path in /var/lib/kubelet /etc/kubernetes/manifests /etc/kubernetes/pki /var/lib/etcd /var/lib/rancher /etc/eks; do
    eh_entries "$path"
    [ "$REPLY" = 0 ] || found+="${found:+, }$path"
  done
  if [ -z "$found" ]; then eh_ok "no data of another Kubernetes"; else eh_bad "$found" "no data of another Kubernetes"; fi
}

eh_check 0 host.leftover.containerd eh_check_leftover_containerd
eh_check_leftover_containerd() {
  eh_not_joined || return 0
  eh_entries /var/lib/containerd/io.containerd.metadata.v1.bolt
  if [ "$REPLY" = 0 ]; then eh_ok "no container data"; else eh_bad "/var/lib/containerd is in use" "no container data"; fi
}

eh_check 0 host.leftover.cni eh_check_leftover_cni
eh_check_leftover_cni() {
  local file found=''
  eh_not_joined || return 0
  for file in "$EH_ROOT"/etc/cni/net.d/*.conf "$EH_ROOT"/etc/cni/net.d/*.conflist; do
    [ ! -e "$file" ] || found+="${found:+, }${file#"$EH_ROOT"}"
  done
  if [ -z "$found" ]; then eh_ok "no CNI configuration"; else eh_bad "$found" "no CNI configuration before Cilium writes its own"; fi
}
