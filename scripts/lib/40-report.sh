# shellcheck shell=bash
# The report of a step: rows and facts, printed as one JSON document on the last line of stdout. No times and no counters
# in it: they would read as changes. A line stays far below 64 KiB, because a longer one blocks the engine's reader.

EH_ROWS_ID=()
EH_ROWS_STATUS=()
EH_ROWS_SEEN=()
EH_ROWS_EXPECTED=()
EH_FACTS=()
EH_REPORT_LIMIT=60000

eh_json() {
  eh_clean "$1"
  REPLY=${REPLY//\\/\\\\}
  REPLY=\"${REPLY//\"/\\\"}\"
}

eh_result() {
  EH_ROWS_ID+=("$1")
  EH_ROWS_STATUS+=("$2")
  # Cut before it is searched: bash takes seconds over a megabyte.
  local seen=${3:-}
  eh_mask "${seen:0:4000}"
  eh_short "$REPLY" 300
  EH_ROWS_SEEN+=("$REPLY")
  eh_short "${4:-}" 300
  EH_ROWS_EXPECTED+=("$REPLY")
}

eh_fact() {
  local name
  eh_json "$1"
  name=$REPLY
  eh_short "$2" 300
  eh_json "$REPLY"
  EH_FACTS+=("$name:$REPLY")
}

eh_count() {
  local status count=0
  for status in "${EH_ROWS_STATUS[@]}"; do
    [ "$status" != "$1" ] || count=$((count + 1))
  done
  REPLY=$count
}

# eh_report_rows LIMIT -> REPLY: the rows as JSON, texts cut to LIMIT characters.
eh_report_rows() {
  local limit=$1 i text='' seen
  for ((i = 0; i < ${#EH_ROWS_ID[@]}; i++)); do
    eh_json "${EH_ROWS_ID[i]}"
    text+=${text:+,}"{\"id\":$REPLY,\"status\":\"${EH_ROWS_STATUS[i]}\""
    eh_short "${EH_ROWS_SEEN[i]}" "$limit"
    eh_json "$REPLY"
    seen=$REPLY
    eh_short "${EH_ROWS_EXPECTED[i]}" "$limit"
    eh_json "$REPLY"
    text+=",\"seen\":$seen,\"expected\":$REPLY}"
  done
  REPLY=$text
}

eh_report_text() {
  local outcome=$1 head facts='' fact limit
  eh_json "$EH_HOST"
  head="{\"schema\":1,\"step\":\"$EH_STEP\",\"host\":$REPLY,\"outcome\":\"$outcome\""
  for fact in "${EH_FACTS[@]}"; do
    facts+=${facts:+,}$fact
  done
  for limit in 300 120 40; do
    eh_report_rows "$limit"
    REPLY="$head,\"results\":[$REPLY],\"facts\":{$facts}}"
    [ "${#REPLY}" -gt "$EH_REPORT_LIMIT" ] || return 0
  done
}

eh_report() {
  eh_report_text "$1"
  printf '%s\n' "$REPLY"
}
