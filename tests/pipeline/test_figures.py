"""One cut, five faces: the same figures on a page, in its file, in the api, in SQL and in Grafana's queries; and a timeline that paints the ledger."""

import csv
import html
import io
import math
import re
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pytest
from faults.judge import Tables
from grafana import Range, Sql, boards, panels
from test_demo import CONDITIONS, House
from test_kpi import query
from test_sql import connect

DAYS, MONTH_DAYS = 14, 36
FIGURES_AT_LEAST = 200
DEVICES_PAINTED = 24
# Each figure as REST and files name it, as SQL does, and as Grafana's panel does where it shows it. The matrix of the fleet shows the first four.
RATIOS = (
    ("uptime", "uptime", "uptime"), ("uptime_worst", "worst", "worst"), ("uptime_best", "best", "best"), ("coverage", "coverage", "coverage"),
    ("utilization", "utilization", None), ("utilization_worst", "utilization_worst", None), ("utilization_best", "utilization_best", None),
    ("base_hours_uptime", "base_uptime", "base hours uptime"), ("base_hours_uptime_worst", "base_worst", "base hours worst"), ("base_hours_uptime_best", "base_best", "base hours best"),
    ("base_hours_coverage", "base_coverage", None), ("base_hours_utilization", "base_utilization", "base hours utilization"),
    ("base_hours_utilization_worst", "base_utilization_worst", None), ("base_hours_utilization_best", "base_utilization_best", None),
)
ON_PAGE = 4
NAMES = [names[0] for names in RATIOS]
IN_GRAFANA = [at for at, names in enumerate(RATIOS) if names[2]]
# One cell of the page's table: where it leads, then uptime, coverage and bounds as they are written.
CELL = re.compile(r'<td class="cell [^"]*"><a href="(?P<href>[^"]+)">(?P<uptime>.*?)<svg[^>]*aria-label="coverage (?P<coverage>[^"]*)".*?<small>(?P<bounds>[^<]*)</small>', re.S)


@pytest.fixture(scope="module")
def asked() -> tuple[date, date]:
    """Two whole weeks that are over."""
    until = datetime.now(UTC).date() - timedelta(days=1)
    return until - timedelta(days=DAYS), until


@pytest.fixture
def connection(month: House):
    """One transaction, so one cut."""
    with connect(month, "faces", "--all") as connection:
        yield connection


def over(asked: tuple[date, date]) -> Range:
    return Range(*(datetime.combine(day, time(), UTC).timestamp() for day in asked))


def panel_query(board: str, title: str) -> str:
    found = [panel for panel in panels(boards()[board]) if panel["title"] == title]
    assert len(found) == 1 and len(found[0]["targets"]) == 1, (board, title)
    return found[0]["targets"][0]["rawSql"]


def in_grafana(connection: psycopg.Connection, asked: tuple[date, date], sites: list[str]) -> dict:
    """Of the panel Kinds of the dashboard of each site."""
    told = {}
    for site in sites:
        names, rows = Sql(connection).ask(panel_query("medfleet-site", "Kinds"), over(asked), {"site": [site]})
        for row in rows:
            line = dict(zip(names, row, strict=True))
            told[site, line["kind"]] = tuple(line[RATIOS[at][2]] for at in IN_GRAFANA)
    return told


def in_sql(connection: psycopg.Connection, asked: tuple[date, date]) -> dict:
    rows = connection.execute(f"SELECT site, kind, {', '.join(names[1] for names in RATIOS)} FROM uptime(%s, %s)", asked).fetchall()
    return {(site, kind): tuple(figures) for site, kind, *figures in rows}


def in_api(house: House, what: str) -> dict:
    rows = house.json(f"/api/v1/uptime?group=site_kind&{what}")["rows"]
    return {(row["site"], row["kind"]): tuple(row[name] for name in NAMES) for row in rows}


def in_file(house: House, what: str) -> dict:
    rows = csv.DictReader(io.StringIO(house.get(f"/?{what}&format=csv")))
    return {(row["site"], row["kind"]): tuple(float(row[name]) if row[name] else None for name in NAMES) for row in rows}


def on_page(house: House, what: str) -> dict:
    """Uptime, bounds and coverage of each site and kind, as they are written."""
    told = {}
    for cell in CELL.finditer(house.get(f"/?{what}", "text/html")):
        at = re.search(r"^/sites/([^?]+)\?.*&kind=(\w+)", html.unescape(cell["href"]))
        if at:
            told[at[1], at[2]] = (re.sub("<[^>]+>", "", cell["uptime"]), cell["bounds"], cell["coverage"])
    return told


# A figure of a site's table above its bounds.
RANGED = re.compile(r"<td>([^<]*)(?:<small>([^<]*)</small>)?</td>")


def on_page_of(house: House, site: str, what: str) -> dict:
    """Uptime and use within base hours, and use around the clock, of each kind on the page of a site: each with its bounds, as they are written."""
    page = html.unescape(house.get(f"/sites/{site}?{what}", "text/html"))
    lines = page.split('<table class="figures">')[1].split("</table>")[0].split("<tr>")[2:]
    return {(site, re.search(r"&kind=(\w+)", line)[1]): tuple(RANGED.findall(line)[-3:]) for line in lines}


def percent_between(of: tuple, name: str) -> tuple[str, str]:
    value, worst, best = (of[NAMES.index(one)] for one in (name, f"{name}_worst", f"{name}_best"))
    bounds = [percent(bound).rstrip("%") for bound in (worst, best)] if worst is not None else ["", ""]
    return "–" if value is None else percent(value), bounds[0] if bounds[0] == bounds[1] else "–".join(bounds)


def percent(ratio: float | None) -> str:
    """Cut to a tenth, not rounded: only what is whole reads 100%."""
    if ratio is None:
        return "No data"
    tenths = min(max(math.floor(ratio * 1_000 + 1e-9), 0), 1_000)
    return "100%" if tenths == 1_000 else f"{tenths / 10:.1f}%"


def written(figures: tuple) -> tuple[str, str, str]:
    uptime, worst, best, coverage = figures
    bounds = [percent(bound).rstrip("%") for bound in (worst, best)]
    return percent(uptime), bounds[0] if bounds[0] == bounds[1] else "–".join(bounds), percent(coverage)


def test_two_hundred_figures_are_the_same_on_every_face(month: House, connection: psycopg.Connection, asked: tuple[date, date]) -> None:
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    what = query(**{"from": asked[0], "until": asked[1], "cut": cut})
    api = in_api(month, what)
    figures = sum(figure is not None for of in api.values() for figure in of[:ON_PAGE])
    assert figures >= FIGURES_AT_LEAST
    sites = sorted({site for site, _ in api})
    assert in_sql(connection, asked) == api
    assert in_grafana(connection, asked, sites) == {at: tuple(of[place] for place in IN_GRAFANA) for at, of in api.items()}
    assert in_file(month, what) == api
    assert on_page(month, what) == {at: written(of[:ON_PAGE]) for at, of in api.items()}
    at = [NAMES.index(name) for name in ("base_hours_uptime", "base_hours_utilization", "utilization")]
    between = {place: tuple(percent_between(of, NAMES[one]) for one in at) for place, of in api.items()}
    assert {place: of for site in sites for place, of in on_page_of(month, site, what).items()} == between
    print(f"{figures} figures of {len(api)} sites and kinds at cut {cut}")


def test_what_grafana_adds_up_is_what_the_api_adds_up(month: House, connection: psycopg.Connection, asked: tuple[date, date]) -> None:
    """Panels divide sums: the fleet, every site and every kind."""
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    everything = {"site": [row[0] for row in connection.execute("SELECT site FROM sites")], "kind": [row[0] for row in connection.execute("SELECT DISTINCT kind FROM devices")]}
    columns = {
        "uptime": "uptime", "worst": "uptime_worst", "best": "uptime_best", "coverage": "coverage", "devices": "registered_devices", "monitored": "monitored_devices",
        "base hours uptime": "base_hours_uptime", "base hours worst": "base_hours_uptime_worst", "base hours best": "base_hours_uptime_best", "base hours coverage": "base_hours_coverage",
    }
    used = {
        "base hours utilization": "base_hours_utilization", "base hours at least": "base_hours_utilization_worst", "base hours at most": "base_hours_utilization_best",
        "base hours coverage": "base_hours_coverage", "24 × 7 utilization": "utilization", "24 × 7 at least": "utilization_worst", "24 × 7 at most": "utilization_best", "coverage": "coverage",
    }
    for title, group, columns in (("Sites", "site", columns), ("Kinds", "kind", columns), ("Use by site", "site", used), ("Use by kind", "kind", used)):
        names, rows = Sql(connection).ask(panel_query("medfleet-fleet", title), over(asked), everything)
        told = {line[group]: line for line in (dict(zip(names, row, strict=True)) for row in rows)}
        wanted = {row[group]: row for row in month.json(f"/api/v1/uptime?group={group}&{query(**{'from': asked[0], 'until': asked[1], 'cut': cut})}")["rows"]}
        assert set(told) == set(wanted)
        for name, line in told.items():
            for column, of in columns.items():
                assert line[column] == pytest.approx(wanted[name][of], abs=1e-12), (name, column)
            assert "base hours" not in line or line["base hours"] * 3_600 == pytest.approx(wanted[name]["seconds"]["base_hours_registered"], abs=1e-3), name


def kpis_on_page(house: House, what: str) -> dict:
    """What the page of KPIs writes of each site: figures by table, each with what stands beside it."""
    page = html.unescape(house.get(f"/scorecard?group=site&{what}", "text/html"))
    told = defaultdict(dict)
    for table in ("uptime", "use", "failures", "repairs", "care"):
        for line in page.split(f'<section id="{table}"')[1].split("</section>")[0].split("<tr>")[2:]:
            site = re.search(r"&site=([\w-]+)", line)[1]
            told[site][table] = re.findall(r"<td><b>(.*?)</b>(?:<small>(.*?)</small>)?</td>", line)
    return told


def test_the_page_of_kpis_writes_what_scorecards_say(month: House, connection: psycopg.Connection, asked: tuple[date, date]) -> None:
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    what = query(**{"from": asked[0], "until": asked[1], "cut": cut})
    cards = {row["site"]: row for row in month.json(f"/api/v1/scorecards?group=site&{what}")["rows"]}
    told = kpis_on_page(month, what)
    assert set(told) == set(cards)
    compared = 0
    for site, card in cards.items():
        for table, ratios in (("uptime", ("total_uptime", "operational_uptime", "equipment_dependent_uptime", "supplier_dependent_uptime")), ("use", ("base_utilization", "total_utilization"))):
            for name, shown in zip(ratios, told[site][table], strict=False):
                value, bounds, _ = written((card[name], card[f"{name}_worst"], card[f"{name}_best"], None))
                assert shown == (value, bounds), (site, name)
                compared += 3
        assert told[site]["uptime"][4][0] == percent(card["total_uptime_coverage"])
        assert told[site]["uptime"][5][0] == f"{card['monitored_devices']}/{card['registered_devices']}"
        failures, rate, calendar, *_ = told[site]["failures"]
        assert failures[0].replace(",", "") == str(card["failures"])
        assert rate[0] == (f"{card['failures_per_device_year']:.2f}" if card["failure_rate_is_enough"] else "too few"), site
        assert (calendar[0] == "too few") == (not card["failure_rate_is_enough"] and card["failures"] > 0), site
        orders = re.search(r"· ([\d,]+) order", told[site]["repairs"][2][1])
        assert (int(orders[1].replace(",", "")) if orders else 0) == card["turnaround_count"], site
        off_line, _, maintenance = told[site]["care"]
        assert int(off_line[0].replace(",", "")) == card["times_off_line"], site
        assert maintenance[0] == ("–" if card["pm_on_time"] is None else percent(card["pm_on_time"])), site
        compared += 7
    print(f"{compared} figures of {len(cards)} sites at cut {cut}")


WORK = ("pm_due_count", "pm_on_time_count", "pm_carried_count", "pm_on_time", "turnaround_median_seconds", "failures", "failures_per_device_year")


def numbers(row: dict, names: tuple[str, ...]) -> tuple:
    return tuple(float(row[name]) if row[name] not in (None, "") else None for name in names)


def two_weeks_with_maintenance_carried_over(month: House) -> tuple[date, date]:
    """The newest two weeks in which some was due and into which some was carried: not every time has both."""
    today = datetime.now(UTC).date()
    for back in range(1, MONTH_DAYS - DAYS):
        weeks = today - timedelta(days=back + DAYS), today - timedelta(days=back)
        work = month.json(f"/api/v1/kpi/pm?{query(**{'from': weeks[0], 'until': weeks[1]})}")["rows"]
        if any(row["carried"] for row in work) and any(not row["carried"] and row["state"] != "not_due" for row in work):
            return weeks
    pytest.fail("no two weeks of the demo have maintenance that was due and some that was carried over")


def test_maintenance_on_time_the_median_of_repairs_and_failure_rates_are_the_same_on_every_face(month: House, connection: psycopg.Connection) -> None:
    """In scorecards by REST, as a file and in SQL; on the page of maintenance and in its file; in Grafana's panels."""
    asked = two_weeks_with_maintenance_carried_over(month)
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    what = query(**{"from": asked[0], "until": asked[1], "cut": cut})
    cards = {(row["site"], row["kind"]): numbers(row, WORK) for row in month.json(f"/api/v1/scorecards?group=site_kind&{what}")["rows"]}
    assert sum(of[0] or 0 for of in cards.values()) > 0 and sum(of[2] or 0 for of in cards.values()) > 0, "maintenance is due and carried over"
    file = csv.DictReader(io.StringIO(month.get(f"/api/v1/scorecards?group=site_kind&{what}&format=csv")))
    assert {(row["site"], row["kind"]): numbers(row, WORK) for row in file} == cards
    rows = connection.execute(f"SELECT site, kind, {', '.join(WORK)} FROM scorecards(%s, %s, by => 'site_kind')", asked).fetchall()
    assert {(site, kind): numbers(dict(zip(WORK, of, strict=True)), WORK) for site, kind, *of in rows} == cards
    sites = sorted({site for site, _ in cards})
    of_site = {row["site"]: row for row in month.json(f"/api/v1/scorecards?group=site&{what}")["rows"]}
    classes = defaultdict(lambda: [0, 0, 0])
    for row in csv.DictReader(io.StringIO(month.get(f"/maintenance?{what}&format=csv&table=classes"))):
        for place, name in enumerate(("due", "on_time", "carried")):
            classes[row["site"]][place] += int(row[name])
    for site in sites:
        assert tuple(classes[site]) == tuple(of_site[site][name] for name in WORK[:3]), site
    for site in sites:
        own = {kind: dict(zip(WORK, of, strict=True)) for (at, kind), of in cards.items() if at == site}
        told = {title: board(connection, asked, title, site) for title in ("Planned maintenance by kind", "Clocks of repairs", "Failure rate")}
        for kind, line in told["Planned maintenance by kind"].items():
            got = (line["due"], line["on time"], line["carried from before"], line["on time ÷ due"])
            assert got == pytest.approx(tuple(own[kind][name] for name in WORK[:4])), (site, kind)
        for kind, of in own.items():
            assert kind in told["Planned maintenance by kind"] or not of["pm_due_count"] and not of["pm_carried_count"], (site, kind)
            median = told["Clocks of repairs"].get(kind, {}).get("turnaround, median")
            assert median == (None if of["turnaround_median_seconds"] is None else pytest.approx(of["turnaround_median_seconds"] / 3_600)), (site, kind)
            assert told["Failure rate"][kind]["failures"] == of["failures"], (site, kind)


def board(connection: psycopg.Connection, asked: tuple[date, date], title: str, site: str) -> dict:
    """The lines of a panel of the dashboard of a site, by kind."""
    return lines(connection, asked, "medfleet-site", title, "kind", site=[site])


def lines(connection: psycopg.Connection, asked: tuple[date, date], of: str, title: str, by: str, **chosen: list[str]) -> dict:
    names, rows = Sql(connection).ask(panel_query(of, title), over(asked), chosen)
    return {line[by]: line for line in (dict(zip(names, row, strict=True)) for row in rows)}


# Each figure of a rate as REST names it and as Grafana's panel does.
RATE = {"failures_per_device_year": "failures per device-year", "failures_per_device_year_low": "at least", "failures_per_device_year_high": "at most", "mtbf_calendar_seconds": "MTBF"}


def test_grafana_shows_a_failure_rate_where_the_api_says_that_there_is_enough_and_nowhere_else(month: House, connection: psycopg.Connection) -> None:
    """Its limits and MTBF too; five failures alone are not enough. Cycles between failures rest on the same failures."""
    until = datetime.now(UTC).date() - timedelta(days=1)
    asked = until - timedelta(days=MONTH_DAYS), until
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    what = query(**{"from": asked[0], "until": asked[1], "cut": cut})
    sites, kinds = ([row[0] for row in connection.execute(f"SELECT DISTINCT {by} FROM devices ORDER BY {by}")] for by in ("site", "kind"))
    told = {("", kind): line for kind, line in lines(connection, asked, "medfleet-fleet", "Failure rate", "kind", site=sites, kind=kinds).items()}
    told |= {(site, kind): line for site in sites for kind, line in board(connection, asked, "Failure rate", site).items()}
    cards = {("", card["kind"]): card for card in month.json(f"/api/v1/scorecards?group=kind&{what}")["rows"]}
    cards |= {(card["site"], card["kind"]): card for card in month.json(f"/api/v1/scorecards?group=site_kind&{what}")["rows"]}
    assert set(told) == set(cards)
    for place, line in told.items():
        card = cards[place]
        for name, shown in RATE.items():
            wanted = pytest.approx(card[name] / (86_400 if shown == "MTBF" else 1), rel=1e-9) if card["failure_rate_is_enough"] else None
            assert line[shown] == wanted, (place, line["failures"], shown)
        assert line["failures"] == card["failures"]
    enough = [card["failure_rate_is_enough"] for card in cards.values()]
    few = [place for place, card in cards.items() if card["failures"] >= 5 and not card["failure_rate_is_enough"]]
    assert any(enough) and few, "some are shown, and some are withheld though five failures were counted"
    print(f"{sum(enough)} rates shown, {len(enough) - sum(enough)} withheld, of them {len(few)} of five failures or more")
    shown = 0
    for kind in kinds:
        for line in lines(connection, asked, "medfleet-kind", "Cycles between failures", "counter", kind=[kind]).values():
            low, high = connection.execute("SELECT rate_low(%s::float8, 1.0), rate_high(%s::float8, 1.0)", (line["failures"], line["failures"])).fetchone()
            is_enough = line["failures"] >= 5 and high <= 4 * low
            assert (line["gained ÷ failures"] is not None) == is_enough, (kind, line)
            shown += is_enough
    assert shown, "some counters are of parts that failed often enough"


def test_a_figure_that_is_withheld_says_so() -> None:
    withheld = {"failures per device-year", "at least", "at most", "MTBF", "gained ÷ failures"}
    for name, title in (("medfleet-fleet", "Failure rate"), ("medfleet-site", "Failure rate"), ("medfleet-kind", "Failure rate"), ("medfleet-kind", "Cycles between failures")):
        panel = next(panel for panel in panels(boards()[name]) if panel["title"] == title)
        said = {one["matcher"]["options"]: {says["id"]: says["value"] for says in one["properties"]} for one in panel["fieldConfig"]["overrides"]}
        columns = withheld & set(re.findall(r'AS "([^"]+)"', panel["targets"][0]["rawSql"]))
        assert columns and all(said[column]["noValue"] == "not enough" for column in columns), (name, title)


def test_the_timeline_paints_the_seconds_of_the_ledger(month: House, connection: psycopg.Connection, asked: tuple[date, date]) -> None:
    """From left edge to right edge without a hole, in Grafana, in SQL and in the api, second by second as the files have it."""
    # Odd edges: a stretch that began before the left one must be there, and be cut.
    period = Range(over(asked).since + 4_321, over(asked).until - 1_234)
    since, until = (datetime.fromtimestamp(at, UTC) for at in (period.since, period.until))
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    ledger, tables = defaultdict(dict), Tables(month.data / "lake")
    assert tables.open("intervals")
    rows = tables.db.execute(
        "SELECT device, condition, sum(weight * epoch(least(until_at, $until::TIMESTAMPTZ) - greatest(from_at, $since::TIMESTAMPTZ))) FROM intervals"
        " WHERE from_at < $until::TIMESTAMPTZ AND until_at > $since::TIMESTAMPTZ GROUP BY ALL",
        {"since": since.isoformat(), "until": until.isoformat()},
    ).fetchall()
    for device, condition, seconds in rows:
        ledger[device][condition] = seconds
    devices = sorted(ledger)[:: max(1, len(ledger) // DEVICES_PAINTED)]
    # One that nobody ever heard of is one stretch of silence.
    silent = connection.execute("SELECT device FROM devices EXCEPT SELECT device FROM intervals ORDER BY device LIMIT 1").fetchone()
    codes = {place: name for place, name in enumerate(("unknown", *CONDITIONS))}
    for device in [*devices, *(silent or ())]:
        _, drawn = Sql(connection).ask(panel_query("medfleet-device", "Conditions"), period, {"device": [device]})
        assert drawn[0][0] == since and drawn[-1] == (until, None, None), device
        painted = defaultdict(float)
        for (at, code, _), (end, *_) in zip(drawn, drawn[1:], strict=False):
            painted[codes[code]] += (end - at).total_seconds()
        wanted = {condition: ledger[device].get(condition, 0) for condition in CONDITIONS}
        wanted["unknown"] = (until - since).total_seconds() - sum(wanted.values())
        assert {condition: painted[condition] for condition in wanted} == pytest.approx(wanted, abs=1e-3), device
        exact = connection.execute("SELECT from_at, until_at, condition FROM timeline(%s, %s, %s) ORDER BY from_at", (device, since, until)).fetchall()
        assert [(at, codes[code]) for at, code, _ in drawn[:-1]] == [(at, condition) for at, _, condition in exact], device
    told = month.json(f"/api/v1/devices/{devices[0]}/timeline?{query(**{'from': asked[0], 'until': asked[1], 'cut': cut})}")["timeline"]
    whole = connection.execute("SELECT from_at, until_at, condition, origin FROM timeline(%s, %s, %s)", (devices[0], *asked)).fetchall()
    seconds = [(datetime.fromisoformat(piece["until"]) - datetime.fromisoformat(piece["from"])).total_seconds() for piece in told]
    for condition in ("unknown", *CONDITIONS):
        of_api = sum(each for each, piece in zip(seconds, told, strict=True) if piece["condition"] == condition)
        of_sql = sum((end - at).total_seconds() for at, end, named, _ in whole if named == condition)
        assert of_api == pytest.approx(of_sql, abs=1e-3), condition
