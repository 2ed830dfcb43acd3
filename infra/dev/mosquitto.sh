#!/usr/bin/env bash
# Starts and ends one real Mosquitto over a folder, with the shipped configuration: TLS, passwords, rights per agent, persistence.
#
#   infra/dev/mosquitto.sh start|restart DIR [PORT]   prints tls=… plain=… ca=… credentials=… pid=… log=…   (restart: SIGTERM, then start)
#   infra/dev/mosquitto.sh stop|kill|status DIR       stop: SIGTERM; kill: SIGKILL; status: exit 0 when it answers
#   infra/dev/mosquitto.sh users DIR NAME...          adds agents (running or not); DIR/credentials holds NAME:PASSWORD lines
#
# PORT speaks TLS; PORT+1 is plain on loopback (MEDFLEET_MQTT_PLAIN=0 turns it off). The user `ingest` always exists. The broker is ours
# alone: it needs no system service and shares neither port nor folder with one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=infra/dev/process.sh
source "$here/process.sh"
readonly READY_DEADLINE_SECONDS=20
readonly CERTIFICATE_DAYS=825
readonly PLAIN=${MEDFLEET_MQTT_PLAIN:-1}
PATH=$PATH:/usr/sbin # where Debian keeps mosquitto, also for users whose PATH leaves it out

usage() {
    sed -n '4,6s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# A private authority and a server certificate for localhost and 127.0.0.1, made once per folder.
make_certificates() {
    local tls=$1/tls
    [[ ! -s $tls/server.crt ]] || return 0
    mkdir -p "$tls"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$CERTIFICATE_DAYS" -subj "/CN=medfleet development CA" \
            -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
            -keyout "$tls/ca.key" -out "$tls/ca.crt"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
            -keyout "$tls/server.key" -out "$tls/server.csr"
        openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days "$CERTIFICATE_DAYS" \
            -extfile <(printf '%s\n' "subjectAltName=DNS:localhost,IP:127.0.0.1" "basicConstraints=critical,CA:FALSE" \
                "keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth") -out "$tls/server.crt.new"
    } 2>>"$1/log"
    mv "$tls/server.crt.new" "$tls/server.crt"
}

# Gives every name that has none a random password, and hashes all of them for the broker.
add_users() {
    local dir=$1 name
    shift
    touch "$dir/credentials"
    for name in "$@"; do
        [[ $name =~ ^[A-Za-z0-9._-]+$ ]] || die "user name '$name': only letters, digits, dot, dash and underscore can stand in a topic"
        grep -q "^$name:" "$dir/credentials" || printf '%s:%s\n' "$name" "$(openssl rand -hex 16)" >>"$dir/credentials"
    done
    cp "$dir/credentials" "$dir/passwords.new"
    mosquitto_passwd -U "$dir/passwords.new"
    mv "$dir/passwords.new" "$dir/passwords"
}

password_of() {
    sed -n "s/^$2://p" "$1/credentials"
}

# Connects over TLS as a user and subscribes; answers once the broker has acknowledged. Nothing is published.
answers_to() {
    local dir=$1 port=$2 name=$3
    mosquitto_sub -E -W 3 -V 5 -i "ready-$$-$RANDOM" -h 127.0.0.1 -p "$port" --cafile "$dir/tls/ca.crt" \
        -u "$name" -P "$(password_of "$dir" "$name")" -t "medfleet/v1/+/+/$name/receipt" >/dev/null 2>&1
}

await_answer() {
    local dir=$1 port=$2 name=$3 deadline=$((SECONDS + READY_DEADLINE_SECONDS))
    until answers_to "$dir" "$port" "$name"; do
        living_pid "$dir" >/dev/null || died "$dir" "Mosquitto ended while starting"
        ((SECONDS < deadline)) || died "$dir" "Mosquitto did not answer $name on port $port within ${READY_DEADLINE_SECONDS} s"
        sleep "$POLL_SECONDS"
    done
}

prepare() {
    local dir=$1 port=$2 plain=""
    mkdir -p "$dir/data"
    make_certificates "$dir"
    add_users "$dir" ingest
    cp "$here/../mosquitto/acl" "$dir/acl"
    [[ $PLAIN == 0 ]] || plain=$'\n# For tests on this machine only: no TLS.\nlistener '"$((port + 1)) 127.0.0.1"
    fill "$here/../mosquitto/mosquitto.conf.template" DIR "$dir" TLS_PORT "$port" BIND 127.0.0.1 USER "$(id -un)" PLAIN_LISTENER "$plain" \
        >"$dir/mosquitto.conf"
}

start() {
    local dir=$1 port=$2
    if ! living_pid "$dir" >/dev/null; then
        command -v mosquitto >/dev/null || die "no mosquitto on this machine: run infra/dev/install.sh brokers"
        refuse_taken_ports "$port" $((port + 1))
        prepare "$dir" "$port"
        launch "$dir" mosquitto -c "$dir/mosquitto.conf"
    fi
    await_answer "$dir" "$port" ingest
    report "$dir" "$port"
}

report() {
    printf 'tls=localhost:%s\n' "$2"
    ! grep -q "^listener $(($2 + 1)) " "$1/mosquitto.conf" || printf 'plain=127.0.0.1:%s\n' $(($2 + 1))
    printf 'ca=%s\ncredentials=%s\npid=%s\nlog=%s\n' "$1/tls/ca.crt" "$1/credentials" "$(<"$1/pid")" "$1/log"
}

# Adds users; a running broker rereads them, and the last new one must get in before this returns.
users() {
    local dir=$1 pid port
    shift
    (($# > 0)) || usage
    add_users "$dir" "$@"
    pid=$(living_pid "$dir") || return 0
    port=$(port_of "$dir")
    kill -HUP "$pid"
    await_answer "$dir" "$port" "${!#}"
}

status() {
    local dir=$1 port
    living_pid "$dir" >/dev/null || { echo "stopped"; return 3; }
    port=$(port_of "$dir")
    answers_to "$dir" "$port" ingest || return 4
    report "$dir" "$port"
}

main() {
    (($# >= 2)) || usage
    local dir port
    umask 077
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
        users) users "$dir" "${@:3}" ;;
        *) usage ;;
    esac
}

main "$@"
