# What an appliance does otherwise than a host in Agent Mode: its agent came with the image, its user-data is the one of
# the installer merged with the one of a `cidata` medium, and it owns the network of its machine.
#
# EDGE_AGENT_DRIVES is where the machine's optical drives are seen, one folder each: `label` and `files`.

DRIVES="${EDGE_AGENT_DRIVES:-/run/drives}"
BUILD_FILE="$OEM/90_custom.yaml"   # what the installer left
KEPT_FILE="$OEM/80_stylus.yaml"    # both merged; there is one from the first boot on
NETWORKD="$ROOT/etc/systemd/network"

# The user-data in force is kept as JSON, which is YAML too.
effective_userdata() {
    [ ! -r "$KEPT_FILE" ] || printf '%s\n' "$KEPT_FILE"
}

load_config() {
    [ -r "$KEPT_FILE" ] || return 1
    CONFIG=$(tail -n +2 "$KEPT_FILE" | jq -c .) || die "cannot read the user-data in $KEPT_FILE"
    write_private "$RUN/userdata" <"$KEPT_FILE"
}

# keep_config JSON: what begins with skip-copy- is for this boot only.
keep_config() {
    {
        printf '#cloud-config\n'
        jq 'if .stages then .stages |= with_entries(select(.key | startswith("skip-copy-") | not)) else . end' <<<"$1"
    } | write_private "$KEPT_FILE"
}

# as_json FILE: a user-data file as JSON; fails when it is none.
as_json() {
    [ "$(head -n 1 "$1" | tr -d '\r')" = "#cloud-config" ] || return 1
    yaml_to_json <"$1"
}

# The first boot from disk: the user-data of the medium, if there is one, goes over that of the installer. Maps are merged.
# How lists are is not documented, so nobody may rely on it: here the one of the medium takes the place of the other.
first_boot() {
    local build='{}' site='{}' drive
    [ ! -r "$BUILD_FILE" ] || build=$(as_json "$BUILD_FILE") || warn "the installer left no user-data that can be read"
    for drive in "$DRIVES"/*; do
        [ "$(tr '[:upper:]' '[:lower:]' 2>/dev/null <"$drive/label")" = cidata ] || continue
        [ -e "$drive/files/user-data" ] && [ -e "$drive/files/meta-data" ] || continue
        site=$(as_json "$drive/files/user-data") || { warn "the user-data on the medium cidata cannot be read"; site='{}'; }
        say "user-data of the medium cidata is merged"
        break
    done
    [ -n "$build" ] || build='{}'
    keep_config "$(jq -cn --argjson build "$build" --slurpfile site <(printf '%s' "$site") '$build * $site[0]')"
}

# The first unit of a boot.
appliance_start() {
    mkdir -p "$RUN" "$OEM" "$(stylus_home)/state" "$ROOT/var/log/spectrocloud"
    [ -e "$KEPT_FILE" ] || first_boot
    boot_start
    set_network
}

# Writes the network of the user-data for networkd; a machine without one asks for an address.
set_network() {
    local nic count=0
    rm -f "$NETWORKD"/10-stylus-*.network
    mkdir -p "$NETWORKD"
    while IFS= read -r nic; do
        network_of "$nic" >"$NETWORKD/10-stylus-$nic.network"
        count=$((count + 1))
    done < <(jq -r '.stylus.site.network.interfaces // {} | keys[]' <<<"$CONFIG")
    [ "$count" -gt 0 ] || printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' >"$NETWORKD/10-stylus-all.network"
}

# network_of NIC: by its name as the machine has it; with another name there is no network.
network_of() {
    local settings address mask gateway server
    settings=$(jq -c --arg nic "$1" '.stylus.site.network.interfaces[$nic] // {}' <<<"$CONFIG")
    printf '[Match]\nName=%s\n[Network]\nIPv6AcceptRA=no\n' "$1"
    if [ "$(jq -r '.type // "dhcp"' <<<"$settings")" != static ]; then
        printf 'DHCP=yes\n'
        return
    fi
    address=$(jq -r '.ipAddress // empty' <<<"$settings")
    mask=$(jq -r '.mask // empty' <<<"$settings")
    case $address in
        */*) ;;
        *) address="$address/$(prefix_of "${mask:-255.255.255.0}")" ;;
    esac
    printf 'Address=%s\n' "$address"
    gateway=$(jq -r '.gateway // empty' <<<"$settings")
    [ -z "$gateway" ] || printf 'Gateway=%s\n' "$gateway"
    for server in $(jq -r '.nameserver // empty' <<<"$settings") $(cfg .stylus.site.network.nameserver); do
        printf 'DNS=%s\n' "$server"
    done | sort -u
}

# prefix_of MASK: 255.255.255.0 is 24.
prefix_of() {
    local part bits=0 parts
    IFS=. read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        while [ "$part" -gt 0 ]; do
            bits=$((bits + part % 2))
            part=$((part / 2))
        done
    done
    printf '%s\n' "$bits"
}

# Files of a step. A number is the mode itself, as a program that reads YAML gets it; a text is the mode in octal digits.
write_files() {
    local file path mode owner group
    while IFS= read -r file; do
        path="$ROOT$(jq -r .path <<<"$file")"
        mkdir -p "$(dirname "$path")"
        rm -f "$path"
        (
            umask 077
            case $(jq -r '.encoding // ""' <<<"$file") in
                b64 | base64) jq -r '.content // ""' <<<"$file" | base64 -d >"$path" ;;
                *) jq -j '.content // ""' <<<"$file" >"$path" ;;
            esac
        )
        mode=$(jq -r '.permissions // "0644"' <<<"$file")
        [ "$(jq -r '.permissions | type' <<<"$file")" != number ] || mode=$(printf '%o' "$mode")
        chmod "$mode" "$path"
        owner=$(jq -r '.owner // 0' <<<"$file")
        group=$(jq -r '.group // 0' <<<"$file")
        [ -n "$ROOT" ] || chown "$owner:$group" "$path"
    done < <(jq -c '.files // [] | .[]' <<<"$1")
}

# A registration says what kind of host this is.
register() {
    palette POST /v1/edgehosts/register "$(registration "$1" | jq -c '.spec.device.hostType = "appliance"')"
    if [ "$HTTP_STATUS" != 200 ]; then
        warn "registration of $1 refused: status $HTTP_STATUS $(jq -r '.code // empty' <<<"$HTTP_BODY" 2>/dev/null)" \
            "$(cat "$RUN/last-error")"
        return 1
    fi
    jq -r '.spec.host.hostAuthToken // empty' <<<"$HTTP_BODY" | write_private "$CREDENTIALS"
    : >"$(stylus_home)/state/registration"
    say "registered as $1"
}

# Without a token nobody lets this host in: it waits for somebody who sets it up on the console.
run_appliance() {
    if ! load_config || [ -z "$(cfg .stylus.site.edgeHostToken)" ] || [ -z "$(cfg .stylus.site.paletteEndpoint)" ]; then
        say "waiting for registration: the user-data names no endpoint or no token"
        exec sleep infinity
    fi
    run_agent
}
