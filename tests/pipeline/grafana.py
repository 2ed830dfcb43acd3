"""Asks what Grafana would ask: every panel and variable of a dashboard, its macros expanded, against a real Prometheus and the SQL endpoint."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from faults.process import ROOT, Failure

DASHBOARDS = ROOT / "dashboards/grafana"
STEP_SECONDS = 15
RATE_SECONDS = 60
ASK_SECONDS = 30.0
LABEL_VALUES = re.compile(r"^label_values\((?:(?P<metric>.+), *)?(?P<label>\w+)\)$")


@dataclass(frozen=True)
class Range:
    """The time range at the top of a dashboard, in seconds since 1970."""

    since: float
    until: float

    @property
    def seconds(self) -> int:
        return int(self.until - self.since)


def boards() -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(board: dict) -> list[dict]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


class Prometheus:
    """The HTTP api that the data source uses."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **params: object) -> object:
        pairs = urllib.parse.urlencode([(key, value) for key, value in params.items()])
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{pairs}", timeout=ASK_SECONDS) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            raise Failure(f"{path} {params}: {error.read().decode()}") from None

    def rows(self, target: dict, over: Range, chosen: dict[str, list[str]]) -> int:
        """How many series with at least one point a panel's query gives."""
        expr = self.expand(target["expr"], over, chosen)
        if target["instant"]:
            return len(self.get("query", query=expr, time=over.until)["result"])
        return len(self.get("query_range", query=expr, start=over.since, end=over.until, step=STEP_SECONDS)["result"])

    def values(self, variable: dict) -> list[str]:
        """What a `label_values(…)` variable offers."""
        asked = LABEL_VALUES.match(variable["query"]["query"])
        assert asked, f"variable {variable['name']}: only label_values(METRIC, LABEL) is used here, not {variable['query']['query']}"
        return list(self.get(f"label/{asked['label']}/values", **({"match[]": asked["metric"]} if asked["metric"] else {})))

    @staticmethod
    def expand(expr: str, over: Range, chosen: dict[str, list[str]]) -> str:
        macros = {"$__rate_interval": f"{RATE_SECONDS}s", "$__interval": f"{STEP_SECONDS}s", "$__range": f"{over.seconds}s"}
        for macro, value in macros.items():
            expr = expr.replace(macro, value)
        for name, values in chosen.items():
            one_of = "(" + "|".join(re.escape(value).replace("\\", "\\\\") for value in values) + ")"
            expr = re.sub(rf"\$\{{{name}(:regex)?\}}|\${name}\b", lambda _, text=one_of: text, expr)
        assert "$" not in expr, f"nothing expands this: {expr}"
        return expr


def choose(board: dict, prometheus: Prometheus, sql=None) -> dict[str, list[str]]:
    """Every value that each variable offers, as `All` would choose them; a variable without values is a defect."""
    chosen: dict[str, list[str]] = {}
    for variable in board["templating"]["list"]:
        source = prometheus if variable["datasource"]["type"] == "prometheus" else sql
        values = source.values(variable) if source is prometheus else source.values(variable, chosen)
        assert values, f"{board['title']}: variable {variable['name']} offers nothing"
        chosen[variable["name"]] = values
    return chosen


def last(hours: float) -> Range:
    now = time.time()
    return Range(now - hours * 3600, now)


def objections(board: dict) -> list[str]:
    """What every panel must have, and what file provisioning cannot take."""
    found = []
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        missing = [what for what, there in {"title": panel["title"], "description": panel["description"], "unit": defaults.get("unit"), "no-data text": defaults.get("noValue")}.items() if not there]
        found += [f"{board['title']}, panel {panel['title'] or panel['id']}: no {what}" for what in missing]
    ids = [panel["id"] for panel in board["panels"]]
    found += [f"{board['title']}: panel id {number} is given twice" for number in set(ids) if ids.count(number) > 1]
    if board["schemaVersion"] != 42 or "${DS_" in json.dumps(board):
        found.append(f"{board['title']}: not the classic model with fixed data sources")
    return found
