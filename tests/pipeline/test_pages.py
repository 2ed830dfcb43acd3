"""The pages over a demo fleet: data on each, the figures of REST at one cut, and what is painted equal to the ledger."""

import csv
import io
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from faults.process import await_true, binary
from test_demo import House, _await_history, lived_in

# Long enough that a month ends within it.
DEMO_DAYS = 40
PAINTED = {"productive": "p", "standby": "s", "engineering": "e", "scheduled_down": "d", "unscheduled_down": "u", "unknown": "nx"}
# A strip is so many units wide: seconds of a common day. A line or a mark begins and ends at whole ones, nearly.
STRIP_UNITS, ROUNDING_UNITS = 86_400, 1
# What is no common use is as wide at least, as a line and as what can be pointed at. Above so many lines (`LINES_DRAWN_MAX`) a strip
# is drawn in cells.
COMMON, LINE_UNITS_MIN, MARK_UNITS_MIN, LINES_MAX = ("productive", "standby", "engineering"), 60, 129.6, 1_200
PAINTED_DAYS, DEVICES_PAINTED, LONGEST_PAINTED = 30, 12, 2


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("pages"), "--demo-days", str(DEMO_DAYS)) as house:
        _await_history(house)
        yield house


def page(house: House, path: str) -> str:
    return house.get(path, "text/html")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def cut(house: House) -> int:
    return house.json("/api/v1/pipeline")["cut"]["number"]


def last_month() -> tuple[date, date]:
    this = datetime.now(UTC).date().replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), this


def week() -> str:
    until = datetime.now(UTC).date() - timedelta(days=1)
    return f"from={until - timedelta(days=7)}&until={until}"


def telling(house: House) -> dict:
    """The device under a contract that was down the longest."""
    under = {(row["site"], row["kind"]): row["contract"] for row in house.json("/api/v1/kpi/contract_versions")["rows"]}
    devices = house.json(f"/api/v1/uptime?group=device&{week()}")["rows"]
    mine = [row for row in devices if (row["site"], row["kind"]) in under]
    found = max(mine, key=lambda row: row["seconds"]["unscheduled_down"])
    return {**found, "contract": under[found["site"], found["kind"]]}


def test_every_page_has_data_and_leads_on(house: House) -> None:
    one = telling(house)
    asked = f"days={DEMO_DAYS}&site={one['site']}&cut={cut(house)}"
    compare = page(house, f"/compare?{asked}")
    sites = house.json("/api/v1/sites")["sites"]
    assert all(site["name"] in compare for site in sites)
    # Those with the most above expectation come first; others are in the file.
    most = max(rows(house.get(f"/compare?{asked}&format=csv&table=devices")), key=lambda row: float(row["observed"]) - float(row["expected"]))
    assert "which devices" in compare and f"/devices/{most['device']}" in compare
    device = page(house, f"/devices/{one['device']}?{week()}")
    facts = re.search(rf'href="(/devices/{one["device"]}/evidence[^"]+)"', device)
    assert facts and "Failures and interrupts" in device and f"contract={one['contract']}" in device
    evidence = page(house, facts[1].replace("&#38;", "&"))
    assert re.search(r"<code>facts \d+:\d+ #\d+</code>", evidence), "facts name their places in the log"
    contracts = page(house, "/contracts")
    assert contracts.count("/contracts/") >= len(sites)
    since, _ = last_month()
    contract = page(house, f"/contracts/{one['site']}/{one['contract']}?day={since}")
    assert one["device"] in contract and re.search(r"\d\d\.\d\d%|100%", contract)


def test_files_have_the_figures_of_rest_at_one_cut(house: House) -> None:
    one, at = telling(house), cut(house)
    asked = f"{week()}&cut={at}"
    pairs = [
        (f"/compare?{asked}&format=csv", f"/api/v1/comparison?{asked}&format=csv"),
        (f"/scorecard?{asked}&group=site_kind&format=csv", f"/api/v1/scorecards?{asked}&group=site_kind&format=csv"),
        (f"/scorecard?{asked}&format=csv&table=cycles", f"/api/v1/kpi/cycles_between_failures?{asked}&format=csv"),
        (f"/maintenance?{asked}&format=csv&table=work", f"/api/v1/kpi/pm?{asked}&format=csv"),
        (f"/devices/{one['device']}?{asked}&format=csv&table=episodes", f"/api/v1/kpi/failures?{asked}&device={one['device']}&format=csv"),
        (f"/devices/{one['device']}?{asked}&format=csv&table=orders", f"/api/v1/kpi/repairs?{asked}&device={one['device']}&format=csv"),
        (f"/devices/{one['device']}?{asked}&format=csv&table=intervals", f"/api/v1/kpi/pieces?{asked}&device={one['device']}&format=csv"),
    ]
    compared = 0
    for mine, theirs in pairs:
        of_page, of_rest = rows(house.get(mine)), rows(house.get(theirs))
        strip = lambda row: {name: cell for name, cell in row.items() if name != "lag_records"}  # noqa: E731
        assert [strip(row) for row in of_page] == [strip(row) for row in of_rest], mine
        compared += sum(len(row) for row in of_page)
    fleet = {(row["site"], row["kind"]): row for row in rows(house.get(f"/?{asked}&format=csv"))}
    for row in house.json(f"/api/v1/uptime?group=site_kind&{asked}")["rows"]:
        mine = fleet[row["site"], row["kind"]]
        for name in ("uptime", "coverage", "uptime_worst", "uptime_best", "utilization", "base_hours_uptime"):
            assert (float(mine[name]) if mine[name] else None) == row[name], (row["site"], row["kind"], name)
            compared += 1
        for name, seconds in row["seconds"].items():
            if f"{name}_seconds" in mine:
                assert float(mine[f"{name}_seconds"]) == seconds
                compared += 1
    assert compared > 200, "enough was compared"
    book = urllib.request.Request(f"http://{house.address}/devices/{one['device']}?{asked}&format=xlsx", headers={"Authorization": f"Bearer {house.token}"})
    with urllib.request.urlopen(book, timeout=60) as answer:
        names = zipfile.ZipFile(io.BytesIO(answer.read())).namelist()
    assert sum(name.startswith("xl/worksheets/sheet") for name in names) == 11, "about, and the ten tables of the page"


def test_maintenance_by_class_is_counted_as_the_view_says_and_narrowed_by_the_address(house: House) -> None:
    asked = f"days=30&cut={cut(house)}"
    work = [row for row in house.json(f"/api/v1/kpi/pm?{asked}")["rows"] if row["state"] != "not_due" and not row["carried"]]
    counted = Counter((row["risk_class"], row["site"]) for row in work)
    on_time = Counter((row["risk_class"], row["site"]) for row in work if row["state"] == "on_time")
    table = [row for row in rows(house.get(f"/maintenance?{asked}&format=csv&table=classes")) if int(row["due"])]
    assert {(row["risk_class"], row["site"]): (int(row["due"]), int(row["on_time"])) for row in table} == {at: (due, on_time[at]) for at, due in counted.items()}
    assert all(float(row["on_time_share"]) == int(row["on_time"]) / int(row["due"]) for row in table)
    shown = page(house, f"/maintenance?{asked}")
    of_high = sum(due for (word, _), due in counted.items() if word == "high")
    assert re.search(rf"High risk<small>.*?<td>{of_high}</td>", shown, re.S)
    narrowed = rows(house.get(f"/maintenance?{asked}&class=high&site={table[0]['site']}&format=csv&table=work"))
    assert {(row["risk_class"], row["site"]) for row in narrowed} == {("high", table[0]["site"])}
    with pytest.raises(urllib.error.HTTPError) as refused:
        page(house, "/maintenance?class=explosive")
    assert refused.value.code == 400


def test_the_statement_shows_what_rest_computes(house: House) -> None:
    one, at, (since, _) = telling(house), cut(house), last_month()
    asked = f"contract={one['contract']}&day={since}&cut={at}"
    told = house.json(f"/api/v1/devices/{one['device']}/statement?{asked}")
    shown = page(house, f"/devices/{one['device']}/statement?{asked}")
    hundredths = int(told["figure"]["uptime"] * 10_000 + 1e-7)
    figure = "100%" if hundredths >= 10_000 else f"{hundredths / 100:.2f}%"
    assert f'<p class="big">{figure}</p>' in shown
    lines = rows(house.get(f"/devices/{one['device']}/statement?{asked}&format=csv&table=lines"))
    assert [(line["from_at"], line["until_at"], line["class"]) for line in lines] == [(line["from_at"], line["until_at"], line["class"]) for line in told["lines"]]


def test_the_timeline_paints_the_seconds_of_the_ledger(house: House) -> None:
    """Of every condition, on several devices: a second of slack for each line, and what the thin ones are widened by."""
    until = datetime.now(UTC).date() - timedelta(days=1)
    asked = f"from={until - timedelta(days=PAINTED_DAYS)}&until={until}&cut={cut(house)}"
    zones = {site["site"]: ZoneInfo(site["time_zone"]) for site in house.json("/api/v1/sites")["sites"]}
    # The telling one, of each condition those that were in it the longest, and others of all sites.
    rows = sorted(house.json(f"/api/v1/uptime?group=device&{asked}")["rows"], key=lambda row: row["device"])
    longest = [row for condition in PAINTED for row in sorted(rows, key=lambda row: -row["seconds"][condition])[:LONGEST_PAINTED]]
    devices = [telling(house), *longest, *rows[:: max(1, len(rows) // DEVICES_PAINTED)]]
    painted, met = Counter(), set()
    for one in devices:
        pieces = [piece | {"spans": _by_day(piece, zones[one["site"]])} for piece in house.json(f"/api/v1/devices/{one['device']}/timeline?{asked}")["timeline"]]
        shown = page(house, f"/devices/{one['device']}?{asked}")
        if sum(len(piece["spans"]) for piece in pieces) > LINES_MAX:
            continue
        for condition, styles in PAINTED.items():
            lines = [int(width) for path in re.findall(rf'<path class="[{styles}]" d="([^"]+)"', shown) for width in re.findall(r"h(\d+)", path)]
            marks = [float(width) / 100 * STRIP_UNITS for width in re.findall(rf'<rect class="l?[{styles}]" x="[^"]+" width="([0-9.]+)%"', shown)]
            wanted = [span for piece in pieces if piece["condition"] == condition for span in piece["spans"]]
            widened = 0 if condition in COMMON else sum(max(0, LINE_UNITS_MIN - span) for span in wanted) + sum(MARK_UNITS_MIN for mark in marks if mark <= MARK_UNITS_MIN + ROUNDING_UNITS)
            slack = ROUNDING_UNITS * (len(lines) + len(marks) + 1)
            # Lines that touch are one: of those that were widened a part may lie upon another.
            assert -slack <= sum(lines) + sum(marks) - sum(wanted) <= slack + widened, (one["device"], condition, sum(lines), sum(marks), sum(wanted), slack, widened)
            met |= {condition} if wanted else set()
            painted["lines"], painted["marks"] = painted["lines"] + len(lines), painted["marks"] + len(marks)
        painted["devices"] += 1
    print(dict(painted))
    assert met == set(PAINTED) and painted["devices"] > DEVICES_PAINTED // 2, "every condition, on several devices"


def _by_day(piece: dict, zone: ZoneInfo) -> list[float]:
    """How wide a piece is on each local day that it touches, in units: a day of daylight saving is as wide as any."""
    at, until = (datetime.fromisoformat(piece[end]).astimezone(zone) for end in ("from", "until"))
    spans = []
    while at < until:
        midnights = [datetime.combine(at.date() + timedelta(days=days), time(), zone).astimezone(UTC) for days in (0, 1)]
        end = min(until.astimezone(UTC), midnights[1])
        spans.append((end - at.astimezone(UTC)) / (midnights[1] - midnights[0]) * STRIP_UNITS)
        at = end.astimezone(zone)
    return spans


def test_the_button_issues_what_the_page_shows_and_once(house: House) -> None:
    one, at, (since, _) = telling(house), cut(house), last_month()
    path = f"/devices/{one['device']}/statement"
    shown = page(house, f"{path}?contract={one['contract']}&day={since}")
    assert "Issue this statement" in shown
    form = {"contract": one["contract"], "day": str(since), "cut": str(at), "author": "kim"}
    assert "issued=" in _press(house, path, form)

    def issued() -> bool:
        return "Issued as" in page(house, f"{path}?contract={one['contract']}&day={since}")

    await_true("the issued statement on its page", issued)
    assert _press(house, path, form).startswith("422"), "a second press is told that it was issued"
    again = page(house, f"{path}?contract={one['contract']}&day={since}")
    assert "All above is computed from that cut" in again and "Issue this statement" not in again
    assert one["device"] in page(house, "/contracts").split("Statements issued")[1]


def _press(house: House, path: str, form: dict[str, str]) -> str:
    """Where the button leads, or the status of its refusal."""
    request = urllib.request.Request(f"http://{house.address}{path}", data=urllib.parse.urlencode(form).encode(), headers={"Authorization": f"Bearer {house.token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.url
    except urllib.error.HTTPError as refused:
        return f"{refused.code}: {refused.read().decode()}"


def test_the_board_is_told_the_figures_of_rest(house: House, tmp_path: Path) -> None:
    until = datetime.now(UTC).date() - timedelta(days=1)
    since, out = until - timedelta(days=14), tmp_path / "board.html"
    command = [binary("medfleet"), "report", "board", "--data", str(house.data), "--from", str(since), "--until", str(until), "--out", str(out), "--draft"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    told = out.read_text()
    assert "Nothing is known of the year before" in told and "about " in told.split("Five longest outages")[1], "exams lost are estimated"
    names = {site["site"]: site["name"] for site in house.json("/api/v1/sites")["sites"]}
    for card in house.json(f"/api/v1/scorecards?group=site&from={since}&until={until}")["rows"]:
        hundredths = int(card["operational_uptime"] * 10_000 + 1e-7)
        line = told.split(f'<th scope="row">{names[card["site"]]}<', 1)[1].split("</tr>", 1)[0]
        assert f"<b>{hundredths / 100:.2f}%</b>" in line, card["site"]
        assert ("too few for a rate" in line) == (not card["failure_rate_is_enough"]), card["site"]
    assert not (house.data / "reports" / "board.json").exists(), "a draft is not the last report"
