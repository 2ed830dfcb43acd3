#!/usr/bin/env bash
# Starts and ends one real Apache Kafka node (KRaft) over a folder, for tests and development.
#
#   infra/dev/kafka.sh start|restart DIR [PORT]   prints bootstrap=… proxied=… pid=… log=…   (restart: SIGTERM, then start)
#   infra/dev/kafka.sh stop|kill|status DIR       stop: SIGTERM; kill: SIGKILL; status: exit 0 when it answers
#
# PORT is for clients, PORT+1 for the controller. A client that is to be cut off bootstraps from PORT+3, where the test puts a proxy
# (tcp_proxy.py) that forwards to PORT+2: that listener tells its clients to come back through PORT+3.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=infra/dev/process.sh
source "$here/process.sh"
readonly READY_DEADLINE_SECONDS=60
readonly HEAP_MIB=${MEDFLEET_KAFKA_HEAP_MIB:-512}
readonly LIBS=${MEDFLEET_TOOLS:-$HOME/.cache/medfleet/tools}/kafka/libs

usage() {
    sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}


# Writes the settings, and on the first start the identity of the storage.
prepare() {
    local dir=$1 port=$2 id
    fill "$here/../kafka/server.properties.template" DIR "$dir" PORT "$port" CONTROLLER_PORT $((port + 1)) \
        PROXIED_PORT $((port + 2)) PROXY_PORT $((port + 3)) >"$dir/server.properties"
    [[ ! -s $dir/data/meta.properties ]] || return 0
    # A cluster id is 16 random bytes in URL-safe base64; one that begins with a dash would look like an option.
    id=M$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)
    java -cp "$LIBS/*" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" >>"$dir/log" 2>&1 \
        || died "$dir" "the storage could not be formatted"
}

start() {
    local dir=$1 port=$2
    if ! living_pid "$dir" >/dev/null; then
        [[ -d $LIBS ]] || die "no Kafka in $LIBS: run infra/dev/install.sh brokers"
        refuse_taken_ports "$port" $((port + 1)) $((port + 2))
        prepare "$dir" "$port"
        launch "$dir" java "-Xmx${HEAP_MIB}m" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
            -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
            -cp "$LIBS/*" kafka.Kafka "$dir/server.properties"
    fi
    python3 "$here/kafka_ready.py" 127.0.0.1 "$port" --pid "$(<"$dir/pid")" --deadline-seconds "$READY_DEADLINE_SECONDS" \
        || died "$dir" "Kafka did not become ready"
    report "$dir" "$port"
}

report() {
    printf 'bootstrap=127.0.0.1:%s\nproxied=127.0.0.1:%s\nproxy_target=127.0.0.1:%s\npid=%s\nlog=%s\n' \
        "$2" $(($2 + 3)) $(($2 + 2)) "$(<"$1/pid")" "$1/log"
}

status() {
    local dir=$1 pid port
    pid=$(living_pid "$dir") || { echo "stopped"; return 3; }
    port=$(port_of "$dir")
    python3 "$here/kafka_ready.py" 127.0.0.1 "$port" --pid "$pid" --deadline-seconds 5 || return 4
    report "$dir" "$port"
}

main() {
    (($# >= 2)) || usage
    local dir port
    dir=$(folder "$2")
    case $1 in
        start | restart)
            port=$(port_of "$dir" "${3:-}")
            [[ $1 == start ]] || end_process "$dir" TERM
            start "$dir" "$port"
            ;;
        stop) end_process "$dir" TERM ;;
        kill) end_process "$dir" KILL ;;
        status) status "$dir" ;;
        *) usage ;;
    esac
}

main "$@"
