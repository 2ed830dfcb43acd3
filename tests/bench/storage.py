"""Bytes per fact at rest: a simulated fleet in the tables, every partition compacted, beside zstd of the records that came."""

from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
from faults.delta import active_files, current
from faults.judge import Tables
from faults.process import binary, run

from .figure import Figure, below

LEDGER = ("intervals", "usage", "errors")
OTHERS = ("heads", "rollup_quarter", "rollup_day")
LOAD = ("--copies", "4", "--days", "7")
ZSTD_LEVEL = 3
LARGEST = 4


def bytes_per_fact(folder: Path) -> list[Figure]:
    data = folder / "data"
    run(binary("medfleet-bench"), "fill", "--data", str(data), *LOAD)
    run(binary("medfleet"), "processor", "--until-idle", "--data", str(data))
    run(binary("medfleet-bench"), "compact", "--data", str(data))
    tables = Tables(data / "lake")
    tables.open("facts")
    facts = tables.one("SELECT count(*) FROM facts")
    sizes = {table: _bytes(data / "lake", table) / facts for table in ("facts", *LEDGER, *OTHERS)}
    packed = _packed(data / "log") / facts
    each = ", ".join(f"{table} {size:.2f}" for table, size in sizes.items() if table != "facts")
    what = "`facts` beside zstd of the log records it replaces, bytes per fact"
    ledger, archive = sum(sizes[table] for table in LEDGER), f"{sizes['facts']:.1f} beside {packed:.1f} B, most of it: {_largest(data / 'lake', facts)}"
    return [
        below("storage", "ledger tables, bytes per fact", ledger, "B", 8, 3, f"{facts:,} facts; by table: {each}"),
        below("storage", what, sizes["facts"] / packed, "×", 1.2, 1, archive),
    ]


def _bytes(lake: Path, table: str) -> int:
    generation = current(lake, table)
    return sum(path.stat().st_size for path in active_files(generation)) if generation else 0


def _packed(log: Path) -> int:
    """What zstd makes of the fact records as they came, identity and original bytes, a segment in one frame."""
    codec = pyarrow.Codec("zstd", compression_level=ZSTD_LEVEL)
    return sum(len(codec.compress(path.read_bytes(), asbytes=True)) for path in log.glob("medfleet.facts.v1/*/*.seg"))


def _largest(lake: Path, facts: int) -> str:
    """The columns of `facts` that weigh most."""
    sizes: Counter[str] = Counter()
    for path in active_files(current(lake, "facts")):
        metadata = parquet.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            columns = (metadata.row_group(group).column(number) for number in range(metadata.num_columns))
            sizes.update({column.path_in_schema: column.total_compressed_size for column in columns})
    return ", ".join(f"{name} {size / facts:.1f}" for name, size in sizes.most_common(LARGEST))
