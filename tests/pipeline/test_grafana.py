"""Dashboards, rules and metrics, proved against a running demo, a real Prometheus and Grafana's own model of a dashboard."""

import json
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from faults.process import ROOT, await_true, free_ports, run
from grafana import DASHBOARDS, Prometheus, Range, Sql, boards, choose, objections, panels
from test_demo import House
from test_kpi import contract_of, issue, month_before, query, say, statement
from test_sql import connect

# A device's dashboard opens with a week; orders and maintenance of one device are too rare to be asked of every week.
DEVICE_DAYS = 30
BUSY = """
    SELECT device, site, kind FROM failures('{since}', '{until}')
    WHERE device IN (SELECT device FROM errors WHERE day > '{since}') AND device IN (SELECT device FROM usage WHERE day > '{since}')
        AND device IN (SELECT device FROM orders WHERE at > '{since}') AND device IN (SELECT device FROM pm('{since}', '{until}'))
    ORDER BY device LIMIT 1
"""
SCRAPES_AT_LEAST = 8
SCRAPES_WITHIN_SECONDS = 60.0


@pytest.fixture(scope="module")
def prometheus(month: House, tmp_path_factory: pytest.TempPathFactory):
    """A Prometheus that has read the demo for a while."""
    folder, script = tmp_path_factory.mktemp("prometheus"), ROOT / "infra/dev/prometheus.sh"
    try:
        said = run(str(script), "start", str(folder), str(free_ports(1)), month.address, MEDFLEET_SCRAPE_INTERVAL="2s")
        prometheus = Prometheus(dict(line.split("=", 1) for line in said.stdout.split())["url"])
        await_true("scrapes of the demo", lambda: _scrapes(prometheus) >= SCRAPES_AT_LEAST, SCRAPES_WITHIN_SECONDS)
        yield prometheus
    finally:
        subprocess.run([script, "stop", folder], check=False, capture_output=True)


@pytest.fixture(scope="module")
def busy(month: House) -> dict:
    """A device of which there is something to show in every panel, and what people say of it after the month: a statement, and a late claim."""
    first, this = month_before(datetime.now(UTC).date())
    with connect(month, "busy", "--all") as connection:
        until = datetime.now(UTC).date()
        found = connection.execute(BUSY.format(since=until - timedelta(days=DEVICE_DAYS - 1), until=until)).fetchone()
    device = dict(zip(("device", "site", "kind"), found, strict=True))
    contract_of(month, device, "GRAFANA-1", first)
    day = this - timedelta(days=1)
    asked = f"/api/v1/devices/{device['device']}/statement?{query(contract='GRAFANA-1', day=day)}"
    await_true("the contract covers the device", lambda: statement(month, asked))
    issue(month, device["device"], "GRAFANA-1", day)
    hours = [f"{day}T{hour:02}:00:00Z" for hour in (1, 3)]
    claim = {"claim": "down", "from": hours[0], "until": hours[1], "author": "kim", "reason": "found in the paper log"}
    assert say(month, f"/api/v1/devices/{device['device']}/assertions", "grafana-late", claim)[0] == 202
    late = f"/api/v1/kpi/amendments?{query(**{'from': first, 'until': this, 'device': device['device']})}"
    await_true("the claim is in the tables", lambda: month.json(late)["rows"])
    # The demo may happen to have nobody down at this moment.
    lasting = {"claim": "down", "author": "kim", "reason": "does not start"}
    assert say(month, f"/api/v1/devices/{device['device']}/assertions", "grafana-down-now", lasting)[0] == 202
    with connect(month, "down", "--all", autocommit=True) as connection:
        down = f"SELECT count(*) FROM device_now WHERE device = '{device['device']}' AND claim_condition = 'unscheduled_down'"
        await_true("the device is down now", lambda: connection.execute(down).fetchone()[0] == 1)
    return device


@pytest.fixture(scope="module")
def judged(month: House) -> None:
    """Two alerts that a person took, one right and one not, beside others that wait."""
    alerts = await_true("alerts of the demo", lambda: (found := month.json("/api/v1/alerts?open=true")["alerts"])[2:] and found)
    for alert, finding in zip(alerts[:2], ("confirmed", "nothing_found"), strict=True):
        for ask in ({"type": "acknowledge"}, {"type": "verdict", "finding": finding}):
            say(month, f"/api/v1/alerts/{alert['alert']}/requests", f"grafana-{finding}-{ask['type']}", {"author": "kim", "ask": ask})
    with connect(month, "judged", "--all", autocommit=True) as connection:
        verdicts = "SELECT count(*) FROM alerts WHERE was_right IS NOT NULL AND acknowledged_at IS NOT NULL"
        await_true("both verdicts are in the tables", lambda: connection.execute(verdicts).fetchone()[0] >= 2)



def _scrapes(prometheus: Prometheus) -> int:
    found = prometheus.get("query", query='count_over_time(up{job="medfleet"}[1m]) * up')["result"]
    return int(float(found[0]["value"][1])) if found else 0


def test_the_json_is_what_its_sources_say() -> None:
    subprocess.run([sys.executable, DASHBOARDS / "build.py", "--check"], check=True)


@pytest.mark.parametrize("name", boards())
def test_every_panel_explains_itself(name: str) -> None:
    assert objections(boards()[name]) == []


@pytest.mark.parametrize("name", boards())
def test_grafanas_own_model_takes_the_dashboard_and_loses_no_key(name: str) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    board = boards()[name]
    back = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    assert lost(board, back) == []


def lost(given: object, back: object, place: str = "") -> list[str]:
    """Paths whose values the round trip has dropped or changed; empty lists, objects and strings may vanish."""
    if isinstance(given, dict):
        kept = back if isinstance(back, dict) else {}
        return [path for key, value in given.items() for path in lost(value, kept.get(key), f"{place}.{key}")]
    if isinstance(given, list):
        kept = back if isinstance(back, list) else []
        if len(kept) != len(given):
            return [f"{place}: {len(given)} became {len(kept)}"]
        return [path for number, value in enumerate(given) for path in lost(value, kept[number], f"{place}[{number}]")]
    return [] if given == back or (given in ("", None) and back is None) else [f"{place}: {given!r} became {back!r}"]


@pytest.mark.parametrize("name", boards())
def test_every_query_of_every_panel_gives_rows(name: str, month: House, prometheus: Prometheus, busy: dict, judged: None) -> None:
    board, empty = boards()[name], []
    over = Range.of(board)
    if name == "medfleet-device":
        over = Range(over.until - DEVICE_DAYS * 86_400, over.until)
    with connect(month, "grafana", "--all", autocommit=True) as connection:
        sql = Sql(connection)
        chosen = choose(board, prometheus, sql, busy)
        for panel in panels(board):
            for target in panel["targets"]:
                source = sql if "rawSql" in target else prometheus
                if source.rows(target, over, chosen) == 0:
                    empty.append(f"{panel['title']}: {target.get('rawSql') or target['expr']}")
    assert empty == []


def test_a_query_of_something_that_is_not_there_gives_no_rows(month: House, prometheus: Prometheus) -> None:
    over = Range.of(boards()["medfleet-pipeline"])
    nothing = {"expr": "rate(medfleet_ingest_no_such_total[$__rate_interval])", "instant": False}
    assert prometheus.rows(nothing, over, {}) == 0
    with connect(month, "grafana", "--all", autocommit=True) as connection:
        nothing = {"rawSql": "SELECT sum(up_seconds) FROM uptime($__timeFrom(), $__timeTo()) WHERE site IN (${site:sqlstring})", "format": "table"}
        assert Sql(connection).rows(nothing, over, {"site": ["nowhere"]}) == 0, "a row without any figure is none"


def test_the_rules_run_on_real_metrics_and_no_alert_fires(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) >= 20
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"] == []
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []


def test_promtool_has_nothing_to_say_about_our_metrics(month: House) -> None:
    with urllib.request.urlopen(f"http://{month.address}/metrics") as answer:
        checked = subprocess.run(["promtool", "check", "metrics"], input=answer.read(), capture_output=True)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")
