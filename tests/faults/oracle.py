"""What the tables must say, computed from the rows of the load alone. Shares nothing with the product but DOMAIN's definitions."""

from collections import defaultdict
from dataclasses import dataclass, field

from .load import WORDS, WRAP_UNITS, AgentLoad

HOUR_MILLIS = 3_600_000


@dataclass
class Expected:
    """Seconds, increments, errors, and how many facts the agents make of the rows when no row is repeated."""

    condition_micros: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    increment_milli: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    error_texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def facts_total(self) -> int:
        return sum(self.facts.values())


def expect(loads: list[AgentLoad]) -> Expected:
    expected = Expected()
    samples: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for load in loads:
        for file in load.files:
            _take(file.rows, expected, samples)
    for series, readings in samples.items():
        expected.increment_milli[series] = _gained(sorted(readings), WRAP_UNITS if series[1] == "units" else None) * 1_000
    return expected


def _take(rows: list[dict], expected: Expected, samples: dict) -> None:
    since: dict[str, tuple[str, int]] = {}
    for row in rows:
        device, at, state = row["device"], row["at"], row["state"]
        if device in since:
            condition, begun = since.pop(device)
            expected.condition_micros[device, condition] += (at - begun) * 1_000
            # A stretch is cut at every full hour.
            expected.facts["stretch"] += (at - 1) // HOUR_MILLIS - begun // HOUR_MILLIS + 1
        if state != "gone":
            since[device] = (WORDS[state], at)
            expected.facts["began"] += 1
        for counter in ("cycles", "units"):
            if counter in row:
                samples[device, counter].append((at, row[counter]))
                expected.facts["usage"] += 1
        if "code" in row:
            expected.error_texts[row["text"]] = (device, row["code"])
            expected.facts["error"] += 1


def _gained(readings: list[tuple[int, int]], modulus: int | None) -> int:
    """A falling counter has wrapped when that is less than half a turn, and was reset otherwise."""
    gained = 0
    for (_, before), (_, now) in zip(readings, readings[1:]):
        if now >= before:
            gained += now - before
        elif modulus and now + modulus - before <= modulus / 2:
            gained += now + modulus - before
        else:
            gained += now
    return gained
