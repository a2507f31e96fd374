# shellcheck shell=bash
# Downloads that are verified before anything of them runs.
#
# download.sh     eh_work_open                    -> EH_WORK: a folder in which programs may run; ends with 40 without one
#                 eh_download NAME URL SHA256 KIND  URL to EH_WORK/NAME; KIND is script or binary; ends with 30 or 31
# EH_WORK is the path as the host sees it; files are written below $EH_ROOT.
EH_WORK=
EH_WORK_FOLDERS='/opt/palette-agent /root/palette-agent'
EH_DOWNLOADS=0

# Hardened hosts mount /tmp, /var/tmp and sometimes more with noexec: the only proof is to run something there.
eh_work_open() {
  local folder try refused=''
  for folder in $EH_WORK_FOLDERS "$EH_STATE_DIR/work"; do
    EH_WORK=$EH_ROOT$folder
    try=$EH_WORK/.may-run
    (umask 077 && mkdir -p "$EH_WORK" && printf '#!/bin/sh\nexit 0\n' >"$try" && chmod 0700 "$try") 2>/dev/null || {
      refused+="${refused:+, }$folder (not writable)"
      continue
    }
    if eh_run 10 "$try"; then
      rm -f -- "$try"
      [ -z "$refused" ] || eh_say "using $folder: no program may run in $refused"
      return 0
    fi
    rm -f -- "$try"
    rmdir -- "$EH_WORK" 2>/dev/null || :
    refused+="${refused:+, }$folder (mounted noexec)"
  done
  eh_fail 40 "no folder of this host lets the installer run: $refused" "mount the file system of /opt or /root with exec"
}

eh_download() {
  local url=$2 wanted=$3 kind=$4 path=$EH_WORK/$1 shown
  eh_mask "$url"
  shown=$REPLY
  # Only a pinned file can be told to be the right one without asking the server again.
  if [ -n "$wanted" ] && [ -f "$path" ]; then
    eh_download_digest "$path"
    [ "$REPLY" != "$wanted" ] || return 0
  fi
  eh_say "downloading $shown"
  EH_DOWNLOADS=$((EH_DOWNLOADS + 1))
  eh_download_fetch "$url" "$path.part" || {
    rm -f -- "$path.part"
    eh_download_failed "$shown"
  }
  eh_download_judge "$path.part" "$shown" "$wanted" "$kind"
  chmod 0700 "$path.part"
  mv -f -- "$path.part" "$path"
}

# --disable keeps root's own .curlrc out; credentials of the proxy stand in the child's environment only.
eh_download_fetch() {
  local answer
  EH_CURL_CODE=0
  answer=$(
    eh_proxy_export
    exec timeout --kill-after=10 1000 curl --disable --silent --show-error --fail --location --globoff \
      --proto '=https' --proto-redir '=https' --connect-timeout 20 --max-time 900 --speed-limit 512 --speed-time 60 \
      --retry 3 --retry-delay "${EH_RETRY_PAUSE:-2}" --output "$2" --write-out '%{http_code}' "$1" </dev/null 2>"$2.error"
  ) || EH_CURL_CODE=$?
  EH_HTTP_CODE=${answer##*[!0-9]}
  EH_CURL_TEXT=$(tail -c 2000 "$2.error" 2>/dev/null | tail -n 1) || EH_CURL_TEXT=
  rm -f -- "$2.error"
  [ "$EH_CURL_CODE" = 0 ] && [ -s "$2" ]
}

eh_download_failed() {
  local why remedy
  eh_mask "$EH_CURL_TEXT"
  why=$REPLY
  remedy='run again when the server answers; nothing was installed'
  case $EH_CURL_CODE in
    0) why='the answer was empty' ;;
    22)
      why="HTTP $EH_HTTP_CODE"
      [ "$EH_HTTP_CODE" != 404 ] || remedy='there is no such version: correct agent.version or agent.baseUrl in the release'
      ;;
    5) remedy='the name of the proxy is not known here: correct proxy.https' ;;
    6) remedy='the name is not known here: correct the DNS of the host, or set a proxy' ;;
    7) remedy='allow the connection in the firewall, or set a proxy' ;;
    28 | 124) remedy='the answer took too long: is the way out open and fast enough?' ;;
    35 | 51 | 53 | 60 | 77) remedy='the certificate is not trusted: add the CA of the proxy or server to caCerts' ;;
    56) case $why in *407*) remedy='the proxy wants a login: set proxy.user and proxy.password' ;; esac ;;
  esac
  eh_fail 30 "the download of $1 failed: ${why:-curl ended with $EH_CURL_CODE}" "$remedy"
}

eh_download_digest() {
  REPLY=$(sha256sum <"$1")
  REPLY=${REPLY%% *}
}

# The vendor's own script runs whatever it downloaded, an error page included. Here nothing is kept that is not right.
eh_download_judge() {
  local path=$1 shown=$2 wanted=$3 kind=$4 magic
  magic=$(head -c 4 "$path" | od -An -tx1 | tr -d ' \n')
  case $kind-$magic in
    script-2321* | binary-2321* | binary-7f454c46) ;;
    *)
      rm -f -- "$path"
      eh_fail 31 "$shown is no $kind (it begins with $magic): an error page, or a portal that wants a login?" \
        "open the address in a browser from the same network; nothing was run"
      ;;
  esac
  eh_download_digest "$path"
  if [ -n "$wanted" ] && [ "$REPLY" != "$wanted" ]; then
    rm -f -- "$path"
    eh_fail 31 "$shown has sha256 $REPLY, the release says $wanted" \
      "find out why the file changed before you pin the new digest in the release; nothing was run"
  fi
}
