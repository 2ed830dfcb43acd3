"""Pages in Chromium over a demo with a whole month: a leader finds why a site is worse, and nothing on any page is out of reach of anybody."""

import csv
import io
import json
import subprocess
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.process import ROOT, await_true, binary, environment
from test_demo import House
from test_kpi import a_device, contract_of, issue, month_before, query, say, statement, two_hours_up

SHOTS = ROOT / "target/shots"
LEADER_SECONDS, PAGES_SECONDS, BOARD_SECONDS = 240, 900, 600
# An agent that lives sends again after half a minute.
WAITS_SECONDS = 60
PAGES = ["login", "fleet", "site", "kind", "device", "month", "compare", "hours", "contracts", "contract", "statement", "evidence"]
PAGES += ["kpis", "maintenance", "risk", "alerts", "alert", "pipeline", "nowhere", "issued", "adjusted", "amended", "board"]
LOOKS = [*(f"{size} {scheme}" for size in ("desk", "phone") for scheme in ("light", "dark")), "paper"]


@pytest.fixture(scope="module")
def house(month: House) -> House:
    return month


def browse(house: House, script: str, *more: str | Path, seconds: float) -> str:
    """What a script of the browser says; what it finds is a failure."""
    command = ["node", ROOT / "tests/browser" / script, f"http://{house.address}/login?token={house.token}", SHOTS, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_leader_finds_why_a_site_is_worse_down_to_the_facts(house: House) -> None:
    found = json.loads(browse(house, "leader.mjs", seconds=LEADER_SECONDS))
    print(found["verdict"], found["site"], found["device"])
    site = next(one for one in house.json("/api/v1/sites")["sites"] if one["name"] == found["site"])
    assert house.json(f"/api/v1/devices/{found['device']}")["device"]["site"] == site["site"], "a device of the site that was looked into"
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(found["address"]).query))
    span = urllib.parse.urlencode({"from": asked["from"], "until": asked["until"]})
    facts = house.json(f"/api/v1/devices/{found['device']}/evidence?{span}")["facts"]
    told = {f"{one['position']['topic'].split('.')[1]} {one['position']['partition']}:{one['position']['offset']}" for one in facts}
    shown = {place.split(" #")[0] for place in found["places"]}
    assert shown and shown <= told, "the page names places of the log that REST names too"


def amended(house: House) -> list[str]:
    """A statement that was issued, the next one, which adjusts it, and the device's page of that month: a person says later that two hours were down."""
    name, (first, this) = a_device(house)["device"], month_before(datetime.now(UTC).date())
    contract_of(house, a_device(house), "LOOK-1", first)
    at = lambda day: f"/devices/{name}/statement?{query(contract='LOOK-1', day=day)}"  # noqa: E731
    last = this - timedelta(days=1)
    await_true("the contract covers the device", lambda: statement(house, f"/api/v1{at(last)}"))
    issue(house, name, "LOOK-1", last)
    since, until = two_hours_up(house, name, this)
    claim = {"claim": "down", "from": since, "until": until, "author": "kim", "reason": "found in the paper log"}
    assert say(house, f"/api/v1/devices/{name}/assertions", "look-late", claim)[0] == 202
    await_true("the next statement adjusts", lambda: statement(house, f"/api/v1{at(this)}")["adjustments"])
    device = f"/devices/{name}?{query(**{'from': first, 'until': this})}"
    shown = [house.get(path, "text/html") for path in (at(last), at(this), device)]
    assert "adjusts the next statement" in shown[0] and 'aria-label="Table of changes to' in shown[1] and 'aria-label="Table of amendments"' in shown[2]
    return [f"issued={at(last)}", f"adjusted={at(this)}", f"amended={device}"]


def test_the_operator_sees_the_receipts_of_every_agent(house: House) -> None:
    def agents() -> list[dict]:
        """Once each has said a heartbeat after the first, which tells of an empty journal."""
        said = house.json("/api/v1/pipeline")["agents"]
        return said if all((one["receipts"] or {}).get("receipted") for one in said) else []

    named = {one["agent"] for one in await_true("receipts of every agent", agents)}
    told = list(csv.DictReader(io.StringIO(house.get("/pipeline?format=csv&table=agents"))))
    for one in told:
        accepted, receipted, waiting = (int(one[f"{name}_facts"]) for name in ("accepted", "receipted", "waiting"))
        assert 0 < receipted == accepted - waiting and waiting >= 0 and int(one["oldest_waiting_seconds"] or 0) < WAITS_SECONDS, one
        assert 0 < int(one["journal_bytes"]) < int(one["journal_limit_bytes"]), one
    assert {one["agent"] for one in told} == named
    shown = house.get("/pipeline", "text/html").split('id="agents"')[1].split("</section>")[0]
    assert all(name in shown for name in named) and "does not say it" not in shown


def test_every_page_can_be_read_by_anybody_and_asks_nobody_else(house: House, tmp_path: Path) -> None:
    more = amended(house)
    until, board = datetime.now(UTC).date() - timedelta(days=1), tmp_path / "board.html"
    command = [binary("medfleet"), "report", "board", "--data", str(house.data), "--from", str(until - timedelta(days=28)), "--until", str(until)]
    subprocess.run([*command, "--out", str(board), "--draft"], check=True, capture_output=True, env=environment(), timeout=BOARD_SECONDS)
    began = datetime.now().timestamp()
    told = browse(house, "shots.mjs", *more, f"board={board}", seconds=PAGES_SECONDS).splitlines()
    print(f"{len(told)} looks in {datetime.now().timestamp() - began:.0f} s")
    assert [line.split(":")[0] for line in told] == [f"{page} {look}" for page in PAGES for look in LOOKS]
    kept = [SHOTS / f"{page}-{look.replace(' ', '-')}.png" for page in PAGES for look in LOOKS]
    assert all(shot.stat().st_mtime > began for shot in kept), "screenshots are kept"
