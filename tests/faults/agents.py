"""Agents of the load: their configuration, how far they are, and what they say of themselves."""

import json
import time
from pathlib import Path

from .judge import Life
from .load import FACTS_PER_ROW_ABOUT, AgentLoad
from .process import Failure, Role, binary, free_ports, total

# All is delivered when two looks so far apart say so: what was accepted a moment ago may not be counted as waiting yet.
QUIET_SECONDS = 1.0
FACT_BYTES_ABOUT = 140
# Journals hold a part of the load only, so agents take rows as long as facts are under way. Half of a small journal is kept in reserve.
JOURNAL_SHARE = 0.3
SEGMENT_BYTES = 256 * 1024
# Up to 64 batches go again after every cut; small ones keep that below the load itself.
BATCH_MAX_FACTS = 64


class Agent:
    def __init__(self, load: AgentLoad, folder: Path, host: str, port: int, ca: Path, password: Path, journal_share: float = JOURNAL_SHARE) -> None:
        self.load = load
        status = f"127.0.0.1:{free_ports(1)}"
        config = folder / f"{load.name}.toml"
        config.write_text(_config(load, folder / load.name, host, port, ca, password, status, journal_share))
        self.role = Role(load.name, [binary("medfleet-agent"), "--config", str(config)], folder / f"{load.name}.log", status, "/live")
        self.unreceipted = 0.0
        self.quiet_since: float | None = None

    def rows(self) -> int:
        return sum(len(file.rows) for file in self.load.files)

    def taken(self) -> int:
        return sum(file.taken_rows() for file in self.load.files)

    def look(self) -> float:
        """Facts in the journal without a receipt, by the agent's own word; its last word while it does not answer."""
        samples = self.role.metrics()
        if samples:
            self.unreceipted = total(samples, "medfleet_agent_unreceipted_facts")
        return self.unreceipted

    def is_done(self) -> bool:
        """All rows are taken, and nothing waits for a receipt."""
        if self.taken() < self.rows() or self.look() > 0:
            self.quiet_since = None
            return False
        self.quiet_since = self.quiet_since or time.monotonic()
        return time.monotonic() - self.quiet_since > QUIET_SECONDS

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


def _config(load: AgentLoad, journal: Path, host: str, port: int, ca: Path, password: Path, status: str, journal_share: float) -> str:
    sources = "".join(
        f'\n[[source]]\ntype = "replay"\npath = "{file.path}"\nmapping = "{file.mapping}"\nprogress = "{file.taken}"\n' for file in load.files
    )
    facts = sum(len(file.rows) for file in load.files) * FACTS_PER_ROW_ABOUT
    capacity = max(4 * SEGMENT_BYTES, int(facts * FACT_BYTES_ABOUT * journal_share))
    return f"""id = "{load.name}"
site = "{load.site}"
status_listen = "{status}"
[journal]
folder = "{journal}"
capacity_bytes = {capacity}
segment_max_bytes = {SEGMENT_BYTES}
[batch]
max_facts = {BATCH_MAX_FACTS}
[mqtt]
host = "{host}"
port = {port}
ca_file = "{ca}"
password_file = "{password}"
reconnect_max_seconds = 1
{sources}"""
