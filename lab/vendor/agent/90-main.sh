# What the agent is called with.

usage() {
    cat <<'TEXT'
palette-agent install --source IMAGE [--config USERDATA] [--local]
palette-agent uninstall [--force] [--dry-run] [--stylus-root PATH]
palette-agent version
TEXT
}

main() {
    local command=${1:-}
    [ $# -eq 0 ] || shift
    case $command in
        install) install_agent "$@" ;;
        uninstall) uninstall_agent "$@" ;;
        version) printf 'version: v%s\nbuild: release\nfips: %s\n' "$AGENT_VERSION" "$AGENT_FIPS" ;;
        start) boot_start ;;
        stage) run_stage "${1:?}" ;;
        bootstrap) bootstrap ;;
        agent) run_agent ;;
        operator) exec sleep infinity ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
}

main "$@"
