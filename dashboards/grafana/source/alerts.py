"""Alerts: what is open and with whom, how soon it was seen to, and how often it was right. What ended before it was known is late and woke nobody."""

from figures import SITES, device_link, link
from panels import AMBER, GREEN, RED, Panel, bars, column, dashboard, lines, sql, sql_variable, stat, table

CHOSEN = "site IN (${site:sqlstring}) AND kind IN (${kind:sqlstring}) AND urgency IN (${urgency:sqlstring})"
RAISED = f"$__timeFilter(raised_at) AND {CHOSEN}"
OPENED = f"$__timeFilter(opened_at) AND {CHOSEN}"
JUDGED = f"$__timeFilter(judged_at) AND {CHOSEN}"
RIGHT, WRONG = (f"sum(CASE WHEN {what} THEN 1 ELSE 0 END)" for what in ("was_right", "NOT was_right"))
SAYS_WHETHER = "sum(CASE WHEN was_right IS NULL THEN 0 ELSE 1 END)"
NOT_DONE_SAYS = "A verdict “not done” says nothing about the alert and is in neither part."
URGENCY = sql_variable("urgency", "Urgency", "SELECT DISTINCT urgency FROM alerts ORDER BY urgency")
KIND = sql_variable("kind", "Kind", "SELECT DISTINCT kind FROM alerts ORDER BY kind")
NOTHING_RAISED = "nothing was raised in this time"
NOT_JUDGED = "no verdict was given in this time"


def open_by(title: str, by: str, says: str) -> Panel:
    query = sql(f"SELECT {by}, count(*) AS open FROM alerts WHERE open AND {CHOSEN} GROUP BY {by} ORDER BY 2 DESC")
    return bars(title, says, query, "none", "nothing is open", width=8)


def build() -> dict:
    now = [
        stat(
            "Open", "Alerts without an end, those of them that nobody has acknowledged, and those that are late: of a past that may be over. Of all times, not only the one shown.",
            sql(f"""
                SELECT count(*) AS open, sum(CASE WHEN acknowledged_at IS NULL THEN 1 ELSE 0 END) AS "not acknowledged",
                    sum(CASE WHEN urgency = 'page' AND acknowledged_at IS NULL AND NOT late THEN 1 ELSE 0 END) AS "pages that wait", sum(CASE WHEN late THEN 1 ELSE 0 END) AS late
                FROM alerts WHERE open AND {CHOSEN}"""),
            "none", "nothing is open", width=12,
        ),
        stat(
            "False-alert share", f"Verdicts “nothing found” ÷ verdicts that say whether the alert was right, of those given in this time. {NOT_DONE_SAYS}",
            sql(f'SELECT {WRONG} * 1.0 / nullif({SAYS_WHETHER}, 0) AS "false", {WRONG} AS "nothing found", {SAYS_WHETHER} AS verdicts FROM alerts WHERE {JUDGED}'),
            "none", NOT_JUDGED, width=12, thresholds=[(None, GREEN)],
            overrides=[column("false", unit="percentunit", decimals=0, thresholds={"mode": "absolute", "steps": [{"value": None, "color": GREEN}, {"value": 0.3, "color": AMBER}, {"value": 0.5, "color": RED}]})],
        ),
        open_by("Open by urgency", "urgency", "Page: now. Soon: now, within working hours. Inbox: when there is time."),
        open_by("Open by site", "site", "The site that the alert was raised for."),
        open_by("Open by rule", "rule", "The rule that raised it: the sort of cause."),
        table(
            "Open alerts", "What has no end, the most urgent first, then the oldest. Acknowledged by is whoever took it or was given it.",
            sql(f"""
                SELECT opened_at AS opened, urgency, rule, site, kind, device, part, summary, late, acknowledged_by AS "acknowledged by", assigned_to AS "assigned to", escalations
                FROM alerts WHERE open AND {CHOSEN}
                ORDER BY CASE urgency WHEN 'page' THEN 0 WHEN 'soon' THEN 1 ELSE 2 END, opened_at LIMIT 200"""),
            "none", "nothing is open", overrides=[device_link(), link("site", "medfleet-site")],
        ),
    ]
    flow = [
        bars(
            "Raised by day, by rule", "Alerts by the UTC day on which they were raised first; one problem is one alert.",
            sql(f"SELECT $__timeGroup(raised_at, '1d') AS time, rule AS metric, count(*) AS raised FROM alerts WHERE {RAISED} GROUP BY 1, 2 ORDER BY 1, 2", "time_series"),
            "none", NOTHING_RAISED,
        ),
        bars(
            "Raised by day, by urgency", "The same alerts by urgency, those that were late apart: they woke nobody.",
            sql(f"""
                SELECT $__timeGroup(raised_at, '1d') AS time, CASE WHEN late THEN 'late' ELSE urgency END AS metric, count(*) AS raised
                FROM alerts WHERE {RAISED} GROUP BY 1, 2 ORDER BY 1, 2""", "time_series"),
            "none", NOTHING_RAISED,
        ),
        lines(
            "Time to acknowledge, by day", "Median of the time from when an alert was opened to when somebody took it or was given it, by the UTC day on which it was opened.",
            [sql(f"""
                SELECT $__timeGroup(opened_at, '1d') AS time, urgency AS metric, median(acknowledge_seconds) AS seconds
                FROM alerts WHERE {OPENED} AND acknowledged_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2""", "time_series")],
            "s", "nothing was acknowledged in this time", custom={"drawStyle": "points", "pointSize": 7, "showPoints": "always", "spanNulls": False},
        ),
        table(
            "Time to acknowledge", "Alerts opened in this time by what became of them. Ended unseen: over before anybody took it. Median and 90th percentile are of those that were acknowledged.",
            sql(f"""
                SELECT urgency, rule, count(*) AS opened, count(acknowledged_at) AS acknowledged,
                    sum(CASE WHEN acknowledged_at IS NULL AND NOT open THEN 1 ELSE 0 END) AS "ended unseen", sum(CASE WHEN acknowledged_at IS NULL AND open THEN 1 ELSE 0 END) AS "still waiting",
                    median(acknowledge_seconds) AS median, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY acknowledge_seconds) AS "90th percentile", max(escalations) AS "escalations at most"
                FROM alerts WHERE {OPENED} GROUP BY urgency, rule ORDER BY opened DESC"""),
            "none", NOTHING_RAISED, width=12, overrides=[column("median", unit="s"), column("90th percentile", unit="s")],
        ),
    ]
    worth = [
        table(
            "Precision by model and rule", f"Verdicts that confirm ÷ verdicts that say whether the alert was right, of those given in this time. Wear that was found and replaced confirms. {NOT_DONE_SAYS} Alerts that no score raised stand under their rule alone.",
            sql(f"""
                SELECT rule, coalesce(model, 'no model') AS model, count(*) AS verdicts, {RIGHT} AS "right", {WRONG} AS "nothing found", count(*) - {SAYS_WHETHER} AS "not done",
                    {RIGHT} * 1.0 / nullif({SAYS_WHETHER}, 0) AS precision
                FROM alerts WHERE {JUDGED} GROUP BY rule, coalesce(model, 'no model') ORDER BY verdicts DESC"""),
            "none", NOT_JUDGED, width=12, overrides=[column("precision", unit="percentunit", decimals=0)],
        ),
        table(
            "What was found", "Verdicts given in this time, the newest first.",
            sql(f"""
                SELECT judged_at AS judged, finding, part_found AS "other part", rule, site, device, part, model
                FROM alerts WHERE {JUDGED} ORDER BY judged_at DESC LIMIT 200"""),
            "none", NOT_JUDGED, width=12, overrides=[device_link(), link("site", "medfleet-site")],
        ),
    ]
    rows = [("Open", now), ("Raised and seen to", flow), ("Were they right", worth)]
    return dashboard("medfleet-alerts", "Alerts", __doc__, rows, [SITES, KIND, URGENCY], "now-30d", "1m")
