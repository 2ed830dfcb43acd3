"""The product's own faces over the imported Los Alamos log, REST and SQL, against figures computed from its CSV alone.

We thank Los Alamos National Laboratory for providing these data (LA-UR-05-7318; fixtures/lanl/NOTICE.md).
"""

from datetime import UTC, date, datetime

import kpi
import pytest
from imported import Imported
from product import Served, served
from tally import Tally

# A year early in the log, one in its middle, the month in which the longest outage of the chosen systems began (it lasted 99 days), the end.
PERIODS = [("1997-01-01", "1998-01-01"), ("2003-01-01", "2004-01-01"), ("2004-06-01", "2004-07-01"), ("2004-11-01", "2005-09-10")]
EVERY_YEAR = [(f"{year}-01-01", f"{year + 1}-01-01") for year in range(1996, 2005)] + PERIODS[2:]
PRINTED = ["failures", "repeats", "failures_per_device_year", "failures_per_device_year_low", "failures_per_device_year_high"]
PRINTED += ["total_uptime", "total_uptime_coverage", "mean_time_off_line_seconds", "turnaround_median_seconds", "turnaround_p90_seconds"]
PRINTED += ["turnaround_mean_seconds"]
FIGURES_AT_LEAST = 500


@pytest.fixture(scope="module")
def house(imported: Imported, tmp_path_factory: pytest.TempPathFactory):
    with served(imported.data, tmp_path_factory.mktemp("faces") / "up.log") as house:
        yield house


@pytest.fixture(scope="module")
def lives(imported: Imported) -> list[kpi.Life]:
    return imported.lives()


@pytest.fixture(scope="module")
def periods(request) -> list[tuple[str, str]]:
    return EVERY_YEAR if request.config.getoption("--systems") == "all" else PERIODS


def micros(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).timestamp()) * kpi.SECOND


def period_of(since: str, until: str, now: str | datetime) -> kpi.Period:
    """Up to a cut, however it is told."""
    at = datetime.fromisoformat(now) if isinstance(now, str) else now
    return kpi.Period(micros(since), micros(until), round(at.timestamp() * kpi.SECOND))


def by_system(lives: list[kpi.Life], of: kpi.Period, repeat_within: int = kpi.REPEAT_WITHIN) -> dict[str, dict]:
    accounts = [kpi.account(life, of, repeat_within) for life in lives]
    return {site: kpi.scorecard(devices, of) for (site,), devices in kpi.grouped(accounts, ["site"]).items()}


def written(figure) -> str:
    return "-" if figure is None else f"{figure:.6g}"


def test_every_figure_of_a_system_is_that_of_the_file_by_rest(house: Served, lives, periods) -> None:
    tally = Tally()
    print("\n" + " ".join(["period system source", *PRINTED]))
    for since, until in periods:
        told = house.json("/api/v1/scorecards", group="site", **{"from": since, "until": until})
        wanted = by_system(lives, period_of(since, until, told["cut"]["made_at"]))
        cards = {row["site"]: row for row in told["rows"]}
        for system in sorted(cards):
            for source, card in (("product", cards[system]), ("file", wanted[system])):
                print(since, system, source, *(written(card[name]) for name in PRINTED))
        spoken_of = {site for site, card in wanted.items() if card["registered_devices"] or card["known_seconds"] or card["failures"]}
        assert spoken_of <= cards.keys() <= wanted.keys(), since
        tally.rows((since,), {(site,): card for site, card in cards.items()}, {(site,): wanted[site] for site in cards})
    tally.must_agree(FIGURES_AT_LEAST)


def test_every_episode_downtime_and_repair_is_that_of_the_file_in_sql(house: Served, lives, periods) -> None:
    tally = Tally()
    with house.sql("rows") as connection:
        (now,) = connection.execute("SELECT made_at FROM cut_info").fetchone()
        for since, until in periods:
            of = period_of(since, until, now)
            accounts = [kpi.account(life, of) for life in lives]
            for view, wanted in (("failures", failures_of(accounts)), ("downtimes", downtimes_of(accounts)), ("repairs", repairs_of(accounts))):
                tally.rows((view, since), in_sql(connection, view, since, until, KEYS[view]), wanted)
    tally.must_agree(FIGURES_AT_LEAST)


KEYS = {"failures": ["device", "work_order"], "downtimes": ["device", "onset_at"], "repairs": ["device", "work_order"]}


def in_sql(connection, view: str, since: str, until: str, keys: list[str]) -> dict[tuple, dict]:
    cursor = connection.execute(f"SELECT * FROM {view}('{since}', '{until}')")
    names = [column.name for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found = {tuple(row[name] for name in keys): row for row in rows}
    assert len(found) == len(rows), f"a row of {view} is there twice"
    return found


def instant(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at / kpi.SECOND, UTC)


def failures_of(accounts: list[kpi.Account]) -> dict[tuple, dict]:
    """A node's downs all come with an order, so that each episode has one."""

    def row(one: kpi.Episode) -> dict:
        told = {"class": one.kind, "onset_at": instant(one.onset), "ended_at": instant(one.ended)}
        return told | {"down_seconds": one.down / kpi.SECOND, "in_use": one.in_use}

    return {(one.life.device, episode.order): row(episode) for one in accounts for episode in one.episodes}


def downtimes_of(accounts: list[kpi.Account]) -> dict[tuple, dict]:
    def row(one: kpi.Run) -> dict:
        return {"until_at": instant(one.until), "unscheduled_seconds": one.down / kpi.SECOND, "scheduled_seconds": 0.0, "ended": one.ended}

    return {(one.life.device, instant(run.onset)): row(run) for one in accounts for run in one.off_line}


def repairs_of(accounts: list[kpi.Account]) -> dict[tuple, dict]:
    def row(one: kpi.Order) -> dict:
        turnaround = (one.finished - one.opened) / kpi.SECOND
        # The log says when a repair began and when the node was back, and nothing about who came when.
        silent = {"response_seconds": None, "responded": False}
        return silent | {"opened_at": instant(one.opened), "finished_at": instant(one.finished), "turnaround_seconds": turnaround, "finished": True}

    return {(one.life.device, order.name): row(order) for one in accounts for order in one.repairs}


def test_six_days_instead_of_seven_would_be_found(lives, periods) -> None:
    """The comparison itself can fail: were repeats those within six days, systems would have other failures, and with them another rate."""
    now = datetime.now(UTC)
    moved = []
    for since, until in periods:
        of = period_of(since, until, now)
        week, less = by_system(lives, of), by_system(lives, of, 6 * kpi.DAY)
        tally = Tally()
        tally.rows((since,), {(site,): card for site, card in less.items()}, {(site,): card for site, card in week.items()})
        moved += tally.differ
    print(f"{len(moved)} figures of {len({where[:2] for where in moved})} systems and periods would differ")
    assert {"failures", "repeats", "failures_per_device_year"} <= {where[2] for where in moved}
    assert all(isinstance(where[1], str) for where in moved)


def test_a_second_more_of_one_repair_would_be_found(house: Served, lives) -> None:
    since, until = PERIODS[-1]
    told = house.json("/api/v1/scorecards", group="site", **{"from": since, "until": until})
    of = period_of(since, until, told["cut"]["made_at"])
    life = next(life for life in lives if any(of.holds(order.opened) for order in life.orders))
    order = next(order for order in life.orders if of.holds(order.opened))
    order.returned += kpi.SECOND
    try:
        wanted = by_system(lives, of)[life.site]
    finally:
        order.returned -= kpi.SECOND
    tally = Tally()
    tally.rows((), {(life.site,): next(row for row in told["rows"] if row["site"] == life.site)}, {(life.site,): wanted})
    assert "turnaround_mean_seconds" in {where[1] for where in tally.differ}
