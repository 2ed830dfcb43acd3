"""A day of facts from one agent arrives late and at once: history amends itself, and the others stay fresh."""

import time
from pathlib import Path

from faults import load, oracle
from faults.agents import Agent
from faults.judge import Tables, judge
from faults.load import AgentLoad
from faults.play import Play
from faults.process import Role, await_true, binary, free_ports, total
from faults.stage import Embedded

BACKLOG_FACTS = 40_000
FRESH_WITHIN_SECONDS = 10.0
# The live agent says something of one of its devices about every second.
LIVE_DEVICES = 4
FIRST_FACTS_SECONDS = 60.0
BACKLOG_DEADLINE_SECONDS = 300.0


class Live:
    """An agent that watches devices now, over a link of its own."""

    def __init__(self, stage: Embedded, folder: Path, password: Path, port: int) -> None:
        self.status = f"127.0.0.1:{free_ports(1)}"
        sources = "".join(f'[[source]]\ntype = "simulated"\ndevice = "live-{n}"\nkind = "ct"\nchange_seconds = 1\nseed = {n}\n' for n in range(LIVE_DEVICES))
        config = folder / "live.toml"
        config.write_text(
            f'id = "live"\nsite = "north"\nstatus_listen = "{self.status}"\n[journal]\nfolder = "{folder / "live"}"\n[mqtt]\nhost = "localhost"\n'
            f'port = {port}\nca_file = "{stage.data / "secrets/ca.pem"}"\npassword_file = "{password}"\n{sources}'
        )
        self.role = Role("live", [binary("medfleet-agent"), "--config", str(config)], folder / "live.log", self.status, "/live")


class LateStage(Embedded):
    """The embedded stage; the agent of the load is cut off from the start, and a live one is not."""

    def __init__(self, folder: Path, loads: list[AgentLoad]) -> None:
        self.live: Live | None = None
        super().__init__(folder, loads)

    def _password(self, agent: str) -> Path:
        self.live_password = super()._password("live")
        return super()._password(agent)

    def end(self) -> None:
        if self.live:
            self.live.role.end()
        super().end()


def test_a_day_that_arrives_late_amends_history_and_delays_nobody(tmp_path: Path) -> None:
    loads = load.write(tmp_path, BACKLOG_FACTS, 1, seed=24)
    expected = oracle.expect(loads)
    spans = [row["at"] for file in loads[0].files for row in file.rows]
    assert max(spans) - min(spans) > 24 * 3_600_000, "the backlog is shorter than a day"
    stage = LateStage(tmp_path, loads)
    try:
        late: Agent = stage.agents[0]
        late.role.kill()
        stage.links.harm("agent", "refuse")
        late.role.start()
        stage.live = Live(stage, tmp_path, stage.live_password, int(stage.up.command[-1].rsplit(":", 1)[1]))
        stage.live.role.start()
        await_true("the backlog in the cut-off agent's journal", lambda: late.taken() == late.rows(), BACKLOG_DEADLINE_SECONDS)
        await_true("live facts in the table", lambda: _age_seconds(stage) is not None, FIRST_FACTS_SECONDS)
        worst_before = max(_age_seconds(stage) for _ in range(20))
        stage.links.restore("agent")
        ages = []
        deadline = time.monotonic() + BACKLOG_DEADLINE_SECONDS
        while not (late.is_done() and total(stage.up.metrics(), "medfleet_processor_lag_records") == 0):
            assert time.monotonic() < deadline, f"the backlog did not arrive\n{stage.up.last_words()}"
            ages.append(_age_seconds(stage))
        ages.append(_age_seconds(stage))
        print(f"age of the newest live fact: {worst_before:.1f} s before, at most {max(ages):.1f} s over {len(ages)} looks while the backlog arrived")
        assert max(ages) < FRESH_WITHIN_SECONDS
        stage.live.role.stop()
        lives = Play(stage, expected.facts_total()).drain()
        stage.stop_servers()
        found = judge(stage.lake, expected, lives, agent_kills=1, aside="live")
        assert found.violations == []
    finally:
        stage.end()


def _age_seconds(stage: Embedded) -> float | None:
    """Age of the newest fact of the live agent that SQL can see, by the raw files."""
    tables = Tables(stage.lake)
    if not tables.open("facts"):
        return None
    newest = tables.one("SELECT max(epoch_us(\"at\")) FROM facts WHERE agent = 'live'")
    return None if newest is None else time.time() - newest / 1e6

