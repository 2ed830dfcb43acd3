#!/usr/bin/env bash
# A PostgreSQL 15 of its own for a measurement: one folder, loopback, one port, no service of the system touched.
#
#   infra/dev/postgres.sh start FOLDER PORT     makes the cluster at first; answers when it takes connections
#   infra/dev/postgres.sh stop FOLDER
#
# Connect with: psql -h 127.0.0.1 -p PORT -U bench postgres
set -euo pipefail
readonly BIN=/usr/lib/postgresql/15/bin

die() {
    printf 'postgres.sh: %s\n' "$*" >&2
    exit 1
}

[[ -x $BIN/pg_ctl ]] || die "no PostgreSQL 15: run infra/dev/install.sh postgres"
(($# >= 2)) || die "say: start FOLDER PORT, or stop FOLDER"
action=$1 folder=$2

# The server refuses to run as root; the package made a user for it.
as_owner() {
    if ((EUID == 0)); then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

case $action in
start)
    (($# == 3)) || die "say: start FOLDER PORT"
    port=$3
    mkdir -p "$folder"
    ((EUID != 0)) || chown postgres "$folder"
    if [[ ! -f $folder/data/PG_VERSION ]]; then
        as_owner "$BIN/initdb" --pgdata "$folder/data" --username bench --auth trust --encoding UTF8 --no-locale >/dev/null
        # Memory as its manual advises for a machine of its own; two processes a query, as the machine has two cores.
        as_owner tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
shared_buffers = 2GB
effective_cache_size = 8GB
work_mem = 64MB
max_parallel_workers_per_gather = 2
max_wal_size = 8GB
random_page_cost = 1.1
CONF
    fi
    as_owner "$BIN/pg_ctl" --pgdata "$folder/data" --log "$folder/log" --wait --silent \
        --options "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder" start
    ;;
stop)
    as_owner "$BIN/pg_ctl" --pgdata "$folder/data" --wait --silent --mode fast stop
    ;;
*)
    die "unknown action '$action': say start or stop"
    ;;
esac
