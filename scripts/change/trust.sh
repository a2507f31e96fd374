# shellcheck shell=bash
# The site's own certificate authorities, in the trust store of the distribution.
#
# trust.sh        eh_trust_install                makes the store hold exactly the certificates of EH_CA_PEM besides its own
#
# One file per certificate: update-ca-certificates ignores all but the first of a file. The store is built only when a file
# changed, or when the last building did not come to its end (state file `ca`).

eh_trust_folder() {
  if eh_have update-ca-certificates; then
    REPLY=/usr/local/share/ca-certificates
  elif eh_have update-ca-trust; then
    REPLY=/etc/pki/ca-trust/source/anchors
  else
    REPLY=
  fi
}

# eh_trust_split -> EH_CERTIFICATES: the certificates of EH_CA_PEM, one per element, each with its newline.
eh_trust_split() {
  local line current=''
  EH_CERTIFICATES=()
  while IFS= read -r line; do
    line=${line%$'\r'}
    [ "$line" != '-----BEGIN CERTIFICATE-----' ] || current=$line$'\n'
    [ -n "$current" ] || continue
    [ "$line" = '-----BEGIN CERTIFICATE-----' ] || current+=$line$'\n'
    [ "$line" = '-----END CERTIFICATE-----' ] || continue
    EH_CERTIFICATES+=("$current")
    current=
  done < <(printf '%s\n' "${EH_CA_PEM:-}")
}

eh_trust_install() {
  local folder number=0 path text wanted='' stale=''
  eh_trust_split
  text=${EH_CERTIFICATES[*]:-}
  [ -z "$text" ] || eh_same "$EH_STATE_DIR/ca.pem" "$text" || eh_write "$EH_STATE_DIR/ca.pem" 0644 "$text"
  eh_trust_folder
  folder=$REPLY
  [ -n "$folder" ] || return 0
  for text in "${EH_CERTIFICATES[@]}"; do
    number=$((number + 1))
    path=$folder/edge-hosts-$number.crt
    wanted+=" $EH_ROOT$path"
    eh_same "$path" "$text" && continue
    eh_folder "$folder"
    eh_write "$path" 0644 "$text"
    stale=1
  done
  for path in "$EH_ROOT$folder"/edge-hosts-*.crt; do
    [ -e "$path" ] || continue
    ! eh_in "$path" "$wanted" || continue
    rm -f -- "$path"
    stale=1
  done
  eh_sha256 "${EH_CERTIFICATES[*]:-}"
  eh_trust_rebuild "$REPLY" "$stale"
}

eh_trust_rebuild() {
  local digest=$1 stale=$2
  eh_same "$EH_STATE_DIR/ca" "$digest" || stale=1
  # A host that never had a certificate of ours has nothing to rebuild.
  [ -n "$stale" ] && { [ "${#EH_CERTIFICATES[@]}" -gt 0 ] || [ -e "$EH_ROOT$EH_STATE_DIR/ca" ]; } || return 0
  eh_drop "$EH_STATE_DIR/ca"
  eh_change "building the trust store with ${#EH_CERTIFICATES[@]} certificate(s) of this site"
  if eh_have update-ca-certificates; then
    # --fresh also forgets the links of certificates that were taken away.
    eh_public 120 update-ca-certificates --fresh || eh_trust_failed "$?"
  else
    eh_public 120 update-ca-trust extract || eh_trust_failed "$?"
  fi
  eh_write "$EH_STATE_DIR/ca" 0600 "$digest"
}

eh_trust_failed() {
  eh_fail 20 "the trust store could not be built (code $1)" \
    "look into $EH_STATE_DIR/log on the host; is every certificate of caCerts a CA certificate in PEM?"
}
