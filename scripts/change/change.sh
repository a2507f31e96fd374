# shellcheck shell=bash
# What a converging step did: changes, findings, the closing report.
#
# change.sh       eh_change TEXT...               something was changed: one progress line, outcome "changed"
#                 eh_finding ID SEEN EXPECTED REMEDY  something a person should know: a "warn" row, and one line
#                 eh_outcome                      prints the report with outcome changed or unchanged
#                 eh_drop PATH...                 removes files that are ours, if they are there
#                 eh_folder PATH                  makes a folder that everybody may read, if it is not there
#                 eh_public SECONDS COMMAND...    eh_run for what everybody may read: the step's own umask is root's alone
#                 eh_newer A B                    is version A newer than B? (rc before release, "v" ignored)
EH_CHANGED=

eh_change() {
  EH_CHANGED=1
  eh_say "$@"
}

eh_finding() {
  eh_result "$1" warn "$2" "$3"
  eh_mask "$2"
  eh_say "WARN $1: $REPLY; expected $3. Fix: $4"
}

eh_outcome() {
  if [ -n "$EH_CHANGED" ]; then
    eh_report changed
  else
    eh_say "nothing to change"
    eh_report unchanged
  fi
}

eh_drop() {
  local path
  for path in "$@"; do
    rm -f -- "$EH_ROOT$path"
  done
}

eh_folder() {
  [ -d "$EH_ROOT$1" ] || (umask 022 && mkdir -p "$EH_ROOT$1")
}

eh_public() {
  (
    umask 022
    eh_run "$@"
  )
}

eh_newer() {
  local a=${1#v} b=${2#v} last
  [ "$a" != "$b" ] || return 1
  # "~" sorts before the end of a version, "-" after it: 4.9.23-rc.2 is older than 4.9.23.
  last=$(printf '%s\n' "${a/-/\~}" "${b/-/\~}" | sort -V | tail -n 1)
  [ "$last" = "${a/-/\~}" ]
}
