# shellcheck shell=bash disable=SC2034
# The record of the installation on the host: install.json, which tells one epoch, generation and machine from another.
#
# record.sh       eh_record_load                  reads install.json -> EH_REC[NAME], all "" when there is none
#                 eh_record_save                  writes EH_REC back, if it differs
#                 eh_record_adopt                 rebuilds a lost record from the tags in the agent's own user-data
#                 eh_boot_id                      -> REPLY: the id of this boot
#                 eh_userdata_write               stores EH_USERDATA where the agent reads it, mode 0600
#                 eh_scrub                        filter: the text without the secrets of this host's user-data
#                 eh_agent_units                  -> REPLY: unit files of the agent on this host
#                 eh_agent_unit                   -> REPLY: the agent's main unit on this host, or ""; REPLY2: its state
#
# install.json holds one "name": "value" per line, so that plain bash reads it on a host without jq:
#   owner generation machine epoch   whose host this is, the how-manieth machine, which registration
#   version expects                  the release's agent version; what the pinned installer itself calls that version
#   boot_before reboot               boot id when the last install or reboot began; "needed" or "not-needed"
#   unit                             the transient unit that installs or reboots
#   core userdata                    sha256 of the user-data without the token, as the agent last took it; of the stored file
EH_RECORD_NAMES='owner generation machine epoch version expects boot_before reboot unit core userdata'
declare -A EH_REC=()

# The main unit first; the names differ between Agent Mode, appliances and the vendor's own verify script.
EH_AGENT_UNITS='spectro-stylus-agent spectro-palette-agent-start stylus-agent palette-agent stylus'

eh_record_load() {
  local name line
  for name in $EH_RECORD_NAMES; do EH_REC[$name]=; done
  eh_read "$EH_STATE_DIR/install.json"
  while IFS= read -r line; do
    [[ $line =~ ^\ *\"([a-z_]+)\":\ \"([^\"]*)\",?$ ]] || continue
    EH_REC[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
  done < <(printf '%s\n' "$REPLY")
}

eh_record_save() {
  local name text=''
  for name in $EH_RECORD_NAMES; do
    eh_json "${EH_REC[$name]}"
    text+=${text:+,$'\n'}"  \"$name\": $REPLY"
  done
  text="{"$'\n'"$text"$'\n'"}"$'\n'
  eh_same "$EH_STATE_DIR/install.json" "$text" || eh_write "$EH_STATE_DIR/install.json" 0600 "$text"
}

# eh_tag NAME -> REPLY: the value of a tag edge-hosts-NAME in the user-data that the agent keeps, or "".
eh_tag() {
  local file text
  for file in /oem/userdata /oem/80_stylus.yaml /oem/90_custom.yaml "$EH_STATE_DIR/user-data"; do
    eh_read "$file"
    text=$REPLY
    if [[ $text =~ edge-hosts-$1[\"\']?:[[:space:]]*[\"\']?([A-Za-z0-9._-]+) ]]; then
      REPLY=${BASH_REMATCH[1]}
      return 0
    fi
  done
  REPLY=
}

# A state folder that somebody removed must not make a healthy host look foreign: the agent's user-data says whose it is.
# Ends 1 when there is nothing that says so.
eh_record_adopt() {
  local name REPLY
  eh_tag owner
  [ -n "$REPLY" ] || return 1
  EH_REC[owner]=$REPLY
  for name in generation machine epoch; do
    eh_tag "$name"
    EH_REC[$name]=$REPLY
  done
  eh_agent_version
  EH_REC[version]=$REPLY EH_REC[expects]=$REPLY EH_REC[reboot]=not-needed
}

eh_boot_id() {
  eh_read /proc/sys/kernel/random/boot_id
}

# /oem is the agent's: it is written only where an installation has made it. The record is saved by the caller, after
# what the change needs (a restart, a reboot) is done, so that a broken run does it again.
eh_userdata_write() {
  local REPLY
  if eh_agent_installed && [ -d "$EH_ROOT/oem" ] && ! eh_same /oem/userdata "$EH_USERDATA"; then
    eh_write /oem/userdata 0600 "$EH_USERDATA"
  fi
  eh_same "$EH_STATE_DIR/user-data" "$EH_USERDATA" || eh_write "$EH_STATE_DIR/user-data" 0600 "$EH_USERDATA"
  chmod 0600 "$EH_ROOT$EH_STATE_DIR/user-data"
}

# eh_secrets -> EH_SECRETS: every value of the stored user-data that must not be shown, and the proxy's credentials.
eh_secrets() {
  local line value
  EH_SECRETS=()
  eh_read "$EH_STATE_DIR/user-data"
  while IFS= read -r line; do
    case ${line,,} in
      *token*:* | *passw*:* | *secret*:* | *proxy*:*) ;;
      *) continue ;;
    esac
    value=${line#*: }
    value=${value#[\"\']}
    value=${value%[\"\']}
    [ "${#value}" -lt 4 ] || EH_SECRETS+=("$value")
  done < <(printf '%s\n' "$REPLY")
  for value in "${EH_PROXY_HTTP:-}" "${EH_PROXY_HTTPS:-}"; do
    [[ $value != *@* ]] || EH_SECRETS+=("$value")
  done
}

eh_scrub() {
  local line secret REPLY
  eh_secrets
  while IFS= read -r line || [ -n "$line" ]; do
    for secret in "${EH_SECRETS[@]}"; do line=${line//"$secret"/***}; done
    eh_mask "$line"
    eh_short "$REPLY" 500
    printf '%s\n' "$REPLY"
  done
}

eh_agent_units() {
  REPLY=$(eh_capture 10 systemctl list-unit-files --no-legend --no-pager 'spectro-*' 'stylus-agent*' 'palette-agent*' |
    while read -r unit _; do printf '%s ' "$unit"; done) || REPLY=
  REPLY=${REPLY% }
}

# The first that is there: the others of the list are stages of a boot, active long before the agent is.
eh_agent_unit() {
  local name
  for name in $EH_AGENT_UNITS; do
    eh_unit_state "$name.service"
    if [ "$REPLY" != absent ]; then
      REPLY2=$REPLY REPLY=$name.service
      return 0
    fi
  done
  REPLY='' REPLY2=absent
}
