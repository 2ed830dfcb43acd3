#!/usr/bin/env bash
# All tests: unit, golden and property tests, the brokers' half against real Kafka and Mosquitto, then whole-system tests.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="${MEDFLEET_TOOLS:-$HOME/.cache/medfleet/tools}"
work="$(mktemp -d)"
target="${CARGO_TARGET_DIR:-target}"

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

step "build, then unit, golden and property tests"
cargo build --workspace --locked
cargo test --workspace --locked --no-fail-fast

step "whole-system tests"
python="$tools/python/bin/python"
"$python" -m pytest -q tests/pipeline/test_demo.py tests/pipeline/test_pages.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_browser.py tests/pipeline/test_browser_operator.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_kpi.py tests/pipeline/test_kpi_oracle.py tests/pipeline/test_grafana.py tests/pipeline/test_figures.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_truth.py tests/pipeline/test_openapi.py tests/pipeline/test_sql.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_alerts.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_alert_pages.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_risk.py tests/pipeline/test_scorer.py -p no:cacheprovider
"$python" -m pytest -q tests/pipeline/test_late_backlog.py -p no:cacheprovider

step "imports against figures computed from their files alone"
"$python" -m pytest -q tests/oracle -p no:cacheprovider

step "kills with work in flight, judged over the raw files"
"$python" -m pytest -q tests/pipeline/test_nothing_lost.py -p no:cacheprovider

step "done"
