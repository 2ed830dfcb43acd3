"""One site: its kinds and devices, what failed, what waits, and how much of it was in use at once."""

from figures import (
    BASE_HOURS_UPTIME, BASE_UPTIME, BASE_UTILIZATION, BEST, COVERAGE, NOTHING_KNOWN, PERIOD, UNKNOWN_SAYS, UPTIME, WORST,
    at_once, clocks, coverage_by_day, device_link, failure_rates, hour_columns, link, longest_down, pm_on_time, ratio_columns, uptime_by_day,
)
from panels import dashboard, sql, sql_variable, stat, table

HERE = "site = ${site:sqlstring}"
ALSO = "site => ${site:sqlstring}"


def build() -> dict:
    period = [
        stat(
            "Uptime, and what it does not know", f"Up ÷ known over the whole time in service. {UNKNOWN_SAYS}",
            sql(f'SELECT {UPTIME} AS uptime, {WORST} AS "at worst", {BEST} AS "at best", {COVERAGE} AS coverage FROM uptime({PERIOD}) WHERE {HERE}'),
            "percentunit", NOTHING_KNOWN, width=10, decimals=2,
        ),
        stat(
            "Within base hours", "Operational uptime and utilization: up, and in use, ÷ known within base hours.",
            sql(f"SELECT {BASE_UPTIME} AS uptime, {BASE_UTILIZATION} AS utilization FROM uptime({PERIOD}) WHERE {HERE}"), "percentunit", NOTHING_KNOWN, width=6, decimals=2,
        ),
        stat(
            "Monitored ÷ registered", "Devices that anything was heard of in this period, beside those in service.",
            sql(f"SELECT sum(monitored) AS monitored, sum(devices) AS registered FROM uptime({PERIOD}) WHERE {HERE}"), "none", "no device was in service", width=4,
        ),
        stat(
            "Base hours", "Device-hours in service within base hours: what an hour of downtime weighs depends on them.",
            sql(f"SELECT sum(base_registered_seconds) / 3600 AS hours FROM uptime({PERIOD}) WHERE {HERE}"), "h", "no device was in service", decimals=0,
        ),
    ]
    days = [
        uptime_by_day("kind", HERE),
        coverage_by_day("kind", HERE),
    ]
    dependent = ("equipment-dependent", "supplier-dependent")
    figures = [
        table(
            "Kinds", f"{UNKNOWN_SAYS} Equipment-dependent uptime leaves out downtime spent waiting for anybody, supplier-dependent only what waits for us, the user or the facility.",
            sql(f"""
                SELECT kind, devices, monitored, uptime, worst, best, coverage, {BASE_HOURS_UPTIME}, equipment_dependent_uptime AS "equipment-dependent",
                    supplier_dependent_uptime AS "supplier-dependent", base_utilization AS "base hours utilization"
                FROM uptime({PERIOD}) WHERE {HERE} ORDER BY uptime"""),
            "none", NOTHING_KNOWN, overrides=[link("kind", "medfleet-kind"), *ratio_columns(), *ratio_columns(*dependent)],
        ),
        table(
            "Devices", f"Every device in service here, the lowest uptime first. {UNKNOWN_SAYS}",
            sql(f"""
                SELECT device, kind, uptime, worst, best, coverage, {BASE_HOURS_UPTIME}, base_utilization AS "base hours utilization",
                    unscheduled_down_seconds / 3600 AS "hours down", conflict_seconds / 3600 AS "hours in conflict"
                FROM uptime_by_device({PERIOD}, {ALSO}) ORDER BY uptime, device"""),
            "none", NOTHING_KNOWN, height=12, overrides=[device_link(), link("kind", "medfleet-kind"), *ratio_columns(), *hour_columns("hours down", "hours in conflict")],
        ),
    ]
    trouble = [longest_down(HERE), failure_rates("kind", HERE, [link("kind", "medfleet-kind")]), clocks("kind", ALSO), orders()]
    care = [pm_on_time("kind", HERE), at_once("kind", HERE)]
    site = sql_variable("site", "Site", "SELECT site FROM sites ORDER BY site", several=False)
    rows = [("In this period", period), ("Day by day", days), ("Figures", figures), ("Trouble", trouble), ("Care and use", care)]
    return dashboard("medfleet-site", "Site", __doc__, rows, [site], "now-30d", "5m")


def orders():
    query = sql(f"""
        SELECT device, kind, work_order AS "order", opened_at AS opened, finished, turnaround_seconds / 3600 AS "turnaround", response_seconds / 3600 AS "response",
            repair_seconds / 3600 AS "active repair", parts_seconds / 3600 AS "for parts", vendor_seconds / 3600 AS "for the vendor", facility_seconds / 3600 AS "for the facility",
            own_seconds / 3600 AS "for us", cause_code AS cause
        FROM repairs({PERIOD}, {ALSO}) ORDER BY finished, turnaround_seconds DESC LIMIT 100""")
    says = "Corrective orders of the period with their clocks, those still open first; an open order's clocks say how long so far."
    told = ("turnaround", "response", "active repair", "for parts", "for the vendor", "for the facility", "for us")
    return table("Orders", says, query, "none", "no order was open", overrides=[device_link(), link("kind", "medfleet-kind"), *hour_columns(*told)])
