"""Risk on the demo: a model is made twice to the byte, `up` scores by it once a day whatever is killed, and the page says why."""

import csv
import io
import json
import re
import subprocess
import urllib.error
import urllib.request
import uuid
from html import unescape

import pytest
from faults.judge import Tables
from faults.process import ROOT, await_true, binary, run, total
from grafana import Range, Sql, boards, panels
from test_demo import House, _await_history, lived_in
from test_sql import connect

# Enough for 24 hours ahead, and too little for a week: the command has to say so.
DEMO_DAYS = 60
SCORED_WITHIN_SECONDS = 120.0
BROWSER_SECONDS = 300
# Low enough that a calm demo has some at risk: one part in two hundred, within a day.
CALM = {
    "at_least: 0.3": "at_least: 0.005",
    "horizon_hours: 168": "horizon_hours: 24",
    "false_alerts_per_technician_week_max: 3": "false_alerts_per_technician_week_max: 1",
    "is likely to fail within a week": "may fail within a day",
    "after_minutes: 2\n    escalate_minutes": "after_minutes: 0\n    escalate_minutes",
}


def rules() -> str:
    """Those in the binary, for a calm demo."""
    text = (ROOT / "crates/alerts/rules/rules.yaml").read_text()
    for said, instead in CALM.items():
        assert text.count(said) == 1, said
        text = text.replace(said, instead)
    return text


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("risk"), "--demo-days", str(DEMO_DAYS)) as house:
        _await_history(house)
        house.role.stop()
        (house.data.parent / "rules.yaml").write_text(rules())
        house.role.command += ["--rules", str(house.data.parent / "rules.yaml")]
        yield house


def medfleet(house: House, *words: str) -> str:
    return run(binary("medfleet"), *words, "--data", str(house.data)).stdout


@pytest.fixture(scope="module")
def model(house: House) -> str:
    told = medfleet(house, "train", "--horizon", "24h", "--seed", "7")
    print(told)
    return re.search(r"24h: model ([0-9a-f]{16}) ", told)[1]


def test_the_same_past_and_seed_make_the_same_bytes(house: House, model: str) -> None:
    file = house.data / "models" / f"{model}.json"
    before = file.read_bytes()
    file.unlink()
    assert f"model {model}" in medfleet(house, "train", "--again", model)
    assert file.read_bytes() == before


def test_a_backtest_is_a_page_and_a_file_beside_the_trivial_baselines(house: House, model: str) -> None:
    print(medfleet(house, "backtest", "--horizon", "24h", "--seed", "7"))
    page = next((house.data / "reports").glob("backtest-24h-cut-*.html"))
    told = json.loads(page.with_suffix(".json").read_text())["backtest"]
    speakers = [one["speaker"] for one in told["spoken"]]
    assert speakers == ["class_rate", "device_age", "alarms_24h", "alarms_7d", "rules", "hazard", "trees"]
    assert told["split"]["decide"]["until"] < told["split"]["judge"]["from"], "the gate decides on another slice"
    assert told["heard"]["device_days"]["rows"] > 0 and told["decisions"]
    html = page.read_text()
    assert html.count("<svg") >= 3 and "as the gate lets them speak" in html and "<script" not in html


def test_up_scores_once_a_day_and_a_kill_changes_nothing(house: House, model: str) -> None:
    house.role.start(await_ready=False)
    house.token = await_true("the login link", house._token)
    tables = Tables(house.data / "lake")

    def scored() -> int:
        house.role.must_live()
        return tables.open("scores") and tables.one("SELECT count(*) FROM scores WHERE model = ?", model)

    count = await_true("scores in the tables", scored, SCORED_WITHIN_SECONDS)
    house.role.kill()
    house.role.start()

    def again() -> bool:
        samples = house.role.metrics()
        done = total(samples, "medfleet_scorer_runs_total") >= 1
        return done and total(samples, "medfleet_processor_lag_records") + total(samples, "medfleet_processor_uncommitted_facts") == 0

    await_true("the run is told again after the kill", again, SCORED_WITHIN_SECONDS)
    assert scored() >= count
    twice = tables.rows("SELECT device, \"at\", horizon_hours FROM scores GROUP BY ALL HAVING sum(weight) <> 1 OR count(*) <> 1")
    assert not twice, f"scored more than once: {twice[:3]}"
    assert tables.open("facts") and not tables.rows("SELECT 1 FROM facts WHERE kind = 'scored' AND verdict = 'conflict'")
    assert tables.one("SELECT count(DISTINCT \"at\") FROM scores") == 1, "backfills tell no scores"
    assert tables.one("SELECT min(seq) = 1 AND max(seq) = 1 FROM scores"), "seqs of a device's scores have no gap"


def rows(html: str, label: str) -> list[list[str]]:
    """The rows of the table in a region, as text."""
    body = re.search(rf'aria-label="{label}".*?<tbody>(.*?)</tbody>', html, re.DOTALL)[1]
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>"))
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells if row]


def test_the_pages_show_every_device_once_with_reasons_and_the_model(house: House, model: str) -> None:
    first = house.get("/risk?horizon=24h", "text/html")
    assert model in first and "in use" in first
    shown, href = [], "?horizon=24h"
    while href:
        html = house.get(f"/risk{href}", "text/html")
        devices = rows(html, "Table of devices at risk")
        assert 1 <= len(devices) <= 20 and all(row[3] for row in devices)
        shown += [row[0].split()[0] for row in devices]
        more = re.search(r'<a href="([^"]+)">Those less at risk', html)
        href = more and unescape(more[1])
    assert shown == [score["device"] for score in house.json("/api/v1/scores?horizon=24h")["scores"]] and len(shown) > 100
    assert "Nothing was scored for 7 days ahead" in house.get("/risk?horizon=7d", "text/html")


def test_a_model_has_a_page_with_the_gates_reasons_and_the_backtest_that_was_told_with_it(house: House, model: str) -> None:
    assert f"/risk/models/{model}" in house.get("/risk?horizon=24h", "text/html")
    page = house.get(f"/risk/models/{model}", "text/html")
    assert "Who speaks for which part" in page and "failures on 5 devices" in page and "medfleet train --again" in page
    decided = house.json(f"/api/v1/models/{model}/decisions")["decisions"]
    weighed = [one for one in decided if one["failures"] >= 30 and one["devices"] >= 5]
    if weighed:
        assert [row[3] for row in rows(page, "Table of decisions")] == [one["because"] for one in weighed]
    assert f"Too little has failed of {len(decided) - len(weighed)} sorts of parts" in page
    backtest = house.get(f"/risk/models/{model}/backtest", "text/html")
    file = next((house.data / "reports").glob("backtest-24h-cut-*.html")).read_text()
    assert rows(backtest, "Table of voices") == rows(file, "Table of voices") != [], "of the same past and seed"
    assert backtest.count("<svg") >= 3 and "<style" not in backtest and " style=" not in backtest
    for nowhere in ("/risk/models/00000000000000ff", "/risk/models/00000000000000ff/backtest"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            house.get(nowhere, "text/html")
        assert refused.value.code == 404


def test_rest_and_sql_say_the_same_of_devices_models_and_the_gate(house: House, model: str) -> None:
    scores = house.json("/api/v1/scores?horizon=24h")["scores"]
    assert len(scores) > 100 and [one["risk"] for one in scores] == sorted((one["risk"] for one in scores), reverse=True)
    decided = house.json(f"/api/v1/models/{model}/decisions")["decisions"]
    of_one = house.json(f"/api/v1/devices/{scores[0]['device']}/scores?days=1&horizon=24h")["scores"]
    assert of_one == scores[:1]
    with connect(house, "risk", "--all", autocommit=True) as connection:
        said = connection.execute("SELECT device, risk, component, component_risk, voice, model FROM scores_now ORDER BY risk DESC, device").fetchall()
        assert said == [tuple(one[name] for name in ("device", "risk", "component", "component_risk", "voice", "model")) for one in scores]
        gate = connection.execute("SELECT kind, component, speaks, failures, devices, because FROM gate_decisions WHERE current AND model = %s", (model,)).fetchall()
        assert sorted(gate) == sorted(tuple(one[name] for name in ("kind", "component", "speaks", "failures", "devices", "because")) for one in decided) != []
        models = connection.execute("SELECT model, horizon_hours, speaks FROM models").fetchall()
        assert models == [(one["model"], one["horizon_hours"], one["speaks"]) for one in house.json("/api/v1/models")["models"]]


def test_the_page_is_light_and_anybody_can_read_it(house: House, model: str) -> None:
    command = ["node", ROOT / "tests/browser/shots.mjs", f"http://{house.address}/login?token={house.token}", ROOT / "target/shots", "risk"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def alerts(house: House) -> list[dict]:
    return house.json("/api/v1/alerts?rule=at-risk&limit=1000")["alerts"]


def ask(house: House, alert: str, ask: dict) -> dict:
    return post(house, f"/api/v1/alerts/{alert}/requests", {"author": "kim", "ask": ask})


def post(house: House, path: str, body: dict) -> dict:
    headers = {"Authorization": f"Bearer {house.token}", "Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request(f"http://{house.address}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_a_risk_above_the_limit_is_one_alert_of_its_part_however_often_it_is_told(house: House, model: str) -> None:
    raised = await_true("alerts by risk", lambda: alerts(house), SCORED_WITHIN_SECONDS)
    tables = Tables(house.data / "lake")
    tables.open("scores")
    above = dict(tables.rows("SELECT device, component FROM scores WHERE component_ppm >= 5000 AND horizon_hours = 24"))
    parts = {alert["subject"]: alert["part"] for alert in raised}
    assert len(parts) == len(raised), "one alert for a device and part, though the run was told twice"
    assert parts.items() <= above.items() and len(parts) >= 4, "planned work and open orders suppress some, and no others are raised"
    assert all(alert["score"]["model"] == model and alert["score"]["chance"] >= 0.005 and not alert["late"] for alert in raised)
    lives = [house.json(f"/api/v1/alerts/{alert['alert']}")["life"] for alert in raised]
    assert all([step["change"] for step in life] == ["raised"] for life in lives)
    assert [life[0]["score"] for life in lives] == [alert["score"] for alert in raised]
    names = ("model", "voice", "horizon_hours", "chance")
    told = sorted((alert["alert"], *(alert["score"][name] for name in names)) for alert in raised)
    with connect(house, "steps", "--all", autocommit=True) as session:
        for view in ("alert_steps WHERE step = 'raised' AND rule = 'at-risk'", "alerts WHERE rule = 'at-risk'"):
            sql = f"SELECT alert, {', '.join(names)} FROM {view} ORDER BY alert"
            await_true(f"the scores in {view}", lambda: session.execute(sql).fetchall() == told, SCORED_WITHIN_SECONDS)
    card = house.get(f"/alerts/{raised[0]['alert']}", "text/html")
    assert "Why a failure is expected" in card and model in card and "is heard" in card
    assert f"<dt>Suspected part</dt><dd>{raised[0]['part'].replace('_', ' ')}" in card and "then test the part named" in card


def test_on_a_phone_the_reasons_the_backtest_and_the_card_of_a_foreseen_failure_can_be_read(house: House, model: str) -> None:
    def tells(card: str) -> bool:
        """Somebody can be called, and a counter has a life."""
        return 'href="tel:' in card and "Table of counters" in card and any(row[2] != "–" for row in rows(card, "Table of counters"))

    raised = (alert["alert"] for alert in alerts(house) if alert["open"])
    telling = next((alert for alert in raised if tells(house.get(f"/alerts/{alert}", "text/html"))), None)
    assert telling, "no alert is about a device with a contract and a counter that wears"
    link, shots = f"http://{house.address}/login?token={house.token}", str(ROOT / "target/shots")
    command = ["node", str(ROOT / "tests/browser/technician.mjs"), link, shots, "risk", "24h", telling]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=False)
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_alerts_of_a_model_stand_by_what_it_said_times_repair_time_and_spares(house: House, model: str) -> None:
    table = csv.DictReader(io.StringIO(house.get("/alerts?format=csv&urgency=soon", "text/html")))
    foreseen = [row for row in table if row["rule"] == "at-risk"]
    said = {alert["alert"]: alert["score"]["chance"] for alert in alerts(house)}
    assert len(foreseen) >= 4 and [float(row["chance"]) for row in foreseen] == [said[row["alert"]] for row in foreseen]
    stakes = [float(row["impact_hours"] or 0) for row in foreseen]
    assert stakes == sorted(stakes, reverse=True)


def test_a_risk_that_comes_true_is_part_of_the_failure_on_the_cards_and_in_the_tables(house: House, model: str) -> None:
    risk = [alert for alert in alerts(house) if alert["open"]][-1]
    device = risk["subject"]
    post(house, f"/api/v1/devices/{device}/assertions", {"claim": "down", "author": "kim", "reason": "it came true"})

    def open_alerts() -> list[tuple[str, str]]:
        said = house.json(f"/api/v1/alerts?open=true&subject={device}")["alerts"]
        return [(alert["rule"], alert["alert"]) for alert in said if alert["rule"] in ("device-failed", "device-error", "at-risk")]

    ((_, failure),) = await_true("one incident", lambda: (found := open_alerts())[0][0] == "device-failed" and found, SCORED_WITHIN_SECONDS)
    took = f'It took <a href="/alerts/{risk["alert"]}?'
    assert took in (card := house.get(f"/alerts/{failure}", "text/html")) and f"{risk['summary']}: became part of this" in card
    assert f'It is part of <a href="/alerts/{failure}?' in house.get(f"/alerts/{risk['alert']}", "text/html")
    whole = "SELECT part_of FROM alert_steps WHERE alert = %s AND part_of IS NOT NULL"
    still_open = "SELECT alert FROM alerts WHERE open AND device = %s AND rule IN ('device-failed', 'device-error', 'at-risk')"
    with connect(house, "incident", "--all", autocommit=True) as session:
        await_true("the incident in the tables", lambda: session.execute(whole, [risk["alert"]]).fetchall() == [(failure,)], SCORED_WITHIN_SECONDS)
        assert session.execute(still_open, [device]).fetchall() == [(failure,)]


def test_a_voice_beyond_the_budget_of_a_technician_demotes_itself_where_people_see_it(house: House, model: str) -> None:
    by_voice: dict[str, list[str]] = {}
    for alert in alerts(house):
        by_voice.setdefault(alert["score"]["voice"], []).append(alert["alert"])
    voice, own = max(by_voice.items(), key=lambda one: len(one[1]))
    for alert in own[:2]:
        assert ask(house, alert, {"type": "verdict", "finding": "nothing_found"})["verdict"] == "granted"
    left = {alert["alert"] for alert in alerts(house) if alert["open"]}
    assert not left & set(own), f"the {voice} are heard no more, and what they had raised has lost its cause"
    week = next(one for one in house.json("/api/v1/scoreboard?horizon=24h")["false_alerts"] if one["model"] == model)
    assert week == {"model": model, "technician": "kim", "false_alerts": 2, "allowed": 1}
    assert f"kim: 2 by model {model}, 1 are allowed" in house.get(f"/risk/models/{model}", "text/html")
    for page in (house.get("/alerts", "text/html"), house.get(f"/alerts/{own[2]}", "text/html")):
        assert re.search(rf"model {model} are heard no more since .*: kim found nothing 2 times within a week, 1 are allowed", page)


def test_grafana_shows_the_precision_of_a_model(house: House, model: str) -> None:
    board = boards()["medfleet-alerts"]
    panel = next(panel for panel in panels(board) if panel["title"] == "Precision by model and rule")
    with connect(house, "precision", "--all", autocommit=True) as connection:
        sql, chosen = Sql(connection), {name: [row[0] for row in connection.execute(f"SELECT DISTINCT {name} FROM alerts")] for name in ("site", "kind", "urgency")}

        def shown() -> list[tuple]:
            names, rows = sql.ask(panel["targets"][0]["rawSql"], Range.of(board), chosen)
            told = [dict(zip(names, row, strict=True)) for row in rows]
            return [(row["rule"], row["verdicts"], row["right"], row["nothing found"], row["precision"]) for row in told if row["model"] == model]

        await_true("the verdicts of the model", lambda: shown() == [("at-risk", 2, 0, 2, 0.0)], SCORED_WITHIN_SECONDS)


def test_a_model_that_is_withdrawn_takes_its_alerts_along(house: House, model: str) -> None:
    house.role.stop()
    assert "is withdrawn" in medfleet(house, "train", "--withdraw", model, "--because", "it knew the repair", "--by", "kim")
    house.role.start()
    house._await_page()
    await_true("no open alert of the model", lambda: not [one for one in alerts(house) if one["open"]], SCORED_WITHIN_SECONDS)
    told = next(one for one in house.json("/api/v1/models")["models"] if one["model"] == model)
    assert not told["speaks"] and told["withdrawn"]["by"] == "kim"
    assert re.search(rf"{model}</code></a> <small>withdrawn .* by kim: it knew the repair", house.get("/risk?horizon=24h", "text/html"))
    sql = "SELECT speaks, withdrawn_because FROM models WHERE model = %s"
    with connect(house, "withdrawn", "--all", autocommit=True) as session:
        await_true("the row", lambda: session.execute(sql, [model]).fetchall() == [(False, "it knew the repair")], SCORED_WITHIN_SECONDS)
