#!/usr/bin/env python3
"""Measures the running system and writes docs/MEASURED.md: whole path, freshness, restart, start to page, agent memory, bytes per fact.

    measure.py [--facts N] [--folder DIR] [--journal FILE] [--print-only]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipeline"))

from faults import load, oracle  # noqa: E402
from faults.delta import active_files, current  # noqa: E402
from faults.judge import judge  # noqa: E402
from faults.play import Play, tell  # noqa: E402
from faults.process import POLL_SECONDS, ROOT, await_true, total  # noqa: E402
from faults.stage import Embedded  # noqa: E402

MEASURED = ROOT / "docs/MEASURED.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
RESTARTS = 5
LEDGER = ("intervals", "usage", "errors")


def whole_path(folder: Path, facts: int) -> list[tuple[str, str, str]]:
    """Facts from replay files through agents, MQTT, ingest, log and fold into tables; then what stands still to measure."""
    folder.mkdir(parents=True)
    loads = load.write(folder, facts, 4, seed=1)
    expected = oracle.expect(loads)
    stage = Embedded(folder, loads)
    try:
        began = time.monotonic()
        fresh, resident = [], []
        play = Play(stage, expected.facts_total())
        while not all(agent.is_done() for agent in stage.agents) or stage.behind() > 0:
            fresh.append(total(stage.up.metrics(), "medfleet_processor_freshness_milliseconds") / 1_000)
            resident.append(max(total(agent.role.metrics(), "process_resident_memory_bytes") for agent in stage.agents))
            time.sleep(POLL_SECONDS)
        took = time.monotonic() - began
        idle = max(total(agent.role.metrics(), "process_resident_memory_bytes") for agent in stage.agents)
        lives = play.drain()
        restarts = [_restart(stage) for _ in range(RESTARTS)]
        stage.stop_servers()
        found = judge(stage.lake, expected, lives, agent_kills=0)
        assert not found.violations, found.violations
        count = expected.facts_total()
        ledger = sum(path.stat().st_size for table in LEDGER for path in active_files(current(stage.lake, table)))
        archive = sum(path.stat().st_size for path in active_files(current(stage.lake, "facts")))
        fresh.sort()
        return [
            ("whole path, embedded, 4 agents", f"{count / took:,.0f} facts/s", f"{count:,} facts in {took:.1f} s, sums equal the oracle's"),
            ("freshness under that load", f"p99 {fresh[len(fresh) * 99 // 100]:.1f} s", f"p50 {fresh[len(fresh) // 2]:.1f} s over {len(fresh)} looks"),
            ("restart after SIGKILL until ready and folded", f"median {statistics.median(restarts):.1f} s", f"of {RESTARTS}, {count:,} facts in the tables"),
            ("agent memory, resident", f"{max(resident) / 2**20:.1f} MiB at work", f"{idle / 2**20:.1f} MiB after it"),
            ("bytes per fact, ledger tables / archive", f"{ledger / count:.1f} / {archive / count:.1f}", "active Parquet files, as flushed, not compacted"),
        ]
    finally:
        stage.end()


def _restart(stage: Embedded) -> float:
    stage.up.kill()
    began = time.monotonic()
    stage.up.start()
    await_true("the log's end in the tables", lambda: stage.behind() == 0)
    return time.monotonic() - began


def start_to_page(folder: Path) -> list[tuple[str, str, str]]:
    from test_demo import House

    folder.mkdir(parents=True)
    house = House(folder)
    try:
        rows = house.json("/api/v1/uptime?group=fleet")["rows"]
        devices = rows[0]["registered_devices"]
        return [("first start of the demo to a page with numbers", f"{house.page_seconds:.1f} s", f"{devices} devices registered by then")]
    finally:
        house.role.end()


def journal(path: Path) -> list[tuple[str, str, str]]:
    """The journal's own bench prints JSON, a line or a document for each shape."""
    rows, decoder, text = [], json.JSONDecoder(), path.read_text().strip()
    while text:
        shape, end = decoder.raw_decode(text)
        text = text[end:].strip()
        name = shape.pop("shape", shape.pop("name", "journal append"))
        ratio = next((f"{value:.2f} ×" for key, value in shape.items() if "ratio" in key and isinstance(value, float)), "see right")
        rows.append((f"journal append against raw append, {name}", ratio, ", ".join(f"{key} {value}" for key, value in shape.items())))
    return rows


def write(rows: list[tuple[str, str, str]], command: str) -> None:
    machine = subprocess.run([ROOT / "infra/dev/machine.sh"], capture_output=True, text=True, check=True).stdout.strip()
    table = "\n".join(["| what | figure | beside it |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])
    block = f"{BEGIN}\nMeasured by `{command}` on {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC.\n\n{machine}\n\n{table}\n{END}"
    before = MEASURED.read_text() if MEASURED.exists() else "# Measured\n\nFigures with the command that made them and the machine that ran it.\n"
    if BEGIN in before:
        head, rest = before.split(BEGIN, 1)
        before = head + block + rest.split(END, 1)[1]
    else:
        before += f"\n## What runs\n\n{block}\n"
    MEASURED.write_text(before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=500_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--journal", type=Path, help="what crates/journal/examples/append_bench printed")
    parser.add_argument("--print-only", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="medfleet-bench-"))
    rows = journal(options.journal) if options.journal else []
    for part in (lambda: whole_path(folder / "path", options.facts), lambda: start_to_page(folder / "demo")):
        rows += part()
        tell("; ".join(f"{what}: {figure}" for what, figure, _ in rows))
    for row in rows:
        print(" | ".join(row))
    if not options.print_only:
        write(rows, f"tests/bench/run.sh --facts {options.facts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
