"""Contract statements judged minute by minute, from the definitions in DOMAIN alone, beside the house's algebra of spans."""

import json
import os
import random
import subprocess
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from judge import Judge, day_number, merged

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
MINUTE_US = 60_000_000
CASES = 120


def ask(cases: list[dict]) -> list[dict]:
    program = TARGET / "debug/examples/statements"
    if not program.exists():
        pytest.fail(f"{program.name} is not built: run `cargo build -p medfleet-kpi --examples`")
    asked = "\n".join(json.dumps(case) for case in cases) + "\n"
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


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


def judged(case: dict) -> dict:
    """Minute by minute: nothing changes within one."""
    judge = Judge(in_micros(case))
    begin, end = judge.period()
    return judge.statement(range(begin, end + 1, MINUTE_US))


def test_random_contracts_are_judged_alike_minute_by_minute():
    chance = random.Random(20)
    cases = [drawn(chance) for _ in range(CASES)]
    seen: dict[str, int] = {}
    for nth, (case, answer) in enumerate(zip(cases, ask([in_micros(case) for case in cases]))):
        expected = judged(case)
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
    assert merged(answer) != judged(case)
