#!/usr/bin/env bash
# All tests: unit, golden and property tests, the brokers' half against real Kafka and Mosquitto, then whole-system tests.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="${MEDFLEET_TOOLS:-$HOME/.cache/medfleet/tools}"
work="$(mktemp -d)"

finish() {
    infra/dev/kafka.sh kill "$work/kafka" >/dev/null 2>&1 || true
    infra/dev/mosquitto.sh kill "$work/mosquitto" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
trap "exit 143" INT TERM

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

step "rules of Prometheus"
promtool check rules infra/prometheus/rules.yml
promtool test rules infra/prometheus/rules_test.yml

step "start a real Kafka and a real Mosquitto"
eval "$(infra/dev/kafka.sh start "$work/kafka" 29092 | sed 's/^/KAFKA_/')"
eval "$(infra/dev/mosquitto.sh start "$work/mosquitto" 28883 | sed 's/^/MQTT_/')"
export MEDFLEET_TEST_KAFKA="$KAFKA_bootstrap"
export MEDFLEET_TEST_MQTT_TLS="$MQTT_tls" MEDFLEET_TEST_MQTT_PLAIN="$MQTT_plain"
export MEDFLEET_TEST_MQTT_CA="$MQTT_ca" MEDFLEET_TEST_MQTT_CREDENTIALS="$MQTT_credentials"
export MEDFLEET_TEST_MQTT_DIR="$work/mosquitto"

step "build"
cargo build --workspace --locked

# What each took on the clock and of the cores, which two lanes share.
TIMEFORMAT='%R s on the clock, %U + %S s of the cores'
suite() { time "$tools/python/bin/python" -m pytest -q -p no:cacheprovider "${@/#/tests/}"; }

# One side of what runs side by side: its words go to a file of its own, and to the reader whole when it has ended.
side() {
    local name=$1 began=$SECONDS
    shift
    if "$@" >"$work/$name.log" 2>&1; then
        printf '\n== %s: passed, %ss of its own\n' "$name" $((SECONDS - began))
        tail -n 400 "$work/$name.log"
    else
        printf '\n== %s: FAILED, %ss of its own\n' "$name" $((SECONDS - began))
        cat "$work/$name.log"
        return 1
    fi
}

crates() { time cargo test --workspace --locked --no-fail-fast; }

# A suite a process: each has systems of its own. `set -e` does not hold within a condition, so each says what became of it.
pages() {
    local failed=0
    suite pipeline/test_demo.py pipeline/test_pages.py || failed=1
    suite pipeline/test_browser.py pipeline/test_browser_operator.py || failed=1
    suite pipeline/test_kpi.py pipeline/test_kpi_oracle.py pipeline/test_statement_oracle.py pipeline/test_grafana.py pipeline/test_figures.py || failed=1
    suite pipeline/test_truth.py pipeline/test_openapi.py pipeline/test_sql.py pipeline/test_people.py || failed=1
    return $failed
}

alerts() {
    local failed=0
    suite pipeline/test_alerts.py || failed=1
    suite pipeline/test_alert_pages.py || failed=1
    suite pipeline/test_risk.py pipeline/test_scorer.py pipeline/test_scoreboard.py || failed=1
    suite pipeline/test_late_backlog.py || failed=1
    return $failed
}

# Whole systems use programs that the build has made; what the oracles judge by is built with the crates' tests.
oracles() { suite oracle; }

kills() { suite pipeline/test_nothing_lost.py; }

# Two lanes beside each other, for a suite waits more than it works; what is in one lane goes one after the other. MEDFLEET_TEST_LANE keeps
# their ports apart.
lane() {
    local failed=0
    export MEDFLEET_TEST_LANE=$1
    for name in "${@:2}"; do side "$name" "$name" || failed=1; done
    return $failed
}

failed=0
step "crates, then oracles, beside pages, then alerts"
lane 0 crates oracles & first=$!
lane 1 pages alerts & second=$!
wait "$first" || failed=1
wait "$second" || failed=1
step "kills with work in flight, judged over the raw files"
kills || failed=1

step "done"
exit $failed
