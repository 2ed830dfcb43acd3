"""`medfleet up` as a newcomer meets it: a page with numbers within a minute, and figures that equal the truth kept aside."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.judge import Tables
from faults.process import Role, await_true, binary, free_ports, total

PAGE_WITHIN_SECONDS = 60.0
HISTORY_DEADLINE_SECONDS = 600.0
DEVICES_AT_LEAST, SITES, KINDS = 300, 6, 15
CONDITIONS = ("productive", "standby", "engineering", "scheduled_down", "unscheduled_down")
FATES = ("received", "appended", "quarantined", "held")


class House:
    """A running demo."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.data = folder / "data"
        self.address = f"127.0.0.1:{free_ports(1)}"
        command = [binary("medfleet"), "up", "--data", str(self.data), "--listen", self.address]
        self.sql_port = free_ports(1)
        command += ["--mqtt-listen", f"127.0.0.1:{free_ports(1)}", "--sql-listen", f"127.0.0.1:{self.sql_port}", *more]
        self.role = Role("up", command, folder / "up.log", self.address)
        self.started = time.monotonic()
        self.role.start(await_ready=False)
        self.token = await_true("the login link on stdout", self._token)
        self.page_seconds = self._await_page()

    def get(self, path: str, accept: str = "application/json") -> str:
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {self.token}", "Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def json(self, path: str) -> dict:
        return json.loads(self.get(path))

    def _token(self) -> str | None:
        self.role.must_live()
        found = re.search(r"/login\?token=([0-9a-zA-Z]+)", self.role.text())
        return found and found[1]

    def _await_page(self) -> float:
        """Until the api knows known seconds of a fleet, and the first page shows a share of them."""

        def shows() -> bool:
            self.role.must_live()
            try:
                rows = self.json("/api/v1/uptime?group=fleet")["rows"]
                return bool(rows) and rows[0]["seconds"]["known"] > 0 and bool(re.search(r"\d[ \u00a0\u202f]?%", self.get("/", "text/html")))
            except (urllib.error.URLError, OSError, KeyError):
                return False

        await_true("a page with numbers", shows, 3 * PAGE_WITHIN_SECONDS)
        return time.monotonic() - self.started


@contextmanager
def lived_in(folder: Path, *more: str) -> Iterator[House]:
    """A demo that is asked to end when it was of use, and ended whatever happens."""
    house = None
    try:
        house = House(folder, *more)
        yield house
        house.role.stop()
    finally:
        if house:
            house.role.end()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("demo")) as house:
        yield house


def test_a_page_with_numbers_within_a_minute(house: House) -> None:
    print(f"page with numbers after {house.page_seconds:.1f} s")
    assert house.page_seconds < PAGE_WITHIN_SECONDS


def test_the_fleet_has_six_sites_and_all_kinds(house: House) -> None:
    _await_history(house)
    sites = house.json("/api/v1/sites")["sites"]
    assert len(sites) == SITES and all(site["demo"] for site in sites)
    assert len({site["time_zone"] for site in sites}) == 3
    kinds = house.json("/api/v1/uptime?group=kind")["rows"]
    assert len({row["kind"] for row in kinds}) == KINDS
    assert house.json("/api/v1/uptime?group=fleet")["rows"][0]["registered_devices"] >= DEVICES_AT_LEAST


def test_every_device_has_the_seconds_of_the_truth(house: House) -> None:
    """What can be known of each device, by the simulator's own record, equals the weighted sums of the ledger to the second."""
    truth = _await_history(house)
    tables = Tables(house.data / "lake")
    assert tables.open("intervals") and tables.open("heads")
    micros = "least(epoch_us(until_at), $until) - greatest(epoch_us(from_at), $from)"
    since, until = (tables.one("SELECT epoch_us(?::TIMESTAMPTZ)", truth[name]) for name in ("from", "until"))
    # An open claim is no row before its device is heard again; until then it stands at the edge of the ledger.
    rows = tables.db.execute(
        f"SELECT device, condition, sum(weight * ({micros})) / 1e6 FROM"
        " (SELECT device, condition, from_at, until_at, weight FROM intervals UNION ALL"
        "  SELECT subject, condition, from_at, coalesce(until_at, make_timestamptz($until)), weight FROM heads WHERE role = 'claim')"
        " WHERE epoch_us(from_at) < $until AND epoch_us(until_at) > $from GROUP BY ALL",
        {"from": since, "until": until},
    ).fetchall()
    stands = {(device, condition): seconds for device, condition, seconds in rows}
    differ = []
    for device in truth["devices"]:
        for condition in CONDITIONS:
            wanted, found = device["observed_s"][condition], stands.get((device["device"], condition), 0)
            # The truth counts whole seconds of each span.
            if abs(wanted - found) >= 1:
                differ.append((device["device"], device["kind"], condition, wanted, found))
    assert len(truth["devices"]) >= DEVICES_AT_LEAST
    assert not differ, f"{len(differ)} of {len(truth['devices']) * len(CONDITIONS)} differ, such as {differ[:10]}"


def test_every_error_that_could_be_heard_is_there_once(house: House) -> None:
    truth = _await_history(house)
    tables = Tables(house.data / "lake")
    assert tables.open("errors")
    since, until = (tables.one("SELECT epoch_us(?::TIMESTAMPTZ)", truth[name]) for name in ("from", "until"))
    rows = tables.rows("SELECT device, sum(weight) FROM errors WHERE epoch_us(\"at\") >= ? AND epoch_us(\"at\") < ? GROUP BY ALL", since, until)
    stands = {device: int(count) for device, count in rows}
    differ = [(d["device"], d["errors_heard"], stands.get(d["device"], 0)) for d in truth["devices"] if d["errors_heard"] != stands.get(d["device"], 0)]
    assert not differ, f"{len(differ)} devices differ, (device, truth, table) such as {differ[:10]}"


def test_ingest_and_processor_sums_balance(house: House) -> None:
    _await_history(house)

    def balanced() -> bool:
        samples = house.role.metrics()
        fates = {fate: total(samples, "medfleet_ingest_facts_total", f'fate="{fate}"') for fate in FATES}
        received, appended = fates["received"], fates["appended"]
        folded = total(samples, "medfleet_processor_facts_total")
        sums = received > 0 and received == appended + fates["quarantined"] + fates["held"]
        return sums and total(samples, "medfleet_processor_lag_records") == 0 and folded == appended

    await_true("received = appended + quarantined + held, and appended = folded", balanced)


def _await_history(house: House) -> dict:
    """The past is told and folded; the truth of it."""
    path = house.data / "demo_truth.json"

    def told() -> bool:
        house.role.must_live()
        samples = house.role.metrics()
        waits = total(samples, "medfleet_processor_lag_records") + total(samples, "medfleet_processor_uncommitted_facts")
        return path.exists() and waits == 0

    await_true("the demo's history in the tables", told, HISTORY_DEADLINE_SECONDS)
    return json.loads(path.read_text())
