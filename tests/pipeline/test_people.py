"""What people tell of a device and take back, through `medfleet up`: a claim voided and corrected, a device moved."""

import json
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.process import await_true
from test_demo import House, _await_history, lived_in


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("people")) as house:
        _await_history(house)
        yield house


def post(house: House, path: str, said: dict) -> dict:
    headers = {"Authorization": f"Bearer {house.token}", "Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{house.address}{path}", json.dumps(said).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Claim:
    """A claim of four hours three days ago, of one of the scanners."""

    def __init__(self, house: House, number: int = 0) -> None:
        self.house = house
        self.device = house.json("/api/v1/devices?kind=ct")["devices"][number]["device"]
        noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.since, self.until = noon - timedelta(days=3), noon - timedelta(days=3) + timedelta(hours=4)
        self.down_before = self.down_seconds()

    def timeline(self) -> list[dict]:
        window = f"from={written(self.since)}&until={written(self.until)}"
        return self.house.json(f"/api/v1/devices/{self.device}/timeline?{window}")["timeline"]

    def down_seconds(self) -> float:
        return self.claimed("unscheduled_down")

    def claimed(self, condition: str) -> float:
        pieces = [piece for piece in self.timeline() if piece["condition"] == condition]
        return sum((_instant(piece["until"]) - _instant(piece["from"])).total_seconds() for piece in pieces)

    def evidence(self) -> list[dict]:
        window = f"from={written(self.since)}&until={written(self.until)}"
        return self.house.json(f"/api/v1/devices/{self.device}/evidence?{window}")["facts"]

    def state(self) -> dict:
        claim = {"claim": "down", "author": "kim", "reason": "tube", "from": written(self.since), "until": written(self.until)}
        said = post(self.house, f"/api/v1/devices/{self.device}/assertions", claim)
        await_true("the claim in the timeline", lambda: self.down_seconds() == 4 * 3600)
        return said

    def amend(self, said: dict, **more: object) -> None:
        body = {"epoch": said["epoch"], "seq": said["seq"], "author": "lee", "reason": "it was the other scanner", **more}
        post(self.house, f"/api/v1/devices/{self.device}/amendments", body)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_claim_is_voided_and_the_figures_are_what_they_were(house: House) -> None:
    claim = Claim(house)
    said = claim.state()
    told = [fact for fact in claim.evidence() if fact["type"] == "asserted"]
    assert [(fact["epoch"], fact["seq"]) for fact in told] == [(said["epoch"], said["seq"])]
    claim.amend(told[0])
    await_true("the claim gone", lambda: claim.down_seconds() == claim.down_before)


def test_a_claim_is_corrected_at_its_own_time_and_the_amendment_is_listed(house: House) -> None:
    claim = Claim(house, 1)
    said = claim.state()
    half = claim.since + timedelta(hours=2)
    shorter = {"claim": "down", "author": "kim", "reason": "tube", "from": written(half), "until": written(claim.until)}
    claim.amend(said, replacement={"assertion": shorter})
    await_true("the claim shortened", lambda: claim.down_seconds() < 4 * 3600)
    down = [piece for piece in claim.timeline() if piece["condition"] == "unscheduled_down"]
    assert _instant(down[-1]["until"]) == claim.until and any(_instant(piece["from"]) == half for piece in down), down
    window = f"from={written(claim.since)}&until={written(claim.until)}&device={claim.device}"
    listed = house.json(f"/api/v1/kpi/amendments?{window}")["rows"]
    corrected = [row["down_after_seconds"] for row in listed if row["reason"] == "corrected"]
    assert corrected == [claim.down_seconds()], listed


def test_a_device_is_at_the_site_it_was_moved_to(house: House) -> None:
    one = house.json("/api/v1/devices?kind=infusion_pump")["devices"][0]
    there = next(site["site"] for site in house.json("/api/v1/sites")["sites"] if site["site"] != one["site"])
    tell = {"type": "moved", "site": there, "department": "Ward", "room": "7"}
    post(house, f"/api/v1/devices/{one['device']}/facts", {"author": "kim", "tell": tell})

    def moved() -> bool:
        return house.json(f"/api/v1/devices/{one['device']}")["versions"][-1]["site"] == there

    await_true("the device at its new site", moved)


def test_what_nobody_told_cannot_be_taken_back(house: House) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        Claim(house).amend({"epoch": "00000000000000aa", "seq": 1})
    assert refused.value.code == 404
    assert "/evidence" in refused.value.read().decode()
