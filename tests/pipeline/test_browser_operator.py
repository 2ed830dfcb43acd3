"""An operator and the quarantine: facts whose batch was said to be another site's are refused, and driven in again, on the page and by command."""

import csv
import io
import json
import re
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.judge import Tables
from faults.process import ROOT, TABLES_POLL_SECONDS, Role, await_true, binary, free_ports, run, total
from relay import Relay

AGENT, OLD, NEW = "edge-1", "north", "south"
REASON = "foreign_run"
# Two days ago: within the pages' week, and past every midnight that a zone could add.
BEGAN = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=2)
# Minutes after that, and what is seen: half an hour ready, an hour in use, a quarter of an hour down, and out of sight.
SEEN = [(0, "standby"), (30, "productive"), (90, "unscheduled_down"), (105, "lost")]
SECONDS = {"standby": 1_800, "productive": 3_600, "unscheduled_down": 900}
BY_PAGE, BY_COMMAND = "ct-1", "ct-2"
# So few that what is refused of one device lies in several entries.
BATCH_FACTS = 4
BROWSER_SECONDS = 240


class House:
    """`medfleet up` with two sites and one agent, moved from one to the other with facts on board, which a relay says to be of the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.address, self.mqtt = f"127.0.0.1:{free_ports(1)}", free_ports(1)
        for site, zone in ((OLD, "America/New_York"), (NEW, "Europe/Berlin")):
            self.command("site", site, "--title", site.title(), "--time-zone", zone)
        self.password = Path(self.command("agent-password", AGENT).strip().splitlines()[-1].split()[-1])
        command = [binary("medfleet"), "up", "--no-demo", "--data", str(self.data), "--listen", self.address]
        command += ["--mqtt-listen", f"127.0.0.1:{self.mqtt}", "--sql-listen", f"127.0.0.1:{free_ports(1)}"]
        self.role = Role("up", command, folder / "up.log", self.address)
        self.start()

    def start(self) -> None:
        """Until it serves pages: the first cut is made a moment after the start."""
        self.role.start()
        self.token = (self.data / "secrets/login.token").read_text().strip()
        await_true("pages", self._serves)

    def _serves(self) -> bool:
        try:
            return bool(self.page("/pipeline"))
        except urllib.error.HTTPError as refused:
            assert refused.code == 503, refused.read()
            return False

    def command(self, *words: str, may_fail: bool = False) -> str:
        done = run(binary("medfleet"), *words, "--data", str(self.data), may_fail=may_fail)
        return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"

    def json(self, path: str) -> dict:
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def page(self, path: str) -> str:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/html"}
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.address}{path}", headers=headers), timeout=30) as answer:
            return answer.read().decode()

    def redrive(self, place: str) -> dict:
        path = f"/api/v1/quarantine/{place.replace(':', '/')}/redrive"
        request = urllib.request.Request(f"http://{self.address}{path}", b"", {"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def refused(self, device: str) -> list[str]:
        """Places of what was refused about a device, in the order it came."""
        mine = [one["place"] for one in self.json("/api/v1/quarantine")["newest"] if one["subject"] == f"device/{device}"]
        return sorted(mine, key=lambda place: [int(part) for part in place.split(":")])

    def gaps(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.page("/pipeline?format=csv&table=gaps"))))

    def seconds(self, device: str) -> dict[str, float]:
        """Seconds by condition in the tables, repeats and withdrawals added up; nothing of a device that they do not know."""
        tables = Tables(self.data / "lake")
        if not tables.open("intervals"):
            return {}
        lasted = "sum(weight * (epoch_us(until_at) - epoch_us(from_at))) / 1e6"
        wanted = ", ".join(f"'{condition}'" for condition in SECONDS)
        return dict(tables.rows(f"SELECT condition, {lasted} FROM intervals WHERE device = ? AND condition IN ({wanted}) GROUP BY ALL", device))

    def move_agent(self) -> None:
        """One life at the old site, with no broker to be reached; then one at the new site, which delivers through the relay."""
        sources = "".join(self._source(device) for device in (BY_PAGE, BY_COMMAND))
        first = self._agent(OLD, free_ports(1), sources)
        first.start()
        taken = lambda: all(self._taken(device) == len(SEEN) for device in (BY_PAGE, BY_COMMAND))  # noqa: E731
        await_true("all rows in the journal", taken)
        first.stop()
        relay = Relay(self.data / "secrets", self.mqtt, OLD, NEW)
        second = self._agent(NEW, relay.port, "")
        try:
            second.start()
            refused = lambda: total(second.metrics(), "medfleet_agent_poison_facts_total") > 0  # noqa: E731
            await_true("facts of the old site refused", refused)
            await_true("nothing without a receipt", lambda: total(second.metrics(), "medfleet_agent_unreceipted_facts") == 0)
            second.stop()
        finally:
            second.end()
            relay.end()

    def _taken(self, device: str) -> int:
        path = self.folder / f"{device}.taken"
        return int(path.read_text().split()[0]) if path.exists() else 0

    def _source(self, device: str) -> str:
        rows = self.folder / f"{device}.csv"
        said = [f"{device},{(BEGAN + timedelta(minutes=minutes)).isoformat()},{condition}" for minutes, condition in SEEN]
        rows.write_text("\n".join(["asset,at,state", *said]) + "\n")
        words = ", ".join(f'{condition} = "{condition}"' for _, condition in SEEN)
        mapping = self.folder / "mapping.toml"
        mapping.write_text(
            f'format = "csv"\ndevice = "asset"\nkind = "ct"\n[time]\ncolumn = "at"\nformat = "rfc3339"\n[condition]\ncolumn = "state"\nwords = {{ {words} }}\n'
        )
        return f'\n[[source]]\ntype = "replay"\npath = "{rows}"\nmapping = "{mapping}"\nprogress = "{self.folder / device}.taken"\n'

    def _agent(self, site: str, port: int, sources: str) -> Role:
        status, config = f"127.0.0.1:{free_ports(1)}", self.folder / f"agent-{site}.toml"
        config.write_text(
            f'id = "{AGENT}"\nsite = "{site}"\nstatus_listen = "{status}"\n[journal]\nfolder = "{self.folder / "journal"}"\n[batch]\nmax_facts = {BATCH_FACTS}\n[mqtt]\nhost = "localhost"\n'
            f'port = {port}\nca_file = "{self.data / "secrets/ca.pem"}"\npassword_file = "{self.password}"\n{sources}'
        )
        return Role(AGENT, [binary("medfleet-agent"), "--config", str(config)], self.folder / f"agent-{site}.log", status, "/live")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    house = House(tmp_path_factory.mktemp("operator"))
    try:
        house.move_agent()
        yield house
    finally:
        house.role.end()


def test_an_operator_drives_a_quarantined_batch_in_again(house: House) -> None:
    refused, mine = house.json("/api/v1/quarantine")["newest"], house.refused(BY_PAGE)
    assert len(mine) > 1 and all(one["reason"] == REASON for one in refused), refused
    assert house.seconds(BY_PAGE) == {}, "refused facts are in no table"
    link = f"http://{house.address}/login?token={house.token}"
    command = ["node", ROOT / "tests/browser/operator.mjs", link, ROOT / "target/shots", f"device/{BY_PAGE}", REASON]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert sorted(one["place"] for one in json.loads(done.stdout)) == sorted(mine)
    assert house.seconds(BY_PAGE) == SECONDS
    assert house.seconds(BY_COMMAND) == {}, "nobody drove it in"


def test_the_page_says_whose_facts_are_missing(house: House) -> None:
    assert house.gaps() == [] and "lacks no fact" in house.page("/pipeline?gaps=show")
    # After an outage an agent sends its newest facts first, so what was refused first came last.
    newest, *_, oldest = house.refused(BY_COMMAND)
    admitted = house.redrive(newest)["appended"]
    found = await_true("a gap before the newest facts", house.gaps, poll_seconds=TABLES_POLL_SECONDS)
    assert [(one["subject_kind"], one["subject"], one["site"], one["agent"]) for one in found] == [("device", BY_COMMAND, OLD, AGENT)]
    shown = house.page("/pipeline?gaps=show").split('id="gaps"')[1].split("</section>")[0]
    assert f'/devices/{BY_COMMAND}"' in shown and f"{found[0]['missing']} facts" in shown and AGENT in shown
    assert admitted > 0 and int(found[0]["missing"]) > 0 and f"Redrive {oldest}" in house.page("/pipeline")


def test_the_page_shows_what_an_agent_of_another_process_said_last(house: House) -> None:
    [one] = house.json("/api/v1/pipeline")["agents"]
    said, heard = one["receipts"], datetime.fromisoformat(one["last_heard_at"])
    assert one["agent"] == AGENT and 0 < said["accepted"] == said["receipted"] + said["waiting"] and said["journal_bytes"] > 0, one
    shown = house.page("/pipeline").split('id="agents"')[1].split("</section>")[0]
    assert f"{heard:%H:%M:%S}, " in shown and "does not say it" not in shown


def test_the_rest_by_command_and_twice_driven_in_counts_once(house: House) -> None:
    house.role.stop()
    listed = [line.split("\t") for line in house.command("quarantine", "list").splitlines()]
    assert listed[-1] == [f"{len(listed) - 1} in quarantine"]
    entries = {place: (reason, about) for place, _, reason, _, about in listed[:-1]}
    assert all(reason == REASON for reason, _ in entries.values())
    places = [place for place, (_, about) in entries.items() if about == f"device/{BY_COMMAND}"]
    shown = "".join(house.command("quarantine", "show", place) for place in places)
    assert re.search(rf"^origin medfleet/v1/{NEW}/\d+/{AGENT}/batch$", shown, re.M)
    assert f"run of device/{BY_COMMAND} epoch" in shown and "Productive" in shown and len(places) > 1
    for place in places * 2:
        assert re.fullmatch(r"\d+ facts admitted at medfleet\.facts\.v1/\d+@?.*\n", house.command("quarantine", "redrive", place))
    absent = house.command("quarantine", "redrive", "0:9999", may_fail=True)
    assert absent.startswith("1: ") and "0:9999" in absent
    house.start()
    await_true("its seconds in the tables", lambda: house.seconds(BY_COMMAND) == SECONDS, poll_seconds=TABLES_POLL_SECONDS)
    assert house.seconds(BY_PAGE) == SECONDS
    await_true("no gap", lambda: house.gaps() == [], poll_seconds=TABLES_POLL_SECONDS)
    page = house.page("/pipeline").split('id="quarantine"')[1].split("</section>")[0]
    assert not any(f"Redrive {place}" in page for place in places), "what the tables have is offered no more"
    still = {place for place, (_, about) in entries.items() if about not in (f"device/{BY_PAGE}", f"device/{BY_COMMAND}")}
    assert set(re.findall(r"Redrive (\d+:\d+)", page)) == still, "the rest waits"
