"""Which Parquet files a Delta table consists of, read from its log by hand: JSON entries over the newest checkpoint."""

import json
import urllib.parse
from pathlib import Path

import pyarrow.parquet as parquet

NAME_DIGITS = 20


def current(lake: Path, table: str) -> Path | None:
    """The folder of the generation that a table's pointer names."""
    folder = lake / table
    if not folder.is_dir():
        return None
    pointers = [path for path in folder.iterdir() if path.is_file() and "#" not in path.name]
    if not pointers:
        return None
    return folder / pointers[0].read_text().strip()


def active_files(generation: Path) -> list[Path]:
    """Added and not removed, up to the newest entry."""
    log = generation / "_delta_log"
    entries = sorted(path for path in log.glob("*.json") if len(path.stem) == NAME_DIGITS and path.stem.isdigit())
    active, beyond = _checkpoint(log)
    for entry in entries:
        if int(entry.stem) <= beyond:
            continue
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                active[action["add"]["path"]] = True
            if "remove" in action:
                active.pop(action["remove"]["path"], None)
    return [generation / urllib.parse.unquote(path) for path in active]


def newest_version(generation: Path) -> int:
    return max(int(path.stem) for path in (generation / "_delta_log").glob("*.json") if path.stem.isdigit())


def _checkpoint(log: Path) -> tuple[dict[str, bool], int]:
    parts: dict[int, list[Path]] = {}
    for path in log.glob("*.checkpoint*.parquet"):
        parts.setdefault(int(path.name[:NAME_DIGITS]), []).append(path)
    if not parts:
        return {}, -1
    version = max(parts)
    active = {}
    for path in parts[version]:
        for row in parquet.read_table(path, columns=["add"]).column("add").to_pylist():
            if row is not None and row.get("path"):
                active[row["path"]] = True
    return active, version
