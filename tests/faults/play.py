"""The play: kills and cuts at seeded points of the load, each with work in flight, until all of it has gone through."""

import random
import sys
import time
from dataclasses import dataclass

from .judge import Life, Tables, facts_of_life
from .process import POLL_SECONDS, Failure, await_true
from .stage import Stage

# From the first to the last kill, as shares of the load's facts that have their receipts.
FIRST_SHARE, LAST_SHARE = 0.02, 0.9
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


def plan(stage: Stage, kills_per_role: int, chance: random.Random) -> list[Fault]:
    """As many kills of every role, and as many cuts of every link, spread over the load."""
    faults = [("kill", role) for role in stage.roles for _ in range(kills_per_role)]
    for link in stage.links.cuts:
        faults += [(chance.choice(["cut", "refuse", "blackhole"]), link) for _ in range(kills_per_role)]
    chance.shuffle(faults)
    shares = sorted(chance.uniform(FIRST_SHARE, LAST_SHARE) for _ in faults)
    return [Fault(share, *fault) for share, fault in zip(shares, faults)]


class Play:
    def __init__(self, stage: Stage, facts: int, faults: list[Fault] = (), chance: random.Random | None = None) -> None:
        self.stage, self.facts, self.faults, self.chance = stage, facts, faults, chance
        self.agent_kills = 0
        self.idle_kills: list[str] = []
        self.kills: dict[str, int] = {}

    def give(self) -> None:
        """All faults in their order, each once so much of the load was delivered."""
        for number, fault in enumerate(self.faults, 1):
            self._await_share(fault.share)
            self._await_work(fault)
            tell(f"fault {number}/{len(self.faults)}: {fault.kind} {fault.target} at {self.share():.0%} of the load")
            self._kill(fault) if fault.kind == "kill" else self._harm(fault)
        self.stage.links.restore("agent")

    def share(self) -> float:
        for agent in self.stage.agents:
            agent.look()
        return sum(agent.receipted for agent in self.stage.agents) / self.facts

    def _await_share(self, share: float) -> None:
        self.stage.links.restore("agent")
        reached, moved = self.share(), time.monotonic()
        while reached < share:
            self._must_live()
            time.sleep(POLL_SECONDS)
            now = self.share()
            if now > reached:
                reached, moved = now, time.monotonic()
            if time.monotonic() - moved > STALL_SECONDS:
                raise Failure(f"nothing was delivered for {STALL_SECONDS:.0f} s at {reached:.1%} of the load\n{self._words()}")

    def _await_work(self, fault: Fault) -> None:
        """A kill counts only while something is under way."""
        try:
            await_true("work in flight", self._works, WORK_DEADLINE_SECONDS)
        except Failure:
            if fault.kind == "kill":
                self.idle_kills.append(fault.target)

    def _works(self) -> bool:
        return self.share() < 1 or self.stage.behind() > 0

    def _kill(self, fault: Fault) -> None:
        for agent in self.stage.agents:
            agent.look()
        down = self.chance.uniform(0, DOWN_SECONDS_MAX)
        if fault.target == "agent":
            role = self.chance.choice(self.stage.agents).role
            self.agent_kills += 1
        else:
            role = self.stage.role(fault.target)
        role.kill()
        for name in self.stage.together.get(fault.target, (fault.target,)):
            self.kills[name] = self.kills.get(name, 0) + 1
        # Between faults nothing new flows, or a fast line would have delivered the load before the last kill.
        self.stage.links.harm("agent", "blackhole")
        self.stage.links.cuts["agent"] -= 1
        time.sleep(down)  # the length of the outage is part of the fault
        role.start()

    def _harm(self, fault: Fault) -> None:
        self.stage.links.harm(fault.target, fault.kind)
        if fault.kind != "cut":
            time.sleep(self.chance.uniform(0, DARK_SECONDS_MAX))  # so is how long the link is dark
            self.stage.links.restore(fault.target)

    def drain(self) -> list[Life]:
        """Waits until agents have receipts for everything and the tables have what the agents accepted."""
        deadline = time.monotonic() + DRAIN_DEADLINE_SECONDS
        while not all(agent.is_done() for agent in self.stage.agents):
            self._must_live()
            if time.monotonic() > deadline:
                raise Failure(f"the agents did not get rid of their facts within {DRAIN_DEADLINE_SECONDS:.0f} s\n{self._words()}")
            time.sleep(POLL_SECONDS)
        tell("every agent has receipts for all it accepted")
        lives = [agent.last_life() for agent in self.stage.agents]
        self.stage.stop_agents()
        try:
            await_true("the tables' reaching the end of the log", lambda: self._folded(lives), DRAIN_DEADLINE_SECONDS)
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

    def _must_live(self) -> None:
        for agent in self.stage.agents:
            agent.role.must_live()
        self.stage.processor().must_live()

    def _words(self) -> str:
        roles = [self.stage.processor(), self.stage.agents[0].role]
        behind = [f"{a.load.name}: {a.taken()}/{a.rows()} rows taken, {a.receipted:.0f} facts receipted" for a in self.stage.agents]
        return "\n".join(behind + [role.last_words() for role in roles])


def tell(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
