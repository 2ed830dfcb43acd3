#!/usr/bin/env bash
# Measures what exists, on this machine, and writes the rows to docs/MEASURED.md. Wants `make tools build` before it.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="${MEDFLEET_TOOLS:-$HOME/.cache/medfleet/tools}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

cargo run --quiet -p medfleet-journal --example append_bench -- "$work" | tee "$work/journal.txt"
"$tools/python/bin/python" tests/bench/measure.py --journal "$work/journal.txt" --folder "$work" "$@"
