#!/usr/bin/env python3
"""Measures the target table row by row, each job beside its control, and writes docs/MEASURED.md. Ends with 1 when a floor is missed.

    measure.py [--row NAME]... [--folder DIR] [--print-only] [--sustained-seconds N] [--facts-per-second N]
"""

import argparse
import functools
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import alerts, edge, page, ratios, report, storage, street  # noqa: E402
from faults.play import tell  # noqa: E402
from faults.process import ROOT  # noqa: E402

MEASURED = ROOT / "docs/MEASURED.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", help="only this row; may be given again")
    parser.add_argument("--folder", type=Path, help="where data goes; default: a temporary folder, removed afterwards")
    parser.add_argument("--print-only", action="store_true", help="leave docs/MEASURED.md as it is")
    parser.add_argument("--sustained-seconds", type=int, default=120)
    parser.add_argument("--facts-per-second", type=int, default=12_000, help="the pace of the sustained load")
    options = parser.parse_args()
    whole_path = functools.partial(street.whole_path, seconds=options.sustained_seconds, facts_per_second=options.facts_per_second)
    rows = {
        "journal": ratios.journal,
        "ingest": ratios.ingest,
        "tables": ratios.tables,
        "replay": ratios.replay,
        "street": whole_path,
        "edge": edge.agents,
        "storage": storage.bytes_per_fact,
        "page": page.fleet_page,
        "alerts": alerts.to_people,
    }
    unknown = set(options.row or []) - rows.keys()
    if unknown:
        parser.error(f"no row is called {', '.join(sorted(unknown))}: choose from {', '.join(rows)}")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="medfleet-bench-"))
    figures = []
    try:
        for name in options.row or rows:
            tell(f"measuring {name}")
            measured = rows[name](folder / name)
            for figure in measured:
                print(figure.line(), flush=True)
            figures += measured
    finally:
        if options.folder is None:
            shutil.rmtree(folder)
    if not options.print_only:
        changed = [(name, getattr(options, name)) for name in ("sustained_seconds", "facts_per_second")]
        told = [f"--{name.replace('_', '-')} {value}" for name, value in changed if value != parser.get_default(name)]
        report.write(MEASURED, ROOT, figures, " ".join(told))
    missed = [figure for figure in figures if not figure.holds]
    tell(f"{len(missed)} of {len(figures)} floors missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
