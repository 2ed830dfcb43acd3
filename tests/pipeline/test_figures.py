"""One cut, five faces: the same figures on a page, in its file, in the api, in SQL and in Grafana's queries."""

import csv
import html
import io
import math
import re
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pytest
from grafana import Range, Sql, boards, panels
from test_demo import House
from test_kpi import query
from test_sql import connect

DAYS = 14
FIGURES_AT_LEAST = 200
RATIOS = ("uptime", "worst", "best", "coverage")
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
            told[site, line["kind"]] = tuple(line[name] for name in RATIOS)
    return told


def in_sql(connection: psycopg.Connection, asked: tuple[date, date]) -> dict:
    rows = connection.execute("SELECT site, kind, uptime, worst, best, coverage FROM uptime(%s, %s)", asked).fetchall()
    return {(site, kind): tuple(figures) for site, kind, *figures in rows}


def in_api(house: House, what: str) -> dict:
    rows = house.json(f"/api/v1/uptime?group=site_kind&{what}")["rows"]
    return {(row["site"], row["kind"]): tuple(row[name] for name in ("uptime", "uptime_worst", "uptime_best", "coverage")) for row in rows}


def in_file(house: House, what: str) -> dict:
    rows = csv.DictReader(io.StringIO(house.get(f"/?{what}&format=csv")))
    names = ("uptime", "uptime_worst", "uptime_best", "coverage")
    return {(row["site"], row["kind"]): tuple(float(row[name]) if row[name] else None for name in names) for row in rows}


def on_page(house: House, what: str) -> dict:
    """Uptime, bounds and coverage of each site and kind, as they are written."""
    told = {}
    for cell in CELL.finditer(house.get(f"/?{what}", "text/html")):
        at = re.search(r"^/sites/([^?]+)\?.*&kind=(\w+)", html.unescape(cell["href"]))
        if at:
            told[at[1], at[2]] = (re.sub("<[^>]+>", "", cell["uptime"]), cell["bounds"], cell["coverage"])
    return told


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
    figures = sum(figure is not None for of in api.values() for figure in of)
    assert figures >= FIGURES_AT_LEAST
    sites = sorted({site for site, _ in api})
    assert in_sql(connection, asked) == api
    assert in_grafana(connection, asked, sites) == api
    assert in_file(month, what) == api
    assert on_page(month, what) == {at: written(of) for at, of in api.items()}
    print(f"{figures} figures of {len(api)} sites and kinds at cut {cut}")


def test_what_grafana_adds_up_is_what_the_api_adds_up(month: House, connection: psycopg.Connection, asked: tuple[date, date]) -> None:
    """Panels divide sums: the fleet, every site and every kind."""
    cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    everything = {"site": [row[0] for row in connection.execute("SELECT site FROM sites")], "kind": [row[0] for row in connection.execute("SELECT DISTINCT kind FROM devices")]}
    columns = {
        "uptime": "uptime", "worst": "uptime_worst", "best": "uptime_best", "coverage": "coverage", "devices": "registered_devices", "monitored": "monitored_devices",
        "base hours uptime": "base_hours_uptime", "base hours utilization": "base_hours_utilization", "24 × 7 utilization": "utilization",
    }
    for title, group in (("Sites", "site"), ("Kinds", "kind")):
        names, rows = Sql(connection).ask(panel_query("medfleet-fleet", title), over(asked), everything)
        told = {line[group]: line for line in (dict(zip(names, row, strict=True)) for row in rows)}
        wanted = {row[group]: row for row in month.json(f"/api/v1/uptime?group={group}&{query(**{'from': asked[0], 'until': asked[1], 'cut': cut})}")["rows"]}
        assert set(told) == set(wanted)
        for name, line in told.items():
            for column, of in columns.items():
                assert line[column] == pytest.approx(wanted[name][of], abs=1e-12), (name, column)
            assert line["base hours"] * 3_600 == pytest.approx(wanted[name]["seconds"]["base_hours_registered"], abs=1e-3), name
