# shellcheck shell=bash
# The library of every remote step. A step is one bash text on stdin: these files, the values (EH_NAME='...'), and the
# step itself; see edge/steps.py. bash 4.4 and coreutils are all that may be assumed before the preparation has run.
#
# Rules that hold for every file here and in ../checks:
#   - no here-document and no here-string: bash before 5.1 writes a temporary file for them, and a look at a host
#     writes nothing (feed a loop with `< <(printf '%s\n' "$text")`);
#   - nothing runs when a file is read: only functions and constants, because the values come after the library;
#   - every file of the host is named with $EH_ROOT before it (empty on a real host), so that a test can show another
#     machine; the functions that take a PATH add it themselves;
#   - a secret is never an argument of an external command and never printed.
#
# 10-core.sh     eh_start STEP                    begins a step: locale, umask, PATH, the trap behind exit code 90
#                eh_say TEXT...                   one progress line on stderr (and in the log on the host)
#                eh_fail CODE TEXT [REMEDY]       one line on stderr, ends the step with CODE
#                eh_end CODE                      ends the step with CODE, without a message
#                eh_have COMMAND                  is there such a command?
#                eh_in WORD LIST                  is WORD in the space separated LIST?
#                eh_clean TEXT                    -> REPLY: one line, printable ASCII
#                eh_short TEXT LIMIT              -> REPLY: the same, at most LIMIT characters
#                eh_mask TEXT                     -> REPLY: without the credentials of URLs
#                eh_now                           -> REPLY: seconds since 1970
# 20-run.sh      eh_run SECONDS COMMAND...        runs with a time limit, stdin closed, output into the log; 124 = time out
#                eh_capture SECONDS COMMAND...    the same, but the output goes to stdout
#                eh_proxied SECONDS COMMAND...    eh_run with the proxy variables in both cases, in that child only
#                eh_retry TIMES PAUSE COMMAND...  repeats a command or function until it ends 0
#                eh_package_manager               -> REPLY: apt, dnf or "" (nothing known)
#                eh_lock_holder                   -> REPLY: "name (pid)" of who uses the package manager, or ""
#                eh_wait_lock SECONDS             waits until nobody does; 1 = still held, holder in REPLY
# 30-files.sh    eh_read PATH                     -> REPLY: the whole text of a small file, "" when it cannot be read
#                eh_state_open                    makes EH_STATE_DIR (0700, root's, no link); only with EH_WRITE=1
#                eh_write PATH MODE CONTENT       replaces a file in one step; only with EH_WRITE=1
#                eh_same PATH CONTENT             does the file hold exactly CONTENT?
#                eh_sha256 TEXT                   -> REPLY: hex digest of TEXT
#                eh_sha256_file PATH              -> REPLY: hex digest of a file, "" when it cannot be read
# 40-report.sh   eh_json TEXT                     -> REPLY: TEXT as a quoted JSON string
#                eh_result ID STATUS SEEN EXPECTED  one row of the report (pass, warn, fail, skip)
#                eh_fact NAME VALUE               one fact of the report
#                eh_report OUTCOME                prints the report: one JSON document on the last line of stdout
#                eh_report_text OUTCOME           -> REPLY: the same text, not printed
#                eh_count STATUS                  -> REPLY: how many rows have that status
# 50-net.sh      eh_is_ip4 TEXT                   is it an IPv4 address?
#                eh_ip_int ADDRESS                -> REPLY: the address as a number
#                eh_int_ip NUMBER                 -> REPLY: the number as an address
#                eh_in_cidr ADDRESS CIDR          is the address inside the block?
#                eh_in_cidrs ADDRESS LIST         is it inside one of the blocks? -> REPLY: which
#                eh_overlap CIDR CIDR             do two blocks share an address?
#                eh_is_private ADDRESS            is it a private (RFC 1918), shared (RFC 6598) or link-local address?
#                eh_no_proxy HOST [PORT]          does EH_NO_PROXY (or a loopback name) keep HOST away from the proxy?
#                eh_proxy_parse URL               -> EH_PX_HOST EH_PX_PORT EH_PX_SCHEME EH_PX_AUTH (base64, secret)
#                eh_url_host URL                  -> REPLY: host of a URL; REPLY2: its port
# 60-host.sh     eh_os                            -> EH_OS_ID EH_OS_VERSION EH_OS_NAME EH_OS_KEY (id-version)
#                eh_arch                          -> REPLY: amd64, arm64, or what uname -m says
#                eh_in_container                  is this machine a container (shares its kernel with somebody)?
#                eh_unit_state UNIT               -> REPLY: active, inactive, failed, ... or "absent"
#                eh_unit_enabled UNIT             -> REPLY: enabled, disabled, masked, ... or "absent"
#                eh_agent_installed               is a Palette agent on this host?
#                eh_agent_version                 -> REPLY: its version without "v", or ""
#                eh_agent_owner                   -> REPLY: who installed the agent (owner of the record or tag), or ""
#                eh_joined                        has this host joined a cluster?
# ../change      what only changes a host: packages, services, downloads, units; each file begins with its own list
# ../checks      eh_run_checks "0 1"              runs the catalogue's checks of these phases (EH_POLICY), fills the report
#                eh_phase1_done                   has the checks step already run phase 1 (curl was there)?
#                eh_checks_load                   brings back policy, endpoints and the rest of the checks step's values
#                eh_enforce                       prints one RED line per failed row; ends with 10 when EH_ENFORCE=1
# Results that are "-> REPLY" are set, not printed: a subshell per call would cost more than the checks themselves.
set -euo pipefail

EH_STEP=
EH_ENDING=
# What the step is at, for the message of exit code 90: a step may set it.
EH_DOING=
EH_LINE_LIMIT=2000

eh_start() {
  EH_STEP=$1
  export LC_ALL=C
  umask 077
  : "${EH_HOST:=this host}" "${EH_WRITE:=0}" "${EH_STATE_DIR:=/var/lib/edge-hosts}" "${EH_ROOT:=}"
  [ -n "$EH_ROOT" ] || PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
  trap 'eh_on_exit "$?" "$LINENO"' EXIT
}

# A command that failed where no failure was expected ends here: its own code could be taken for one with a meaning.
eh_on_exit() {
  local code=$1 line=$2
  [ -z "$EH_ENDING" ] || return 0
  [ "$code" != 0 ] || return 0
  EH_ENDING=1
  printf '%s: FAILED (90): the step broke off by itself near line %s%s, code %s. Fix: look into %s/log on the host and report it\n' \
    "${EH_STEP:-step}" "$line" "${EH_DOING:+ ($EH_DOING)}" "$code" "${EH_STATE_DIR:-/var/lib/edge-hosts}" >&2
  exit 90
}

eh_end() {
  EH_ENDING=1
  exit "$1"
}

eh_say() {
  local REPLY
  eh_short "$*" "$EH_LINE_LIMIT"
  printf '%s: %s\n' "${EH_STEP:-step}" "$REPLY" >&2
  eh_log "$REPLY"
}

eh_log() {
  local file=${EH_ROOT:-}${EH_STATE_DIR:-}/log
  [ "${EH_WRITE:-0}" = 1 ] && [ -d "${file%/log}" ] && [ ! -L "${file%/log}" ] && [ ! -L "$file" ] || return 0
  printf '%(%Y-%m-%dT%H:%M:%S%z)T %s: %s\n' -1 "${EH_STEP:-step}" "$1" >>"$file" || return 0
}

eh_fail() {
  local code=$1 text=$2 remedy=${3:-}
  eh_say "FAILED ($code): $text${remedy:+. Fix: $remedy}"
  eh_end "$code"
}

eh_have() {
  command -v "$1" >/dev/null 2>&1
}

eh_in() {
  local word -
  set -f
  for word in $2; do
    [ "$word" != "$1" ] || return 0
  done
  return 1
}

eh_clean() {
  REPLY=${1//[$'\t\r\n']/ }
  REPLY=${REPLY//[^[:print:]]/?}
}

eh_short() {
  eh_clean "$1"
  [ "${#REPLY}" -le "$2" ] || REPLY=${REPLY:0:$2-3}...
}

eh_mask() {
  local rest=$1 head
  REPLY=
  while [[ $rest == *://* ]]; do
    head=${rest%%://*}://
    rest=${rest#*://}
    REPLY+=$head
    if [[ ${rest%%[/ ]*} == *@* ]]; then
      REPLY+='***@'
      local authority=${rest%%[/ ]*}
      rest=${authority##*@}${rest#"$authority"}
    fi
  done
  REPLY+=$rest
}

eh_now() {
  printf -v REPLY '%(%s)T' -1
}
