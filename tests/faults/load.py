"""The load: replay files for agents, written from one seed. What they must lead to is computed from these rows alone (oracle.py).

A file is a sequence of chunks. In a chunk every device is seen from its first row to a last word `gone`, so that of two chunks told in the
wrong order each says what it would have said. Errors carry the number of their row: each is there once.
"""

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

CHUNK_ROWS = 512
FACTS_PER_ROW_ABOUT = 3.2
KINDS = ["ct", "mri", "ventilator", "infusion_pump", "xray", "laser", "sterilizer", "ultrasound"]
WORDS = {"idle": "standby", "busy": "productive", "test": "engineering", "pm": "scheduled_down", "broken": "unscheduled_down", "gone": "lost"}
WRAP_UNITS = 1_000
RESET_CHANCE = 0.01
ERROR_CHANCE = 0.3
LATE_CHUNK_CHANCE = 1 / 16


@dataclass(frozen=True)
class Shape:
    """When the load begins, and how densely its devices speak."""

    start_millis: int = 1_772_323_200_000  # 2026-03-01T00:00:00Z
    step_millis: tuple[int, int] = (2_000, 400_000)
    devices_per_file: int = 8
    files_per_agent: int = 2


@dataclass
class File:
    """One replay file of one agent."""

    agent: str
    path: Path
    mapping: Path
    taken: Path
    rows: list[dict]

    def taken_rows(self) -> int:
        try:
            return int(self.taken.read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return 0


@dataclass
class AgentLoad:
    name: str
    site: str
    files: list[File]


SITES = {"north": "America/New_York", "south": "America/Los_Angeles", "east": "Europe/Berlin"}


def write(folder: Path, facts: int, agents: int, seed: int, shape: Shape = Shape()) -> list[AgentLoad]:
    """Files of at least about `facts` facts in all, for so many agents."""
    chance = random.Random(seed)
    rows_per_file = facts / FACTS_PER_ROW_ABOUT / agents / shape.files_per_agent
    chunks = max(1, math.ceil(rows_per_file / CHUNK_ROWS))
    loads = []
    for number in range(agents):
        name, site = f"agent-{number:02}", list(SITES)[number % len(SITES)]
        files = [_file(folder, name, part, chunks, chance, shape) for part in range(shape.files_per_agent)]
        loads.append(AgentLoad(name, site, files))
    return loads


def _file(folder: Path, agent: str, part: int, chunks: int, chance: random.Random, shape: Shape) -> File:
    kind = KINDS[chance.randrange(len(KINDS))]
    stem = folder / f"{agent}-{part}"
    mapping = stem.with_suffix(".toml")
    mapping.write_text(_mapping(kind))
    devices = [_Device(f"{agent}-{part}-{kind}-{number}", chance, shape) for number in range(shape.devices_per_file)]
    told = [_chunk(devices, chance) for _ in range(chunks)]
    for index in range(len(told) - 1):
        if chance.random() < LATE_CHUNK_CHANCE:
            told[index], told[index + 1] = told[index + 1], told[index]
    rows = [row for chunk in told for row in chunk]
    path = stem.with_suffix(".jsonl")
    with path.open("w") as out:
        for number, row in enumerate(rows):
            if row.get("code"):
                row["text"] = f"{agent}-{part} row {number}"
            out.write(json.dumps(row) + "\n")
    return File(agent, path, mapping, stem.with_suffix(".taken"), rows)


class _Device:
    """What a device would have shown by itself."""

    def __init__(self, name: str, chance: random.Random, shape: Shape) -> None:
        self.name, self.shape = name, shape
        self.now = shape.start_millis + chance.randrange(3_600_000)
        self.state = "gone"
        self.cycles = chance.randrange(1_000_000)
        self.units = chance.randrange(WRAP_UNITS)

    def row(self, is_last: bool, chance: random.Random) -> dict:
        self.now += chance.randrange(*self.shape.step_millis)
        others = [word for word in WORDS if word not in (self.state, "gone")]
        self.state = "gone" if is_last else chance.choice(others)
        self.cycles = 0 if chance.random() < RESET_CHANCE else self.cycles + chance.randrange(20)
        self.units = (self.units + chance.randrange(40)) % WRAP_UNITS
        row = {"device": self.name, "at": self.now, "state": self.state, "cycles": self.cycles}
        if chance.random() < 0.2:
            row["units"] = self.units
        if chance.random() < ERROR_CHANCE:
            row["code"] = f"E{chance.randrange(100):03}"
        return row


def _chunk(devices: list[_Device], chance: random.Random) -> list[dict]:
    """The devices take turns; each has the same number of rows, and its last one is a goodbye."""
    turns = CHUNK_ROWS // len(devices)
    return [device.row(turn == turns - 1, chance) for turn in range(turns) for device in devices]


def _mapping(kind: str) -> str:
    words = ", ".join(f'{word} = "{name}"' for word, name in WORDS.items())
    return f"""format = "json_lines"
device = "device"
kind = "{kind}"
[time]
column = "at"
format = "unix_millis"
[condition]
column = "state"
words = {{ {words} }}
[error]
code = "code"
text = "text"
family = "load"
[[usage]]
column = "cycles"
counter = "cycles"
unit = "cycle"
[[usage]]
column = "units"
counter = "units"
unit = "unit"
modulus = {WRAP_UNITS}
"""
