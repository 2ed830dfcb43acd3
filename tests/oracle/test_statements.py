"""Contract statements judged minute by minute, from the definitions in DOMAIN alone, beside the house's algebra of spans."""

import json
import os
import random
import subprocess
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
MINUTE_US = 60_000_000
EPOCH = date(1970, 1, 1)
CASES = 120
ORDER_OF_CONDITIONS = ["Standby", "Engineering", "Productive", "ScheduledDown", "UnscheduledDown"]
COUNTS, ONLY, BOTH = "counts as downtime", "excluded from downtime only", "excluded from downtime and base"


def ask(cases: list[dict]) -> list[dict]:
    program = TARGET / "debug/examples/statements"
    if not program.exists():
        pytest.fail(f"{program.name} is not built: run `cargo build -p medfleet-kpi --examples`")
    asked = "\n".join(json.dumps(case) for case in cases) + "\n"
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def day_number(day: date) -> int:
    return (day - EPOCH).days


def minute_of(local: datetime) -> int:
    """Minutes since the epoch, UTC."""
    return round(local.astimezone(timezone.utc).timestamp()) // 60


def drawn(chance: random.Random) -> dict:
    zone = chance.choice(["UTC", "America/New_York", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe"])
    first = date(2026, 1, 1) + timedelta(days=chance.choice([chance.randrange(330), 65, 86, 297, 303, 91]))
    last = first + timedelta(days=chance.randint(1, 9))
    begin = minute_of(datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)))
    end = minute_of(datetime(last.year, last.month, last.day, tzinfo=ZoneInfo(zone)))
    weekly = lambda: [
        {"weekday": day, "from_minute": 15 * start, "until_minute": 15 * chance.randint(start + 1, 96)}
        for day in range(1, 8)
        if chance.random() < 0.8
        for start in [chance.randrange(0, 90)]
    ]
    calendars = [
        [day_number(first) + chance.choice([-400, -1, 0, 2, 4]), recorded * MINUTE_US, weekly()] for recorded in range(chance.randint(0, 3))
    ]
    hours = chance.choice(["OfSite", "AroundTheClock", {"Own": weekly()}])
    if hours != "AroundTheClock" and not calendars:
        calendars = [[day_number(first) - 400, 0, weekly()]]
    contract = {
        "number": "SC-1", "vendor": "", "phone": "", "kind": None, "devices": [], "valid_from": day_number(first) - 9, "valid_until": None,
        "guarantee": 9_800, "period": "Month", "hours": hours, "minor": chance.choice([0, 1_000]), "partial": 5_000, "severe": 7_500,
        "exclusions": [one for one in ["MaintenanceFromDowntime", "MaintenanceFromBoth", "Facility", "User", "Upgrade"] if chance.random() < 0.35],
        "starts": chance.choice(["Onset", "Reported", "VendorCalled"]),
        "stops": chance.choice(["Arrived", "RemoteConnected", "Repaired", "ReturnedToUse", "ReturnedToUse"]),
    }
    pieces, at = [], begin - chance.randrange(0, 600)
    while at < end + 300:
        until = at + chance.choice([15, 60, 60, 170, 480, 1_300])
        if chance.random() < 0.8:
            condition = chance.choice(["Standby", "Productive", "UnscheduledDown", "UnscheduledDown", "ScheduledDown", "Unknown"])
            up = condition in ("Standby", "Productive")
            degradation = chance.choice(["None", "None", "Minor", "Partial", "Severe"]) if up else "None"
            down = condition == "UnscheduledDown"
            pieces.append([at, until, condition, degradation, down and chance.random() < 0.1, down and chance.random() < 0.2])
        at = until
    orders = []
    for name in range(chance.randint(0, 5)):
        opened = chance.randrange(begin - 900, end)
        kind, cause = chance.choice(["Corrective", "Corrective", "Upgrade"]), chance.choice(["device", "device", "facility", "accessory"])
        phases, now = [("Opened", None)], opened
        for phase, whom, odds in [
            ("VendorCalled", None, 0.6), ("RemoteConnected", None, 0.3), ("Arrived", None, 0.7), ("WaitingStarted", "Facility", 0.3),
            ("WaitingEnded", "Facility", 0.8), ("WaitingStarted", "User", 0.3), ("WaitingEnded", None, 0.8), ("WaitingStarted", "Parts", 0.3),
            ("Repaired", None, 0.7), ("ReturnedToService", None, 0.7), ("Closed", None, 0.5), ("Cancelled", None, 0.1),
        ]:
            if chance.random() < odds:
                phases.append((phase, whom))
        for phase, whom in phases:
            orders.append([f"wo-{name}", kind, phase, whom, cause, now])
            now += chance.choice([7, 45, 200, 900])
    chance.shuffle(orders)
    service = [[begin - 99, end + 99]] if chance.random() < 0.7 else [[begin + 300, begin + 900], [begin + 1_000, end + 50]]
    return {"zone": zone, "days": [day_number(first), day_number(last)], "calendars": calendars, "contract": contract, "in_service": service, "pieces": pieces, "orders": orders}


def in_micros(case: dict) -> dict:
    to = lambda minute: minute * MINUTE_US
    return case | {
        "in_service": [[to(a), to(b)] for a, b in case["in_service"]],
        "pieces": [[to(a), to(b), *rest] for a, b, *rest in case["pieces"]],
        "orders": [[*rest, to(at)] for *rest, at in case["orders"]],
    }


class Judge:
    """One case, looked at one minute at a time."""

    def __init__(self, case: dict):
        self.case, self.contract, self.zone = case, case["contract"], ZoneInfo(case["zone"])
        lives: dict[str, list] = {}
        for order in case["orders"]:
            lives.setdefault(order[0], []).append(order)
        sequence = ["Opened", "Assigned", "Arrived", "RepairStarted", "WaitingStarted", "WaitingEnded", "Repaired", "ReturnedToService", "Closed", "Cancelled", "VendorCalled", "RemoteConnected"]
        self.orders = [sorted(life, key=lambda one: (one[5], sequence.index(one[2]))) for life in lives.values()]
        self.orders = [life for life in self.orders if all(one[2] != "Cancelled" for one in life)]
        self.spells = self.troubles()

    def weight(self, piece: list) -> int:
        condition, degradation = piece[2], piece[3]
        if condition in ("UnscheduledDown", "ScheduledDown"):
            return 10_000
        return 0 if condition == "Unknown" or degradation == "None" else self.contract[degradation.lower()]

    def troubles(self) -> list[tuple[int, int]]:
        spells, open_from, reached = [], None, None
        for piece in self.case["pieces"]:
            if piece[2] in ("Unknown", "ScheduledDown"):
                continue
            if self.weight(piece) > 0:
                open_from = piece[0] if open_from is None else open_from
                reached = piece[1]
            elif open_from is not None:
                spells.append((open_from, reached))
                open_from = None
        return spells + ([(open_from, reached)] if open_from is not None else [])

    def first(self, life: list, phases: tuple, since: int = -(10**12)):
        return next((one[5] for one in life if one[2] in phases and one[5] >= since), None)

    def ended(self, life: list) -> int:
        returned = self.first(life, ("ReturnedToService",))
        closed = self.first(life, ("Closed",))
        return returned if returned is not None else closed if closed is not None else 10**12

    def is_about(self, life: list, spell: tuple[int, int]) -> bool:
        opened = life[0][5]
        return (opened < spell[1] or opened - spell[0] <= 1_440) and self.ended(life) > spell[0]

    def spell_at(self, minute: int):
        return next((spell for spell in self.spells if spell[0] <= minute < spell[1]), None)

    def waits_for(self, life: list, party: str, minute: int) -> bool:
        for place, one in enumerate(life):
            if one[2] == "WaitingStarted" and one[3] == party and one[5] <= minute:
                ends = [
                    other[5]
                    for other in life
                    if other[5] >= one[5] and (other[2] in ("Repaired", "ReturnedToService", "Closed") or other[2] == "WaitingEnded" and other[3] in (None, party))
                ]
                if not ends or minute < ends[0]:
                    return True
        return False

    def whole(self, life: list, minute: int) -> bool:
        """The order's life, or a trouble it is about."""
        spell = self.spell_at(minute)
        return life[0][5] <= minute < self.ended(life) or (spell is not None and self.is_about(life, spell))

    def exclusions(self, minute: int) -> set[str]:
        found = set()
        for life in self.orders:
            causes = {one[4] for one in life}
            if self.waits_for(life, "Facility", minute) or causes & {"facility", "network"} and self.whole(life, minute):
                found.add("Facility")
            if self.waits_for(life, "User", minute) or causes & {"use", "user", "accessory"} and self.whole(life, minute):
                found.add("User")
            if any(one[1] == "Upgrade" for one in life) and self.whole(life, minute):
                found.add("Upgrade")
        return found & set(self.contract["exclusions"])

    def clock(self, minute: int, overrun: bool) -> str:
        starts, stops = self.contract["starts"], self.contract["stops"]
        if overrun or (starts, stops) == ("Onset", "ReturnedToUse"):
            return "counted"
        spell, stopped = self.spell_at(minute), False
        for life in self.orders:
            if not self.is_about(life, spell):
                continue
            begin = spell[0] if starts == "Onset" else self.first(life, ("Opened",) if starts == "Reported" else ("VendorCalled",))
            if begin is None:
                continue
            begin = max(begin, spell[0])
            phases = {"Arrived": ("Arrived",), "RemoteConnected": ("RemoteConnected", "Arrived"), "Repaired": ("Repaired",)}.get(stops, ())
            end = self.first(life, phases, begin)
            end = spell[1] if end is None else min(end, spell[1])
            if begin <= minute < end:
                return "counted"
            stopped |= begin < end <= minute
        return "after_clock" if stopped else "before_clock"

    def in_hours(self, minute: int) -> bool:
        hours = self.contract["hours"]
        local = datetime.fromtimestamp(minute * 60, self.zone)
        if hours == "AroundTheClock":
            return True
        if hours == "OfSite":
            begun = [calendar for calendar in self.case["calendars"] if calendar[0] <= day_number(local.date())]
            if not begun:
                return False
            weekly = max(begun, key=lambda calendar: (calendar[0], calendar[1]))[2]
        else:
            weekly = hours["Own"]
        of_day = local.hour * 60 + local.minute
        return any(one["weekday"] == local.isoweekday() and one["from_minute"] <= of_day < one["until_minute"] for one in weekly)

    def statement(self) -> dict:
        figures = {variant: [0, 0, 0, 0] for variant in (COUNTS, ONLY, BOTH)}
        classes: dict[str, int] = {}
        days = self.case["days"]
        bounds = [EPOCH + timedelta(days=day) for day in days]
        begin, end = [minute_of(datetime(day.year, day.month, day.day, tzinfo=self.zone)) for day in bounds]
        for minute in range(begin, end):
            if any(a <= minute < b for a, b in self.case["in_service"]):
                self.judge(minute, figures, classes)
        return {"figures": figures, "classes": {name: micros for name, micros in classes.items() if micros}}

    def judge(self, minute: int, figures: dict, classes: dict) -> None:
        covered = self.in_hours(minute)
        add = lambda name: classes.__setitem__(name, classes.get(name, 0) + MINUTE_US)
        if covered:
            for figure in figures.values():
                figure[0] += MINUTE_US
        known = [piece for piece in self.case["pieces"] if piece[0] <= minute < piece[1] and piece[2] != "Unknown"]
        if not known:
            if covered:
                add("unknown")
                for figure in figures.values():
                    figure[2] += MINUTE_US
            return
        piece = max(known, key=lambda one: (self.weight(one), ORDER_OF_CONDITIONS.index(one[2])))
        weight = self.weight(piece)
        if weight == 0:
            return
        if not covered:
            return add("uncovered")
        out = self.exclusions(minute)
        if out:
            # Where several exclude it, which of them is named is not judged here.
            return add("excluded")
        if piece[2] == "ScheduledDown":
            figures[COUNTS][1] += 10_000 * MINUTE_US
            figures[BOTH][0] -= MINUTE_US
            both, only = ("MaintenanceFromBoth" in self.contract["exclusions"], "MaintenanceFromDowntime" in self.contract["exclusions"])
            return add("maintenance_from_both" if both else "maintenance_from_downtime" if only else "counted")
        ruling = self.clock(minute, piece[4])
        add(ruling)
        if ruling == "counted":
            for figure in figures.values():
                figure[1] += weight * MINUTE_US
                figure[3] += weight * MINUTE_US if piece[5] else 0


def merged(answer: dict) -> dict:
    classes = dict(answer["classes"])
    excluded = sum(classes.pop(name, 0) for name in ("facility", "user", "upgrade"))
    return {"figures": answer["figures"], "classes": classes | ({"excluded": excluded} if excluded else {})}


def test_random_contracts_are_judged_alike_minute_by_minute():
    chance = random.Random(20)
    cases = [drawn(chance) for _ in range(CASES)]
    seen: dict[str, int] = {}
    for nth, (case, answer) in enumerate(zip(cases, ask([in_micros(case) for case in cases]))):
        expected = Judge(case).statement()
        assert merged(answer) == expected, f"case {nth}: {json.dumps(case)}"
        for name in expected["classes"]:
            seen[name] = seen.get(name, 0) + 1
    wanted = {"counted", "uncovered", "excluded", "before_clock", "after_clock", "unknown", "maintenance_from_both", "maintenance_from_downtime"}
    assert wanted <= {name for name, count in seen.items() if count >= 5}, f"the cases are too tame: {seen}"


def test_a_planted_difference_would_be_seen():
    case = drawn(random.Random(7))
    wrong = json.loads(json.dumps(case))
    wrong["contract"]["hours"] = "AroundTheClock" if case["contract"]["hours"] != "AroundTheClock" else {"Own": []}
    (answer,) = ask([in_micros(wrong)])
    assert merged(answer) != Judge(case).statement()
