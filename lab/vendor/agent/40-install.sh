# palette-agent install: payload, binary, user-data, units, reboot.

install_agent() {
    local source="" config="" local_file=0
    while [ $# -gt 0 ]; do
        case $1 in
            --source) source=${2:-} && shift ;;
            --config) config=${2:-} && shift ;;
            --local) local_file=1 ;;
            *) die "unknown option of install: $1" ;;
        esac
        shift
    done
    [ -n "$source" ] || die "install needs --source IMAGE"
    keep_userdata "$config"
    local root
    root=$(cfg .stylus.path)
    mkdir -p "$ROOT/etc/spectro"
    printf 'STYLUS_ROOT=%s\n' "${root:-/}" >"$ROOT/etc/spectro/environment"
    STYLUS_HOME=$(stylus_home)
    export STYLUS_HOME
    mkdir -p "$STYLUS_HOME"/{bin,state,stylus,logs} "$RUN" "$ROOT/var/log/spectrocloud"
    rm -f "$STYLUS_HOME/state/setup.env"
    say "installing Palette agent v$AGENT_VERSION"
    place_binary
    if [ "$local_file" = 1 ]; then
        tar -xzf "$source" -C "$STYLUS_HOME/stylus" || die "cannot unpack $source"
    else
        pull_payload "$source"
    fi
    bash "$STYLUS_HOME/stylus/setup.sh" </dev/null || die "the setup of the payload failed"
    : >"$STYLUS_HOME/state/agent-mode"
    write_units
    systemctl daemon-reload || die "systemd does not read its units again"
    # shellcheck disable=SC2086  # a list of units
    systemctl enable $STAGE_UNITS $SERVICE_UNITS || die "cannot enable the units"
    finish_install
}

# The user-data stays on the host, token included, so only root may read it.
keep_userdata() {
    local text
    [ -n "$1" ] || return 0
    case $1 in
        http://* | https://*) text=$(curl -fsSL "$1") || die "cannot download the user-data" ;;
        *) text=$(cat "$1") || die "cannot read the user-data $1" ;;
    esac
    [ "${text%%$'\n'*}" = "#cloud-config" ] || die "the first line of the user-data must be #cloud-config"
    CONFIG=$(yaml_to_json <<<"$text") || die "the user-data is no valid YAML"
    rm -f "$OEM/userdata" "$OEM/80_stylus.yaml"
    write_private "$OEM/userdata" <<<"$text"
    write_private "$OEM/80_stylus.yaml" <<<"$text"
}

place_binary() {
    local target="$STYLUS_HOME/bin/palette-agent"
    install -m 755 "$0" "$target.new" || die "cannot write $target"
    mv -f "$target.new" "$target"
}

# pull_payload IMAGE: the only layer of the image, checked against its digest.
pull_payload() {
    local registry=${1%%/*} rest=${1#*/} repository tag digest work
    repository=${rest%:*}
    tag=${rest##*:}
    work=$(mktemp -d) || die "no room for the payload"
    digest=$(curl -fsSL --retry 2 --max-time 120 -H "Accept: application/vnd.oci.image.manifest.v1+json" \
        "https://$registry/v2/$repository/manifests/$tag" | jq -r '.layers[0].digest // empty')
    [ -n "$digest" ] || die "cannot pull $1"
    curl -fsSL --retry 2 --max-time 600 -o "$work/layer" "https://$registry/v2/$repository/blobs/$digest" ||
        die "cannot pull the layer of $1"
    echo "${digest#sha256:}  $work/layer" | sha256sum --quiet --check || die "the layer of $1 is damaged"
    tar -xzf "$work/layer" -C "$STYLUS_HOME/stylus" || die "cannot unpack the layer of $1"
    rm -rf "$work"
}

# unit NAME DESCRIPTION LINES...: writes one unit file.
unit() {
    local name=$1 description=$2
    shift 2
    mkdir -p "$UNITS"
    {
        printf '[Unit]\nDescription=%s\n' "$description"
        printf '%s\n' "$@"
        printf '\n[Install]\nWantedBy=multi-user.target\n'
    } >"$UNITS/$name.service"
}

write_units() {
    local binary="${STYLUS_HOME#"$ROOT"}/bin/palette-agent" once=("" "[Service]" Type=oneshot RemainAfterExit=yes)
    local before="After=local-fs.target" stage
    unit spectro-palette-agent-start "Palette agent: start" "$before" "${once[@]}" "ExecStart=$binary start"
    before="After=spectro-palette-agent-start.service"
    for stage in initramfs boot network; do
        [ "$stage" != network ] || before="$before network-online.target"
        unit "spectro-palette-agent-$stage" "Palette agent: stage $stage" "$before" "${once[@]}" "ExecStart=$binary stage $stage"
        before="After=spectro-palette-agent-$stage.service"
    done
    unit spectro-palette-agent-bootstrap "Palette agent: bootstrap" "$before" "${once[@]}" "ExecStart=$binary bootstrap"
    before="After=spectro-palette-agent-bootstrap.service"
    unit spectro-stylus-agent "Palette agent" "$before" "" "[Service]" Restart=always RestartSec=5 "ExecStart=$binary agent"
    unit spectro-stylus-operator "Palette operator" "$before" "" "[Service]" Restart=always RestartSec=5 \
        "ExecStart=$binary operator"
}

# The reboot belongs to the agent: whoever is logged in loses the line.
finish_install() {
    if grep -qs NO_REBOOT=1 "$STYLUS_HOME/state/setup.env"; then
        say "installed; the payload asked for no reboot"
    elif [ "$(cfg .install.poweroff)" = true ]; then
        say "installed; powering off"
        sync
        sleep "${EDGE_AGENT_REBOOT_DELAY:-1}"
        systemctl poweroff
    elif [ "$(cfg .install.reboot)" = true ]; then
        say "installed; rebooting"
        sync
        sleep "${EDGE_AGENT_REBOOT_DELAY:-1}"
        systemctl reboot
    else
        say "installed; reboot the machine to start the agent"
    fi
}
