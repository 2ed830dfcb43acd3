# One background server and its folder: start it detached, know whether it lives, wait for it, end it. Sourced by the scripts beside it.
# shellcheck shell=bash

readonly STOP_DEADLINE_SECONDS=30
readonly POLL_SECONDS=0.05

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The absolute form of a folder, created when it is missing.
folder() {
    mkdir -p "$1" && (cd "$1" && pwd -P)
}

# The process id in DIR/pid, if that process still runs with DIR in its command line (ids are reused after a kill).
living_pid() {
    local dir=$1 pid
    [[ -s $dir/pid ]] || return 1
    read -r pid <"$dir/pid"
    [[ -r /proc/$pid/cmdline ]] || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$dir/" || return 1
    printf '%s\n' "$pid"
}

# Runs a command in a session of its own, so that it outlives the caller and holds none of the caller's pipes open.
launch() {
    local dir=$1
    shift
    setsid "$@" </dev/null >>"$dir/log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    printf '%s\n' "$!" >"$dir/pid"
    # Until the new process carries its own command line, living_pid would take it for a stranger.
    until living_pid "$dir" >/dev/null || ! kill -0 "$!" 2>/dev/null; do
        sleep "$POLL_SECONDS"
    done
}

# Tells whether something already answers on a loopback port.
port_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

refuse_taken_ports() {
    local port
    for port in "$@"; do
        ! port_taken "$port" || die "port $port is taken by another process: give another PORT, or stop what listens there (ss -ltnp)"
    done
}

# The port given, or the one that the first start remembered.
port_of() {
    local dir=$1 port=${2:-}
    [[ -n $port || ! -s $dir/port ]] || read -r port <"$dir/port"
    if [[ ! $port =~ ^[0-9]+$ ]] || ((port < 1024 || port > 65500)); then
        die "PORT must be a number from 1024 to 65500, got '$port'"
    fi
    printf '%s\n' "$port" >"$dir/port"
    printf '%s\n' "$port"
}

# True once a process has given everything back. The command line vanishes earlier, while sockets and files are still open; and where
# nobody collects dead children, the last thread stays as a zombie that holds nothing.
gone() {
    local pid=$1 tasks
    [[ -d /proc/$pid ]] || return 0
    tasks=("/proc/$pid/task/"*)
    ((${#tasks[@]} == 1)) && grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"
}

# Sends a signal and waits until the process is gone; nothing to do when it is gone already.
end_process() {
    local dir=$1 signal=$2 pid deadline
    pid=$(living_pid "$dir") || { rm -f "$dir/pid"; return 0; }
    kill "-$signal" "$pid" 2>/dev/null || true
    deadline=$((SECONDS + STOP_DEADLINE_SECONDS))
    until gone "$pid"; do
        ((SECONDS < deadline)) || die "process $pid did not end within ${STOP_DEADLINE_SECONDS} s of SIG$signal: see $dir/log, or use kill"
        sleep "$POLL_SECONDS"
    done
    rm -f "$dir/pid"
}

# A server that died or never answered: its last words, then the reason.
died() {
    local dir=$1 what=$2
    tail -n 15 "$dir/log" >&2 || true
    end_process "$dir" KILL
    die "$what, the end of $dir/log is above"
}

# Fills a template: fill TEMPLATE WORD VALUE [WORD VALUE]... replaces every @WORD@.
fill() {
    local text
    text=$(<"$1")
    shift
    while (($# > 0)); do
        text=${text//"@$1@"/"$2"}
        shift 2
    done
    printf '%s\n' "$text"
}

# What is said of a server that answers over HTTP on one port.
report_url() {
    printf 'url=http://127.0.0.1:%s\npid=%s\nlog=%s\n' "$2" "$(<"$1/pid")" "$1/log"
}

# Such a server as it stands; the caller's `ready PORT` tells whether it answers.
status_url() {
    local dir=$1 port
    living_pid "$dir" >/dev/null || { echo "stopped"; return 3; }
    port=$(port_of "$dir")
    ready "$port" || return 4
    report_url "$dir" "$port"
}
