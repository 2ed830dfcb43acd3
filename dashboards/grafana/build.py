#!/usr/bin/env python3
"""Writes the dashboards as JSON beside this file, from their sources in source/. `--check` only tells whether they are up to date."""

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "source"))
NAMES = ("fleet", "hospital", "kind", "device", "contracts", "alerts", "pipeline")


def texts() -> dict[Path, str]:
    made = {name: importlib.import_module(name).build() for name in NAMES}
    return {HERE / f"{board['uid']}.json": json.dumps(board, indent=1) + "\n" for board in made.values()}


def main() -> int:
    stale = [path for path, text in texts().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.name} is not what source/ says: run dashboards/grafana/build.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(texts()[path])
        print(f"written: {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
