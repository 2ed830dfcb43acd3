"""Compares the tables with the oracle over their raw Parquet files: sums of weights, and no DISTINCT anywhere."""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from .delta import active_files, current
from .factbytes import life_before
from .oracle import Expected

# What an agent that is killed may say again under new identities, of each file at most: the condition it was taking in, of which it cannot
# tell whether all was durable. That changes no second. A sample or an error it never says again.
SAID_AGAIN_MAX = {"began": 1, "stretch": 2, "usage": 0, "error": 0}
FILES_PER_AGENT = 2
EXAMPLES = 5


@dataclass
class Life:
    """The last life of an agent: what it said that it had accepted, and when it was asked."""

    agent: str
    epoch: int
    accepted: int
    asked_micros: int


@dataclass
class Judgement:
    figures: dict = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def check(self, holds: bool, what: str) -> None:
        if not holds:
            self.violations.append(what)


class Tables:
    """The current generation of every table, as views over exactly its active files."""

    def __init__(self, lake: Path, aside: str = "") -> None:
        self.lake, self.aside = lake, aside
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")

    def open(self, *tables: str) -> bool:
        """False while one of them has no file yet."""
        for table in tables:
            generation = current(self.lake, table)
            files = active_files(generation) if generation else []
            if not files:
                return False
            listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
            self.db.execute(
                f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
                + (f" WHERE {self._loaded(table)}" if self.aside else "")
            )
        return True

    def _loaded(self, table: str) -> str:
        if table == "facts":
            return f"NOT starts_with(coalesce(agent, ''), '{self.aside}')"
        return "true" if table == "rollup_quarter" else f"NOT starts_with(device, '{self.aside}')"

    def rows(self, sql: str, *values) -> list[tuple]:
        return self.db.execute(sql, list(values)).fetchall()

    def one(self, sql: str, *values):
        return self.rows(sql, *values)[0][0]


def facts_of_life(tables: Tables, life: Life) -> int:
    return tables.one("SELECT count(*) FROM facts WHERE verdict = 'new' AND agent = ? AND epoch = ?", life.agent, life.epoch)


def judge(lake: Path, expected: Expected, lives: list[Life], agent_kills: int, aside: str = "") -> Judgement:
    """`aside` begins the names of agents, and of their devices, that are no part of the load."""
    tables, found = Tables(lake, aside), Judgement()
    if not tables.open("facts", "intervals", "usage", "errors", "rollup_quarter", "rollup_day"):
        found.violations.append(f"a table under {lake} has no rows at all")
        return found
    _identities(tables, found)
    _lives(tables, found, lives)
    _counts(tables, found, expected, agent_kills)
    _conditions(tables, found, expected)
    _usage(tables, found, expected)
    _errors(tables, found, expected)
    return found


def _identities(tables: Tables, found: Judgement) -> None:
    """No identity twice, no seq left out, and every life as long as the next one says it was."""
    twice = tables.rows(
        "SELECT subject_kind, subject, epoch, seq, count(*) FROM facts WHERE verdict = 'new' GROUP BY ALL HAVING count(*) > 1"
    )
    found.figures["duplicates_in_new"] = len(twice)
    found.check(not twice, f"{len(twice)} identities are new more than once, such as {twice[:EXAMPLES]}")
    conflicts = tables.one("SELECT count(*) FROM facts WHERE verdict = 'conflict'")
    found.check(conflicts == 0, f"{conflicts} facts are in conflict: one identity, different bytes")
    suspects = tables.one("SELECT count(*) FROM facts WHERE suspect")
    found.check(suspects == 0, f"{suspects} facts are suspect, though no clock was touched")
    lives = tables.rows(
        "SELECT subject_kind, subject, epoch, count(*), min(seq), max(seq) FROM facts"
        " WHERE verdict = 'new' AND agent IS NOT NULL GROUP BY ALL"
    )
    gaps = [life for life in lives if life[4] != 1 or life[5] != life[3]]
    found.check(not gaps, f"{len(gaps)} lives lack facts: (kind, subject, epoch, count, first, last) such as {gaps[:EXAMPLES]}")
    last = {life[:3]: life[5] for life in lives}
    opened = tables.rows("SELECT subject_kind, subject, bytes FROM facts WHERE verdict = 'new' AND kind = 'opened' AND agent IS NOT NULL")
    said = dict(last)
    named = 0
    for kind, subject, data in opened:
        before = life_before(bytes(data))
        if before is None:
            continue
        named += 1
        stands = last.get((kind, subject, before[0]))
        said[(kind, subject, before[0])] = before[1]
        found.check(stands == before[1], f"{kind} {subject} had accepted {before[1]} facts in life {before[0]}, the table has {stands}")
    # What the next life names; the last life of each agent is held against the agent's own counter below.
    found.figures["facts_accepted_by_agents"] = sum(said.values())
    found.figures["facts_new"] = tables.one("SELECT count(*) FROM facts WHERE verdict = 'new' AND agent IS NOT NULL")
    found.figures["facts_repeated_on_the_way"] = tables.one("SELECT count(*) FROM facts WHERE verdict = 'duplicate'")
    found.figures["lives"], found.figures["lives_named_by_the_next"] = len(lives), named


def _lives(tables: Tables, found: Judgement, lives: list[Life]) -> None:
    """The last life of each agent, against its own counter: a heartbeat said while asking may be in either."""
    for life in lives:
        stands = facts_of_life(tables, life)
        late = tables.one(
            "SELECT count(*) FROM facts WHERE verdict = 'new' AND agent = ? AND epoch = ? AND kind = 'heartbeat' AND epoch_us(\"at\") >= ?",
            life.agent, life.epoch, life.asked_micros,
        )
        good = life.accepted <= stands <= life.accepted + late
        found.check(good, f"{life.agent} accepted {life.accepted} facts in its last life, the table has {stands} ({late} of them later)")


def _counts(tables: Tables, found: Judgement, expected: Expected, agent_kills: int) -> None:
    """Kinds of facts as the load makes them."""
    counts = dict(tables.rows("SELECT kind, count(*) FROM facts WHERE verdict = 'new' AND agent IS NOT NULL GROUP BY kind"))
    found.figures["facts_by_kind"], found.figures["facts_expected"] = counts, dict(expected.facts)
    for kind in SAID_AGAIN_MAX:
        stands, least = counts.get(kind, 0), expected.facts[kind]
        spare = agent_kills * FILES_PER_AGENT * SAID_AGAIN_MAX[kind]
        good = least <= stands <= least + spare
        found.check(good, f"{stands} `{kind}` facts, the load makes {least} (at most {spare} may be said again)")


def _conditions(tables: Tables, found: Judgement, expected: Expected) -> None:
    wanted = {key: micros for key, micros in expected.condition_micros.items() if micros}
    micros = "epoch_us(until_at) - epoch_us(from_at)"
    _compare(
        found,
        "micros by device and condition (intervals)",
        wanted,
        tables.rows(f"SELECT device, condition, sum(weight * ({micros})) FROM intervals GROUP BY ALL"),
    )
    _compare(
        found,
        "micros by device and condition (rollup_day)",
        wanted,
        tables.rows("SELECT device, condition, sum(micros) FROM rollup_day GROUP BY ALL"),
    )
    if not tables.aside:
        _quarters(tables, found, wanted)
    overlaps = tables.rows(
        "WITH stands AS (SELECT device, from_at, until_at, condition, sum(weight) AS weight FROM intervals GROUP BY ALL HAVING sum(weight) <> 0)"
        " SELECT * FROM (SELECT *, lead(from_at) OVER (PARTITION BY device ORDER BY from_at, until_at) AS next FROM stands)"
        " WHERE weight <> 1 OR next < until_at LIMIT 5"
    )
    found.check(not overlaps, f"seconds with two conditions, or rows that stand {overlaps[:1]} times: {overlaps}")
    found.figures["device_seconds"] = sum(wanted.values()) / 1e6


def _quarters(tables: Tables, found: Judgement, wanted: dict[tuple[str, str], int]) -> None:
    by_condition: dict[tuple, int] = {}
    for (_, condition), value in wanted.items():
        by_condition[(condition,)] = by_condition.get((condition,), 0) + value
    _compare(found, "micros by condition (rollup_quarter)", by_condition, tables.rows("SELECT condition, sum(micros) FROM rollup_quarter GROUP BY ALL"))


def _usage(tables: Tables, found: Judgement, expected: Expected) -> None:
    wanted = {key: gained for key, gained in expected.increment_milli.items() if gained}
    rows = tables.rows("SELECT device, counter, sum(weight * increment_milli) FROM usage GROUP BY ALL")
    _compare(found, "increments by device and counter", wanted, rows)
    found.figures["usage_increments"] = sum(wanted.values()) / 1e3


def _errors(tables: Tables, found: Judgement, expected: Expected) -> None:
    rows = tables.rows("SELECT text, device, code, sum(weight) FROM errors GROUP BY ALL HAVING sum(weight) <> 0")
    stands = {text: (device, code) for text, device, code, _ in rows}
    missing = expected.error_texts.items() - stands.items()
    strange = stands.items() - expected.error_texts.items()
    found.check(not missing, f"{len(missing)} errors are missing, such as {list(missing)[:EXAMPLES]}")
    found.check(not strange, f"{len(strange)} errors nobody reported, such as {list(strange)[:EXAMPLES]}")
    again = sum(weight - 1 for *_, weight in rows)
    found.check(again == 0, f"{again} errors count again")
    found.figures["errors"] = len(stands)


def _compare(found: Judgement, what: str, wanted: dict, rows: list[tuple]) -> None:
    stands = {row[:-1]: int(row[-1]) for row in rows if row[-1]}
    differ = [(key, wanted.get(key, 0), stands.get(key, 0)) for key in wanted.keys() | stands.keys() if wanted.get(key, 0) != stands.get(key, 0)]
    found.check(not differ, f"{what}: {len(differ)} of {len(wanted)} differ, (key, oracle, table) such as {sorted(differ)[:EXAMPLES]}")
