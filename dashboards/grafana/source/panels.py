"""Panels, queries and variables of Grafana's classic model, as far as our dashboards use them. One function makes one thing."""

from dataclasses import dataclass, field

PROMETHEUS = {"type": "prometheus", "uid": "medfleet-prometheus"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "medfleet-sql"}
GRID_COLUMNS = 24
GREEN, AMBER, RED, GREY = "#2f855a", "#b7791f", "#c53030", "#718096"


def prom(expr: str, legend: str = "__auto", instant: bool = False) -> dict:
    """A PromQL query; a range of points, or one point at the end."""
    kind = {"instant": True, "range": False} if instant else {"instant": False, "range": True}
    return {"datasource": PROMETHEUS, "editorMode": "code", "expr": " ".join(expr.split()), "legendFormat": legend, **kind}


def sql(text: str, shape: str = "table") -> dict:
    """A query of the SQL endpoint; `shape` is table or time_series."""
    return {"datasource": POSTGRES, "editorMode": "code", "format": shape, "rawQuery": True, "rawSql": text.strip()}


@dataclass
class Panel:
    """A panel without its place. `says` tells how the figure is computed; `nothing` is shown when there is no data."""

    kind: str
    title: str
    says: str
    queries: list[dict]
    unit: str
    nothing: str
    width: int = 12
    height: int = 8
    thresholds: list[tuple[float | None, str]] = field(default_factory=lambda: [(None, GREEN)])
    least: float | None = None
    most: float | None = None
    decimals: int | None = None
    mappings: list[dict] = field(default_factory=list)
    overrides: list[dict] = field(default_factory=list)
    options: dict = field(default_factory=dict)
    custom: dict = field(default_factory=dict)
    transformations: list[dict] = field(default_factory=list)

    def placed(self, number: int, x: int, y: int) -> dict:
        defaults = {
            "unit": self.unit,
            "noValue": self.nothing,
            "mappings": self.mappings,
            "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in self.thresholds]},
            "custom": self.custom,
        }
        optional = {"min": self.least, "max": self.most, "decimals": self.decimals}
        defaults |= {name: value for name, value in optional.items() if value is not None}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.says,
            "datasource": self.queries[0]["datasource"],
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [{**query, "refId": chr(ord("A") + place)} for place, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides},
            "options": self.options,
            "transformations": self.transformations,
        }


def stat(title: str, says: str, query: dict, unit: str, nothing: str, **more) -> Panel:
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "colorMode": "value", "graphMode": "none", "textMode": "auto"}
    return Panel("stat", title, says, [query], unit, nothing, **{"width": 4, "height": 4, "options": options, **more})


def lines(title: str, says: str, queries: list[dict], unit: str, nothing: str, **more) -> Panel:
    options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    return Panel("timeseries", title, says, queries, unit, nothing, **{"options": options, "custom": custom, "least": 0, **more})


def table(title: str, says: str, query: dict, unit: str, nothing: str, **more) -> Panel:
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    return Panel("table", title, says, [query], unit, nothing, **{"width": 24, "options": options, "custom": {"align": "auto", "filterable": True}, **more})


def bars(title: str, says: str, query: dict, unit: str, nothing: str, **more) -> Panel:
    """Bars over time, stacked; or, of a query without time, one bar for each row."""
    legend = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if query["format"] == "time_series":
        custom = {"drawStyle": "bars", "lineWidth": 1, "fillOpacity": 70, "showPoints": "never", "stacking": {"mode": "normal", "group": "A"}}
        return Panel("timeseries", title, says, [query], unit, nothing, **{"options": legend, "custom": custom, "least": 0, **more})
    options = {"orientation": "horizontal", "showValue": "always", "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False}, "tooltip": {"mode": "single", "sort": "none"}}
    return Panel("barchart", title, says, [query], unit, nothing, **{"options": options, "custom": {"fillOpacity": 70, "lineWidth": 1}, "least": 0, **more})


def states(title: str, says: str, query: dict, nothing: str, mappings: list[dict], **more) -> Panel:
    """Stretches of states side by side: each field's number has a word, and holds until the next row."""
    options = {"mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8, "perPage": 20, "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "single", "sort": "none"}}
    custom = {"lineWidth": 0, "fillOpacity": 80, "spanNulls": False}
    return Panel("state-timeline", title, says, [query], "none", nothing, **{"width": 24, "options": options, "custom": custom, "mappings": mappings, **more})


def column(name: str, **properties) -> dict:
    """How one column of a table differs from the panel's defaults: column("uptime", unit="percentunit")."""
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]}


def value_map(values: dict[str, tuple[str, str]]) -> list[dict]:
    """Codes to words and colours; the words carry the meaning, the colours only help."""
    options = {code: {"index": place, "text": text, "color": colour} for place, (code, (text, colour)) in enumerate(values.items())}
    return [{"type": "value", "options": options}]


def prom_variable(name: str, label: str, query: str) -> dict:
    return {**_variable(name, label, PROMETHEUS), "query": {"query": query, "refId": "variable"}, "definition": query}


def sql_variable(name: str, label: str, query: str, several: bool = True) -> dict:
    return {**_variable(name, label, POSTGRES, several), "query": query, "definition": query}


def _variable(name: str, label: str, source: dict, several: bool = True) -> dict:
    every = {"selected": True, "text": "All", "value": "$__all"}
    return {
        "type": "query", "name": name, "label": label, "datasource": source, "refresh": 2, "sort": 1, "hide": 0, "regex": "",
        "multi": several, "includeAll": several, "current": every if several else {}, "options": [], "skipUrlSync": False,
    }


def dashboard(uid: str, title: str, says: str, rows: list[tuple[str, list[Panel]]], variables: list[dict], since: str, refresh: str, until: str = "now") -> dict:
    """Rows of panels from left to right, wrapped at 24 columns."""
    placed, number, y = [], 1, 0
    for name, panels in rows:
        placed.append({"id": number, "type": "row", "title": name, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": GRID_COLUMNS, "h": 1}})
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for panel in panels:
            if x + panel.width > GRID_COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            placed.append(panel.placed(number, x, y))
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest
    links = [{"type": "dashboards", "title": "medfleet", "tags": ["medfleet"], "asDropdown": True, "keepTime": True, "includeVars": True, "icon": "", "tooltip": "", "url": "", "targetBlank": False}]
    return {
        "uid": uid, "title": title, "description": says, "tags": ["medfleet"], "schemaVersion": 42, "editable": False, "graphTooltip": 1, "fiscalYearStartMonth": 0,
        "timezone": "utc", "time": {"from": since, "to": until}, "refresh": refresh, "timepicker": {}, "annotations": {"list": []}, "links": links,
        "templating": {"list": variables}, "panels": placed,
    }
