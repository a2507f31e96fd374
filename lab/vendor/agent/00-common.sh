#!/bin/bash
# The lab's stand-in for the Palette agent: one text that plays the "binary". It keeps what is documented of the real
# agent: its commands, files, units, reboot, registration by token, health reports, and uninstall.
#
# EDGE_AGENT_ROOT puts a folder before every path of the host, EDGE_AGENT_INTERVAL sets the seconds between two health
# reports; both exist for tests.
set -uo pipefail

AGENT_VERSION="@VERSION@"
AGENT_FIPS="@FIPS@"
AGENT_ARCH="@ARCH@"

ROOT="${EDGE_AGENT_ROOT:-}"
INTERVAL="${EDGE_AGENT_INTERVAL:-5}"
OEM="$ROOT/oem"
RUN="$ROOT/run/stylus"
UNITS="$ROOT/etc/systemd/system"
CONFIG='{}' # the user-data as JSON, once load_config has read it

STAGE_UNITS="spectro-palette-agent-start spectro-palette-agent-initramfs spectro-palette-agent-boot \
spectro-palette-agent-network spectro-palette-agent-bootstrap"
SERVICE_UNITS="spectro-stylus-agent spectro-stylus-operator"

say() { printf 'level=info msg="%s"\n' "$*"; }
warn() { printf 'level=warning msg="%s"\n' "$*" >&2; }
die() {
    printf 'level=fatal msg="%s"\n' "$*" >&2
    exit 1
}

# The folder of the installation, which /etc/spectro/environment can put elsewhere than below /.
stylus_home() {
    local root=/
    if [ -r "$ROOT/etc/spectro/environment" ]; then
        root=$(sed -n 's/^STYLUS_ROOT=//p' "$ROOT/etc/spectro/environment" | tail -n 1)
    fi
    printf '%s%s/opt/spectrocloud\n' "$ROOT" "${1:-${root%/}}"
}

# cfg FILTER: one value of the user-data, empty when it is missing.
cfg() { jq -r "($1) // empty" <<<"$CONFIG"; }

# write_private FILE: stdin to a file that only root may read, whole or not at all.
write_private() {
    mkdir -p "$(dirname "$1")"
    (umask 077 && cat >"$1.new") && mv -f "$1.new" "$1"
}

# The user-data that is in force: whichever of the two files on the host was written last.
effective_userdata() {
    if [ "$OEM/userdata" -nt "$OEM/80_stylus.yaml" ]; then
        printf '%s\n' "$OEM/userdata"
    elif [ -r "$OEM/80_stylus.yaml" ]; then
        printf '%s\n' "$OEM/80_stylus.yaml"
    fi
}

load_config() {
    local file
    file=$(effective_userdata)
    [ -n "$file" ] || return 1
    CONFIG=$(yaml_to_json <"$file") || die "cannot read the user-data in $file"
    write_private "$RUN/userdata" <"$file"
}

# The id of this edge host: site.name, else the content of a device file, else the cached or a new random one.
edge_host_uid() {
    local name prefix file content cached
    name=$(cfg .stylus.site.name)
    prefix=$(cfg .stylus.site.prefix)
    if [ -n "$name" ] && [ "$name" != "\$random" ]; then
        printf '%s\n' "${name:0:128}"
        return
    fi
    file=$(cfg '.stylus.site.deviceUIDPaths[0].name')
    file="$ROOT${file:-/sys/class/dmi/id/product_uuid}"
    if [ -z "$name" ] && content=$(tr -d '\n-' <"$file" 2>/dev/null) && [ -n "$content" ]; then
        printf '%s-%s\n' "${prefix:-edge}" "${content,,}"
        return
    fi
    cached="$(stylus_home)/state/random-id"
    [ -s "$cached" ] || random_hex | write_private "$cached"
    printf '%s-%s\n' "${prefix:-edge}" "$(cat "$cached")"
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
