# shellcheck shell=bash
# The catalogue's host checks: how they are registered, run and judged. A check is a function that says what it saw:
#
#     eh_ok SEEN               as it should be
#     eh_bad SEEN EXPECTED     not as it should be; the policy decides whether that warns or fails
#     eh_remark SEEN EXPECTED  works, but not for ever or not for everything: a warning in every stage
#     eh_accepted SEEN EXPECTED  not as it should be, but the settings accept it: a visible warning in every stage
#     eh_skip REASON           cannot be judged here, or not yet
#
# Titles, remedies and levels live in edge/checks; only the look at the host stands here. What is seen goes into a report
# that is compared with the last one, so it carries no times, counters or free sizes where all is well.

EH_CHECK_IDS=()
declare -A EH_CHECK_PHASE=() EH_CHECK_FUNCTION=()
declare -A EH_LEVEL=() EH_TITLE=() EH_REMEDY=()
EH_VERDICT=
EH_SEEN=
EH_EXPECTED=

# eh_check PHASE ID FUNCTION: phase 0 needs bash and coreutils; phase 1 needs curl.
eh_check() {
  EH_CHECK_IDS+=("$2")
  EH_CHECK_PHASE[$2]=$1
  EH_CHECK_FUNCTION[$2]=$3
}

eh_verdict() {
  EH_VERDICT=$1
  EH_SEEN=$2
  EH_EXPECTED=${3:-}
}

eh_ok() { eh_verdict ok "$1"; }
eh_bad() { eh_verdict bad "$1" "$2"; }
eh_remark() { eh_verdict remark "$1" "$2"; }
eh_accepted() { eh_remark "$1 (accepted by the settings)" "$2"; }
eh_skip() { eh_verdict skip "$1"; }

eh_policy_load() {
  local id level title remedy
  while IFS=$'\t' read -r id level title remedy; do
    [ -n "$id" ] || continue
    EH_LEVEL[$id]=$level
    EH_TITLE[$id]=$title
    EH_REMEDY[$id]=$remedy
  done < <(printf '%s\n' "${EH_POLICY:-}")
}

# eh_phase1_lacks PHASES -> REPLY: what phase 1 needs and is not there yet. Before the preparation, curl without a bundle
# of authorities (a minimal image, or a preparation that was cut off in the middle) is no curl yet: every certificate would
# be red, and the step that puts it right would never be reached.
eh_phase1_lacks() {
  REPLY=
  if ! eh_have curl; then
    REPLY=curl
  elif [ "$1" != 1 ] && [ "${EH_WRITE:-0}" = 1 ]; then
    [ -e "$EH_ROOT/etc/ssl/certs/ca-certificates.crt" ] || [ -e "$EH_ROOT/etc/pki/tls/certs/ca-bundle.crt" ] ||
      REPLY='bundle of certificate authorities'
  fi
}

eh_run_checks() {
  local id phase lacks
  : "${EH_ADDRESS:=}"
  eh_policy_load
  eh_phase1_lacks "$1"
  lacks=$REPLY EH_HAVE_CURL=1
  [ -z "$lacks" ] || EH_HAVE_CURL=
  for id in "${EH_CHECK_IDS[@]}"; do
    phase=${EH_CHECK_PHASE[$id]}
    eh_in "$phase" "$1" || continue
    case ${EH_LEVEL[$id]:-off} in off) continue ;; esac
    EH_DOING=$id
    EH_VERDICT=
    if [ "${EH_LEVEL[$id]}" = skip ]; then
      # Not asked of this kind of host; its remedy says why.
      eh_skip "${EH_REMEDY[$id]}"
    elif [ "$phase" = 1 ] && [ -z "$EH_HAVE_CURL" ]; then
      eh_skip "no $lacks yet"
    else
      "${EH_CHECK_FUNCTION[$id]}" || :
    fi
    eh_judge "$id"
  done
  EH_DOING=
}

# A check without a verdict is our mistake, not the host's: it warns, so that it is seen, and blocks nobody.
eh_judge() {
  case $EH_VERDICT in
    ok) eh_result "$1" pass "$EH_SEEN" ;;
    bad) eh_result "$1" "${EH_LEVEL[$1]}" "$EH_SEEN" "$EH_EXPECTED" ;;
    remark) eh_result "$1" warn "$EH_SEEN" "$EH_EXPECTED" ;;
    skip) eh_result "$1" skip "$EH_SEEN" ;;
    *) eh_result "$1" warn "the check came to no verdict" "a verdict; please report this" ;;
  esac
}

# One line per row that is not as it should be, so that a person sees the remedy where the step failed.
eh_show_rows() {
  local wanted=$1 word=$2 i id
  for ((i = 0; i < ${#EH_ROWS_ID[@]}; i++)); do
    [ "${EH_ROWS_STATUS[i]}" = "$wanted" ] || continue
    id=${EH_ROWS_ID[i]}
    printf '%-4s %s %s: seen %s, expected %s; fix: %s\n' "$word" "$id" "${EH_TITLE[$id]:-}" \
      "${EH_ROWS_SEEN[i]}" "${EH_ROWS_EXPECTED[i]}" "${EH_REMEDY[$id]:-}" >&2
  done
}

eh_summary() {
  local passed warned failed
  eh_count pass
  passed=$REPLY
  eh_count warn
  warned=$REPLY
  eh_count fail
  failed=$REPLY
  eh_count skip
  eh_say "$passed passed, $warned warned, $failed failed, $REPLY skipped"
}

eh_enforce() {
  eh_show_rows warn WARN
  eh_show_rows fail RED
  eh_count fail
  if [ "$REPLY" != 0 ] && [ "${EH_ENFORCE:-0}" = 1 ]; then
    eh_end 10
  fi
}

# The preparation needs what the checks step knows: the endpoint table must not be an input of the preparation, else
# every change of an address would run it again.
EH_KEPT='EH_POLICY EH_ENFORCE EH_CLUSTER_ENDPOINT EH_CLUSTER_CA EH_ENI_ADDRESSES EH_INBOUND_RESOLVERS EH_PALETTE_HOST
  EH_PALETTE_CA EH_PALETTE_INSECURE EH_INSTALLER_URL EH_PRIVATE_PATH EH_VPC_CIDRS EH_REMOTE_NODE_CIDRS EH_REMOTE_POD_CIDRS EH_SERVICE_CIDR EH_ENDPOINT_MODE'

eh_checks_keep() {
  local name text=''
  for name in $EH_KEPT; do
    printf -v text '%s%s=%q\n' "$text" "$name" "${!name:-}"
  done
  printf -v text '%sEH_PHASE1_DONE=%q\n' "$text" "${EH_HAVE_CURL:-}"
  eh_same "$EH_STATE_DIR/checks.values" "$text" || eh_write "$EH_STATE_DIR/checks.values" 0600 "$text"
  eh_same "$EH_STATE_DIR/endpoints.tsv" "${EH_ENDPOINTS:-}" || eh_write "$EH_STATE_DIR/endpoints.tsv" 0600 "${EH_ENDPOINTS:-}"
}

# The file is root's own, in a folder that only root can enter, and was written by eh_checks_keep.
eh_checks_load() {
  local file=$EH_ROOT$EH_STATE_DIR/checks.values
  [ -f "$file" ] && [ ! -L "$file" ] && [ -O "$file" ] || return 1
  # shellcheck disable=SC1090
  . "$file"
  if [ -z "${EH_ENDPOINTS:-}" ]; then
    eh_read "$EH_STATE_DIR/endpoints.tsv"
    EH_ENDPOINTS=$REPLY
  fi
}

eh_phase1_done() {
  local line
  eh_read "$EH_STATE_DIR/checks.values"
  while IFS= read -r line; do
    [ "$line" != EH_PHASE1_DONE=1 ] || return 0
  done < <(printf '%s\n' "$REPLY")
  return 1
}

# An appliance came as it is out of an image: nothing was or will be prepared on it.
eh_appliance() {
  [ "${EH_MODE:-agent}" = appliance ]
}

# Was this host prepared and given its agent by this program? Before that, what the preparation will see to is no finding.
eh_prepared() {
  eh_appliance || [ -e "$EH_ROOT$EH_STATE_DIR/install.json" ]
}

# eh_left_to_preparation REASON: skips a check of something the preparation is about to see to. Ends 1 when it must be judged.
eh_left_to_preparation() {
  if ! eh_appliance && { [ "${EH_WRITE:-0}" = 1 ] || ! eh_prepared; }; then
    eh_skip "$1"
    return 0
  fi
  return 1
}
