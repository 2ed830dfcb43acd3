#!/usr/bin/env bash
# Proves the test bench itself: installs, starts Kafka and Mosquitto, moves 1,000 messages through each, kills Kafka with SIGKILL and finds
# every acknowledged record again, cuts a link with the proxy, stops all. Prints what every step took.
#
#   infra/dev/selftest.sh [DIR]    DIR: where the brokers keep their data (default: a new temporary folder, removed at the end)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly PYTHON=${MEDFLEET_TOOLS:-$HOME/.cache/medfleet/tools}/python/bin/python
readonly MESSAGES=1000
readonly MESSAGES_DEADLINE_SECONDS=60
readonly AGENT=agent-1

work=${1:-}
temporary=""
proxy_pid=""

clean_up() {
    local status=$?
    [[ -z $proxy_pid ]] || kill "$proxy_pid" 2>/dev/null || true
    "$here/kafka.sh" kill "$work/kafka" || true
    "$here/mosquitto.sh" kill "$work/mosquitto" || true
    if [[ -n $temporary && $status -eq 0 ]]; then
        rm -rf "$temporary"
    elif ((status != 0)); then
        printf 'selftest: FAILED, everything is kept in %s\n' "$work" >&2
    fi
}

# Runs one step and prints how long it took; a step that fails ends the test.
step() {
    local name=$1 started=$EPOCHREALTIME
    shift
    "$@"
    awk -v a="$started" -v b="$EPOCHREALTIME" -v n="$name" 'BEGIN { printf "%-58s %8.2f s\n", n, b - a }'
}

# The first of ten ports that are all free, below those that the kernel gives to clients.
free_ports() {
    python3 - <<'PYTHON'
import random, socket
while True:
    base = random.randrange(20000, 30000, 10)
    taken = 0
    for port in range(base, base + 10):
        with socket.socket() as probe:
            taken += probe.connect_ex(("127.0.0.1", port)) == 0
    if not taken:
        print(base)
        break
PYTHON
}

value() { sed -n "s/^$1=//p" "$2"; }

# A client that trusts the broker's own authority; options given later win.
as_user() {
    local tool=$1 name=$2
    shift 2
    "$tool" -V 5 -q 1 -i "selftest-$tool-$name" -h localhost -p "$mqtt_port" --cafile "$(value ca "$work/mosquitto.out")" \
        -u "$name" -P "$(sed -n "s/^$name://p" "$work/mosquitto/credentials")" "$@"
}

start_brokers() {
    "$here/kafka.sh" start "$work/kafka" "$kafka_port" >"$work/kafka.out"
    "$here/mosquitto.sh" start "$work/mosquitto" "$mqtt_port" >"$work/mosquitto.out"
}

# Ingest hears exactly what an agent says: its session exists first, so nothing is missed however late it listens.
messages_through_mosquitto() {
    local topic=medfleet/v1/3/hospital-a/$AGENT/batch
    "$here/mosquitto.sh" users "$work/mosquitto" "$AGENT"
    as_user mosquitto_sub ingest -E -c -x 600 -t 'medfleet/v1/+/+/+/batch'
    seq "$MESSAGES" | as_user mosquitto_pub "$AGENT" -t "$topic" -l
    as_user mosquitto_sub ingest -c -x 600 -t 'medfleet/v1/+/+/+/batch' -C "$MESSAGES" -W "$MESSAGES_DEADLINE_SECONDS" >"$work/heard"
    diff <(seq "$MESSAGES") <(sort -n "$work/heard") >/dev/null || { echo "mosquitto: other messages came out than went in" >&2; return 1; }
}

# An agent must not speak for another one, nobody gets in with a wrong password, and the certificate is really checked.
mosquitto_refuses_strangers() {
    local said
    said=$(as_user mosquitto_pub "$AGENT" -d -t medfleet/v1/3/hospital-a/agent-2/batch -m x 2>&1 || true)
    grep -q 'RC:135' <<<"$said" || { printf 'mosquitto let %s publish as agent-2: %s\n' "$AGENT" "$said" >&2; return 1; }
    ! as_user mosquitto_pub "$AGENT" -P wrong -t "medfleet/v1/3/hospital-a/$AGENT/batch" -m x 2>/dev/null || { echo "mosquitto took a wrong password" >&2; return 1; }
    ! as_user mosquitto_pub "$AGENT" --cafile /etc/ssl/certs/ca-certificates.crt -t "medfleet/v1/3/hospital-a/$AGENT/batch" -m x 2>/dev/null \
        || { echo "the server's certificate was accepted under a foreign authority" >&2; return 1; }
}

kafka_messages() { "$PYTHON" "$here/selftest_kafka.py" "$1" --bootstrap "$(value "${2:-bootstrap}" "$work/kafka.out")" --messages "$MESSAGES"; }

kill_and_restart_kafka() {
    "$here/kafka.sh" kill "$work/kafka"
    "$here/kafka.sh" start "$work/kafka" >"$work/kafka.out"
}

control() { "$PYTHON" -c 'import sys, requests; print(requests.request(*sys.argv[1:3], timeout=10).json()["mode"])' "$1" "http://$(cat "$work/control")/kafka$2"; }

start_proxy() {
    python3 "$here/tcp_proxy.py" --control 127.0.0.1:0 --link "kafka=$(value proxied "$work/kafka.out"),$(value proxy_target "$work/kafka.out")" \
        >"$work/proxy.out" &
    proxy_pid=$!
    local deadline=$((SECONDS + 10))
    until [[ -s $work/proxy.out ]]; do
        ((SECONDS < deadline)) || { echo "the proxy does not listen" >&2; return 1; }
        sleep 0.05
    done
    sed 's/.*"control": "\([^"]*\)".*/\1/' "$work/proxy.out" >"$work/control"
}

# Through the proxy all is there; refused, nothing answers; restored, all is there again.
proxy_cuts_and_heals() {
    kafka_messages verify proxied
    [[ $(control POST /refuse) == refusing ]]
    ! python3 "$here/kafka_ready.py" 127.0.0.1 $((kafka_port + 3)) --deadline-seconds 0 2>/dev/null || { echo "a refused link still answers" >&2; return 1; }
    [[ $(control POST /blackhole) == blackhole && $(control POST /restore) == open ]]
    kafka_messages verify proxied
}

stop_all() {
    kill "$proxy_pid"
    wait "$proxy_pid" || true
    proxy_pid=""
    "$here/kafka.sh" stop "$work/kafka"
    "$here/mosquitto.sh" stop "$work/mosquitto"
}

main() {
    if [[ -z $work ]]; then
        temporary=$(mktemp -d "${TMPDIR:-/tmp}/medfleet-selftest.XXXXXX")
        work=$temporary
    fi
    mkdir -p "$work"
    trap clean_up EXIT
    step "install what is missing" "$here/install.sh" brokers python
    step "install again, all there" "$here/install.sh" brokers python
    kafka_port=$(free_ports)
    mqtt_port=$((kafka_port + 5))
    step "start Kafka and Mosquitto" start_brokers
    step "$MESSAGES messages through Mosquitto (TLS, password)" messages_through_mosquitto
    step "Mosquitto refuses strangers" mosquitto_refuses_strangers
    step "$MESSAGES records into Kafka (idempotent, acks=all)" kafka_messages produce
    step "$MESSAGES records out of Kafka" kafka_messages verify
    step "SIGKILL Kafka, start it again" kill_and_restart_kafka
    step "every acknowledged record is still there" kafka_messages verify
    step "start the proxy" start_proxy
    step "link cut and healed" proxy_cuts_and_heals
    step "stop all" stop_all
    echo "selftest: passed"
}

main "$@"
