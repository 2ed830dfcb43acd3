#!/usr/bin/env python3
"""Nothing lost, nothing twice: a seeded load goes through real processes that are killed, over links that are cut; then the tables are judged.

    run.py [--facts N] [--kills K | --kills-per-role K] [--seed S] [--keeper embedded|kafka|both] [--keep DIR]

Prints progress on stderr and a report as JSON on stdout. Exit status 1 when anything was lost, doubled or wrong.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import load, oracle  # noqa: E402
from faults.judge import judge  # noqa: E402
from faults.play import Play, pace, plan, tell  # noqa: E402
from faults.process import Failure  # noqa: E402
from faults.rebuilt import prove  # noqa: E402
from faults.stage import Embedded, Real  # noqa: E402

STAGES = {"embedded": Embedded, "kafka": Real}


def fault_run(keeper: str, facts: int, kills_per_role: int, seed: int, agents: int, folder: Path, refold: bool = True) -> dict:
    """One play on one stage, from an empty folder to a verdict."""
    chance = random.Random(f"{seed} {keeper}")
    folder.mkdir(parents=True, exist_ok=True)
    loads = load.write(folder, facts, agents, seed)
    expected = oracle.expect(loads)
    tell(f"{keeper}: the load makes {expected.facts_total()} facts for {agents} agents")
    began, stage = time.monotonic(), None
    try:
        faults = plan(STAGES[keeper], kills_per_role, chance)
        stage = STAGES[keeper](folder, loads, pace(expected.facts_total(), faults))
        play = Play(stage, expected.facts_total(), faults, chance)
        play.give()
        lives = play.drain()
        took = time.monotonic() - began
        stage.stop_servers()
        found = judge(stage.lake, expected, lives, play.agent_kills)
        found.violations += play.violations
        tell(f"judged: {found.figures.get('facts_new')} new facts, {found.figures.get('facts_accepted_by_agents')} accepted, {found.violations or 'no violation'}")
        prove(stage, found, refold)
        return {
            "keeper": keeper, "seed": seed, "seconds_under_faults": round(took, 1), "kills": play.kills, "kill_scenes": play.scenes, "link_cuts": stage.links.cuts,
            "facts_per_second": round(expected.facts_total() / took), **found.figures, "violations": found.violations,
        }
    finally:
        if stage:
            stage.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=100_000)
    kills = parser.add_mutually_exclusive_group()
    kills.add_argument("--kills", type=int, help="kills in all, spread evenly over the roles that can be killed")
    kills.add_argument("--kills-per-role", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--keeper", choices=[*STAGES, "both"], default="both")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this empty folder and leave it; else a temporary one is removed")
    options = parser.parse_args()
    # Ended from outside, the roles must end too: the way out leads through `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keepers = list(STAGES) if options.keeper == "both" else [options.keeper]
    folder = options.keep or Path(tempfile.mkdtemp(prefix="medfleet-faults-"))
    reports, failed = [], False
    for keeper in keepers:
        per_role = options.kills_per_role or -(-(options.kills or 6) // len(STAGES[keeper].roles))
        try:
            report = fault_run(keeper, options.facts, per_role, options.seed, options.agents, (folder / keeper).resolve())
        except Failure as failure:
            report = {"keeper": keeper, "seed": options.seed, "violations": [str(failure)]}
        failed = failed or bool(report["violations"])
        reports.append(report)
    print(json.dumps(reports, indent=2, default=str))
    if not options.keep and not failed:
        shutil.rmtree(folder)
    elif failed:
        tell(f"what the roles said is in {folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
