#!/usr/bin/env bash
# Starts and ends one real Alertmanager over a folder, with the shipped configuration.
#
#   infra/dev/alertmanager.sh start DIR PORT RECEIVER   RECEIVER: URL that it tells on; prints url=… pid=… log=…
#   infra/dev/alertmanager.sh stop|status DIR            stop: SIGTERM; status: exit 0 when it answers
#
# MEDFLEET_GROUP_WAIT (default 1s) is how long it gathers what belongs together.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=infra/dev/process.sh
source "$here/process.sh"
readonly READY_DEADLINE_SECONDS=30
readonly WAIT=${MEDFLEET_GROUP_WAIT:-1s}

usage() {
    sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

ready() {
    curl -fsS -o /dev/null "http://127.0.0.1:$1/-/ready" 2>/dev/null
}

start() {
    local dir=$1 port=$2 receiver=$3 deadline=$((SECONDS + READY_DEADLINE_SECONDS))
    if ! living_pid "$dir" >/dev/null; then
        command -v prometheus-alertmanager >/dev/null || die "no Alertmanager on this machine: run infra/dev/install.sh prometheus"
        refuse_taken_ports "$port"
        fill "$here/../alertmanager/alertmanager.yml.template" RECEIVER "$receiver" WAIT "$WAIT" INTERVAL "$WAIT" >"$dir/alertmanager.yml"
        # Without a cluster it needs no second port.
        launch "$dir" prometheus-alertmanager --config.file="$dir/alertmanager.yml" --storage.path="$dir/data" \
            --web.listen-address="127.0.0.1:$port" --cluster.listen-address=
    fi
    until ready "$port"; do
        living_pid "$dir" >/dev/null || died "$dir" "Alertmanager ended while starting"
        ((SECONDS < deadline)) || died "$dir" "Alertmanager was not ready on port $port within ${READY_DEADLINE_SECONDS} s"
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
            (($# == 4)) || usage
            port=$(port_of "$dir" "$3")
            start "$dir" "$port" "$4"
            ;;
        stop) end_process "$dir" TERM ;;
        status) status_url "$dir" ;;
        *) usage ;;
    esac
}

main "$@"
