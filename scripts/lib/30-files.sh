# shellcheck shell=bash
# Files of the host: reading small ones without a child, writing in one step, digests.

eh_read() {
  REPLY=
  [ -r "${EH_ROOT:-}$1" ] && [ ! -d "${EH_ROOT:-}$1" ] || return 0
  # `read` needs no child, where $(<file) forks; it stops at a NUL, and the end of the file makes it "fail".
  { IFS= read -r -d '' REPLY <"${EH_ROOT:-}$1"; } 2>/dev/null || :
  while [ "${REPLY%$'\n'}" != "$REPLY" ]; do REPLY=${REPLY%$'\n'}; done
}

eh_must_write() {
  [ "${EH_WRITE:-0}" = 1 ] || eh_fail 90 "a look at a host tried to write $1" "report it: verify must not change a host"
}

eh_state_open() {
  local dir=$EH_ROOT$EH_STATE_DIR
  eh_must_write "$EH_STATE_DIR"
  if [ -L "$dir" ] || { [ -e "$dir" ] && [ ! -d "$dir" ]; }; then
    eh_fail 90 "$EH_STATE_DIR is not a folder of its own" "remove it: root keeps the state of this program there"
  fi
  (umask 077 && mkdir -p "$dir")
  chmod 0700 "$dir"
}

eh_write() {
  local path=$EH_ROOT$1 mode=$2 temporary
  eh_must_write "$1"
  temporary=$path.$$.new
  (umask 077 && printf '%s' "$3" >"$temporary")
  chmod "$mode" "$temporary"
  mv -f "$temporary" "$path"
}

eh_same() {
  local held
  [ -f "$EH_ROOT$1" ] || return 1
  # A dot keeps the newlines at the end, which a command substitution would drop.
  held=$(cat "$EH_ROOT$1" && printf .) || return 1
  [ "$held" = "$2." ]
}

eh_sha256() {
  REPLY=$(printf '%s' "$1" | sha256sum)
  REPLY=${REPLY%% *}
}

eh_sha256_file() {
  REPLY=
  [ -r "$EH_ROOT$1" ] || return 0
  REPLY=$(sha256sum <"$EH_ROOT$1") || REPLY=
  REPLY=${REPLY%% *}
}
