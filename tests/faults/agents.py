"""Agents of the load: their configuration, how far they are, and what they say of themselves."""

import json
import time
from pathlib import Path

from .judge import Life
from .load import FACTS_PER_ROW_ABOUT, AgentLoad
from .process import Failure, Role, binary, free_ports, total

# How often an agent sets its gauges.
GAUGE_PERIOD_SECONDS = 5.0
FACT_BYTES_ABOUT = 140
# Journals hold a part of the load only, so agents take rows as long as facts are under way. Half of a small journal is kept in reserve.
JOURNAL_SHARE = 0.5
SEGMENT_BYTES = 2 * 1024 * 1024


class Agent:
    def __init__(self, load: AgentLoad, folder: Path, host: str, port: int, ca: Path, password: Path) -> None:
        self.load = load
        status = f"127.0.0.1:{free_ports(1)}"
        config = folder / f"{load.name}.toml"
        config.write_text(_config(load, folder / load.name, host, port, ca, password, status))
        self.role = Role(load.name, [binary("medfleet-agent"), "--config", str(config)], folder / f"{load.name}.log", status, "/live")
        self.receipted, self.receipted_in_this_life = 0.0, 0.0
        self.quiet_since: float | None = None

    def rows(self) -> int:
        return sum(len(file.rows) for file in self.load.files)

    def taken(self) -> int:
        return sum(file.taken_rows() for file in self.load.files)

    def look(self) -> None:
        """Adds up receipts over all lives; what a killed life was told after the last look is not known."""
        samples = self.role.metrics()
        if samples:
            now = total(samples, "medfleet_agent_receipted_facts_total")
            self.receipted += now - self.receipted_in_this_life if now >= self.receipted_in_this_life else now
            self.receipted_in_this_life = now

    def is_done(self) -> bool:
        """All rows are taken, and the gauge of facts without a receipt, which is set every so often, has said 0 since."""
        samples = self.role.metrics()
        all_taken = self.taken() == self.rows()
        if not samples or not all_taken or total(samples, "medfleet_agent_unreceipted_facts") > 0:
            self.quiet_since = None
            return False
        self.quiet_since = self.quiet_since or time.monotonic()
        return time.monotonic() - self.quiet_since > 1.2 * GAUGE_PERIOD_SECONDS

    def last_life(self) -> Life:
        """What the running life has accepted so far."""
        epochs = [said["epoch"] for said in _said(self.role) if said.get("message") == "agent began a new life"]
        if not epochs:
            raise Failure(f"{self.load.name} never said that it began a life\n{self.role.last_words()}")
        epoch = int(epochs[-1], 16)
        asked = time.time_ns() // 1_000
        accepted = total(self.role.metrics(), "medfleet_agent_accepted_facts_total")
        return Life(self.load.name, epoch - (1 << 64) if epoch >= 1 << 63 else epoch, int(accepted), asked)

    def refused(self) -> float:
        return total(self.role.metrics(), "medfleet_agent_refused_observations_total", 'reason="invalid"')


def _said(role: Role) -> list[dict]:
    said = []
    for line in role.text().splitlines():
        try:
            said.append(json.loads(line))
        except ValueError:
            continue
    return [one for one in said if isinstance(one, dict)]


def _config(load: AgentLoad, journal: Path, host: str, port: int, ca: Path, password: Path, status: str) -> str:
    sources = "".join(
        f'\n[[source]]\ntype = "replay"\npath = "{file.path}"\nmapping = "{file.mapping}"\nprogress = "{file.taken}"\n' for file in load.files
    )
    facts = sum(len(file.rows) for file in load.files) * FACTS_PER_ROW_ABOUT
    capacity = max(4 * SEGMENT_BYTES, int(facts * FACT_BYTES_ABOUT * JOURNAL_SHARE))
    return f"""id = "{load.name}"
site = "{load.site}"
status_listen = "{status}"
[journal]
folder = "{journal}"
capacity_bytes = {capacity}
segment_max_bytes = {SEGMENT_BYTES}
[mqtt]
host = "{host}"
port = {port}
ca_file = "{ca}"
password_file = "{password}"
reconnect_max_seconds = 1
{sources}"""
