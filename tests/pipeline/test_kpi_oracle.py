"""Every figure of the demo fleet by REST and in SQL against one computed in Python from the archived facts alone, at one cut.

The definitions are those of docs/KPIS.md; `tests/oracle/told.py` folds the facts, `tests/oracle/kpi.py` makes the figures, and neither
reads any other table of the product.
"""

import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_demo import House
from test_kpi import query
from test_sql import connect

sys.path.append(str(Path(__file__).resolve().parents[1] / "oracle"))

import kpi  # noqa: E402
import told  # noqa: E402
from tally import Tally  # noqa: E402

WEEKS, NEWEST_DAYS = 4, 7
GROUPS = {"site_kind": ("site", "kind"), "site": ("site",), "kind": ("kind",), "fleet": ()}
ADJUSTMENTS = ("nothing", "kind", "kind_model", "kind_model_age")
FIGURES_AT_LEAST = 5_000
ROWS_FIGURES_AT_LEAST = 3_000


@dataclass
class Fleet:
    """One cut: what SQL said of it, whom to ask by REST, and what the archive below it says."""

    house: House
    cut: int
    in_sql: dict[tuple[str, kpi.Period], list[dict]]
    lives: list[kpi.Life]

    def json(self, path: str, of: kpi.Period, **more) -> list[dict]:
        bounds = {"from": written(of.since), "until": written(of.until)}
        answer = self.house.json(f"{path}?{query(cut=self.cut, **bounds, **more)}")
        assert answer["period"] == bounds, "the period that was asked for"
        return answer["rows"]

    def accounts(self, of: kpi.Period, repeat_within: int = kpi.REPEAT_WITHIN) -> list[kpi.Account]:
        return [kpi.account(life, of, repeat_within) for life in self.lives]


def instant(at: int | None) -> datetime | None:
    return None if at is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def written(at: int) -> str:
    return instant(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def periods(now: int) -> list[kpi.Period]:
    """Whole weeks that are over, and the newest days up to the cut, in which orders are still open."""
    yesterday = now // kpi.DAY * kpi.DAY - kpi.DAY
    newest = now // kpi.QUARTER * kpi.QUARTER
    return [kpi.Period(yesterday - WEEKS * 7 * kpi.DAY, yesterday, now), kpi.Period(newest - NEWEST_DAYS * kpi.DAY, newest, now)]


@pytest.fixture(scope="module")
def fleet(month: House) -> Fleet:
    """A transaction keeps its cut, and must not be idle for long: all views are asked first, then the archive is read."""
    with connect(month, "oracle", "--all") as connection:
        cut, made_at = connection.execute("SELECT cut, made_at FROM cut_info").fetchone()
        asked = periods((made_at - instant(0)) // timedelta(microseconds=1))
        in_sql = {(view, of): rows_of(connection, view, of) for of in asked for view in VIEWS}
    lives, now = told.lives(month.data / "lake", cut)
    assert now == asked[0].now
    return Fleet(month, cut, in_sql, lives)


def rows_of(connection, view: str, of: kpi.Period) -> list[dict]:
    cursor = connection.execute(f"SELECT * FROM {view}(%s, %s)", (instant(of.since), instant(of.until)))
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def whole_weeks(fleet: Fleet) -> kpi.Period:
    return next(of for _, of in fleet.in_sql)


def cards(accounts: list[kpi.Account], of: kpi.Period, by: tuple[str, ...]) -> dict[tuple, dict]:
    found = {}
    for key, devices in kpi.grouped(accounts, by).items():
        found[key] = kpi.scorecard(devices, of)
        # Only of one kind at one site can it be said how many are in use at once.
        if by == GROUPS["site_kind"]:
            found[key] |= kpi.in_use_at_once([one.life for one in devices], of)
    return found


def keyed(rows: list[dict], by: tuple[str, ...]) -> dict[tuple, dict]:
    found = {tuple(row[name] for name in by): row for row in rows}
    assert len(found) == len(rows), f"a row is there twice by {by}"
    return found


def test_every_figure_by_site_and_kind_is_that_of_the_facts_by_rest(fleet: Fleet) -> None:
    tally = Tally()
    for of in dict.fromkeys(of for _, of in fleet.in_sql):
        accounts = fleet.accounts(of)
        for group, by in GROUPS.items():
            wanted = cards(accounts, of, by)
            tally.rows((written(of.since), group), keyed(fleet.json("/api/v1/scorecards", of, group=group), by), wanted)
        whole = wanted[()]
        print(f"\n{written(of.since)} to {written(of.until)}:", ", ".join(f"{name} {whole[name]}" for name in sorted(whole) if not isinstance(whole[name], float)))
    tally.must_agree(FIGURES_AT_LEAST)


def test_observed_and_expected_of_a_site_are_those_of_the_facts(fleet: Fleet, whole_weeks: kpi.Period) -> None:
    """Unadjusted, adjusted for kind, for make and model too, and for age beside them."""
    tally, of = Tally(), whole_weeks
    accounts = fleet.accounts(of)
    for by in ("failures", "downtime"):
        rows = fleet.json("/api/v1/comparison", of, by=by)
        for adjustment in ADJUSTMENTS:
            wanted = kpi.compared(accounts, of, adjustment, by)
            tally.rows((by, adjustment), keyed([row for row in rows if row["adjustment"] == adjustment], ("site",)), {(site,): one for site, one in wanted.items()})
    tally.must_agree(150)


def test_every_row_of_a_view_is_that_of_the_facts_in_sql(fleet: Fleet) -> None:
    """Row by row: episodes, repairs, times off line, maintenance, exposures of devices; and uptime by site and kind."""
    tally = Tally()
    for (view, of), found in fleet.in_sql.items():
        by, rows = VIEWS[view]
        tally.rows((view, written(of.since)), keyed(found, by), keyed(rows(fleet.accounts(of), of), by))
    tally.must_agree(ROWS_FIGURES_AT_LEAST)


def test_cycles_between_failures_of_each_kind_are_those_of_the_facts(fleet: Fleet, whole_weeks: kpi.Period) -> None:
    """Gains and failures of all devices of a kind are added up before they are divided."""
    by = ("kind", "counter", "component", "source", "unit")
    sums: dict[tuple, list[float]] = {}
    for row in fleet.in_sql["cycles_between_failures", whole_weeks]:
        of_kind = sums.setdefault(tuple(row[name] or "" for name in by), [0.0, 0])
        of_kind[0], of_kind[1] = of_kind[0] + row["gained"], of_kind[1] + row["failures"]
    found = {key: {"cycles_between_failures": gained / failed if failed else None} for key, (gained, failed) in sums.items()}
    wanted = kpi.between_failures(fleet.accounts(whole_weeks), whole_weeks, ("kind",))
    assert any(wanted.values()), "something that counts failed"
    tally = Tally()
    tally.rows((), found, {key: {"cycles_between_failures": cycles} for key, cycles in wanted.items()})
    tally.must_agree(15)


def failures(accounts: list[kpi.Account], _of: kpi.Period) -> list[dict]:
    return [
        named(one) | {"onset_at": instant(each.onset), "work_order": each.order, "class": each.kind, "ended_at": instant(each.ended), "down_seconds": each.down / kpi.SECOND, "in_use": each.in_use}
        for one in accounts
        for each in one.episodes
    ]


def downtimes(accounts: list[kpi.Account], _of: kpi.Period) -> list[dict]:
    return [named(one) | {"onset_at": instant(each.onset), "until_at": instant(each.until), "ended": each.ended} for one in accounts for each in one.off_line]


def repairs(accounts: list[kpi.Account], of: kpi.Period) -> list[dict]:
    def row(order: kpi.Order) -> dict:
        ends = of.now if order.finished is None else order.finished
        waited = kpi.repair_clocks([order], of.now)
        return {
            "work_order": order.name,
            "opened_at": instant(order.opened),
            "finished_at": instant(order.finished),
            "turnaround_seconds": (ends - order.opened) / kpi.SECOND,
            "finished": order.finished is not None,
            "repair_seconds": waited["repair_mean_seconds"],
            **{f"{name}_seconds": waited[f"waited_{name}_seconds"] for name in kpi.WAITS},
        }

    return [named(one) | row(order) for one in accounts for order in one.repairs]


def maintenance(accounts: list[kpi.Account], of: kpi.Period) -> list[dict]:
    return [
        named(one) | {"work_order": work.order, "due_at": instant(work.due), "done_at": instant(work.done), "state": work.state(of.now), "carried": work.due < of.since}
        for one in accounts
        for work in one.life.planned
        if work.concerns(of.since, of.until)
    ]


def exposures(accounts: list[kpi.Account], _of: kpi.Period) -> list[dict]:
    def row(one: kpi.Account) -> dict:
        counts = Counter(each.kind for each in one.episodes)
        seconds = {"in_service": one.sums["service"], "up": sum(one.sums[name] for name in kpi.UP), "productive": one.sums["productive"]}
        seconds |= {"down": sum(one.sums[name] for name in kpi.DOWN), "unscheduled_down": one.sums["unscheduled_down"]}
        in_use = sum(each.kind == "failure" and each.in_use for each in one.episodes)
        counted = {"failures": counts["failure"], "repeats": counts["repeat"], "interrupts": counts["interrupt"], "failures_in_use": in_use}
        return counted | {f"{name}_seconds": micros / kpi.SECOND for name, micros in seconds.items()}

    return [named(one) | row(one) for one in accounts]


def counted(accounts: list[kpi.Account], of: kpi.Period) -> list[dict]:
    def row(one: kpi.Account, series: tuple[str, str, str, str], sums: dict) -> dict:
        counter, component, source, unit = series
        gained = {"gained": sums["gained"] / 1_000, "samples": sums["samples"], "resets": sums["resets"]}
        newest = {"last_at": instant(sums["last"]), "reading": sums["reading"] / 1_000}
        return named(one) | {"counter": counter, "component": component or None, "source": source, "unit": unit} | gained | newest

    return [row(one, series, sums) for one in accounts for series, sums in kpi.counters(one.life, of).items()]


def beside_failures(accounts: list[kpi.Account], of: kpi.Period) -> list[dict]:
    failures = {one.life.device: sum(each.kind == "failure" for each in one.episodes) for one in accounts}
    left = ("samples", "last_at", "reading")
    return [{name: value for name, value in row.items() if name not in left} | {"failures": failures[row["device"]]} for row in counted(accounts, of)]


def uptimes(accounts: list[kpi.Account], of: kpi.Period) -> list[dict]:
    """The names that SQL has for the figures of a scorecard; where nothing is known it has no ratio."""
    ratios = {"uptime": "total_uptime", "coverage": "total_uptime_coverage", "worst": "total_uptime_worst", "best": "total_uptime_best"}
    ratios |= {"utilization": "total_utilization", "base_uptime": "operational_uptime", "base_utilization": "base_utilization"}
    ratios |= {name: name for name in ("equipment_dependent_uptime", "supplier_dependent_uptime", "known_seconds", "unscheduled_down_seconds")}
    found = []
    for (site, kind), card in cards(accounts, of, GROUPS["site_kind"]).items():
        found.append({"site": site, "kind": kind} | {name: card[of_card] for name, of_card in ratios.items() if card["known_seconds"]})
    return found


def named(one: kpi.Account) -> dict:
    return {"device": one.life.device, "site": one.life.site, "kind": one.life.kind}


COUNTER = ("device", "counter", "component", "unit", "source")
VIEWS = {
    "failures": (("device", "onset_at", "work_order"), failures),
    "downtimes": (("device", "onset_at"), downtimes),
    "repairs": (("device", "work_order"), repairs),
    "pm": (("device", "work_order", "due_at"), maintenance),
    "reliability": (("device",), exposures),
    "cycles": (COUNTER, counted),
    "cycles_between_failures": (COUNTER, beside_failures),
    "uptime": (("site", "kind"), uptimes),
}


def test_a_wrong_rule_or_a_lost_fact_would_be_found(fleet: Fleet, whole_weeks: kpi.Period) -> None:
    """The comparison itself can fail: figures move where a rule is another or one fact is not there."""
    of = whole_weeks
    right = fleet.accounts(of)

    def moved(accounts: list[kpi.Account]) -> set[str]:
        tally = Tally()
        tally.rows((), cards(accounts, of, GROUPS["kind"]), cards(right, of, GROUPS["kind"]))
        return {where[-3] for where in tally.differ}

    # Only episodes that began between six and seven days after the one before tell the two apart.
    within = [each for one in right for each in one.episodes if each.kind == "repeat"]
    assert {"failures", "repeats", "mtbf_calendar_seconds"} <= moved(fleet.accounts(of, 1)) and within
    busy = next(at for at, one in enumerate(right) if one.repairs and one.off_line)
    life = right[busy].life
    without_order = replace(life, orders=[one for one in life.orders if one is not right[busy].repairs[0]])
    assert "turnaround_count" in moved([*right[:busy], kpi.account(without_order, of), *right[busy + 1 :]])
    down = next(piece for piece in life.pieces if piece.condition in kpi.DOWN and of.holds(piece.begins))
    without_down = replace(life, pieces=[one for one in life.pieces if one is not down])
    assert {"total_uptime", "mean_time_off_line_seconds"} & moved([*right[:busy], kpi.account(without_down, of), *right[busy + 1 :]])
