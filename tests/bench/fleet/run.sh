#!/usr/bin/env bash
# The fleet page at full size beside its controls: plain DataFusion over the same files, PostgreSQL 15 over the same day sums. All are asked in
# turns by one call, so that what the machine does beside them falls on all alike.
#
#   tests/bench/fleet/run.sh FOLDER [QUESTIONS] [USERS]     FOLDER keeps the lake (about 3 GB), grown at the first run
#   and gone on with where that was stopped
#
# Prints a line for each class of question. MEDFLEET_FLEET_SIZE="DEVICES SITES DAYS" makes another fleet,
# MEDFLEET_FLEET_ROUNDS says how often turns are taken.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
folder=${1:?say where the lake may be kept} questions=${2:-2000} users=${3:-8}
read -r -a size <<<"${MEDFLEET_FLEET_SIZE:-50000 40 396}"
readonly PORT=${MEDFLEET_PG_PORT:-55432}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd -P)
cd "$root"
cargo build --quiet --workspace --example fleet
fleet=${CARGO_TARGET_DIR:-$HOME/.cache/medfleet/target}/debug/examples/fleet

# Saturdays are gained half-way: a fleet that was left on the way goes on as what it was to become.
if [[ -f $folder/size && $(<"$folder/size") != "${size[*]}" ]]; then
    echo "$folder grows to $(<"$folder/size"), not to ${size[*]}: say another folder, or remove this one" >&2
    exit 1
fi
if [[ ! -f $folder/grown ]]; then
    # Of a lake without a size nobody knows what it was to become.
    [[ -f $folder/size ]] || rm -rf "$folder/lake"
    echo "${size[*]}" >"$folder/size"
    "$fleet" grow "$folder" "${size[@]}"
    touch "$folder/grown"
fi
"$fleet" sums "$folder"

# The server may not run as root, and its own user sees nothing of a home: it lives where all may go.
cluster=$(mktemp -d)
trap 'infra/dev/postgres.sh stop "$cluster"; rm -rf "$cluster"' EXIT
chmod 755 "$cluster"
infra/dev/postgres.sh start "$cluster" "$PORT"
export PGHOST=127.0.0.1 PGPORT=$PORT PGUSER=bench PGDATABASE=postgres
psql -q -v ON_ERROR_STOP=1 <<SQL
CREATE TABLE day_sums (site text NOT NULL, kind text NOT NULL, condition text NOT NULL, day date NOT NULL, micros bigint NOT NULL);
\copy day_sums FROM '$folder/day_sums.csv' WITH (FORMAT csv)
CREATE INDEX ON day_sums (day) INCLUDE (site, kind, condition, micros);
CREATE INDEX ON day_sums (site, day) INCLUDE (kind, condition, micros);
VACUUM ANALYZE day_sums;
SQL
first=2025-10-01 last=${size[2]}
cat >"$folder/question.sql" <<SQL
\set from random(0, $last - 2)
\set length random(1, $last - :from)
SELECT site, kind, condition, SUM(micros) FROM day_sums
WHERE day >= DATE '$first' + :from AND day < DATE '$first' + :from + :length GROUP BY site, kind, condition;
SQL
# What is told while users ask stays in a folder of its own: files of a lake never change, so links to them are a copy.
told=$(mktemp -d -p "$folder" told.XXXX)
trap 'infra/dev/postgres.sh stop "$cluster"; rm -rf "$cluster" "$told"' EXIT
cp -al "$folder/lake" "$folder/day_sums" "$folder/day_sums.csv" "$told/"
"$fleet" ask "$told" "$questions" "$users" "${MEDFLEET_FLEET_ROUNDS:-8}" "$folder/question.sql"
