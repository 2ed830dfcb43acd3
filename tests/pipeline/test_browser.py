"""Pages in Chromium over a demo with a whole month: a leader finds why a site is worse, and nothing on any page is out of reach of anybody."""

import json
import subprocess
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.process import ROOT, binary, environment
from test_demo import House

SHOTS = ROOT / "target/shots"
LEADER_SECONDS, PAGES_SECONDS, BOARD_SECONDS = 240, 900, 600
PAGES = ["login", "fleet", "site", "kind", "device", "month", "compare", "hours", "contracts", "contract", "statement", "evidence"]
PAGES += ["maintenance", "risk", "alerts", "alert", "pipeline", "nowhere", "board"]
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


def test_every_page_can_be_read_by_anybody_and_asks_nobody_else(house: House, tmp_path: Path) -> None:
    until, board = datetime.now(UTC).date() - timedelta(days=1), tmp_path / "board.html"
    command = [binary("medfleet"), "report", "board", "--data", str(house.data), "--from", str(until - timedelta(days=28)), "--until", str(until)]
    subprocess.run([*command, "--out", str(board), "--draft"], check=True, capture_output=True, env=environment(), timeout=BOARD_SECONDS)
    began = datetime.now().timestamp()
    told = browse(house, "shots.mjs", f"board={board}", seconds=PAGES_SECONDS).splitlines()
    print(f"{len(told)} looks in {datetime.now().timestamp() - began:.0f} s")
    assert [line.split(":")[0] for line in told] == [f"{page} {look}" for page in PAGES for look in LOOKS]
    kept = [SHOTS / f"{page}-{look.replace(' ', '-')}.png" for page in PAGES for look in LOOKS]
    assert all(shot.stat().st_mtime > began for shot in kept), "screenshots are kept"
