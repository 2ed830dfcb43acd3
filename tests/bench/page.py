"""The fleet page at full size: 50,000 devices over 13 months, eight users at once, beside plain DataFusion and PostgreSQL 15."""

import os
import re
import subprocess
from pathlib import Path

from faults.process import ROOT, Failure, environment

from .figure import Figure, below

USERS, QUESTIONS = 8, 2_000
# The lake takes long to grow and is kept.
KEPT = Path(os.environ.get("MEDFLEET_FLEET_FOLDER", Path.home() / ".cache/medfleet/fleet"))
DEADLINE_SECONDS = 4 * 3_600.0
TIMES = re.compile(r"^(?P<what>.+): (?P<asked>\d+) asked, p50 (?P<p50>[\d.]+) ms, p95 (?P<p95>[\d.]+) ms(, p99 (?P<p99>[\d.]+) ms)?, worst", re.M)
COMPARED = ("comparison, as_of", "comparison by hours", "comparison by hours, as_of")
CONTROLS = ("plain DataFusion, quarter-hours", "plain DataFusion, day sums", "PostgreSQL 15, day sums")


def fleet_page(_folder: Path) -> list[Figure]:
    command = [str(ROOT / "tests/bench/fleet/run.sh"), str(KEPT), str(QUESTIONS), str(USERS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), timeout=DEADLINE_SECONDS)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(command)}` ended with {done.returncode}\n{done.stdout}")
    times = {found["what"]: found for found in TIMES.finditer(done.stdout)}
    size = os.environ.get("MEDFLEET_FLEET_SIZE", "50000 40 396").split()
    what = f"{size[0]} devices, {size[2]} days, {USERS} users"
    beside = ", ".join(f"{name} p95 {times[name]['p95']} ms" for name in CONTROLS)
    page, every = times["fleet page"], times["all"]
    text = f"p50 {page['p50']} ms, p99 {page['p99']} ms; with site pages, filters and as_of p95 {every['p95']} ms; {beside}, which know neither base hours nor bounds"
    compared = ", ".join(f"{name} p95 {times[name]['p95']} ms" for name in COMPARED)
    return [
        below("page", f"comparison of sites, p95: {what}", float(times["comparison"]["p95"]), "ms", 200, 50, f"{compared}; limits, shrinkage and ranking of every site under four adjustments"),
        below("page", f"fleet page, p95: {what}", float(page["p95"]), "ms", 200, 50, text),
        below("page", f"all questions, p95: {what}", float(every["p95"]), "ms", 200, 50, "fleet and site pages and the api, a fifth as_of"),
    ]
