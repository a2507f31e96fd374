# How the agent talks to Palette: proxy and authorities from the user-data, the token in a header that no process list
# shows, registration, health.

# Takes from the user-data what every request needs: where Palette is, the token, proxy and authorities. Once, because a
# request is made every few seconds and each look into the user-data is a process.
use_site() {
    local http https none
    PALETTE_URL="https://$(cfg .stylus.site.paletteEndpoint)"
    TOKEN=$(cfg .stylus.site.edgeHostToken)
    CURL_OPTIONS=(-sS --max-time 20 --connect-timeout 10)
    [ "$(cfg .stylus.site.insecureSkipVerify)" != true ] || CURL_OPTIONS+=(-k)
    CREDENTIALS="$(stylus_home)/state/credentials"
    http=$(cfg .stylus.site.network.httpProxy)
    https=$(cfg .stylus.site.network.httpsProxy)
    none=$(cfg .stylus.site.network.noProxy)
    [ -z "$http" ] || export http_proxy="$http" HTTP_PROXY="$http"
    [ -z "$https" ] || export https_proxy="$https" HTTPS_PROXY="$https"
    [ -z "$none" ] || export no_proxy="$none" NO_PROXY="$none"
    use_site_authorities
}

# Puts the authorities of the user-data (PEM text, or base64 of it) behind those of the system.
use_site_authorities() {
    local system count index text
    count=$(cfg '.stylus.site.caCerts | length')
    [ "${count:-0}" -gt 0 ] || return 0
    for system in "${CURL_CA_BUNDLE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        [ ! -s "$system" ] || break
    done
    {
        [ ! -s "$system" ] || cat "$system"
        for ((index = 0; index < count; index++)); do
            text=$(cfg ".stylus.site.caCerts[$index]")
            case $text in
                *BEGIN*) printf '%s\n' "$text" ;;
                *) base64 -d <<<"$text" && echo ;;
            esac
        done
    } | write_private "$RUN/ca-bundle.pem"
    export CURL_CA_BUNDLE="$RUN/ca-bundle.pem"
}

# palette METHOD PATH BODY: sets HTTP_STATUS (000 = no answer) and HTTP_BODY. Headers with secrets go to curl's stdin.
palette() {
    local answer
    answer=$(curl_headers | curl "${CURL_OPTIONS[@]}" -K - -X "$1" -H "Content-Type: application/json" \
        --data-binary "$3" -w '\n%{http_code}' "$PALETTE_URL$2" 2>"$RUN/last-error")
    HTTP_STATUS=${answer##*$'\n'}
    HTTP_BODY=${answer%$'\n'*}
    [ -n "$HTTP_STATUS" ] || HTTP_STATUS=000
}

curl_headers() {
    local auth="" text
    [ ! -r "$CREDENTIALS" ] || auth=$(<"$CREDENTIALS")
    text=${TOKEN//\\/\\\\}
    printf 'header = "EdgeHostToken: %s"\n' "${text//\"/\\\"}"
    [ -z "$auth" ] || printf 'header = "HostAuthToken: %s"\n' "$auth"
}

# The body of a registration: the record as Palette keeps it. The user-data goes to jq's stdin: it holds the token.
registration() {
    local uid=$1 nic address mac cores memory
    # shellcheck disable=SC1091
    . "$ROOT/etc/os-release" 2>/dev/null || ID=linux VERSION_ID=""
    nic=$(ip -o -4 route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    [ -n "$nic" ] || nic=$(ip -o -4 addr show scope global 2>/dev/null | awk '{ print $2; exit }')
    address=$(ip -o -4 addr show dev "${nic:-none}" scope global 2>/dev/null | awk '{ sub(/\/.*/, "", $4); print $4; exit }')
    mac=$(ip -o link show dev "${nic:-none}" 2>/dev/null | sed -n 's,.*link/ether \([^ ]*\).*,\1,p')
    cores=$(nproc)
    memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
    jq --arg uid "$uid" --arg name "$(cfg '.stylus.site.hostName // .stylus.site.name')" --arg nic "$nic" \
        --arg address "$address" --arg mac "$mac" --arg arch "$AGENT_ARCH" --arg family "$ID" \
        --arg release "$VERSION_ID" --arg kernel "$(uname -r)" --argjson cores "$cores" --argjson memory "$memory" \
        --arg identity "$(identity)" '. as $user |
        {metadata: {uid: $uid, name: (if $name == "" then $uid else $name end), labels: ($user.stylus.site.tags // {} | map_values(tostring))},
         spec: {type: "edge-native",
                device: {archType: $arch, hostType: "agent-mode", hostState: "registration", cpu: {cores: $cores},
                         memory: {sizeInMB: $memory}, os: {family: $family, version: $release, kernel: "linux", kernelVersion: $kernel},
                         nics: [{nicName: $nic, ip: $address, macAddr: $mac, isDefault: true}]},
                host: {hostUid: $uid, hostAddress: $address, macAddress: $mac, hostChecksum: $identity,
                       project: {uid: ($user.stylus.site.projectUid // ""), name: ($user.stylus.site.projectName // "")}}}}' <<<"$CONFIG"
}

# This installation's own id: a second agent with the same name is not this one.
identity() {
    local file
    file="$(stylus_home)/state/identity"
    [ -s "$file" ] || random_hex | write_private "$file"
    cat "$file"
}

register() {
    palette POST /v1/edgehosts/register "$(registration "$1")"
    if [ "$HTTP_STATUS" != 200 ]; then
        warn "registration of $1 refused: status $HTTP_STATUS $(jq -r '.code // empty' <<<"$HTTP_BODY" 2>/dev/null)" \
            "$(cat "$RUN/last-error")"
        return 1
    fi
    jq -r '.spec.host.hostAuthToken // empty' <<<"$HTTP_BODY" | write_private "$CREDENTIALS"
    : >"$(stylus_home)/state/registration"
    say "registered as $1"
}

report_health() {
    palette PATCH "/v1/edgehosts/$1/health" "{\"state\":\"healthy\",\"agentVersion\":\"$AGENT_VERSION\",\"message\":\"\"}"
    [ "$HTTP_STATUS" = 204 ] || warn "health of $1 not taken: status $HTTP_STATUS"
}

# The service: register until it works, then report. A record that is deleted meanwhile comes back only when the agent is
# started again.
run_agent() {
    local uid
    until load_config; do
        warn "there is no user-data in $OEM, so this host cannot register"
        sleep 60
    done
    if [ "$(cfg .stylus.managementMode)" = local ] || [ "$(cfg .stylus.site.disableAutoRegister)" = true ]; then
        say "this host does not register by itself"
        exec sleep infinity
    fi
    use_site
    uid=$(edge_host_uid)
    until register "$uid"; do sleep "$INTERVAL"; done
    while :; do
        report_health "$uid"
        sleep "$INTERVAL"
    done
}
