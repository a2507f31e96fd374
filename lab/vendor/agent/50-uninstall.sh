# palette-agent uninstall: a failing step does not stop the later ones, so the caller has to look at the result. The
# user-data in /oem/userdata stays, and so does the record in Palette.

uninstall_agent() {
    local force=0 dry=0 root=""
    while [ $# -gt 0 ]; do
        case $1 in
            --force) force=1 ;;
            --dry-run) dry=1 ;;
            --stylus-root) root=${2:-} && shift ;;
            *) die "unknown option of uninstall: $1" ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || die "uninstall must run as root"
    if [ "$force" = 0 ] && [ "$dry" = 0 ]; then
        confirm || die "uninstall needs --force without a terminal"
    fi
    local home file
    home=$(stylus_home "${root%/}")
    for file in "$UNITS"/spectro*.service; do
        [ -e "$file" ] || continue
        undo "$dry" systemctl disable --now "$(basename "$file")"
        undo "$dry" rm -f "$file"
    done
    undo "$dry" systemctl daemon-reload
    for file in "$ROOT/etc/spectro" "$RUN" "$home" "$ROOT/usr/local/spectrocloud" "$ROOT/usr/local/stylus" \
        "$ROOT/var/lib/spectro" "$OEM/80_stylus.yaml"; do
        [ -e "$file" ] || continue
        undo "$dry" rm -rf --one-file-system "$file"
    done
    say "uninstalled; the record in Palette stays until somebody deletes it"
}

confirm() {
    local answer
    [ -t 0 ] || return 1
    read -r -p "Remove the Palette agent from this machine? [y/N] " answer
    [ "$answer" = y ]
}

# undo DRY COMMAND...: say it, and do it unless it is only a rehearsal.
undo() {
    local dry=$1
    shift
    say "$*"
    [ "$dry" = 1 ] || "$@" || warn "failed: $*"
}
