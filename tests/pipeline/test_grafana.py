"""Dashboards, rules and metrics, proved against a running demo, a real Prometheus and Grafana's own model of a dashboard."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest
from faults.process import ROOT, await_true, free_ports
from grafana import DASHBOARDS, Prometheus, boards, choose, last, objections, panels
from test_demo import House

SCRAPES_AT_LEAST = 8
SCRAPES_WITHIN_SECONDS = 60.0


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory):
    """A demo that a Prometheus has read for a while."""
    folder = tmp_path_factory.mktemp("watched")
    script, house = ROOT / "infra/dev/prometheus.sh", None
    try:
        house = House(folder)
        said = subprocess.run(
            [script, "start", folder / "prometheus", str(free_ports(1)), house.address], check=True, capture_output=True, text=True, env=os.environ | {"MEDFLEET_SCRAPE_INTERVAL": "2s"}
        )
        prometheus = Prometheus(dict(line.split("=", 1) for line in said.stdout.split())["url"])
        await_true("scrapes of the demo", lambda: _scrapes(prometheus) >= SCRAPES_AT_LEAST, SCRAPES_WITHIN_SECONDS)
        yield house, prometheus
    finally:
        subprocess.run([script, "stop", folder / "prometheus"], check=False, capture_output=True)
        if house:
            house.role.end()



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
def test_every_query_of_every_panel_gives_rows(name: str, watched) -> None:
    house, prometheus = watched
    board, over = boards()[name], last(hours=1)
    chosen, empty = choose(board, prometheus), []
    for panel in panels(board):
        for target in panel["targets"]:
            if prometheus.rows(target, over, chosen) == 0:
                empty.append(f"{panel['title']}: {target['expr']}")
    assert empty == []


def test_a_query_of_something_that_is_not_there_gives_no_rows(watched) -> None:
    _, prometheus = watched
    nothing = {"expr": "rate(medfleet_ingest_no_such_total[$__rate_interval])", "instant": False}
    assert prometheus.rows(nothing, last(hours=1), {}) == 0


def test_the_rules_run_on_real_metrics_and_no_alert_fires(watched) -> None:
    _, prometheus = watched
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) >= 20
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"] == []
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []


def test_promtool_has_nothing_to_say_about_our_metrics(watched) -> None:
    house, _ = watched
    with urllib.request.urlopen(f"http://{house.address}/metrics") as answer:
        checked = subprocess.run(["promtool", "check", "metrics"], input=answer.read(), capture_output=True)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")
