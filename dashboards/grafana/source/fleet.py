"""The fleet: what is up, how much of it is known, and where to look. Every ratio is a sum over a sum and stands beside its coverage and bounds."""

from figures import (
    BASE_UPTIME, BASE_UTILIZATION, BEST, CHOSEN, COVERAGE, KINDS, NOTHING_KNOWN, PERIOD, SITES, UNKNOWN_SAYS, UNUSED_SAYS, UPTIME, USE, UTILIZATION, WORST,
    condition_column, coverage_by_day, device_link, failure_rates, link, longest_down, pm_on_time, ratio_columns, ratios_by, sites_compared, uptime_by_day, use_by,
)
from panels import AMBER, GREEN, RED, bars, dashboard, prom, sql, stat, table


def build() -> dict:
    period = [
        stat(
            "Uptime, and what it does not know", f"Up ÷ known over the whole time in service. {UNKNOWN_SAYS}",
            sql(f'SELECT {UPTIME} AS uptime, {WORST} AS "at worst", {BEST} AS "at best", {COVERAGE} AS coverage FROM uptime({PERIOD}) WHERE {CHOSEN}'),
            "percentunit", NOTHING_KNOWN, width=10, decimals=2,
        ),
        stat(
            "Within base hours", "Operational uptime, up ÷ known within base hours; in use ÷ known within base hours, and around the clock.",
            sql(f'SELECT {BASE_UPTIME} AS uptime, {BASE_UTILIZATION} AS utilization, {UTILIZATION} AS "utilization 24 × 7" FROM uptime({PERIOD}) WHERE {CHOSEN}'),
            "percentunit", NOTHING_KNOWN, width=7, decimals=2,
        ),
        stat(
            "Monitored ÷ registered", "Devices that anything was heard of in this period, beside those in service. A device never heard counts with coverage 0.",
            sql(f"SELECT sum(monitored) AS monitored, sum(devices) AS registered FROM uptime({PERIOD}) WHERE {CHOSEN}"), "none", "no device was in service", width=4,
        ),
        stat(
            "Age of the numbers", "Age of the newest cut of the tables; every query here is answered from the newest cut.",
            prom("max(medfleet_api_cut_age_seconds)", instant=True), "s", "no server is scraped", width=3, thresholds=[(None, GREEN), (60, AMBER), (600, RED)],
        ),
    ]
    days = [
        uptime_by_day("site"),
        coverage_by_day("site"),
    ]
    now = [
        bars(
            "Last heard in", "Devices in service at the time of the cut by what a person claims of them, else by what they were last heard in.",
            sql(f"""
                SELECT coalesce(claim_condition, condition, 'never heard') AS condition, count(*) AS devices
                FROM device_now WHERE {CHOSEN} GROUP BY 1 ORDER BY 2 DESC"""),
            "none", "no device is in service", width=8,
        ),
        table(
            "Down now", "Devices that a person claims to be down, or that were last heard in it; silence since then ends nothing.",
            sql(f"""
                SELECT device, site, kind, coalesce(claim_condition, condition) AS condition, coalesce(claim_since_at, since_at) AS since, claim_author AS "says"
                FROM device_now WHERE coalesce(claim_condition, condition) IN ('unscheduled_down', 'scheduled_down') AND {CHOSEN} ORDER BY since"""),
            "none", "nothing is down", width=16, overrides=[device_link(), link("site", "medfleet-site"), link("kind", "medfleet-kind"), condition_column()],
        ),
    ]
    places = [
        table("Sites", f"Figures of each site over the period. {UNKNOWN_SAYS} Sites with other base hours are not comparable by hours.", ratios_by("site"), "none", NOTHING_KNOWN,
              overrides=[link("site", "medfleet-site"), *ratio_columns()]),
        table("Kinds", f"Figures of each kind over the period. {UNKNOWN_SAYS}", ratios_by("kind"), "none", NOTHING_KNOWN,
              overrides=[link("kind", "medfleet-kind"), *ratio_columns()]),
        table("Use by site", f"In use ÷ known, within base hours and around the clock. {UNUSED_SAYS}", use_by("site"), "none", NOTHING_KNOWN,
              overrides=[link("site", "medfleet-site"), *ratio_columns(*USE)]),
        table("Use by kind", f"In use ÷ known, within base hours and around the clock. {UNUSED_SAYS}", use_by("kind"), "none", NOTHING_KNOWN,
              overrides=[link("kind", "medfleet-kind"), *ratio_columns(*USE)]),
    ]
    trouble = [
        bars(
            "Episodes by day", "Failures, repeats within seven days and interrupts that ended by themselves, by the UTC day on which they began.",
            sql(f"""
                SELECT $__timeGroup(onset_at, '1d') AS time, class AS metric, count(*) AS episodes
                FROM failures({PERIOD}) WHERE {CHOSEN} GROUP BY 1, 2 ORDER BY 1, 2""", "time_series"),
            "none", "nothing failed",
        ),
        pm_on_time("risk_class", CHOSEN),
        sites_compared("site IN (${site:sqlstring})", ""),
        failure_rates("kind", CHOSEN, [link("kind", "medfleet-kind")]),
        longest_down(CHOSEN),
    ]
    rows = [("In this period", period), ("Day by day", days), ("Now", now), ("Sites and kinds", places), ("Trouble and care", trouble)]
    return dashboard("medfleet-fleet", "Fleet", __doc__, rows, [SITES, KINDS], "now-30d", "5m")
