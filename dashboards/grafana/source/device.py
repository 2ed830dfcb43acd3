"""One device: its conditions second by second, what it counted and said, what people did about it, and the facts behind."""

from figures import CONDITIONS, KINDS, NOTHING_KNOWN, PERIOD, SITES, UNKNOWN_SAYS, condition_column, hour_columns
from panels import AMBER, GREY, RED, dashboard, lines, sql, sql_variable, stat, states, table, value_map

THIS = "device = ${device:sqlstring}"
ALSO = "device => ${device:sqlstring}"
TIMELINE = f"timeline(${{device:sqlstring}}, {PERIOD})"
# A state timeline draws numbers; what was last heard and is not settled yet has a code and a word of its own.
CODES = {name: place for place, name in enumerate(CONDITIONS)}
PROVISIONAL = 10
DEGRADED = {"minor": (21, "minor", "#d69e2e"), "partial": (22, "partial", AMBER), "severe": (23, "severe", RED)}


def code_of(column: str, codes: dict[str, int]) -> str:
    return f"CASE {column} " + " ".join(f"WHEN '{name}' THEN {code}" for name, code in codes.items()) + " END"


def drawn() -> dict:
    """Every stretch from where it begins, unknown ones too. Where the cut ends the line ends: what lies beyond is not silence."""
    condition = f"{code_of('condition', CODES)} + CASE WHEN origin = 'live' THEN {PROVISIONAL} ELSE 0 END"
    degraded = code_of("degradation", {name: code for name, (code, _, _) in DEGRADED.items()})
    return sql(f"""
        SELECT from_at AS time, {condition} AS condition, {degraded} AS degraded FROM {TIMELINE}
        UNION ALL SELECT max(until_at), NULL, NULL FROM {TIMELINE}
        ORDER BY 1""", "time_series")


def words() -> list[dict]:
    settled = {str(CODES[name]): word for name, word in CONDITIONS.items()}
    provisional = {str(CODES[name] + PROVISIONAL): (f"{text}, provisional", colour) for name, (text, colour) in CONDITIONS.items()}
    degraded = {str(code): (word, colour) for code, word, colour in DEGRADED.values()}
    return value_map(settled | provisional | degraded)


def build() -> dict:
    line = [
        states(
            "Conditions", "What the ledger says, then what a person claims or what was last heard beyond it. Silence is drawn as unknown. The stretch that began before the period is there from its left edge.",
            drawn(), "nothing is known of this device", words(),
        ),
        table(
            "Stretches", "The same stretches as rows, the newest first, with who says so. Origin live is provisional; gap is silence.",
            sql(f"""
                SELECT from_at AS "from", until_at AS "until", (extract(epoch FROM until_at) - extract(epoch FROM from_at)) / 3600 AS hours, condition, degradation, origin, reason,
                    source_kind AS "who says so", author, conflict
                FROM {TIMELINE} ORDER BY from_at DESC LIMIT 500"""),
            "none", "nothing is known of this device", overrides=[condition_column(), *hour_columns("hours")],
        ),
    ]
    figures = [
        stat(
            "Uptime, and what it does not know", f"Up ÷ known over its time in service. {UNKNOWN_SAYS}",
            sql(f'SELECT sum(up_seconds) / nullif(sum(known_seconds), 0) AS uptime, sum(up_seconds) / nullif(sum(registered_seconds), 0) AS "at worst",'
                f" sum(best * registered_seconds) / nullif(sum(registered_seconds), 0) AS \"at best\", sum(known_seconds) / nullif(sum(registered_seconds), 0) AS coverage"
                f" FROM uptime_by_device({PERIOD}, {ALSO})"),
            "percentunit", NOTHING_KNOWN, width=10, decimals=2,
        ),
        stat(
            "Time by condition", "Hours of the ledger and of claims beyond it, within the device's time in service.",
            sql(f"""
                SELECT sum(productive_seconds) / 3600 AS "in use", sum(standby_seconds) / 3600 AS ready, sum(engineering_seconds) / 3600 AS engineering,
                    sum(scheduled_down_seconds) / 3600 AS maintenance, sum(unscheduled_down_seconds) / 3600 AS down,
                    sum(registered_seconds - known_seconds) / 3600 AS unknown
                FROM uptime_by_device({PERIOD}, {ALSO})"""),
            "h", NOTHING_KNOWN, width=14, decimals=1,
        ),
    ]
    heard = [
        lines(
            "Counters", "What each counter gained by the UTC day. A reset makes the day a lower bound.",
            [sql(f"""
                SELECT $__timeGroup(at, '1d') AS time, counter AS metric, sum(increment_milli) / 1000.0 AS gained
                FROM usage WHERE day >= $__timeFrom()::timestamptz::date AND $__timeFilter(at) AND {THIS} GROUP BY 1, 2 ORDER BY 1, 2""", "time_series")],
            "none", "no counter was read", width=12,
        ),
        table(
            "Errors", "What the device reported, the newest first. An error is no downtime.",
            sql(f"""
                SELECT at, code, family, severity, component, text FROM errors
                WHERE day >= $__timeFrom()::timestamptz::date AND $__timeFilter(at) AND {THIS} ORDER BY at DESC LIMIT 200"""),
            "none", "it reported no error", width=12,
        ),
    ]
    done = [
        table(
            "Episodes", "Failures, repeats within seven days and interrupts, with the order about them.",
            sql(f"""
                SELECT class, onset_at AS began, ended_at AS ended, down_seconds / 3600 AS "hours down", work_order AS "order", cause_code AS cause, evidence
                FROM failures({PERIOD}, {ALSO}) ORDER BY onset_at DESC"""),
            "none", "nothing failed", width=12, overrides=hour_columns("hours down"),
        ),
        table(
            "Orders", "Phases that were reached in the period, the newest first. An order alone changes no condition.",
            sql(f"""
                SELECT at, work_order AS "order", class, phase, waiting_for AS "waits for", cause_code AS cause, text
                FROM orders WHERE $__timeFilter(at) AND {THIS} ORDER BY at DESC LIMIT 200"""),
            "none", "no order", width=12,
        ),
        table(
            "Planned maintenance", "What was due in the period, or is carried into it.",
            sql(f'SELECT procedure, due_at AS due, done_at AS done, state, reason, work_order AS "order" FROM pm({PERIOD}, {ALSO}) ORDER BY due_at DESC'),
            "none", "no maintenance was due", width=12,
        ),
        table(
            "As it is registered", "What the inventory says of it at the time of the cut.",
            sql(f"SELECT site, kind, make, model, serial, department, room, in_service_day, in_service, on_loan_to FROM devices WHERE {THIS}"),
            "none", "it is not registered", width=12,
        ),
    ]
    facts = [
        table(
            "Facts behind", "Facts of the period, the newest first, with their place in the log. Cause: its record made rows of the period what they are.",
            sql(f"""
                SELECT at_at AS at, kind AS fact, source_kind AS "who says so", agent, known_at AS "could be known", appended_at AS "in the log", suspect, is_cause AS cause,
                    log_partition AS partition, log_offset AS "offset", log_index AS place
                FROM evidence({PERIOD}, {ALSO}) ORDER BY at_at DESC LIMIT 200"""),
            "none", "no fact", height=10,
        ),
    ]
    device = sql_variable("device", "Device", "SELECT device FROM devices WHERE site IN (${site:sqlstring}) AND kind IN (${kind:sqlstring}) ORDER BY device", several=False)
    rows = [("Conditions", line), ("Figures", figures), ("What it counted and said", heard), ("What was done", done), ("Facts", facts)]
    return dashboard("medfleet-device", "Device", __doc__, rows, [SITES, KINDS, device], "now-7d", "1m")
