"""One kind of equipment: its sites, its makes and models, what it says when it fails, and how it is used."""

from figures import (
    BASE_HOURS_UPTIME, BASE_UPTIME, BEST, COVERAGE, NOT_ENOUGH, NOTHING_KNOWN, PERIOD, UNKNOWN_SAYS, UPTIME, UTILIZATION, WORST,
    at_once, clocks, device_link, enough, failure_rates, link, longest_down, pm_on_time, ratio_columns, sites_compared, uptime_by_day,
)
from panels import bars, column, dashboard, sql, sql_variable, stat, table

THIS = "kind = ${kind:sqlstring}"
ALSO = "kind => ${kind:sqlstring}"


def build() -> dict:
    period = [
        stat(
            "Uptime, and what it does not know", f"Up ÷ known over the whole time in service. {UNKNOWN_SAYS}",
            sql(f'SELECT {UPTIME} AS uptime, {WORST} AS "at worst", {BEST} AS "at best", {COVERAGE} AS coverage FROM uptime({PERIOD}) WHERE {THIS}'),
            "percentunit", NOTHING_KNOWN, width=10, decimals=2,
        ),
        stat(
            "Within base hours, and in use", "Up ÷ known within base hours, and in use ÷ known around the clock.",
            sql(f'SELECT {BASE_UPTIME} AS uptime, {UTILIZATION} AS "in use" FROM uptime({PERIOD}) WHERE {THIS}'), "percentunit", NOTHING_KNOWN, width=8, decimals=2,
        ),
        stat(
            "Monitored ÷ registered", "Devices that anything was heard of in this period, beside those in service.",
            sql(f"SELECT sum(monitored) AS monitored, sum(devices) AS registered FROM uptime({PERIOD}) WHERE {THIS}"), "none", "no device was in service", width=6,
        ),
    ]
    places = [
        uptime_by_day("site", THIS),
        at_once("site", THIS),
        table(
            "Sites", UNKNOWN_SAYS,
            sql(f"""
                SELECT site, devices, monitored, uptime, worst, best, coverage, {BASE_HOURS_UPTIME}, base_utilization AS "base hours utilization",
                    utilization AS "24 × 7 utilization"
                FROM uptime({PERIOD}) WHERE {THIS} ORDER BY uptime"""),
            "none", NOTHING_KNOWN, overrides=[link("site", "medfleet-site"), *ratio_columns()],
        ),
    ]
    trouble = [
        sites_compared("true", f", {ALSO}"),
        failure_rates("make, model", THIS, []),
        table(
            "What it says", "Error codes reported in the period, those of most devices first. An error is no downtime.",
            sql(f"""
                SELECT code, family, severity, component, count(*) AS times, count(DISTINCT device) AS devices
                FROM errors WHERE day >= $__timeFrom()::timestamptz::date AND $__timeFilter(at) AND {THIS}
                GROUP BY code, family, severity, component ORDER BY devices DESC, times DESC LIMIT 50"""),
            "none", "no error was reported", width=12,
        ),
        bars(
            "Episodes by day", "Failures, repeats within seven days and interrupts that ended by themselves, by the UTC day on which they began.",
            sql(f"""
                SELECT $__timeGroup(onset_at, '1d') AS time, class AS metric, count(*) AS episodes
                FROM failures({PERIOD}, {ALSO}) GROUP BY 1, 2 ORDER BY 1, 2""", "time_series"),
            "none", "nothing failed",
        ),
        clocks("site", ALSO),
        longest_down(THIS),
    ]
    use = [
        table(
            "Cycles between failures", "What each counter gained ÷ failures of its devices, shown where a failure rate is. A reset makes the gain a lower bound.",
            sql(f"""
                SELECT counter, unit, count(DISTINCT device) AS devices, sum(gained) AS gained, sum(resets) AS resets, sum(failures) AS failures,
                    {enough("sum(gained) / sum(failures)")} AS "gained ÷ failures"
                FROM cycles_between_failures({PERIOD}, {ALSO}) GROUP BY counter, unit ORDER BY counter"""),
            "none", "no counter was read", width=12, overrides=[column("gained ÷ failures", decimals=1, noValue=NOT_ENOUGH)],
        ),
        pm_on_time("site", THIS),
        table(
            "Devices", f"Every device of this kind, the lowest uptime first. {UNKNOWN_SAYS}",
            sql(f"""
                SELECT device, site, uptime, worst, best, coverage, {BASE_HOURS_UPTIME}, base_utilization AS "base hours utilization"
                FROM uptime_by_device({PERIOD}, {ALSO}) ORDER BY uptime, device"""),
            "none", NOTHING_KNOWN, height=12, overrides=[device_link(), link("site", "medfleet-site"), *ratio_columns()],
        ),
    ]
    kind = sql_variable("kind", "Kind", "SELECT DISTINCT kind FROM devices ORDER BY kind", several=False)
    rows = [("In this period", period), ("Sites", places), ("Trouble", trouble), ("Use, care and devices", use)]
    return dashboard("medfleet-kind", "Kind", __doc__, rows, [kind], "now-30d", "5m")
