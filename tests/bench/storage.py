"""Bytes per fact at rest: a simulated fleet in the tables, every partition compacted, beside zstd of the bytes that came."""

from pathlib import Path

import pyarrow
from faults.delta import active_files, current
from faults.judge import Tables
from faults.process import binary, run

from .figure import Figure, below

LEDGER = ("intervals", "usage", "errors")
OTHERS = ("heads", "rollup_quarter", "rollup_day")
LOAD = ("--copies", "4", "--days", "7")
ZSTD_LEVEL = 3


def bytes_per_fact(folder: Path) -> list[Figure]:
    data = folder / "data"
    run(binary("medfleet-bench"), "fill", "--data", str(data), *LOAD)
    run(binary("medfleet"), "processor", "--until-idle", "--data", str(data))
    run(binary("medfleet-bench"), "compact", "--data", str(data))
    tables = Tables(data / "lake")
    tables.open("facts")
    facts = tables.one("SELECT count(*) FROM facts")
    sizes = {table: _bytes(data / "lake", table) / facts for table in ("facts", *LEDGER, *OTHERS)}
    raw, packed = _packed(tables)
    each = ", ".join(f"{table} {size:.2f}" for table, size in sizes.items() if table != "facts")
    return [
        below("storage", "ledger tables, bytes per fact", sum(sizes[table] for table in LEDGER), "B", 8, 3, f"{facts:,} facts; by table: {each}"),
        below("storage", "`facts`, bytes per fact beside zstd of the original bytes", sizes["facts"] / (packed / facts), "×", 1.2, 1, f"{sizes['facts']:.1f} beside {packed / facts:.1f} of {raw / facts:.1f} B"),
    ]


def _bytes(lake: Path, table: str) -> int:
    generation = current(lake, table)
    return sum(path.stat().st_size for path in active_files(generation)) if generation else 0


def _packed(tables: Tables) -> tuple[int, int]:
    """Original bytes of all facts, and what zstd makes of them in the order of the table, a day in one frame."""
    raw = packed = 0
    for (day,) in tables.rows('SELECT DISTINCT "at"::DATE FROM facts ORDER BY 1'):
        joined = b"".join(bytes(one) for (one,) in tables.rows("SELECT bytes FROM facts WHERE \"at\"::DATE = ? AND bytes IS NOT NULL ORDER BY subject, \"at\", epoch, seq", day))
        raw += len(joined)
        packed += len(pyarrow.Codec("zstd", compression_level=ZSTD_LEVEL).compress(joined, asbytes=True))
    return raw, packed
