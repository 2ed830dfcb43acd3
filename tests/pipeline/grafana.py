"""Asks what Grafana would ask: every panel and variable of a dashboard, its macros expanded, against a real Prometheus and the SQL endpoint."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from faults.process import ROOT, Failure

DASHBOARDS = ROOT / "dashboards/grafana"
STEP_SECONDS = 15
RATE_SECONDS = 60
ASK_SECONDS = 30.0
BACK = re.compile(r"^now(?:-(?P<count>\d+)(?P<unit>[hdM]))?(?:/(?P<whole>M))?$")
LABEL_VALUES = re.compile(r"^label_values\((?:(?P<metric>.+), *)?(?P<label>\w+)\)$")


@dataclass(frozen=True)
class Range:
    """The time range at the top of a dashboard, in seconds since 1970."""

    since: float
    until: float

    @property
    def seconds(self) -> int:
        return int(self.until - self.since)

    @staticmethod
    def of(board: dict) -> "Range":
        """What a dashboard shows when it is opened."""
        now = datetime.now(UTC)
        return Range(instant(board["time"]["from"], now, ends=False), instant(board["time"]["to"], now, ends=True))


def instant(text: str, now: datetime, ends: bool) -> float:
    """`now-30d`, or `now-1M/M`: the first instant of the month before, or as an end its last."""
    asked = BACK.match(text)
    assert asked, f"no dashboard here says {text}"
    count, unit = int(asked["count"] or 0), asked["unit"] or "h"
    if unit != "M":
        assert not asked["whole"], f"only whole months are used here, not {text}"
        return (now - timedelta(**{{"h": "hours", "d": "days"}[unit]: count})).timestamp()
    month = (now.year * 12 + now.month - 1) - count + (1 if ends else 0)
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()


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


class Sql:
    """The SQL endpoint as Grafana's data source asks it: by the simple protocol, macros expanded by the data source itself."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def ask(self, text: str, over: Range, chosen: dict[str, list[str]]) -> tuple[list[str], list[tuple]]:
        """Names of the columns, and rows."""
        expanded = self.expand(text, over, chosen)
        try:
            cursor = psycopg.ClientCursor(self.connection).execute(expanded)
        except psycopg.Error as error:
            raise Failure(f"{error.sqlstate} {error}: {expanded}") from None
        return [column.name for column in cursor.description], cursor.fetchall()

    def rows(self, target: dict, over: Range, chosen: dict[str, list[str]]) -> int:
        """How many rows a panel's query gives; a series must be one that Grafana can draw."""
        names, rows = self.ask(target["rawSql"], over, chosen)
        if target["format"] == "time_series":
            times = [row[names.index("time")] for row in rows]
            assert None not in times and times == sorted(times), f"times out of order: {target['rawSql']}"
        return sum(any(cell is not None for cell in row) for row in rows)

    def values(self, variable: dict, chosen: dict[str, list[str]]) -> list[str]:
        return [row[0] for row in self.ask(variable["query"], Range(0, 0), chosen)[1]]

    @staticmethod
    def expand(text: str, over: Range, chosen: dict[str, list[str]]) -> str:
        since, until = (datetime.fromtimestamp(at, UTC).strftime("'%Y-%m-%dT%H:%M:%S.%fZ'") for at in (over.since, over.until))
        text = text.replace("$__timeFrom()", since).replace("$__timeTo()", until)
        text = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {since} AND {until}", text)
        seconds = {"15m": 900, "1h": 3_600, "1d": 86_400}
        text = re.sub(r"\$__timeGroup\((\w+), *'(\w+)'\)", lambda group: f"floor(extract(epoch from {group[1]})/{seconds[group[2]]})*{seconds[group[2]]}", text)
        for name, values in chosen.items():
            listed = ",".join("'" + value.replace("'", "''") + "'" for value in values)
            text = text.replace(f"${{{name}:sqlstring}}", listed)
        assert "$" not in text, f"nothing expands this: {text}"
        return text


def choose(board: dict, prometheus: Prometheus, sql: Sql, preferred: dict[str, str]) -> dict[str, list[str]]:
    """Every value that each variable offers, as `All` would choose them, or the one preferred; a variable without values is a defect."""
    chosen: dict[str, list[str]] = {}
    for variable in board["templating"]["list"]:
        is_sql = variable["datasource"]["type"] != "prometheus"
        values = sql.values(variable, chosen) if is_sql else prometheus.values(variable)
        assert values, f"{board['title']}: variable {variable['name']} offers nothing"
        if not variable["multi"]:
            assert preferred.get(variable["name"], values[0]) in values, f"{board['title']}: variable {variable['name']} offers only {values}"
            values = [preferred.get(variable["name"], values[0])]
        chosen[variable["name"]] = values
    return chosen


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
