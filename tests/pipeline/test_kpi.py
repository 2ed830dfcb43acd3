"""KPI views, scorecards, comparisons and contract statements over the demo fleet: data behind each, equal whatever way they are asked."""

import csv
import io
import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, date, datetime, timedelta

import pytest
from faults.process import await_true
from test_demo import House
from test_sql import connect

# What a demo cannot hold: nobody amends it, and nobody issued a statement yet.
MAY_BE_EMPTY = {"amendments", "amended_work", "amended_counters", "backdated", "issued_statements"}
ORIGIN = ["period_from", "period_until", "as_of", "at", "cut", "cut_made_at", "lag_records"]
WITHOUT_PERIOD = ("order_phases", "contract_versions", "issued_statements")


@pytest.fixture(scope="module")
def house(month: House) -> House:
    return month


def month_before(day: date) -> tuple[date, date]:
    """First days of the month before, and of this one."""
    this = day.replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), this


def query(**named) -> str:
    return urllib.parse.urlencode({name: value for name, value in named.items() if value is not None})


def say(house: House, path: str, key: str, body: dict) -> tuple[int, dict]:
    headers = {"Authorization": f"Bearer {house.token}", "Idempotency-Key": key}
    request = urllib.request.Request(f"http://{house.address}{path}", data=json.dumps(body).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def a_device(house: House, kind: str = "ct") -> dict:
    return house.json(f"/api/v1/devices?kind={kind}&limit=1")["devices"][0]


def test_every_view_has_data_and_says_the_same_as_json_as_csv_and_in_sql(house: House) -> None:
    views = [view["name"] for view in house.json("/api/v1/kpi")["views"]]
    until = datetime.now(UTC).date() - timedelta(days=1)
    since, device, figures = until - timedelta(days=7), a_device(house)["device"], 0
    with connect(house, "kpi", "--all") as connection:
        cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
        for view in views:
            narrow = device if view in ("evidence", "pieces") else None
            asked = query(**{"from": since, "until": until, "cut": cut, "device": narrow})
            told = house.json(f"/api/v1/kpi/{view}?{asked}")
            assert told["cut"]["number"] == cut and (told["rows"] or view in MAY_BE_EMPTY), view
            names = [column["name"] for column in told["columns"]]
            rows = sorted([tuple(plain(row[name]) for name in names) for row in told["rows"]], key=str)
            assert in_csv(house, view, asked, names) == [tuple(written(cell) for cell in row) for row in told_order(told, names)], view
            # In SQL `uptime` is by site and kind; that view is `uptime_by_device`, with its ratios, where two sums have other names.
            if view != "uptime":
                assert in_sql(connection, view, since, until, narrow, names) == rows, view
            else:
                shared = [name for name in names if not re.match(r"base_(un)?scheduled_down_", name)]
                mine = {"in_service_seconds": "registered_seconds", "base_seconds": "base_registered_seconds"}
                asked_of = f"SELECT {', '.join(mine.get(name, name) for name in shared)} FROM uptime_by_device('{since}', '{until}')"
                of_sql = connection.execute(asked_of).fetchall()
                assert sorted(of_sql, key=str) == sorted([tuple(row[name] for name in shared) for row in told["rows"]], key=str), view
            figures += sum(isinstance(cell, float) for row in rows for cell in row)
    assert figures > 200, "enough was compared"


def told_order(told: dict, names: list[str]) -> list[tuple]:
    return [tuple(row[name] for name in names) for row in told["rows"]]


def in_csv(house: House, view: str, asked: str, names: list[str]) -> list[tuple]:
    lines = list(csv.DictReader(io.StringIO(house.get(f"/api/v1/kpi/{view}?{asked}&format=csv"))))
    assert all(list(line)[len(names):] == ORIGIN for line in lines), view
    return [tuple(line[name] for name in names) for line in lines]


def in_sql(connection, view: str, since: date, until: date, device: str | None, names: list[str]) -> list[tuple]:
    given = "" if view in WITHOUT_PERIOD else f"'{since}', '{until}'"
    narrow = f"{', ' if given else ''}device => '{device}'" if device else ""
    cursor = connection.execute(f"SELECT * FROM {view}({given}{narrow})")
    # Period, cut and lag stand in every row, under the names of a file.
    origin = ORIGIN[2:] if view in WITHOUT_PERIOD else ORIGIN
    assert [column.name for column in cursor.description] == [*names, *origin], view
    rows = cursor.fetchall()
    assert all(dict(zip(origin, row[len(names):], strict=True))["cut_made_at"] and row[-1] is not None for row in rows), view
    return sorted([tuple(plain(cell) for cell in row[: len(names)]) for row in rows], key=str)


def plain(cell):
    """A cell as both ways of asking can say it."""
    if isinstance(cell, datetime):
        at = cell.astimezone(UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at.microsecond:06}" if at.microsecond else "") + "Z"
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bytes | memoryview):
        return bytes(cell).hex()
    return cell


def written(cell) -> str:
    """A cell as a file says it: a name that a spreadsheet would take for a formula is defused."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text[:1] in "=+-@\t\r" and text else text


def test_at_is_the_same_state_by_rest_as_a_file_on_a_page_and_in_sql(house: House) -> None:
    """A repair that is over was open then, and what failed later is not there, whoever asks."""
    until = datetime.now(UTC).date() - timedelta(days=1)
    since = until - timedelta(days=28)
    over = house.json(f"/api/v1/kpi/repairs?{query(**{'from': since, 'until': until})}")["rows"]
    instants = [(datetime.fromisoformat(row["opened_at"]), datetime.fromisoformat(row["finished_at"])) for row in over if row["finished"]]
    opened, finished = max(instants, key=lambda pair: pair[1] - pair[0])
    at = (opened + (finished - opened) / 2).replace(microsecond=0)
    with connect(house, "at", "--all") as connection:
        cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
        for view in ("repairs", "failures", "downtimes", "reliability", "uptime", "pm", "concurrency"):
            asked = query(**{"from": since, "until": until, "cut": cut, "at": at.isoformat()})
            told = house.json(f"/api/v1/kpi/{view}?{asked}")
            assert datetime.fromisoformat(told["cut"]["at"]) == at and datetime.fromisoformat(told["period"]["until"]) <= at
            names = [column["name"] for column in told["columns"]]
            rows = sorted([tuple(plain(row[name]) for name in names) for row in told["rows"]], key=str)
            assert in_csv(house, view, asked, names) == [tuple(written(cell) for cell in row) for row in told_order(told, names)], view
            if view != "uptime":
                cursor = connection.execute(f"SELECT {', '.join(names)} FROM {view}('{since}', '{until}', at => '{at.isoformat()}')")
                assert sorted([tuple(plain(cell) for cell in row) for row in cursor.fetchall()], key=str) == rows, view
            if view == "repairs":
                open_then = [row for row in told["rows"] if not row["finished"]]
                assert open_then and all(datetime.fromisoformat(row["opened_at"]) < at for row in told["rows"])
        fleet = query(**{"from": since, "until": until, "cut": cut, "at": at.isoformat(), "group": "site_kind"})
        sums = {(row["site"], row["kind"]): row["seconds"]["known"] for row in house.json(f"/api/v1/uptime?{fleet}")["rows"]}
        in_rows = connection.execute(f"SELECT site, kind, known_seconds FROM uptime('{since}', '{until}', at => '{at.isoformat()}')").fetchall()
        assert sums == {(site, kind): pytest.approx(known) for site, kind, known in in_rows}
    page = house.get(f"/?{query(**{'from': since, 'until': until, 'at': at.isoformat()})}")
    assert "As it stood before" in page and f"at={at.isoformat().replace('+00:00', 'Z')}" in page


def test_a_comparison_out_of_memory_is_that_of_the_views(house: House) -> None:
    until = datetime.now(UTC).date() - timedelta(days=1)
    for days, by in ((30, "failures"), (30, "downtime"), (7, "failures"), (90, "downtime")):
        since = until - timedelta(days=days)
        with connect(house, "compared", "--all") as connection:
            cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
            told = house.json(f"/api/v1/comparison?{query(**{'from': since, 'until': until, 'cut': cut, 'by': by})}")
            names = [column["name"] for column in told["columns"]]
            rows = connection.execute(f"SELECT {', '.join(names)} FROM comparison('{since}', '{until}', by => '{by}')").fetchall()
        found = [[row[name] for name in names] for row in told["rows"]]
        assert len(rows) == len(found) >= 24 and sum(row["observed"] for row in told["rows"]) > 0
        for row, wanted in zip(rows, found, strict=True):
            assert list(row) == [pytest.approx(cell) if isinstance(cell, float) else cell for cell in wanted], (since, by)


def test_a_scorecard_says_what_sql_says_of_each_site_and_kind(house: House) -> None:
    until = datetime.now(UTC).date() - timedelta(days=1)
    since = until - timedelta(days=14)
    sums = ("known_seconds", "base_up_seconds", "uptime", "coverage", "worst", "best", "equipment_dependent_uptime", "supplier_dependent_uptime")
    shown = ("known_seconds", "operational_uptime_over_seconds", "total_uptime", "total_uptime_coverage", "total_uptime_worst", "total_uptime_best")
    shown += ("equipment_dependent_uptime", "supplier_dependent_uptime")
    with connect(house, "cards", "--all") as connection:
        rows = connection.execute(f"SELECT site, kind, {', '.join(sums)} FROM uptime('{since}', '{until}')").fetchall()
        cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    asked = query(**{"from": since, "until": until, "cut": cut, "group": "site_kind"})
    cards = {(card["site"], card["kind"]): [card[name] for name in shown] for card in house.json(f"/api/v1/scorecards?{asked}")["rows"]}
    assert len(cards) > 50 and {(row[0], row[1]) for row in rows} == set(cards)
    for site, kind, *figures in rows:
        # Where nothing is known within base hours a sum is 0 and no ratio is shown.
        wanted = [0.0 if cell is None and name.endswith("_seconds") else cell for cell, name in zip(cards[site, kind], shown, strict=True)]
        assert figures == pytest.approx(wanted, abs=1e-9), (site, kind)
    fleet = house.json(f"/api/v1/scorecards?{query(**{'from': since, 'until': until, 'cut': cut, 'group': 'fleet'})}")["rows"][0]
    assert fleet["failures"] > 0 and fleet["turnaround_count"] > 0 and fleet["pm_due_count"] > 0, "each page has data"
    assert fleet["failures_per_device_year_low"] < fleet["failures_per_device_year"] < fleet["failures_per_device_year_high"]


def test_sites_are_compared_with_the_fleet_and_ties_are_not_ordered(house: House) -> None:
    for by in ("failures", "downtime"):
        rows = house.json(f"/api/v1/comparison?days=30&by={by}")["rows"]
        for adjustment in ("nothing", "kind", "kind_model", "kind_model_age"):
            sites = [row for row in rows if row["adjustment"] == adjustment]
            assert len(sites) == 6, (by, adjustment)
            assert math.isclose(sum(row["observed"] for row in sites), sum(row["expected"] for row in sites), rel_tol=1e-9)
            for one in sites:
                assert one["ratio_low"] <= one["ratio"] <= one["ratio_high"] and one["funnel_998_low"] <= one["funnel_95_low"]
                surely_better = sum(other["ratio_high"] < one["ratio_low"] for other in sites)
                surely_worse = sum(one["ratio_high"] < other["ratio_low"] for other in sites)
                assert (one["place_best"], one["place_worst"]) == (1 + surely_better, 6 - surely_worse)


def test_golden_25_an_issued_statement_stays_and_what_comes_later_adjusts_the_next(house: House) -> None:
    device = a_device(house)
    name = device["device"]
    first, this = month_before(datetime.now(UTC).date())
    contract_of(house, device, "E2E-1", first)
    asked = f"/api/v1/devices/{name}/statement?{query(contract='E2E-1', day=this - timedelta(days=1))}"
    before = await_true("the contract covers the device", lambda: statement(house, asked))
    assert not before["is_open"] and before["issued"] is None and before["figure"]["base_seconds"] > 0
    issued = issue(house, name, "E2E-1", this - timedelta(days=1))
    assert issued["figure"] == before["figure"]
    again = {"contract": "E2E-1", "day": (this - timedelta(days=1)).isoformat(), "author": "kim"}
    assert say(house, f"/api/v1/devices/{name}/statements", "again", again)[0] == 422, "a period is issued once"
    # Later a person says that two hours in which the device was seen working were down.
    hours = two_hours_up(house, name, this)
    closed = datetime.now(UTC)
    claim = {"claim": "down", "from": hours[0], "until": hours[1], "author": "kim", "reason": "found in the paper log"}
    assert say(house, f"/api/v1/devices/{name}/assertions", "e2e-late", claim)[0] == 202
    following = f"/api/v1/devices/{name}/statement?{query(contract='E2E-1', day=this)}"
    adjusted = await_true("the next statement adjusts", lambda: statement(house, following)["adjustments"])
    assert len(adjusted) == 1 and adjusted[0]["issued"]["statement"] == issued["statement"]
    more = adjusted[0]["now"]["weighted_down_seconds"] - issued["figure"]["weighted_down_seconds"]
    assert more == pytest.approx(7_200.0)
    changed = adjusted[0]["changed"]
    assert (changed[0]["from"], changed[-1]["until"]) == hours and all(one["is"]["class"] == "counted" and one["records"] for one in changed)
    stays = statement(house, asked)
    assert stays["figure"] == issued["figure"] and stays["lines"] == before["lines"] and stays["agrees"], "its period is told as it was issued"
    again = house.json(f"/api/v1/devices/{name}/statements/{urllib.parse.quote(issued['statement'])}")
    assert again["agrees"] and again["figure"] == issued["figure"], "as it was issued, whatever came since"
    late = house.json(f"/api/v1/kpi/amendments?{query(**{'from': first, 'until': this, 'device': name, 'closed': closed.isoformat()})}")["rows"]
    assert [(row["reason"], row["down_after_seconds"] - row["down_before_seconds"]) for row in late] == [("claim", 7_200.0)]
    facts = house.json(f"/api/v1/devices/{name}/evidence?{query(**{'from': hours[0], 'until': hours[1]})}")["facts"]
    causes = [fact for fact in facts if fact["is_cause"]]
    assert [fact["type"] for fact in causes] == ["asserted"] and causes[0]["position"]["topic"] == "medfleet.facts.v1"
    assert f"{causes[0]['position']['partition']}:{causes[0]['position']['offset']}" in changed[0]["records"]


def contract_of(house: House, device: dict, number: str, first: date) -> None:
    """A contract about one device, around the clock, by the month."""
    said = {"contract": number, "devices": [device["device"]], "valid_from": first.isoformat(), "guarantee": 0.97, "period": "month", "hours": "around_the_clock"}
    status, told = say(house, f"/api/v1/sites/{device['site']}/contracts", f"contract-{number}", said)
    assert status == 202, told


def issue(house: House, device: str, number: str, day: date) -> dict:
    """Issues the statement of the period that a day lies in; it, once it is in the tables."""
    said = {"contract": number, "day": day.isoformat(), "author": "kim"}
    status, told = say(house, f"/api/v1/devices/{device}/statements", f"issue-{number}", said)
    assert status == 202, told
    return await_true("the statement is in the tables", lambda: house.json(f"/api/v1/devices/{device}/statements")["statements"])[0]


def statement(house: House, path: str) -> dict | None:
    try:
        return house.json(path)
    except urllib.error.HTTPError as refused:
        assert refused.code == 404, refused.read()
        return None


def two_hours_up(house: House, device: str, before: date) -> tuple[str, str]:
    """The last two whole hours before a day in which the device was seen working all the time."""
    asked = query(**{"from": before - timedelta(days=6), "until": before, "device": device})
    pieces = house.json(f"/api/v1/kpi/pieces?{asked}")["rows"]
    up = [piece for piece in pieces if piece["condition"] in ("standby", "productive", "engineering") and not piece["claim"]]
    spans = [(datetime.fromisoformat(piece["from_at"]), datetime.fromisoformat(piece["until_at"])) for piece in up]
    midnight = datetime(before.year, before.month, before.day, tzinfo=UTC)
    for back in range(14, 100):
        start = midnight - timedelta(hours=back)
        end = start + timedelta(hours=2)
        covered = sum((min(until, end) - max(since, start)).total_seconds() for since, until in spans if since < end and until > start)
        if covered == 7_200:
            return start.strftime("%Y-%m-%dT%H:%M:%SZ"), end.strftime("%Y-%m-%dT%H:%M:%SZ")
    pytest.fail("the demo's device never worked for two hours")
