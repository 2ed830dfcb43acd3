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

step "build, tests too"
cargo build --workspace --locked
cargo test --workspace --locked --no-run --quiet
built=$SECONDS

# What each took on the clock and of the cores, which lanes share.
TIMEFORMAT='%R s on the clock, %U + %S s of the cores'
suite() { time "$tools/python/bin/python" -m pytest -q -p no:cacheprovider "${@/#/tests/}"; }

# A suite is a process with systems of its own, made of programs that the build has made. The busy ones keep the cores at work, the longest
# first; the others wait for brokers and clocks for most of their time.
busy=(crates stories figures risk browser truth oracles pages)
waiting=(kills alerts phones brokers late)
crates() { time cargo test --workspace --locked --no-fail-fast -- --skip stories:: --skip kafka_keeper::; }
brokers() { time cargo test --workspace --locked --test conformance -- kafka_keeper::; }
stories() { time cargo test --workspace --locked --test as_of; }
figures() { suite pipeline/test_kpi.py pipeline/test_kpi_oracle.py pipeline/test_statement_oracle.py pipeline/test_grafana.py pipeline/test_figures.py; }
risk() { suite pipeline/test_risk.py pipeline/test_scorer.py pipeline/test_scoreboard.py; }
browser() { suite pipeline/test_browser.py pipeline/test_browser_operator.py; }
truth() { suite pipeline/test_truth.py pipeline/test_openapi.py pipeline/test_sql.py pipeline/test_people.py; }
oracles() { suite oracle; }
pages() { suite pipeline/test_demo.py pipeline/test_pages.py; }
kills() { suite pipeline/test_nothing_lost.py; }
alerts() { suite pipeline/test_alerts.py; }
phones() { suite pipeline/test_alert_pages.py; }
late() { suite pipeline/test_late_backlog.py; }

# One suite: its words go to a file of its own, and to the reader whole when it has ended.
run() {
    local name=$1 began=$SECONDS
    if "$name" >"$work/$name.log" 2>&1; then
        printf '\n== %s: passed, %ss of its own\n' "$name" $((SECONDS - began))
        tail -n 400 "$work/$name.log"
    else
        printf '\n== %s: FAILED, %ss of its own\n' "$name" $((SECONDS - began))
        cat "$work/$name.log"
        return 1
    fi
}

# A lane takes the next suite that no other has taken; MEDFLEET_TEST_LANE keeps their ports apart.
# `set -e` does not hold within a condition, so each says what became of it.
lane() {
    local failed=0
    export MEDFLEET_TEST_LANE=$1
    for name in "${@:2}"; do
        mkdir "$work/taken-$name" 2>/dev/null || continue
        run "$name" || failed=1
    done
    return $failed
}

# The third lane goes on with the shortest of the busy ones: two of these alone leave a seventh of the cores idle.
mapfile -t shortest_first < <(printf '%s\n' "${busy[@]}" | tac)
step "$((${#busy[@]} + ${#waiting[@]})) suites: two lanes of busy ones, one of those that wait"
lane 0 "${busy[@]}" & lanes=($!)
lane 1 "${busy[@]}" & lanes+=($!)
lane 2 "${waiting[@]}" "${shortest_first[@]}" & lanes+=($!)
failed=0
for each in "${lanes[@]}"; do wait "$each" || failed=1; done

step "done, $((SECONDS - built))s after the build"
exit $failed
