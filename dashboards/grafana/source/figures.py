"""What the dashboards of figures share: queries that divide sums, columns with their units, links from a name to its dashboard."""

from panels import AMBER, GREEN, GREY, RED, Panel, column, lines, sql, sql_variable, table, value_map

PERIOD = "$__timeFrom(), $__timeTo()"
SITES = sql_variable("site", "Site", "SELECT site FROM sites ORDER BY site")
KINDS = sql_variable("kind", "Kind", "SELECT DISTINCT kind FROM devices ORDER BY kind")
CHOSEN = "site IN (${site:sqlstring}) AND kind IN (${kind:sqlstring})"

# Every ratio is a sum over a sum. `worst` takes what nobody knows for down, `best` for up, and with it the down in which use was seen.
UPTIME = "sum(up_seconds) / nullif(sum(known_seconds), 0)"
COVERAGE = "sum(known_seconds) / nullif(sum(registered_seconds), 0)"
WORST = "sum(up_seconds) / nullif(sum(registered_seconds), 0)"
BEST = "sum(least(registered_seconds - (known_seconds - up_seconds) + conflict_seconds, registered_seconds)) / nullif(sum(registered_seconds), 0)"
BASE_UPTIME = "sum(base_up_seconds) / nullif(sum(base_up_seconds + base_down_seconds), 0)"
BASE_WORST = "sum(base_up_seconds) / nullif(sum(base_registered_seconds), 0)"
BASE_BEST = "sum(least(base_registered_seconds - base_down_seconds + base_conflict_seconds, base_registered_seconds)) / nullif(sum(base_registered_seconds), 0)"
BASE_UTILIZATION = "sum(base_productive_seconds) / nullif(sum(base_up_seconds + base_down_seconds), 0)"
BASE_COVERAGE = "sum(base_up_seconds + base_down_seconds) / nullif(sum(base_registered_seconds), 0)"
# Nothing of what nobody knows was in use, or all of it.
BASE_USED_LEAST = "sum(base_productive_seconds) / nullif(sum(base_registered_seconds), 0)"
BASE_USED_MOST = "sum(base_productive_seconds + greatest(base_registered_seconds - base_up_seconds - base_down_seconds, 0)) / nullif(sum(base_registered_seconds), 0)"
USED_LEAST = "sum(productive_seconds) / nullif(sum(registered_seconds), 0)"
USED_MOST = "sum(productive_seconds + greatest(registered_seconds - known_seconds, 0)) / nullif(sum(registered_seconds), 0)"
UTILIZATION = "sum(productive_seconds) / nullif(sum(known_seconds), 0)"
BASE_HOURS = "sum(base_registered_seconds) / 3600"
# Of one row, as SQL has them.
BASE_HOURS_UPTIME = 'base_uptime AS "base hours uptime", base_worst AS "base hours worst", base_best AS "base hours best"'
SECONDS_OF_A_YEAR = 31_557_600
FAILURES_ENOUGH, LIMITS_APART_ENOUGH = 5, 4
NOT_ENOUGH = "not enough"

UNKNOWN_SAYS = "What nobody knows is in neither part of the ratio: it lowers coverage, and lies between worst and best."
UNUSED_SAYS = "What nobody knows is not idle: it lowers coverage, and lies between at least and at most."
NOTHING_KNOWN = "nothing is known of this period"
RATIOS = ("uptime", "worst", "best", "coverage", "base hours uptime", "base hours worst", "base hours best", "base hours coverage", "base hours utilization", "24 × 7 utilization")
USE = ("base hours utilization", "base hours at least", "base hours at most", "base hours coverage", "24 × 7 utilization", "24 × 7 at least", "24 × 7 at most", "coverage")
CONDITIONS = {
    "unknown": ("unknown", GREY), "productive": ("in use", "#2b6cb0"), "standby": ("ready", GREEN), "engineering": ("engineering", "#6b46c1"),
    "scheduled_down": ("maintenance", AMBER), "unscheduled_down": ("down", RED),
}


def ratios_by(name: str) -> dict:
    """The figures of every site, or of every kind."""
    return sql(f"""
        SELECT {name}, sum(devices) AS devices, sum(monitored) AS monitored, {UPTIME} AS uptime, {WORST} AS worst, {BEST} AS best, {COVERAGE} AS coverage,
            {BASE_UPTIME} AS "base hours uptime", {BASE_WORST} AS "base hours worst", {BASE_BEST} AS "base hours best", {BASE_COVERAGE} AS "base hours coverage",
            {BASE_HOURS} AS "base hours"
        FROM uptime({PERIOD}) WHERE {CHOSEN} GROUP BY {name} ORDER BY uptime""")


def use_by(name: str) -> dict:
    """How much every site, or every kind, was used."""
    return sql(f"""
        SELECT {name}, {BASE_UTILIZATION} AS "base hours utilization", {BASE_USED_LEAST} AS "base hours at least", {BASE_USED_MOST} AS "base hours at most",
            {BASE_COVERAGE} AS "base hours coverage", {UTILIZATION} AS "24 × 7 utilization", {USED_LEAST} AS "24 × 7 at least", {USED_MOST} AS "24 × 7 at most",
            {COVERAGE} AS coverage
        FROM uptime({PERIOD}) WHERE {CHOSEN} GROUP BY {name} ORDER BY "base hours utilization" DESC""")


def ratio_columns(*names: str) -> list[dict]:
    return [column(name, unit="percentunit", decimals=2) for name in names or RATIOS]


def hour_columns(*names: str) -> list[dict]:
    return [column(name, unit="h", decimals=1) for name in names]


def link(name: str, board: str, variable: str | None = None) -> dict:
    """Makes a column lead to another dashboard over the same time."""
    url = f"/d/{board}?var-{variable or name}=${{__value.raw}}&${{__url_time_range}}"
    return column(name, links=[{"title": f"Open {name}", "url": url, "targetBlank": False}])


def device_link() -> dict:
    return link("device", "medfleet-device")


def condition_column(name: str = "condition") -> dict:
    return column(name, mappings=value_map(CONDITIONS))


def by_day(title: str, what: str, of: str, says: str, where: str = CHOSEN) -> Panel:
    """A sum over a sum of every UTC day. The first and the last are as long as the period has of them."""
    query = sql(f"""
        SELECT CAST(day AS TIMESTAMP) AS time, {of} AS metric, {what} AS "{title.split()[0].lower()}"
        FROM uptime_by_day({PERIOD}) WHERE {where} GROUP BY 1, 2 ORDER BY 1, 2""", "time_series")
    return lines(title, says, [query], "percentunit", NOTHING_KNOWN, most=1, least=None, decimals=1)


def uptime_by_day(of: str, where: str = CHOSEN) -> Panel:
    return by_day(f"Uptime by {of}", UPTIME_OF_DAY, of, f"Up ÷ known of each UTC day. {UNKNOWN_SAYS}", where)


def coverage_by_day(of: str, where: str = CHOSEN) -> Panel:
    says = "Known ÷ in service of each UTC day: what the uptime beside it rests on. A dip is silence of devices, agents or links; of the last day the newest hour is still to be told."
    return by_day(f"Coverage by {of}", COVERAGE_OF_DAY, of, says, where)


UP_OF_DAY = "sum(productive_seconds + standby_seconds + engineering_seconds)"
KNOWN_OF_DAY = "sum(productive_seconds + standby_seconds + engineering_seconds + scheduled_down_seconds + unscheduled_down_seconds)"
UPTIME_OF_DAY = f"{UP_OF_DAY} / nullif({KNOWN_OF_DAY}, 0)"
COVERAGE_OF_DAY = f"{KNOWN_OF_DAY} / nullif(sum(in_service_seconds), 0)"


def enough(figure: str) -> str:
    """A figure of failures, withheld where pages withhold it (`Rate::is_enough`). How far its limits lie apart rests on the failures alone, so any exposure will do."""
    limits = f"rate_high(sum(failures), 1.0) <= {LIMITS_APART_ENOUGH} * rate_low(sum(failures), 1.0)"
    return f"CASE WHEN sum(failures) >= {FAILURES_ENOUGH} AND {limits} THEN {figure} END"


def failure_rates(by: str, where: str, linked: list[dict]) -> Panel:
    names = by.replace(" AS ", " ").split(", ")
    years = f"sum(in_service_seconds) / {SECONDS_OF_A_YEAR}"
    group = ", ".join(str(place + 1) for place in range(len(names)))
    query = sql(f"""
        SELECT {by}, sum(failures) AS failures, sum(repeats) AS repeats, sum(interrupts) AS interrupts,
            {years} AS "device-years",
            {enough(f"sum(failures) / nullif({years}, 0)")} AS "failures per device-year",
            {enough(f"rate_low(sum(failures), {years})")} AS "at least", {enough(f"rate_high(sum(failures), {years})")} AS "at most",
            {enough("sum(in_service_seconds) / 86400 / sum(failures)")} AS "MTBF",
            sum(unscheduled_down_seconds) / 3600 AS "hours down"
        FROM reliability({PERIOD}) WHERE {where} GROUP BY {group} ORDER BY "failures per device-year" DESC NULLS LAST, "failures" DESC""")
    says = (
        "Failures that began ÷ time in service, with its exact limits (95 %). Repeats within seven days and interrupts that ended by themselves are counted apart."
        " Rate, limits and mean time between failures are shown from five failures on and while the upper limit is at most four times the lower."
    )
    rates = [column(name, decimals=2, noValue=NOT_ENOUGH) for name in ("failures per device-year", "at least", "at most")]
    columns = [*linked, *rates, column("device-years", decimals=1), column("MTBF", unit="d", decimals=1, noValue=NOT_ENOUGH)]
    return table("Failure rate", says, query, "none", "no device was in service", overrides=[*columns, *hour_columns("hours down")])


def longest_down(where: str, limit: int = 20) -> Panel:
    query = sql(f"""
        SELECT device, site, kind, onset_at AS "off line", until_at AS "last known down", unscheduled_seconds / 3600 AS "hours unscheduled",
            scheduled_seconds / 3600 AS "hours scheduled", ended
        FROM downtimes({PERIOD}) WHERE {where} ORDER BY unscheduled_seconds DESC LIMIT {limit}""")
    says = "Times off line that touch the period, whole, the longest unscheduled first. Ended: the device was seen working afterwards; silence ends nothing."
    return table(
        "Longest times off line", says, query, "none", "nothing was off line",
        overrides=[device_link(), link("site", "medfleet-site"), link("kind", "medfleet-kind"), *hour_columns("hours unscheduled", "hours scheduled")],
    )


def at_once(by: str, where: str) -> Panel:
    query = sql(f"""
        SELECT {by}, median_in_use_seconds / nullif(median_known_seconds, 0) AS "median", p95_in_use_seconds / nullif(p95_known_seconds, 0) AS "95th percentile",
            p95_worst_in_use_seconds / nullif(p95_worst_in_service_seconds, 0) AS "were it idle", p95_best_in_use_seconds / nullif(p95_best_in_service_seconds, 0) AS "were it use",
            peak_in_use_seconds / nullif(peak_known_seconds, 0) AS "peak", known_seconds / nullif(in_service_seconds, 0) AS "coverage"
        FROM concurrency({PERIOD}) WHERE {where} ORDER BY 3 DESC""")
    says = (
        "Share of what is known that was in use at once, of the quarter-hour of that rank, by day and by night; where nothing is known there is no share. The 95th percentile sets the size"
        " of a pool: beside it, what it would be were all that nobody knows idle, and were it all use."
    )
    return table("In use at once", says, query, "percentunit", "nothing was in service", width=12, decimals=1, overrides=[link(by, f"medfleet-{by}")])


def clocks(by: str, also: str) -> Panel:
    """The four clocks of repairs, of each site or kind."""
    told = (("response", "response"), ("repair", "active repair"), ("turnaround", "turnaround"), ("parts_wait", "for parts"))
    shown = {f"{name}_{rank}_seconds": f"{words}, {rank}" for name, words in told for rank in ("median", "p90", "mean")}
    hours = ", ".join(f'{name} / 3600 AS "{words}"' for name, words in shown.items())
    query = sql(f"""
        SELECT {by}, turnaround_count AS "orders", turnaround_open AS "open", {hours}
        FROM scorecards({PERIOD}, {also}, by => '{by}') WHERE turnaround_count > 0 ORDER BY {by}""")
    says = (
        "Hours on the four clocks of the corrective orders opened in the period: opening to arrival, active repair, opening to return, waiting for parts. An order in which a clock still runs"
        " counts as lasting at least so long; a percentile that too many open ones hide is left out, and a mean is then a lower bound."
    )
    return table("Clocks of repairs", says, query, "none", "no order was opened", overrides=[link(by, f"medfleet-{by}"), *hour_columns(*shown.values())])


def sites_compared(where: str, also: str) -> Panel:
    query = sql(f"""
        SELECT site, devices, observed, expected, ratio AS "observed ÷ expected", ratio_low AS "at least", ratio_high AS "at most", funnel_95_low AS "like the fleet from",
            funnel_95_high AS "like the fleet to", shrunk AS "drawn to the fleet", shrunk_low AS "drawn, at least", shrunk_high AS "drawn, at most", tie, coverage
        FROM comparison({PERIOD}{also}) WHERE adjustment = 'kind_model' AND {where} ORDER BY tie, site""")
    says = (
        "Failures observed ÷ what the fleet would have had with the same kinds, makes and models. Limits (95 %) allow for devices that fail again and again. A site whose ratio lies between"
        " the two limits like the fleet is no different from it; sites of one tie are not ordered. A small site is drawn to the fleet."
    )
    ratios = ("observed ÷ expected", "at least", "at most", "like the fleet from", "like the fleet to", "drawn to the fleet", "drawn, at least", "drawn, at most")
    columns = [*(column(name, decimals=2) for name in ratios), column("expected", decimals=1), *ratio_columns("coverage")]
    return table("Sites compared", says, query, "none", "nothing failed", overrides=[link("site", "medfleet-site"), *columns])


def pm_on_time(by: str, where: str) -> Panel:
    query = sql(f"""
        SELECT {by}, sum(CASE WHEN carried THEN 0 ELSE 1 END) AS due, sum(CASE WHEN state = 'on_time' AND NOT carried THEN 1 ELSE 0 END) AS "on time",
            sum(CASE WHEN state = 'late' AND NOT carried THEN 1 ELSE 0 END) AS late, sum(CASE WHEN state = 'overdue' AND NOT carried THEN 1 ELSE 0 END) AS overdue,
            sum(CASE WHEN carried THEN 1 ELSE 0 END) AS "carried from before",
            sum(CASE WHEN state = 'on_time' AND NOT carried THEN 1.0 ELSE 0.0 END) / nullif(sum(CASE WHEN carried THEN 0 ELSE 1 END), 0) AS "on time ÷ due"
        FROM pm({PERIOD}) WHERE state <> 'not_due' AND {where} GROUP BY {by} ORDER BY 7""")
    says = "Planned maintenance done within its window ÷ due in the period; work that was due before and not done when the period began is carried into it until it is done, and counted apart. A reason not to do it is no completion."
    linked = [link(by, f"medfleet-{by}")] if by in ("site", "kind") else []
    title = f"Planned maintenance by {by.replace('_', ' ')}"
    return table(title, says, query, "none", "no maintenance was due", width=12, overrides=[*linked, *ratio_columns("on time ÷ due")])
