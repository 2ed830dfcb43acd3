"""The scorer as a process of its own on a real Kafka: killed within a run, it tells one score per device, day and horizon."""

import csv
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from faults.brokers import Kafka
from faults.factbytes import fields
from faults.judge import Tables
from faults.links import Links
from faults.process import TABLES_POLL_SECONDS, Role, await_true, binary, free_ports, run, total

FACTS = "medfleet.facts.v1"
PUMPS, DAYS, FAILURES_PER_PUMP, SEED = 600, 90, 0.5, 5
HORIZONS = (24, 168)
# For so long after its return nothing is said of a device: docs/risk.md cites the protocol.
INFECTED_DAYS = 20
DEADLINE_SECONDS = 60.0
# Scores go up so slowly that a kill finds some told and others not.
SLOW_BYTES_PER_SECOND = 4_000
# Of proto/medfleet/v1/risk_record.proto.
SCORING_FIELD, HORIZON_FIELD, INSTANT_FIELD = 17, 3, 4
MAPPING = """
version = 2
source = { kind = "record", name = "pump-repairs", export = "whole" }
time = { zone = "UTC", instant = ["%Y-%m-%dT%H:%M:%S"], day = ["%Y-%m-%d"] }
assume = { condition = "standby" }
site = [{ id = "north", title = "North", time_zone = "UTC" }]

[[table]]
file = "repairs.csv"
device = "pump-{Pump}"
[table.machine]
site = "north"
kind = "infusion_pump"
make = "Acme"
model = "{Model}"
in_service = { column = "In Service" }
[table.order]
id = "row-{row}"
class = "corrective"
opened = "Failed"
returned = "Back"
effect = "down"
component = "battery"
"""


def write_history(folder: Path) -> set[str]:
    """Pumps of two models until this midnight; each has failed at least once, so that each has a row. Answers those to be spoken of."""
    chance, end = random.Random(SEED), datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    begin, spoken_of = end - timedelta(days=DAYS), set()
    with (folder / "repairs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Pump", "Model", "In Service", "Failed", "Back"])
        for pump in range(PUMPS):
            failures = 1 + (chance.random() < FAILURES_PER_PUMP)
            for hour in sorted(chance.sample(range(1, DAYS * 24 - 12), failures)):
                failed = begin + timedelta(hours=hour)
                back = failed + timedelta(hours=3)
                rows.writerow([pump, f"M{pump % 2}", begin.date().isoformat(), failed.isoformat(), back.isoformat()])
            if back < end - timedelta(days=INFECTED_DAYS):
                spoken_of.add(f"pump-{pump}")
    mapping = f'record_end = "{end.isoformat()}Z"\n{MAPPING}'
    (folder / "mapping.toml").write_text(mapping)
    return spoken_of


class Street:
    """Kafka, a processor that folds, and the scorer behind a link that can be slowed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.kafka = Kafka(folder / "kafka")
        self.links: Links | None = None
        self.roles: list[Role] = []
        try:
            self._open()
        except BaseException:
            self.end()
            raise

    def _open(self) -> None:
        self.kafka.start()
        self.links = Links(scorer=(self.kafka.port + 3, f"127.0.0.1:{self.kafka.port + 2}"))
        self.command("topics", "apply", "--profile", "dev")
        self.spoken_of = write_history(self.folder)
        said = self.command("import", "--mapping", str(self.folder / "mapping.toml"), str(self.folder))
        self.facts = int(re.search(r"(\d+) facts told, 0 told before", said)[1])
        self.processor = self._role("processor", self.kafka.bootstrap)
        self.scorer = self._role("scorer", f"127.0.0.1:{self.kafka.port + 3}")
        self.processor.start()
        await_true("the history in the tables", self.is_folded, DEADLINE_SECONDS)
        self.tables = Tables(self.data / "lake")

    def _role(self, name: str, bootstrap: str) -> Role:
        status = f"127.0.0.1:{free_ports(1)}"
        command = [binary("medfleet"), name, "--data", str(self.data), "--kafka", bootstrap, "--status-listen", status]
        role = Role(name, command, self.folder / f"{name}.log", status)
        self.roles.append(role)
        return role

    def command(self, *words: str) -> str:
        return run(binary("medfleet"), *words, "--data", str(self.data), "--kafka", self.kafka.bootstrap).stdout

    def is_folded(self, scores: int = 0) -> bool:
        """All facts that were imported, and so many scores, have been judged and committed."""
        self.processor.must_live()
        samples = self.processor.metrics()
        judged = total(samples, "medfleet_processor_facts_total")
        return judged == self.facts + scores and total(samples, "medfleet_processor_uncommitted_facts") == 0

    def records(self, topic: str) -> list[bytes]:
        """All records of a topic of one partition, by a reader that is not ours."""
        with self._reader() as reader:
            low, high = reader.get_watermark_offsets(TopicPartition(topic, 0), DEADLINE_SECONDS)
            reader.assign([TopicPartition(topic, 0, low)])
            found = reader.consume(high - low, DEADLINE_SECONDS)
        assert len(found) == high - low and not any(message.error() for message in found)
        return [message.value() for message in found]

    def facts_told(self) -> int:
        """Records of facts in the log."""
        with self._reader() as reader:
            partitions = reader.list_topics(FACTS, DEADLINE_SECONDS).topics[FACTS].partitions
            return sum(reader.get_watermark_offsets(TopicPartition(FACTS, partition), DEADLINE_SECONDS)[1] for partition in partitions)

    @contextmanager
    def _reader(self) -> Iterator[Consumer]:
        reader = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "test", "enable.auto.commit": False})
        try:
            yield reader
        finally:
            reader.close()

    def runs(self) -> list[tuple[int, int]]:
        """Horizon and instant of each run that the log tells of, in its order."""
        told = (fields(record).get(SCORING_FIELD) for record in self.records("medfleet.risk.v1"))
        return [(fields(run)[HORIZON_FIELD], fields(run)[INSTANT_FIELD]) for run in told if run]

    def end(self) -> None:
        for role in (*self.roles, self.kafka):
            role.end()
        if self.links:
            self.links.end()


@pytest.fixture
def street(tmp_path: Path, real_brokers: None) -> Iterator[Street]:
    street = Street(tmp_path)
    try:
        yield street
        for role in street.roles:
            role.stop()
    finally:
        street.end()


def test_a_scorer_killed_within_a_run_on_kafka_tells_each_score_once(street: Street) -> None:
    print(street.command("train", "--seed", "5"))
    facts, devices = street.facts_told(), len(street.spoken_of)

    def told() -> int:
        street.scorer.must_live()
        return street.facts_told() - facts

    street.links.pace("scorer", SLOW_BYTES_PER_SECOND)
    street.scorer.start()
    await_true("the first scores in the log", told, DEADLINE_SECONDS)
    street.scorer.kill()
    assert 0 < told() < devices, "the kill finds a run that has told some scores and not others"
    begun = street.runs()
    assert [hours for hours, _ in begun] == [HORIZONS[0]], "the run stands in the log before its scores"

    street.links.pace("scorer", 0)
    street.scorer.start()
    await_true("both runs", lambda: total(street.scorer.metrics(), "medfleet_scorer_runs_total") == len(HORIZONS), DEADLINE_SECONDS)
    runs = street.runs()
    assert runs[0] == begun[0] and [hours for hours, _ in runs] == list(HORIZONS), "the run that was cut off is done again and not told again"
    await_true("the scores in the tables", lambda: street.is_folded(told()), DEADLINE_SECONDS, TABLES_POLL_SECONDS)

    # What was on its way at the kill may have arrived after it.
    cut_off, tables = told() - len(HORIZONS) * devices, street.tables
    assert 0 < cut_off < devices, "the run is done again whole"
    assert tables.open("scores", "facts")
    scores = tables.rows("SELECT device, horizon_hours, epoch_us(\"at\"), weight FROM scores")
    assert sorted(scores) == sorted((pump, *run, 1) for pump in street.spoken_of for run in runs)
    verdicts = tables.rows("SELECT verdict, count(*) FROM facts WHERE kind = 'scored' GROUP BY verdict ORDER BY verdict")
    assert verdicts == [("duplicate", cut_off), ("new", len(HORIZONS) * devices)]
    assert total(street.scorer.metrics(), "medfleet_scorer_failures_total") == 0, street.scorer.last_words()
