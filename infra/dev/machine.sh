#!/usr/bin/env bash
# Describes this machine for docs/MEASURED.md: one line of Markdown for the hardware, one for the tools. A figure without it means little.
#
#   infra/dev/machine.sh [DIR]    DIR: where fdatasync is timed (default: the current folder), 4 KiB appends for at most 2 s
set -euo pipefail
dir=${1:-.}

fdatasync_times() {
    python3 - "$dir" <<'PYTHON'
import os, sys, tempfile, time

BLOCK_BYTES, SYNCS_MAX, BUDGET_SECONDS = 4096, 400, 2.0
took, block = [], b"\x5a" * BLOCK_BYTES
with tempfile.NamedTemporaryFile(dir=sys.argv[1], prefix=".fdatasync-") as file:
    started = time.perf_counter()
    while len(took) < SYNCS_MAX and time.perf_counter() - started < BUDGET_SECONDS:
        os.write(file.fileno(), block)
        before = time.perf_counter()
        os.fdatasync(file.fileno())
        took.append((time.perf_counter() - before) * 1000)
took.sort()
print(f"p50 {took[len(took) // 2]:.2f} ms, p99 {took[len(took) * 99 // 100]:.2f} ms over {len(took)}")
PYTHON
}

first_line_of() {
    local said
    command -v "$1" >/dev/null || { echo "no $1"; return 0; }
    said=$("$@" 2>&1) || true # mosquitto says its version only in its help, which it calls a failure
    printf '%s' "${said%%$'\n'*}"
}

cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
ram=$(awk '/^MemTotal:/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
# shellcheck source=/dev/null
system=$(. /etc/os-release && printf '%s' "$PRETTY_NAME")
# Where the default branch stands: figures belong to a commit.
commit=$(git -C "$(dirname "$0")" rev-parse --short HEAD 2>/dev/null || echo "no commit")

printf 'Machine: %s, %s cores, %s GiB RAM, %s, Linux %s, %s on %s: fdatasync of 4 KiB %s.\n' \
    "${cpu:-$(uname -m)}" "$(nproc)" "$ram" "$system" "$(uname -r)" \
    "$(df --output=fstype "$dir" | tail -n 1)" "$(df --output=source "$dir" | tail -n 1)" "$(fdatasync_times)"
printf 'Tools: %s; %s; node %s; %s; %s; commit %s; %s.\n' \
    "$(first_line_of rustc --version)" "$(first_line_of java -version)" "$(first_line_of node --version)" \
    "$(first_line_of python3 --version)" "$(PATH=$PATH:/usr/sbin first_line_of mosquitto -h)" "$commit" "$(date -u +%Y-%m-%dT%H:%MZ)"
