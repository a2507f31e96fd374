# shellcheck shell=bash
# dnf and rpm: Red Hat Enterprise Linux 8 and 9, Amazon Linux 2023.
#
# dnf.sh          eh_dnf SECONDS VERB ARGUMENT... dnf with the options that every call needs
#                 eh_dnf_makecache                refreshes the index; ends with 20 on any repository error

eh_dnf() {
  local seconds=$1
  shift
  # Without exit_on_lock dnf waits for ever for another one, and nobody would know for whom.
  eh_pm "$seconds" dnf -y -q --color=never --setopt=install_weak_deps=False --setopt=exit_on_lock=True "$@"
}

# A repository with skip_if_unavailable is only mentioned when it does not answer, and dnf ends 0.
eh_dnf_makecache() {
  local code=0 line red='' count=0
  eh_dnf 600 makecache --refresh || code=$?
  while IFS= read -r line; do
    case $line in
      'Error: '* | 'Errors during downloading metadata'* | 'Failed to download metadata'* | 'Ignoring repositories: '* | \
        'Failed to synchronize cache'* | *'Cannot download repomd.xml'* | *'GPG check FAILED'*)
        count=$((count + 1))
        [ "$count" -gt 3 ] || red+="${red:+; }$line"
        ;;
    esac
  done < <(eh_pm_lines)
  [ "$code" != 124 ] || eh_index_red "dnf makecache did not end within 600 s"
  if [ -n "$red" ]; then
    eh_mask "$red"
    eh_index_red "$REPLY"
  fi
  if [ "$code" != 0 ]; then
    eh_pm_last
    eh_index_red "dnf makecache ended with code $code: $REPLY"
  fi
}
