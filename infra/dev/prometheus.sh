#!/usr/bin/env bash
# Starts and ends one real Prometheus over a folder, with the shipped rules, reading a running medfleet and its agents.
#
#   infra/dev/prometheus.sh start DIR PORT SERVER [AGENT]...   SERVER, AGENT: HOST:PORT of /metrics; prints url=… pid=… log=…
#   infra/dev/prometheus.sh stop|status DIR                     stop: SIGTERM; status: exit 0 when it answers
#
# MEDFLEET_SCRAPE_INTERVAL (default 5s) is how often it reads and judges.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=infra/dev/process.sh
source "$here/process.sh"
readonly READY_DEADLINE_SECONDS=30
readonly INTERVAL=${MEDFLEET_SCRAPE_INTERVAL:-5s}

usage() {
    sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

ready() {
    curl -fsS -o /dev/null "http://127.0.0.1:$1/-/ready" 2>/dev/null
}

start() {
    local dir=$1 port=$2 server=$3 agents deadline=$((SECONDS + READY_DEADLINE_SECONDS))
    shift 3
    agents=$(IFS=,; printf '%s' "$*")
    if ! living_pid "$dir" >/dev/null; then
        command -v prometheus >/dev/null || die "no prometheus on this machine: run infra/dev/install.sh prometheus"
        refuse_taken_ports "$port"
        fill "$here/../prometheus/prometheus.yml.template" SERVER "$server" AGENTS "$agents" INTERVAL "$INTERVAL" \
            RULES "$(cd "$here/../prometheus" && pwd -P)/rules.yml" >"$dir/prometheus.yml"
        launch "$dir" prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" --web.listen-address="127.0.0.1:$port"
    fi
    until ready "$port"; do
        living_pid "$dir" >/dev/null || died "$dir" "Prometheus ended while starting"
        ((SECONDS < deadline)) || died "$dir" "Prometheus was not ready on port $port within ${READY_DEADLINE_SECONDS} s"
        sleep "$POLL_SECONDS"
    done
    report_url "$dir" "$port"
}

main() {
    (($# >= 2)) || usage
    local dir port
    dir=$(folder "$2")
    case $1 in
        start)
            (($# >= 4)) || usage
            port=$(port_of "$dir" "$3")
            start "$dir" "$port" "${@:4}"
            ;;
        stop) end_process "$dir" TERM ;;
        status) status_url "$dir" ;;
        *) usage ;;
    esac
}

main "$@"
