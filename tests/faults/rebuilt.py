"""Tables are only views of the log: rebuilt and refolded they hash alike, and a row that nobody said is found."""

import json
import shutil
import time
import uuid
from pathlib import Path

import pyarrow.compute as compute
import pyarrow.parquet as parquet

from .delta import active_files, current, newest_version
from .judge import Judgement, Tables
from .play import DRAIN_DEADLINE_SECONDS, tell
from .process import TABLES_POLL_SECONDS, Failure, await_true
from .stage import Stage

EXCERPT_LETTERS = 400
PLANTED_TABLES = ("intervals", "facts", "usage")


def prove(stage: Stage, found: Judgement, refold: bool = True) -> None:
    """With all roles stopped but the log. Leaves the tables as they were."""
    hashes = stage.hashes()
    found.figures["hashes"] = hashes
    found.check(len(hashes) >= 8, f"`medfleet hash` knows only {sorted(hashes)}")
    done = stage.command("rebuild", "--table", "all", may_fail=True)
    found.check(done.returncode == 0, f"`medfleet rebuild --table all` ended with {done.returncode}: {done.stdout}{done.stderr}"[-2000:])
    _equal(found, "after `rebuild --table all`", hashes, stage.hashes())
    tell("tables were rebuilt")
    for table in PLANTED_TABLES:
        _plant(stage, found, table)
    _equal(found, "after the planted rows were taken out", hashes, stage.hashes())
    if refold:
        _refold(stage, found, hashes)


def _equal(found: Judgement, when: str, before: dict[str, str], after: dict[str, str]) -> None:
    differ = sorted(table for table in before.keys() | after.keys() if before.get(table) != after.get(table))
    shown = [(table, before.get(table), after.get(table)) for table in differ]
    found.check(not differ, f"content hashes differ {when}: {shown}")


def _plant(stage: Stage, found: Judgement, table: str) -> None:
    """One row changed and committed by a forger; a rebuild must refuse to call the tables equal."""
    generation = current(stage.lake, table)
    entry, file = forge(generation)
    done = stage.command("rebuild", "--table", table, may_fail=True)
    noticed = done.returncode != 0 and "differs" in done.stderr
    found.check(noticed, f"a planted row in `{table}` went unnoticed by rebuild ({done.returncode}): {done.stderr[-EXCERPT_LETTERS:]}")
    found.figures.setdefault("planted", {})[table] = (done.stderr or done.stdout).strip()[-EXCERPT_LETTERS:]
    found.check(current(stage.lake, table) == generation, f"the rebuild of `{table}` swapped in a table that it found to differ")
    entry.unlink()
    file.unlink()


def forge(generation: Path) -> tuple[Path, Path]:
    """Appends one copied row as a commit of its own: what was written and where."""
    victim = active_files(generation)[0]
    row = parquet.ParquetFile(victim).read().slice(0, 1)
    time_column = next(name for name in ("until_at", "at") if name in row.column_names)
    index = row.schema.get_field_index(time_column)
    moved = compute.cast(compute.add(compute.cast(row.column(index), "int64"), 1), row.schema.field(index).type)
    row = row.set_column(index, row.schema.field(index), moved)
    forged = victim.with_name(f"part-{uuid.uuid4()}.parquet")
    parquet.write_table(row, forged)
    add = _add_of(generation, victim)
    add |= {"path": str(forged.relative_to(generation)), "size": forged.stat().st_size, "modificationTime": time.time_ns() // 1_000_000}
    add["stats"] = json.dumps({"numRecords": 1})
    entry = generation / "_delta_log" / f"{newest_version(generation) + 1:020}.json"
    entry.write_text(json.dumps({"add": add}) + "\n")
    return entry, forged


def _add_of(generation: Path, victim: Path) -> dict:
    """Partition values come from the path, as Hive writes it, for the entry may stand in a checkpoint."""
    values = dict(part.split("=", 1) for part in victim.relative_to(generation).parts[:-1] if "=" in part)
    return {"partitionValues": values, "dataChange": True}


def _refold(stage: Stage, found: Judgement, hashes: dict[str, str]) -> None:
    """All tables and snapshots removed: a processor makes them again from the log."""
    shutil.rmtree(stage.lake)
    shutil.rmtree(stage.data / "snapshots", ignore_errors=True)
    stage.start_processor()
    wanted = found.figures.get("facts_new", 0)

    def folded() -> bool:
        stage.processor().must_live()
        tables = Tables(stage.lake)
        if not tables.open("facts") or stage.behind() > 0:
            return False
        return tables.one("SELECT count(*) FROM facts WHERE verdict = 'new' AND agent IS NOT NULL") >= wanted

    try:
        await_true("the folding of the whole log anew", folded, DRAIN_DEADLINE_SECONDS, TABLES_POLL_SECONDS)
    except Failure as failure:
        found.violations.append(f"{failure}: {wanted} new facts are wanted\n{stage.processor().last_words()}")
    stage.processor().stop()
    _equal(found, "after all tables were removed and folded anew", hashes, stage.hashes())
    tell("tables were removed and folded anew")
