"""The play: kills and cuts at seeded points of the load, each with work in flight, until all of it has gone through."""

import random
import sys
import time
from dataclasses import dataclass

from .judge import Life, Tables, facts_of_life
from .load import CHUNK_ROWS
from .process import POLL_SECONDS, TABLES_POLL_SECONDS, Failure, await_true
from .stage import InFlight, Stage

# From the first to the last fault, as shares of the load's facts that are taken and have their receipts.
FIRST_SHARE, LAST_SHARE = 0.02, 0.9
# How far a fault may miss its share, beside what an outage held back: one chunk of every file, whose receipts may come between two looks.
SHARE_TOLERANCE = 0.05
# The link of the agents is paced so that about so much time passes between two faults while facts flow.
FLOW_SECONDS = 3.0
WIRE_BYTES_PER_FACT = 80
DOWN_SECONDS_MAX = 1.0
DARK_SECONDS_MAX = 2.0
# Without any row delivered for so long, the line stands still.
STALL_SECONDS = 180.0
DRAIN_DEADLINE_SECONDS = 900.0
WORK_DEADLINE_SECONDS = 20.0


@dataclass(frozen=True)
class Fault:
    share: float
    kind: str
    """kill, cut, refuse or blackhole"""
    target: str


def plan(stage: type[Stage], kills_per_role: int, chance: random.Random) -> list[Fault]:
    """As many kills of every role, and as many cuts of every link, each somewhere in its own part of the load."""
    faults = [("kill", role) for role in stage.roles for _ in range(kills_per_role)]
    for link in stage.link_names:
        faults += [(chance.choice(["cut", "refuse", "blackhole"]), link) for _ in range(kills_per_role)]
    chance.shuffle(faults)
    part = (LAST_SHARE - FIRST_SHARE) / max(1, len(faults))
    return [Fault(FIRST_SHARE + part * (number + chance.random()), *fault) for number, fault in enumerate(faults)]


def pace(facts: int, faults: list[Fault]) -> int:
    """Bytes a second at which the link of the agents leaves `FLOW_SECONDS` between two faults."""
    return int(facts * WIRE_BYTES_PER_FACT / (FLOW_SECONDS * max(1, len(faults))))


class Play:
    def __init__(self, stage: Stage, facts: int, faults: list[Fault] = (), chance: random.Random | None = None) -> None:
        self.stage, self.facts, self.faults, self.chance = stage, facts, faults, chance
        self.facts_per_row = facts / sum(agent.rows() for agent in stage.agents)
        files = sum(len(agent.load.files) for agent in stage.agents)
        self.share_tolerance = SHARE_TOLERANCE + files * CHUNK_ROWS * self.facts_per_row / facts
        self.agent_kills = 0
        self.kills: dict[str, int] = {}
        self.scenes: dict[str, list[str]] = {}
        """Of every kill of a role: how much of the load had gone through, and what was under way."""
        self.violations: list[str] = []

    def give(self) -> None:
        """All faults in their order, each once so much of the load was delivered."""
        for number, fault in enumerate(self.faults, 1):
            self._await_share(fault.share)
            under_way = self._await_work(fault)
            share = self.share()
            tell(f"fault {number}/{len(self.faults)}: {fault.kind} {fault.target} at {share:.1%} of the load, {under_way}")
            if share > fault.share + self.share_tolerance:
                self.violations.append(f"{fault.kind} {fault.target} was due at {fault.share:.1%} of the load and came at {share:.1%}")
            if fault.kind == "kill":
                self.scenes.setdefault(fault.target, []).append(f"{share:.0%}: {under_way}")
                self._kill(fault)
            else:
                self._harm(fault)
        self.stage.links.pace("agent", 0)

    def share(self) -> float:
        """What is taken from the files and has its receipt, as a share of all facts."""
        still_in_files = sum(agent.rows() - agent.taken() for agent in self.stage.agents) * self.facts_per_row
        return 1 - (still_in_files + sum(agent.look() for agent in self.stage.agents)) / self.facts

    def _await_share(self, share: float) -> None:
        best, moved = self.share(), time.monotonic()
        while (reached := self.share()) < share:
            self.stage.must_live()
            time.sleep(POLL_SECONDS)
            if reached > best:
                best, moved = reached, time.monotonic()
            if time.monotonic() - moved > STALL_SECONDS:
                raise Failure(f"nothing was delivered for {STALL_SECONDS:.0f} s at {best:.1%} of the load\n{self._words()}")

    def _await_work(self, fault: Fault) -> InFlight:
        """A fault counts only while the role has something under way: facts without receipt, and rows not committed where it folds."""

        def works() -> InFlight | None:
            under_way = self.stage.in_flight()
            has_work = under_way.unreceipted > 0 and (under_way.uncommitted > 0 or fault.target not in ("processor", "up"))
            return under_way if has_work else None

        try:
            return await_true(f"work in flight of {fault.target}", works, WORK_DEADLINE_SECONDS)
        except Failure as failure:
            self.violations.append(f"{failure}: it was {fault.kind} idle")
            return self.stage.in_flight()

    def _kill(self, fault: Fault) -> None:
        down = self.chance.uniform(0, DOWN_SECONDS_MAX)
        if fault.target == "agent":
            role = self.chance.choice([agent for agent in self.stage.agents if agent.look() > 0] or self.stage.agents).role
            self.agent_kills += 1
        else:
            role = self.stage.role(fault.target)
        role.kill()
        for name in self.stage.together.get(fault.target, (fault.target,)):
            self.kills[name] = self.kills.get(name, 0) + 1
        # What is under way meets the outage. Every other time agents go on meanwhile, so that a backlog gathers where the role is
        # missing; a log that takes long to start would leave nothing of the load for the faults after it.
        is_held = fault.target in ("log", "up") or self.kills[fault.target] % 2 == 0
        if is_held:
            self.stage.links.hold("agent")
        time.sleep(down)  # the length of the outage is part of the fault
        role.start()
        if is_held:
            self.stage.links.restore("agent")

    def _harm(self, fault: Fault) -> None:
        self.stage.links.harm(fault.target, fault.kind)
        if fault.kind != "cut":
            time.sleep(self.chance.uniform(0, DARK_SECONDS_MAX))  # so is how long the link is dark
            self.stage.links.restore(fault.target)

    def drain(self) -> list[Life]:
        """Waits until agents have receipts for everything and the tables have what the agents accepted."""
        deadline = time.monotonic() + DRAIN_DEADLINE_SECONDS
        while not all(agent.is_done() for agent in self.stage.agents):
            self.stage.must_live()
            if time.monotonic() > deadline:
                raise Failure(f"the agents did not get rid of their facts within {DRAIN_DEADLINE_SECONDS:.0f} s\n{self._words()}")
            time.sleep(POLL_SECONDS)
        tell("every agent has receipts for all it accepted")
        lives = [agent.last_life() for agent in self.stage.agents]
        self.stage.stop_agents()
        try:
            await_true("the tables' reaching the end of the log", lambda: self._folded(lives), DRAIN_DEADLINE_SECONDS, TABLES_POLL_SECONDS)
        except Failure as failure:
            raise Failure(f"{failure}\n{self._words()}") from None
        tell("the tables have the whole log")
        return lives

    def _folded(self, lives: list[Life]) -> bool:
        self.stage.processor().must_live()
        if self.stage.behind() > 0:
            return False
        tables = Tables(self.stage.lake)
        return tables.open("facts") and all(facts_of_life(tables, life) >= life.accepted for life in lives)

    def _words(self) -> str:
        roles = [self.stage.processor(), self.stage.agents[0].role]
        behind = [f"{a.load.name}: {a.taken()}/{a.rows()} rows taken, {a.unreceipted:.0f} facts without receipt" for a in self.stage.agents]
        return "\n".join(behind + [role.last_words() for role in roles])


def tell(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
