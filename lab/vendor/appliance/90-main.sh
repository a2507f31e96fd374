# What the agent of an appliance is called with: by its units, at each boot.

main() {
    local command=${1:-}
    [ $# -eq 0 ] || shift
    case $command in
        version) printf 'version: v%s\nbuild: release\nfips: %s\n' "$AGENT_VERSION" "$AGENT_FIPS" ;;
        start) appliance_start ;;
        stage) run_stage "${1:?}" ;;
        agent) run_appliance ;;
        operator | tui) exec sleep infinity ;;
        *)
            echo "palette-agent version" >&2
            exit 2
            ;;
    esac
}

main "$@"
