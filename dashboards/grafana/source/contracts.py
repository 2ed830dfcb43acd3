"""Uptime by contract period: set the time to a whole month or quarter (`now-1M/M`, `now-1Q/Q`). The contract's own figure is the issued statement; the rest stands beside it."""

from figures import NOTHING_KNOWN, PERIOD, UNKNOWN_SAYS, device_link, hour_columns, link, ratio_columns
from panels import column, dashboard, sql, sql_variable, stat, table

CHOSEN = "c.contract IN (${contract:sqlstring}) AND c.site IN (${site:sqlstring})"
FIRST_DAY, LAST_DAY = (f"floor(extract(epoch FROM $__time{end}()::timestamptz) / 86400)" for end in ("From", "To"))
# Terms in force in the period hold for all of it; where none are, those that begin first within it. Of versions from the same day the one recorded last holds.
IN_FORCE = f"""
        SELECT * FROM (
            SELECT *, row_number() OVER (
                PARTITION BY site, contract
                ORDER BY valid_from_day > {FIRST_DAY}, CASE WHEN valid_from_day > {FIRST_DAY} THEN valid_from_day ELSE -valid_from_day END, recorded_at DESC
            ) AS place
            FROM contract_versions() AS c
            WHERE {CHOSEN} AND valid_from_day <= {LAST_DAY} AND (valid_until_day IS NULL OR valid_until_day > {FIRST_DAY})
        ) AS versions WHERE place = 1"""
COVERS = "d.site = c.site AND (c.kind IS NULL OR d.kind = c.kind) AND (c.devices IS NULL OR strpos(',' || c.devices || ',', ',' || d.device || ',') > 0)"


def in_hours(by: str, also: str = "") -> str:
    """Sums over covered devices in the hours that their contract names, and what is divided from them, without the contract's weights and exclusions."""
    return f"""
        WITH c AS ({IN_FORCE}
        ),
        of_hours AS (
            SELECT d.device, d.site, d.kind, c.contract, c.hours, c.guarantee_bp / 10000.0 AS guarantee,
                CASE c.hours WHEN 'of_site' THEN base_up_seconds WHEN 'around_the_clock' THEN up_seconds END AS up,
                CASE c.hours WHEN 'of_site' THEN base_up_seconds + base_down_seconds WHEN 'around_the_clock' THEN known_seconds END AS known,
                CASE c.hours WHEN 'of_site' THEN base_conflict_seconds WHEN 'around_the_clock' THEN conflict_seconds END AS conflict,
                CASE c.hours WHEN 'of_site' THEN base_registered_seconds WHEN 'around_the_clock' THEN registered_seconds END AS base
            FROM uptime_by_device({PERIOD}) AS d INNER JOIN c ON {COVERS}
        )
        SELECT {by}, guarantee{also}, sum(up) / nullif(sum(known), 0) AS uptime, sum(up) / nullif(sum(base), 0) AS worst,
            (sum(base) - sum(known) + sum(up) + sum(conflict)) / nullif(sum(base), 0) AS best, sum(known) / nullif(sum(base), 0) AS coverage, sum(base) / 3600 AS "base hours",
            (sum(known) - sum(up)) / 3600 AS "hours down", hours AS "hours of"
        FROM of_hours GROUP BY {by}, guarantee, hours ORDER BY uptime"""


def covered() -> dict:
    return sql(in_hours("device, site, kind, contract"))


def of_contracts() -> dict:
    return sql(in_hours("contract, site", ", count(DISTINCT device) AS devices"))


def issued() -> dict:
    """The statements issued of periods that lie in the time shown. 10000 basis points are the whole."""
    return sql("""
        SELECT s.device, s.site, s.contract, s.period_from_at AS "from", s.period_until_at AS "until", v.guarantee_bp / 10000.0 AS guarantee,
            1 - s.weighted_us_bp / 10000.0 / 1e6 / nullif(s.base_seconds, 0) AS figure,
            1 - (s.weighted_us_bp / 10000.0 / 1e6 + s.unknown_seconds) / nullif(s.base_seconds, 0) AS "at worst",
            s.base_seconds / 3600 AS "base hours", s.weighted_us_bp / 10000.0 / 3.6e9 AS "weighted hours down", s.unknown_seconds / 3600 AS "hours unknown",
            s.issued_at AS issued, s.author, s.pinned_cut AS cut
        FROM issued_statements() AS s
        INNER JOIN contract_versions() AS v ON v.site = s.site AND v.contract = s.contract
            AND v.valid_from_day = s.contract_valid_from_day AND v.recorded_at = s.contract_recorded_at
        WHERE s.contract IN (${contract:sqlstring}) AND s.site IN (${site:sqlstring})
            AND s.period_from_at >= $__timeFrom()::timestamptz - INTERVAL '1 day' AND s.period_until_at <= $__timeTo()::timestamptz + INTERVAL '1 day'
        ORDER BY s.device, s.issued_at""")


def issued_by_contract() -> dict:
    """What was issued, added up over the devices of a contract before it is divided."""
    return sql("""
        SELECT s.contract, s.site, s.period_from_at AS "from", s.period_until_at AS "until", count(*) AS statements,
            1 - sum(s.weighted_us_bp) / 10000.0 / 1e6 / nullif(sum(s.base_seconds), 0) AS figure,
            1 - (sum(s.weighted_us_bp) / 10000.0 / 1e6 + sum(s.unknown_seconds)) / nullif(sum(s.base_seconds), 0) AS "at worst",
            sum(s.base_seconds) / 3600 AS "base hours", sum(s.weighted_us_bp) / 10000.0 / 3.6e9 AS "weighted hours down", sum(s.unknown_seconds) / 3600 AS "hours unknown"
        FROM issued_statements() AS s
        WHERE s.contract IN (${contract:sqlstring}) AND s.site IN (${site:sqlstring})
            AND s.period_from_at >= $__timeFrom()::timestamptz - INTERVAL '1 day' AND s.period_until_at <= $__timeTo()::timestamptz + INTERVAL '1 day'
        GROUP BY s.contract, s.site, s.period_from_at, s.period_until_at ORDER BY s.contract, s.period_from_at""")


def build() -> dict:
    now = [
        stat(
            "Covered devices", "Devices under a contract in force in the period, and those whose uptime in the contract's hours lies below its guarantee.",
            sql(f"""
                SELECT count(*) AS covered, sum(CASE WHEN uptime < guarantee THEN 1 ELSE 0 END) AS "below the guarantee", sum(CASE WHEN uptime IS NULL THEN 1 ELSE 0 END) AS "nothing known"
                FROM ({covered()['rawSql']}) AS covered"""),
            "none", "no contract is in force", width=12,
        ),
        table(
            "Contracts", "The versions in force in the period: guarantee, hours and weights. Weights are shares of a second that a degraded device counts as down.",
            sql(f"""
                SELECT contract, site, coalesce(kind, 'every kind') AS kind, vendor, guarantee_bp / 10000.0 AS guarantee, period, hours AS "hours of", minor_bp / 10000.0 AS minor,
                    partial_bp / 10000.0 AS partial, severe_bp / 10000.0 AS severe, exclusions, clock_starts AS "clock starts", clock_stops AS "clock stops"
                FROM ({IN_FORCE}) AS c ORDER BY contract, site"""),
            "none", "no contract is in force", overrides=[link("site", "medfleet-site"), *ratio_columns("guarantee"), *[column(name, unit="percentunit", decimals=0) for name in ("minor", "partial", "severe")]],
        ),
    ]
    figures = [
        table(
            "Issued statements", "The figure that counts: as it was issued, with the contract's weights, exclusions and clocks, at the cut that it names. What came later adjusts the next one.",
            issued(), "none", "no statement of this period was issued",
            overrides=[device_link(), *ratio_columns("guarantee", "figure", "at worst"), *hour_columns("base hours", "weighted hours down", "hours unknown")],
        ),
        table(
            "Issued, by contract", "The figures of the issued statements added up over the devices of a contract and then divided: base less weighted hours down ÷ base.",
            issued_by_contract(), "none", "no statement of this period was issued",
            overrides=[link("site", "medfleet-site"), *ratio_columns("figure", "at worst"), *hour_columns("base hours", "weighted hours down", "hours unknown")],
        ),
        table(
            "Uptime by contract", f"Hours up ÷ hours known, each added up over the covered devices first, in the hours of their contract, before weights, exclusions and clocks. {UNKNOWN_SAYS}",
            of_contracts(), "none", NOTHING_KNOWN,
            overrides=[link("site", "medfleet-site"), *ratio_columns("guarantee", "uptime", "worst", "best", "coverage"), *hour_columns("base hours", "hours down")],
        ),
        table(
            "Uptime in the contract's hours", f"Up ÷ known of every covered device in the hours of its contract, before weights, exclusions and clocks. {UNKNOWN_SAYS} No figure where a contract has hours of its own.",
            covered(), "none", NOTHING_KNOWN, height=12,
            overrides=[device_link(), link("site", "medfleet-site"), link("kind", "medfleet-kind"), *ratio_columns("guarantee", "uptime", "worst", "best", "coverage"), *hour_columns("base hours", "hours down")],
        ),
    ]
    since = [
        table(
            "Amendments since the period ended", "What records that came after the end of the period changed of it, by device and by the day on which the log took them.",
            sql(f"""
                SELECT device, site, arrived_day AS arrived, reason, down_before_seconds / 3600 AS "hours down before", down_after_seconds / 3600 AS "hours down after",
                    (up_after_seconds - up_before_seconds) / 3600 AS "change of up", log_partition AS partition, first_offset AS "first", last_offset AS "last"
                FROM amendments({PERIOD}) WHERE site IN (${{site:sqlstring}}) ORDER BY arrived_day DESC, device LIMIT 500"""),
            "none", "nothing was amended", overrides=[device_link(), *hour_columns("hours down before", "hours down after", "change of up")],
        ),
    ]
    contract = sql_variable("contract", "Contract", "SELECT DISTINCT contract FROM contract_versions() ORDER BY contract")
    site = sql_variable("site", "Site", "SELECT DISTINCT site FROM contract_versions() ORDER BY site")
    rows = [("Contracts", now), ("Figures", figures), ("Since then", since)]
    return dashboard("medfleet-contracts", "Uptime by contract period", __doc__, rows, [contract, site], "now-1M/M", "", until="now-1M/M")
