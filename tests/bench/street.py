"""The whole path under a load that lasts: real agents, the embedded street in one process, and when SQL could see each fact."""

import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy
from faults.judge import Tables
from faults.process import POLL_SECONDS, Failure, Role, await_true, binary, environment, free_ports, run, total
from faults.play import tell

from .figure import Figure, at_least, below

SITES = {"north": "America/New_York", "south": "America/Los_Angeles", "east": "Europe/Berlin", "west": "Europe/Lisbon"}
LOOK_SECONDS = 0.25
DRAIN_DEADLINE_SECONDS = 300.0


class House:
    """`medfleet up` without the demo, and an agent for each site."""

    def __init__(self, folder: Path, *more: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data = folder, folder / "data"
        self.address, self.mqtt = f"127.0.0.1:{free_ports(1)}", free_ports(1)
        for site, zone in SITES.items():
            self._ask("site", site, "--title", site.title(), "--time-zone", zone)
        self.configs = [self._agent(site) for site in SITES]
        command = [binary("medfleet"), "up", "--no-demo", "--data", str(self.data), "--listen", self.address]
        self.role = Role("up", [*command, "--mqtt-listen", f"127.0.0.1:{self.mqtt}", "--sql-listen", f"127.0.0.1:{free_ports(1)}", *more], folder / "up.log", self.address)

    def start(self) -> None:
        self.role.start()
        found = re.search(r"/login\?token=([0-9a-zA-Z]+)", self.role.text())
        if not found:
            raise Failure(f"no sign-in link was printed\n{self.role.last_words()}")
        self.token = found[1]

    def ask(self, path: str) -> dict:
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def newest_cut(self) -> int | None:
        """The cut that SQL over HTTP answers from now."""
        try:
            return self.ask("/api/v1/sites")["cut"]["number"]
        except (urllib.error.URLError, OSError):
            return None

    def lag_records(self) -> float:
        return total(self.role.metrics(), "medfleet_processor_lag_records")

    def _ask(self, *words: str) -> str:
        return run(binary("medfleet"), *words, "--data", str(self.data)).stdout

    def _agent(self, site: str) -> Path:
        password = self._ask("agent-password", f"agent-{site}").strip().splitlines()[-1].split()[-1]
        config = self.folder / f"agent-{site}.toml"
        config.write_text(
            f'id = "agent-{site}"\nsite = "{site}"\n[journal]\nfolder = "{self.folder / site}"\n'
            f'[mqtt]\nhost = "localhost"\nport = {self.mqtt}\nca_file = "{self.data}/secrets/ca.pem"\npassword_file = "{password}"\n'
        )
        return config


class Looks:
    """Asks all the while which cut is visible, and keeps when each was seen first."""

    def __init__(self, house: House) -> None:
        self.house, self.seen, self.ends = house, [], threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.ends.wait(LOOK_SECONDS):
            cut = self.house.newest_cut()
            if cut is not None and (not self.seen or cut > self.seen[-1][0]):
                self.seen.append((cut, time.time_ns() // 1_000))

    def end(self) -> list[tuple[int, int]]:
        self.ends.set()
        self.thread.join()
        return self.seen


def whole_path(folder: Path, seconds: int, facts_per_second: int) -> list[Figure]:
    house = House(folder)
    try:
        house.start()
        looks = Looks(house)
        command = [binary("medfleet-bench"), "agents", "--facts-per-second", str(facts_per_second), "--seconds", str(seconds)]
        began = time.monotonic()
        said, drained = run_agents([*command, "--config", *map(str, house.configs)])
        tell(f"agents: {said}")
        await_true("the log's end at the worker", lambda: house.lag_records() == 0, DRAIN_DEADLINE_SECONDS)
        accepted = said["load ends"]["accepted"]
        await_true("all of the load in a visible cut", lambda: _visible(looks, house) >= accepted, DRAIN_DEADLINE_SECONDS)
        # Signs of life of the agents count among the visible too, so the last facts of the load may lie one cut further.
        await_true("the newest cut to be seen", lambda: _newest_is_seen(looks, house), DRAIN_DEADLINE_SECONDS)
        took = time.monotonic() - began
        seen = looks.end()
        house.role.stop()
        return _figures(Tables(house.data / "lake"), seen, drained, said["load ends"], took, facts_per_second)
    finally:
        house.role.end()


def run_agents(command: list[str]) -> tuple[dict, int]:
    """What the agents said, and when they had receipts for all: afterwards each says goodbye, which is no part of the load."""
    said, drained = {}, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as agents:
        for line in map(json.loads, agents.stdout):
            said[line["said"]] = line
            drained = time.time_ns() // 1_000
    if agents.returncode != 0 or "drained" not in said:
        raise Failure(f"the agents ended with {agents.returncode} after they had said {said}")
    return said, drained


def _visible(looks: Looks, house: House) -> int:
    """Facts of agents in the newest cut that was seen."""
    house.role.must_live()
    tables = Tables(house.data / "lake")
    if not looks.seen or not tables.open("cuts", "facts"):
        return 0
    offsets = json.loads(tables.one("SELECT offsets FROM cuts WHERE cut = ?", looks.seen[-1][0]))
    ends = [(int(home.rsplit("/", 1)[1]), end) for home, end in offsets.items() if home.startswith("medfleet.facts.v1/")]
    below = " OR ".join(f"(cause_partition = {partition} AND cause_offset < {end})" for partition, end in ends) or "false"
    return tables.one(f"SELECT count(*) FROM facts WHERE cause_topic = 0 AND agent IS NOT NULL AND verdict = 'new' AND ({below})")


def _newest_is_seen(looks: Looks, house: House) -> bool:
    tables = Tables(house.data / "lake")
    return tables.open("cuts") and looks.seen[-1][0] >= tables.one("SELECT max(cut) FROM cuts")


def _figures(tables: Tables, seen: list[tuple[int, int]], drained: int, load: dict, took: float, pace: int) -> list[Figure]:
    if not tables.open("facts", "cuts"):
        raise Failure("there are no facts or no cuts")
    facts = tables.one("SELECT count(*) FROM facts WHERE agent IS NOT NULL AND verdict = 'new'")
    other = tables.one("SELECT count(*) FROM facts WHERE verdict <> 'new'")
    if facts < load["accepted"] or load["refused"]:
        raise Failure(f"agents accepted {load['accepted']} facts and refused {load['refused']} observations, the table has {facts}")
    fresh = freshness_seconds(tables, seen, drained)
    half, most = numpy.percentile(fresh, [50, 99])
    flow = f"{facts:,} facts in {took:.0f} s until the last was visible to SQL, asked for {pace:,} facts/s, {other} not new"
    looks = f"p50 {half:.2f} s, max {fresh.max():.1f} s, over every fact of that load; the visible cut looked at every {LOOK_SECONDS} s"
    return [
        at_least("street", f"whole path, embedded, {len(SITES)} agents, {load['seconds']:.0f} s", facts / took, "facts/s", 10_000, 50_000, flow),
        below("street", "freshness p99, accepted by the agent → visible to SQL", float(most), "s", 10, 5, looks),
    ]


def freshness_seconds(tables: Tables, seen: list[tuple[int, int]], drained: int) -> numpy.ndarray:
    """For every fact known before the agents were drained: from when its agent knew it until a cut that contains it was first seen."""
    numbers, times = (numpy.array(column) for column in zip(*seen))
    cuts = tables.rows("SELECT cut, offsets FROM cuts ORDER BY cut")
    first_look = numpy.searchsorted(numbers, numpy.array([cut for cut, _ in cuts]), side="left")
    fresh = []
    for partition in [one for (one,) in tables.rows("SELECT DISTINCT cause_partition FROM facts WHERE cause_topic = 0")]:
        ends = numpy.array([json.loads(offsets).get(f"medfleet.facts.v1/{partition}", 0) for _, offsets in cuts])
        found = tables.db.execute(
            "SELECT cause_offset, epoch_us(known_at) AS known FROM facts WHERE cause_topic = 0 AND cause_partition = ?"
            " AND agent IS NOT NULL AND epoch_us(known_at) <= ?",
            [partition, drained],
        ).fetchnumpy()
        # The first cut whose offset lies past the record contains it; it is visible from the first look at it or a later one.
        cut = numpy.searchsorted(ends, found["cause_offset"], side="right")
        fresh.append((times[first_look[cut]] - found["known"]) / 1e6)
    return numpy.concatenate(fresh)
