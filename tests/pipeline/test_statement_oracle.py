"""Contract statements of the demo fleet by REST against the same judged in Python from the archived facts alone, at one cut: `tests/oracle/told.py`
folds the facts, `tests/oracle/judge.py` judges them instant by instant, and neither reads any other table of the product."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from faults.process import await_true
from test_demo import House
from test_kpi import month_before, query, say, statement
from test_sql import connect

sys.path.append(str(Path(__file__).resolve().parents[1] / "oracle"))

import kpi  # noqa: E402
import told  # noqa: E402
from judge import BOTH, COUNTS, ONLY, Judge, day_number, merged  # noqa: E402

WEIGHTS = {"minor": 1_000, "partial": 5_000, "severe": 7_500}
# As REST takes them.
TERMS = {
    "JUDGED-1": {"hours": "around_the_clock"},
    "JUDGED-2": {"hours": "of_site", "exclusions": ["facility", "user"], "clock_starts": "reported", "clock_stops": "repaired"},
    "JUDGED-3": {"hours": "of_site", "exclusions": ["maintenance_from_both", "upgrade"], "clock_starts": "vendor_called", "clock_stops": "arrived"},
    "JUDGED-4": {"hours": "around_the_clock", "exclusions": ["maintenance_from_downtime"], "clock_starts": "onset", "clock_stops": "remote_connected"},
}
DEVICES, TROUBLED_AT_LEAST = 60, 30
CONDITIONS = {"standby": "Standby", "engineering": "Engineering", "productive": "Productive", "scheduled_down": "ScheduledDown", "unscheduled_down": "UnscheduledDown", "unknown": "Unknown"}
DEGRADATIONS = ("None", "Minor", "Partial", "Severe")
CLASSES = {1: "Corrective", 2: "Preventive", 3: "Upgrade", 4: "Inspection"}
PHASES = ("Opened", "Assigned", "Arrived", "RepairStarted", "WaitingStarted", "WaitingEnded", "Repaired", "ReturnedToService", "Closed", "Cancelled", "VendorCalled", "RemoteConnected")
PARTIES = (None, "InHouse", "Vendor", "Parts", "Facility", "User")


def words(code: str) -> str:
    return "".join(part.capitalize() for part in code.split("_"))


def case(life: kpi.Life, of: told.Told, hours: told.Hours, days: tuple[date, date], terms: dict) -> dict:
    """What the facts say, as the judge takes it."""
    contract = WEIGHTS | {
        "hours": words(terms["hours"]),
        "exclusions": [words(one) for one in terms.get("exclusions", ())],
        "starts": words(terms.get("clock_starts", "onset")),
        "stops": words(terms.get("clock_stops", "returned_to_use")),
    }
    orders = [
        [name, CLASSES[body[2]], PHASES[body[3] - 1], PARTIES[body.get(4, 0)], body.get(7, b"").decode(), at]
        for name, phases in of.phases.items()
        for at, body in phases
    ]
    pieces = [[one.begins, one.ends, CONDITIONS[one.condition], DEGRADATIONS[one.degradation], one.overrun, one.conflict] for one in life.pieces]
    return {
        "zone": str(hours.zone),
        "days": [day_number(day) for day in days],
        "contract": contract,
        "base": life.base,
        "in_service": life.service,
        "pieces": pieces,
        "orders": orders,
    }


def in_micros(answer: dict) -> dict:
    """A statement of REST in the shape of the judge's."""
    def parts(of: dict) -> list[int]:
        return [round(of[f"{name}_seconds"] * kpi.SECOND) for name in ("base", "weighted_down", "unknown", "conflict")]

    figures = {one["treatment"]: parts(one["figure"]) for one in answer["treatments"]}
    return {"figures": figures, "classes": {name: round(seconds * kpi.SECOND) for name, seconds in answer["seconds_by_class"].items()}}


def weighed(verdict: dict) -> dict:
    """Weights are hundredths of a percent; what they leave is rounded as REST rounds it."""
    def parts(base: int, down: int, unknown: int, conflict: int) -> list[int]:
        return [base, round(down / 10_000), unknown, round(conflict / 10_000)]

    return {"figures": {name: parts(*of) for name, of in verdict["figures"].items()}, "classes": verdict["classes"]}


@pytest.fixture(scope="module")
def stated(month: House):
    """Every site under each contract for the month before this one, and what the archive says at the cut that all are asked at."""
    first, this = month_before(datetime.now(UTC).date())
    weights = {f"weight_{name}": basis_points / 10_000 for name, basis_points in WEIGHTS.items()}
    for site in (one["site"] for one in month.json("/api/v1/sites")["sites"]):
        for number, terms in TERMS.items():
            said = {"contract": number, "valid_from": first.isoformat(), "guarantee": 0.97, "period": "month", **weights, **terms}
            status, answer = say(month, f"/api/v1/sites/{site}/contracts", f"{number}-{site}", said)
            assert status == 202, answer
    with connect(month, "judge", "--all", autocommit=True) as connection:
        stand = "SELECT count(*) FROM contract_versions() WHERE contract LIKE 'JUDGED-%'"
        wanted = len(TERMS) * len(month.json("/api/v1/sites")["sites"])
        await_true("the contracts are in the tables", lambda: connection.execute(stand).fetchone()[0] == wanted)
        cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    await_true("pages have come to that cut", lambda: month.json("/api/v1/sites")["cut"]["number"] >= cut)
    found, _ = told.whole(month.data / "lake", cut)
    return month, cut, (first, this), found


def troubled(of: tuple, days: tuple[date, date]) -> int:
    """How much of it is to be judged at all, for those of whom most is come first."""
    begins, ends = (day_number(day) * kpi.DAY for day in days)
    return sum(one.ends - one.begins for one in of[0].pieces if begins <= one.begins < ends and (one.condition in kpi.DOWN or one.degradation))


def test_every_statement_is_that_of_the_facts(stated) -> None:
    house, cut, days, found = stated
    devices = sorted(found, key=lambda of: -troubled(of, days))[:DEVICES]
    assert sum(troubled(of, days) > 0 for of in devices) >= TROUBLED_AT_LEAST
    seen: dict[str, int] = {}
    for life, of, hours in devices:
        for number, terms in TERMS.items():
            judge = Judge(case(life, of, hours, days, terms))
            wanted = merged(weighed(judge.statement(judge.edges())))
            asked = query(contract=number, day=days[1] - timedelta(days=1), cut=cut)
            told_by_rest = statement(house, f"/api/v1/devices/{life.device}/statement?{asked}")
            assert told_by_rest is not None, (life.device, life.site, life.service, number)
            answer = merged(in_micros(told_by_rest))
            for name in answer["figures"]:
                assert answer["figures"][name] == pytest.approx(wanted["figures"][name], abs=1), (life.device, number, name)
            assert answer["classes"] == pytest.approx(wanted["classes"], abs=1), (life.device, number)
            for name in wanted["classes"]:
                seen[name] = seen.get(name, 0) + 1
    wanted = {"counted", "uncovered", "before_clock", "after_clock", "unknown", "maintenance_from_both", "maintenance_from_downtime"}
    assert wanted <= {name for name, count in seen.items() if count >= 3}, f"the demo is too tame: {seen}"
    assert set(answer["figures"]) == {COUNTS, ONLY, BOTH}


def test_a_lost_fact_would_be_found(stated) -> None:
    """The comparison itself can fail: a figure moves where one piece of the archive is not there."""
    _, _, days, found = stated
    life, of, hours = max(found, key=lambda of: troubled(of, days))
    begins = day_number(days[0]) * kpi.DAY

    def judged(pieces: list[kpi.Piece]) -> dict:
        judge = Judge(case(kpi.Life(life.device, life.site, life.kind, life.service, pieces, base=life.base), of, hours, days, TERMS["JUDGED-1"]))
        return judge.statement(judge.edges())

    down = next(piece for piece in life.pieces if piece.condition == "unscheduled_down" and piece.begins >= begins)
    assert judged(life.pieces) != judged([piece for piece in life.pieces if piece is not down])
