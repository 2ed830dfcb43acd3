"""The agent at its post: memory while idle and with a day of facts in its journal, and how fast that day drains afterwards."""

import json
import time
from pathlib import Path

from faults.process import Role, await_true, binary, free_ports, total

from .figure import Figure, at_least, below
from .rsyslog import Rsyslog
from .street import House

DAY_SECONDS = 24 * 3_600
LIVE_FACTS_PER_SECOND = 10
"""A hospital of 5,000 devices, each saying a fact every eight minutes."""
DEVICES = 5_000
FACTS_PER_ROW = 3
"""The condition before ends, the next begins, and a counter is read."""
ROWS = DAY_SECONDS * LIVE_FACTS_PER_SECOND // FACTS_PER_ROW
DAY_STARTS_MILLIS = 1_772_323_200_000
DEADLINE_SECONDS = 300.0
SETTLE_SECONDS = 3.0
MAPPING = """format = "json_lines"
device = "device"
kind = "ventilator"
[time]
column = "at"
format = "unix_millis"
[condition]
column = "state"
words = { idle = "standby", busy = "productive" }
[[usage]]
column = "cycles"
counter = "cycles"
unit = "cycle"
"""


def agents(folder: Path) -> list[Figure]:
    house, log = House(folder / "house"), folder / "agent.log"
    status, config = f"127.0.0.1:{free_ports(1)}", house.configs[0]
    plain = f'status_listen = "{status}"\n{config.read_text()}'
    agent = Role("agent", [binary("medfleet-agent"), "--config", str(config)], log, status, "/live")
    try:
        house.start()
        config.write_text(f'{plain}[[source]]\ntype = "simulated"\ndevice = "lone"\nkind = "ct"\n')
        agent.start()
        await_true("the lone device's receipts", lambda: _receipted(agent) > 0)
        idle = _resident(agent.child.pid)
        agent.stop()
        house.role.stop()
        config.write_text(f'{plain}[[source]]\ntype = "replay"\npath = "{_day(folder)}"\nmapping = "{folder}/day.toml"\n')
        agent.start()
        await_true("a day of facts in the journal", lambda: "replayed to its end" in agent.text(), DEADLINE_SECONDS)
        full, facts = _resident(agent.child.pid), total(agent.metrics(), "medfleet_agent_accepted_facts_total")
        journal = total(agent.metrics(), "medfleet_agent_journal_used_bytes")
        house.start()
        began = time.monotonic()
        await_true("receipts for all of it", lambda: _receipted(agent) >= facts, DEADLINE_SECONDS)
        drained = facts / (time.monotonic() - began)
        draining = _resident(agent.child.pid)
    finally:
        agent.end()
        house.role.end()
    idle_control, full_control = _rsyslog(folder / "rsyslog", int(facts), int(journal / facts))
    live = LIVE_FACTS_PER_SECOND
    beside = f"rsyslog {full_control:.1f} MiB; {facts:,.0f} facts in {journal / 2**20:.0f} MiB of journal; {draining:.1f} MiB after draining it"
    return [
        below("edge", "agent memory, idle", idle, "MiB", 20, 8, f"rsyslog {idle_control:.1f} MiB"),
        below("edge", "agent memory, a day of facts in the journal", full, "MiB", 20, 8, beside),
        at_least("edge", f"drain of that day beside its live rate of {live} facts/s", drained / live, "×", 10, 10, f"{drained:,.0f} facts/s through the embedded street"),
    ]


def _rsyslog(folder: Path, lines: int, line_bytes: int) -> tuple[float, float]:
    daemon = Rsyslog(folder)
    try:
        idle = _resident(daemon.child.pid)
        daemon.say(lines, line_bytes)
        return idle, _resident(daemon.child.pid)
    finally:
        daemon.end()


def _receipted(agent: Role) -> float:
    return total(agent.metrics(), "medfleet_agent_receipted_facts_total")


def _resident(pid: int) -> float:
    """MiB that a process keeps once it has come to rest."""
    time.sleep(SETTLE_SECONDS)
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _day(folder: Path) -> Path:
    """A day of a hospital: its devices take turns."""
    (folder / "day.toml").write_text(MAPPING)
    path = folder / "day.jsonl"
    step = DAY_SECONDS * 1_000 / ROWS
    with path.open("w") as out:
        for row in range(ROWS):
            turn = row // DEVICES
            seen = {"device": f"bed-{row % DEVICES:04}", "at": DAY_STARTS_MILLIS + int(row * step), "state": ("idle", "busy")[turn % 2], "cycles": turn}
            out.write(json.dumps(seen) + "\n")
    return path
