"""The scoreboard over a demo whose last days were scored as they passed: every figure against one made of scores and failures in Python.

`make scoreboard` plays both horizons, `make test` a shorter past with one of them.
"""

import math
import os
import re
from collections import defaultdict

import numpy
import pytest
from faults.judge import Tables
from faults.process import await_true, total
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from test_demo import House, lived_in
from test_sql import connect

IS_WHOLE = "MEDFLEET_TEST_SCOREBOARD" in os.environ
# Seven days ahead need some 60 days to learn from; of the days that are scored all but the last seven are settled.
DEMO_DAYS, SCORED_DAYS = (70, 8) if IS_WHOLE else (34, 6)
HORIZONS = {"24h": 24, "7d": 168} if IS_WHOLE else {"24h": 24}
# Each midnight has a run of each horizon; the last of each is told again by the scorer that lives on.
RUNS = (SCORED_DAYS + 1 + 1) * len(HORIZONS)
HISTORY_DEADLINE_SECONDS = 1_200.0
HOUR_MICROS = 3_600_000_000
BUDGET_SHARE = 0.01
SLOPE_FAILURES_AT_LEAST = 15
DAY_MICROS = 24 * HOUR_MICROS


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("scoreboard"), "--demo-days", str(DEMO_DAYS), "--demo-scored-days", str(SCORED_DAYS)) as house:

        def scored() -> bool:
            house.role.must_live()
            samples = house.role.metrics()
            waits = total(samples, "medfleet_processor_lag_records") + total(samples, "medfleet_processor_uncommitted_facts")
            return total(samples, "medfleet_scorer_runs_total") == RUNS and waits == 0

        await_true("a past told and scored", scored, HISTORY_DEADLINE_SECONDS)
        yield house


@pytest.fixture(scope="module")
def tables(house: House) -> Tables:
    tables = Tables(house.data / "lake")
    assert tables.open("scores", "facts", "components", "devices")
    return tables


def test_what_was_said_of_a_past_day_knew_nothing_that_came_later(house: House, tables: Tables) -> None:
    days = tables.rows('SELECT horizon_hours, count(DISTINCT "at"), min("at") FROM scores GROUP BY 1 ORDER BY 1')
    assert [(hours, count) for hours, count, _ in days] == [(hours, SCORED_DAYS + 1) for hours in HORIZONS.values()], "today's among them"
    twice = tables.rows('SELECT device FROM scores GROUP BY device, "at", horizon_hours HAVING count(*) <> 1 OR sum(weight) <> 1')
    assert not twice and not tables.rows("SELECT 1 FROM facts WHERE kind = 'scored' AND verdict = 'conflict'")
    # Whatever stands in the log before a score was known when it was said.
    later = """
        WITH said AS (SELECT cause_partition, cause_offset, "at" FROM facts WHERE kind = 'scored' AND "at" < ?),
        heard AS (SELECT cause_partition, cause_offset, known_at FROM facts WHERE kind <> 'scored' AND NOT known_assumed)
        SELECT count(*) FROM said JOIN heard USING (cause_partition)
        WHERE heard.cause_offset < said.cause_offset AND heard.known_at > said."at"
    """
    today = tables.one('SELECT max("at") FROM scores')
    assert tables.one("SELECT count(*) FROM facts WHERE kind = 'scored' AND \"at\" < ?", today) > 100 * SCORED_DAYS
    assert tables.one(later, today) == 0
    begin = min(first for _, _, first in days).isoformat()[:19]
    assert all(model["period_until"][:19] <= begin for model in house.json("/api/v1/models")["models"]), "nothing was learned of the days scored"


def slope(risks: list[float], happened: list[bool]) -> float | None:
    """Of the outcome's logit on that of the chance; None without both outcomes, or where all chances are one."""
    if all(happened) or not any(happened) or len(set(risks)) == 1:
        return None
    said = numpy.clip(numpy.array(risks), 1e-9, 1 - 1e-9)
    line = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(numpy.log(said / (1 - said)).reshape(-1, 1), happened)
    return float(line.coef_[0, 0])


def calibration_error(risks: list[float], happened: list[bool]) -> float:
    """Mean distance of what was said from what happened, in ten bins; what was said with one word stays in one bin."""
    rows, bins, open_bin = sorted(zip(risks, happened, strict=True)), [], []
    for place, row in enumerate(rows):
        open_bin.append(row)
        is_full = sum(map(len, bins)) + len(open_bin) >= len(rows) * (len(bins) + 1) / 10
        if place + 1 == len(rows) or (is_full and rows[place + 1][0] != row[0]):
            bins.append(open_bin)
            open_bin = []
    return math.fsum(abs(math.fsum(risk for risk, _ in one) - sum(failed for _, failed in one)) for one in bins) / len(rows)


def figures(settled: list[tuple[int, float, str, int | None]], threshold: float) -> dict:
    """Of scores as (instant, risk, device, onset within the horizon): what the board has to say."""
    risks, happened = [risk for _, risk, _, _ in settled], [onset is not None for _, _, _, onset in settled]
    alerts = [one for one in settled if one[1] >= threshold]
    first: dict[tuple[str, int], int] = {}
    for at, _, device, onset in alerts:
        if onset is not None:
            first[device, onset] = min(at, first.get((device, onset), at))
    failures = {(device, onset) for _, _, device, onset in settled if onset is not None}
    leads = sorted(onset - at for (_, onset), at in first.items())
    right, both = sum(onset is not None for *_, onset in alerts), any(happened) and not all(happened)
    return {
        "scores": len(settled),
        "happened": sum(happened),
        "promised": math.fsum(risks),
        "happened_per_promised": sum(happened) / math.fsum(risks),
        "slope": slope(risks, happened),
        "calibration_error": calibration_error(risks, happened),
        "brier": brier_score_loss(happened, risks, labels=[False, True]),
        "pr_auc": average_precision_score(happened, risks) if any(happened) else None,
        "roc_auc": roc_auc_score(happened, risks) if both else None,
        "threshold": threshold,
        "alerts": len(alerts),
        "alerts_right": right,
        "precision": right / len(alerts) if alerts else None,
        "failures": len(failures),
        "announced": len(leads),
        "recall": len(leads) / len(failures) if failures else None,
        "lead_days": leads[len(leads) // 2] / DAY_MICROS if leads else None,
    }


def taken(tables: Tables) -> dict[tuple, list[int]]:
    """When parts were replaced, by device and part, and when devices were retired, by device alone."""
    replaced = """
        SELECT device, component, epoch_us("at") FROM components
        GROUP BY device, component, "at", epoch, seq HAVING sum(weight) > 0
    """
    retired = """
        SELECT device, epoch_us(valid_from) FROM devices WHERE NOT in_service
        GROUP BY device, valid_from HAVING sum(weight) > 0
    """
    found = defaultdict(list)
    for *key, at in [*tables.rows(replaced), *tables.rows(retired)]:
        found[tuple(key)].append(at)
    return found


def expected(house: House, tables: Tables, hours: int, asked_at: int) -> dict[tuple, dict]:
    """All lines by model, what they are about, and its name. Nobody knows what would have come of a part that was replaced on plan."""
    with connect(house, f"board{hours}", "--all", autocommit=True) as session:
        sql = "SELECT device, CAST(onset_at AS BIGINT) FROM failures(now() - INTERVAL '100 days', now()) WHERE class <> 'interrupt' ORDER BY 2"
        onsets = defaultdict(list)
        for device, onset in session.execute(sql).fetchall():
            onsets[device].append(onset)
    columns = 'model, site, kind, device, component, epoch_us("at"), risk_ppm / 1e6'
    said = tables.rows(f"SELECT {columns} FROM scores WHERE horizon_hours = ?", hours)
    ends = taken(tables)
    lines, censored = defaultdict(list), 0
    for model, site, kind, device, component, at, risk in said:
        end = at + hours * HOUR_MICROS
        if end < asked_at:
            onset = next((onset for onset in onsets[device] if at < onset <= end), None)
            if onset is None and any(at < gone <= end for key in ((device, component), (device,)) for gone in ends.get(key, ())):
                censored += 1
                continue
            for about in (("all", None), ("kind", kind), ("site", site)):
                lines[model, *about].append((at, float(risk), device, onset))
    thresholds = {}
    for (model, about, _), settled in lines.items():
        if about == "all":
            thresholds[model] = sorted((risk for _, risk, _, _ in settled), reverse=True)[math.ceil(len(settled) * BUDGET_SHARE) - 1]
    print(f"{hours} h: {censored} of {len(said)} scores are left out, their part was replaced on plan or their device retired")
    return {line: figures(settled, thresholds[line[0]]) for line, settled in lines.items()}


@pytest.mark.parametrize("horizon", HORIZONS)
def test_every_figure_of_the_scoreboard_is_that_of_scores_and_failures(house: House, tables: Tables, horizon: str) -> None:
    board = house.json(f"/api/v1/scoreboard?horizon={horizon}")
    asked_at = tables.one("SELECT epoch_us(?::TIMESTAMPTZ)", board["cut"]["made_at"])
    wanted = expected(house, tables, HORIZONS[horizon], asked_at)
    told = {(line["model"], line["about"], line["name"]): line for line in board["lines"]}
    assert told.keys() == wanted.keys() and {about for _, about, _ in told} == {"all", "kind", "site"}
    for line, values in wanted.items():
        for name, value in values.items():
            said = told[line][name]
            # Both search for the slope, each until it is near enough; where few failed a line may part them from the others, and has none.
            if name == "slope" and values["happened"] < SLOPE_FAILURES_AT_LEAST:
                continue
            near = 1e-2 if name == "slope" else 1e-9
            assert said is None if value is None else said == pytest.approx(value, rel=near, abs=1e-12), (line, name)
    whole = next(values for (_, about, _), values in wanted.items() if about == "all")
    print(horizon, whole)
    assert whole["failures"] >= 5 and whole["alerts"] >= 5, "too little happened for a board to mean anything"


def raised(house: House, tables: Tables, hours: int, asked_at: int) -> dict[tuple, dict[str, int]]:
    """Alerts that scores of this horizon raised, by line: their steps read one by one, and what followed looked up."""
    with connect(house, f"raised{hours}", "--all", autocommit=True) as session:
        sql = "SELECT device, CAST(onset_at AS BIGINT) FROM failures(now() - INTERVAL '100 days', now()) WHERE class <> 'interrupt' ORDER BY 2"
        onsets = session.execute(sql).fetchall()
    columns = 'alert, step, epoch_us("at"), model, horizon_hours, site, kind, subject, part, finding'
    alerts: dict[str, dict] = {}
    for alert, step, at, model, horizon, site, kind, device, part, finding in tables.rows(f"SELECT {columns} FROM alert_steps ORDER BY cause_offset, cause_index"):
        if step == "raised":
            alerts[alert] = {"at": at, "model": model, "hours": horizon, "names": (None, kind, site), "device": device, "part": part, "end": None, "gone": False, "finding": None}
        one = alerts[alert]
        if step in ("resolved", "reopened"):
            one["end"] = at if step == "resolved" else None
        one["gone"] |= step == "cause_withdrawn"
        one["finding"] = finding or one["finding"]
    ends, counts = taken(tables), defaultdict(lambda: {"alerts": 0, "right": 0, "wrong": 0, "undecided": 0})
    for one in alerts.values():
        if one["model"] is None or one["hours"] != hours or one["at"] > asked_at:
            continue
        stands = one["end"] is None and not one["gone"]
        until = asked_at if stands else max(one["at"] + hours * HOUR_MICROS, one["end"] or 0)
        lost = any(one["at"] < gone <= until for key in ((one["device"], one["part"]), (one["device"],)) for gone in ends.get(key, ()))
        assert one["finding"] is None, "nobody gives verdicts in the demo"
        if any(device == one["device"] and one["at"] < onset <= until for device, onset in onsets):
            worth = "right"
        else:
            worth = "undecided" if stands or until > asked_at or lost or one["gone"] else "wrong"
        for about, name in zip(("all", "kind", "site"), one["names"], strict=True):
            counts[one["model"], about, name]["alerts"] += 1
            counts[one["model"], about, name][worth] += 1
    return counts


@pytest.mark.parametrize("horizon", HORIZONS)
def test_alerts_that_were_raised_are_counted_as_their_steps_tell(house: House, tables: Tables, horizon: str) -> None:
    assert tables.open("alert_steps")
    board = house.json(f"/api/v1/scoreboard?horizon={horizon}")
    asked_at = tables.one("SELECT epoch_us(?::TIMESTAMPTZ)", board["cut"]["made_at"])
    wanted = raised(house, tables, HORIZONS[horizon], asked_at)
    told = {(line["model"], line["about"], line["name"]): line["raised"] for line in board["lines"]}
    print(horizon, {line: counts for line, counts in wanted.items() if line[1] == "all"})
    for line, shown in told.items():
        assert {name: shown[name] for name in ("alerts", "right", "wrong", "undecided")} == dict(wanted[line]), line
        decided = shown["right"] + shown["wrong"]
        assert shown["precision"] == (pytest.approx(shown["right"] / decided) if decided else None)
    assert wanted.keys() <= told.keys()


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_page_shows_the_board_and_that_it_is_a_demo(house: House, horizon: str) -> None:
    line = next(line for line in house.json(f"/api/v1/scoreboard?horizon={horizon}")["lines"] if line["about"] == "all")
    html = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", house.get(f"/risk?horizon={horizon}", "text/html")))
    assert f"{line['alerts_right']} of {line['alerts']}" in html and f"{line['announced']} of {line['failures']}" in html
    assert "all devices" in html and "Demo data" in html
