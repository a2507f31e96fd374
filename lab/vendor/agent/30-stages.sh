# The boot stages: what the user-data asks for under stages.NAME, with .before and .after.

run_stage() {
    local name step count index
    load_config || return 0
    for name in "$1.before" "$1" "$1.after"; do
        count=$(jq -r --arg name "$name" '.stages[$name] // [] | length' <<<"$CONFIG")
        for ((index = 0; index < count; index++)); do
            step=$(jq -c --arg name "$name" --argjson index "$index" '.stages[$name][$index]' <<<"$CONFIG")
            run_step "$name" "$step"
        done
    done
}

# One step: a failing command is reported, and the next one runs.
run_step() {
    local label condition command
    label="$1: $(jq -r '.name // "unnamed step"' <<<"$2")"
    condition=$(jq -r '.if // empty' <<<"$2")
    if [ -n "$condition" ] && ! sh -c "$condition" >/dev/null 2>&1; then
        say "$label: skipped"
        return
    fi
    say "$label"
    write_files "$2"
    make_users "$2"
    while IFS= read -r -d '' command; do
        sh -c "$command" </dev/null || warn "$label: a command failed: $?"
    done < <(jq -j '.commands // [] | .[] | tostring + "\u0000"' <<<"$2")
}

write_files() {
    local file path
    while IFS= read -r file; do
        path="$ROOT$(jq -r .path <<<"$file")"
        mkdir -p "$(dirname "$path")"
        case $(jq -r '.encoding // ""' <<<"$file") in
            b64 | base64) jq -r '.content // ""' <<<"$file" | base64 -d >"$path" ;;
            *) jq -j '.content // ""' <<<"$file" >"$path" ;;
        esac
        chmod "$(jq -r '.permissions // 644' <<<"$file")" "$path"
    done < <(jq -c '.files // [] | .[]' <<<"$1")
}

make_users() {
    local name user
    while IFS= read -r name; do
        user=$(jq -c --arg name "$name" '.users[$name] // {}' <<<"$1")
        make_user "$name" "$user" || warn "cannot set up user $name"
    done < <(jq -r '.users // {} | keys[]' <<<"$1")
}

make_user() {
    local name=$1 password group home
    getent passwd "$name" >/dev/null || useradd --create-home --shell /bin/bash "$name" || return
    while IFS= read -r group; do
        getent group "$group" >/dev/null || groupadd "$group"
        usermod --append --groups "$group" "$name"
    done < <(jq -r '.groups // [] | .[]' <<<"$2")
    password=$(jq -r '.passwd // empty' <<<"$2")
    case $password in
        "") ;;
        \$*) chpasswd --encrypted <<<"$name:$password" ;;
        *) chpasswd <<<"$name:$password" ;;
    esac
    [ "$(jq -r '.lock_passwd // false' <<<"$2")" != true ] || passwd --lock "$name" >/dev/null
    [ "$(jq -r '.ssh_authorized_keys // [] | length' <<<"$2")" -gt 0 ] || return 0
    home=$(getent passwd "$name" | cut -d: -f6)
    mkdir -p "$ROOT$home/.ssh"
    jq -r '.ssh_authorized_keys[]' <<<"$2" >"$ROOT$home/.ssh/authorized_keys"
    chmod 700 "$ROOT$home/.ssh" && chmod 600 "$ROOT$home/.ssh/authorized_keys"
    [ -n "$ROOT" ] || chown -R "$name:" "$home/.ssh"
}

# The first unit of a boot: folders, the user-data in force, the host's name.
boot_start() {
    mkdir -p "$RUN" "$(stylus_home)/state" "$ROOT/var/log/spectrocloud"
    load_config || return 0
    local name
    name=$(cfg '.stylus.site.hostName // .stylus.site.name')
    if [ -n "$name" ] && [ "$name" != "\$random" ]; then
        printf '%s\n' "$name" >"$ROOT/etc/hostname"
        [ -n "$ROOT" ] || hostname "$name" || warn "cannot set the host name"
    fi
}

bootstrap() {
    [ -r "$(stylus_home)/stylus/VERSION" ] || die "the payload is missing in $(stylus_home)/stylus"
    date -u +%FT%TZ >"$(stylus_home)/state/bootstrapped"
}
