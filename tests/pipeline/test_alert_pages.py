"""The pages of alerts: what a technician meets on a phone, also with the network cut; forms that work without a script."""

import csv
import io
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from faults.process import ROOT, await_true
from test_alerts import House

BROWSER_SECONDS = 180
# The card waits a minute for a message before it says that there is none.
UNTOLD_SECONDS = 90


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    house = House(tmp_path_factory.mktemp("alert_pages"), "people: {}\nroutes: []\n")
    try:
        yield house
    finally:
        house.role.end()


def page(house: House, path: str, form: dict[str, str] | None = None) -> str:
    """The page as text; a form is sent as a browser without a script does it."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    headers = {"Authorization": f"Bearer {house.token}", "Accept": "text/html", "Cookie": "medfleet_name=lee"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{house.address}{path}", data, headers), timeout=30) as answer:
        return answer.read().decode()


def form_of(shown: str, ask: str) -> dict[str, str]:
    """The hidden fields of the form that has this button."""
    form = next(form for form in re.findall(r"<form.*?</form>", shown, re.DOTALL) if f'value="{ask}"' in form)
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)) | {"ask": ask}


def steps(house: House, alert: str) -> list[str]:
    return [step["change"] for step in house.get(f"/api/v1/alerts/{alert}")["life"]]


def test_a_technician_with_a_phone_and_a_cut_network(house: House, tmp_path: Path) -> None:
    house.claim(0, "down")
    house.await_alert(0)
    shots = ROOT / "target" / "shots"
    command = ["node", str(ROOT / "tests/browser/technician.mjs"), f"http://{house.address}/login?token={house.token}", str(shots)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_forms_work_without_a_script_and_a_second_press_is_the_same(house: House) -> None:
    house.claim(1, "down")
    alert = house.await_alert(1)["alert"]
    shown = page(house, f"/alerts/{alert}")
    acknowledge = form_of(shown, "acknowledge")
    assert "Acknowledged by lee" in page(house, f"/alerts/{alert}", acknowledge)
    assert "Acknowledged by lee" in page(house, f"/alerts/{alert}", acknowledge)
    judged = page(house, f"/alerts/{alert}", form_of(shown, "other_part") | {"part": "gantry <b>"})
    assert "Other part: gantry &#60;b&#62;" in judged or "Other part: gantry &lt;b&gt;" in judged
    assert [steps(house, alert).count(step) for step in ("acknowledged", "judged")] == [1, 1]
    again = form_of(shown, "acknowledge") | {"key": "another"}
    assert "Not done: lee has acknowledged it already" in page(house, f"/alerts/{alert}", again)
    with pytest.raises(urllib.error.HTTPError) as refused:
        page(house, f"/alerts/{alert}", acknowledge | {"ask": "explode"})
    assert refused.value.code == 400


def test_the_list_is_narrowed_by_its_address_and_given_as_a_file(house: House) -> None:
    house.claim(2, "down")
    alert = house.await_alert(2)["alert"]
    assert f"/alerts/{alert}" in page(house, "/alerts")
    for filters in ("show=ended", "urgency=inbox", "kind=mri", "assigned=nobody-known", "site=elsewhere"):
        assert f"/alerts/{alert}" not in page(house, f"/alerts?{filters}"), filters
    given = form_of(page(house, f"/alerts/{alert}"), "assign") | {"to": "ann"}
    page(house, f"/alerts/{alert}", given)
    assert f"/alerts/{alert}" in page(house, "/alerts?assigned=ann&kind=ct&urgency=page")
    table = csv.DictReader(io.StringIO(page(house, "/alerts?show=all&format=csv")))
    own = next(row for row in table if row["alert"] == alert)
    assert (own["assigned_to"], own["urgency"], own["open"], own["kind"]) == ("ann", "page", "true", "ct")


def test_a_verdict_counts_for_the_next_alert_of_the_sort(house: House) -> None:
    house.claim(3, "down")
    first = house.await_alert(3)["alert"]
    page(house, f"/alerts/{first}", form_of(page(house, f"/alerts/{first}"), "confirmed"))
    page(house, f"/alerts/{first}", form_of(page(house, f"/alerts/{first}"), "close") | {"reason": "fuse replaced"})
    house.claim(4, "down")
    card = page(house, f"/alerts/{house.await_alert(4)['alert']}")
    assert re.search(r"<dt>Such alerts</dt><dd>[1-9]\d* of the last \d+ were right", card)
    assert "fuse replaced (lee)" in card and "never postpones maintenance" in card


def test_what_nobody_is_on_call_for_says_so(house: House) -> None:
    house.claim(5, "down")
    alert = house.await_alert(5)["alert"]
    line = "This was told to nobody: nobody is on call"
    await_true("the line", lambda: line in page(house, f"/alerts/{alert}"), UNTOLD_SECONDS)
    assert "told to nobody" in page(house, "/alerts")
