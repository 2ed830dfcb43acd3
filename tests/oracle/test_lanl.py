"""Real input: the failure log of Los Alamos through import, log, fold and tables, against figures computed from its CSV alone.

We thank Los Alamos National Laboratory for providing these data (LA-UR-05-7318; fixtures/lanl/NOTICE.md).
`--systems all` takes the whole log.
"""

import csv
import json
import re

import lanl
from imported import Imported
from product import medfleet
from tables import Tables

MONTH = re.compile(r"`(.+)` in column `.+` is (\d{4}-\d{2})")
FIGURES = [
    "nodes_listed",
    "failures",
    "episodes",
    "repair_seconds",
    "median_repair_seconds",
    "downtime_seconds",
    "in_service_seconds",
    "down_in_service_seconds",
]
# What the import reports of a trap, and the same count by the oracle.
TRAPS = {
    ("imported", "unassigned"): "rows_without_node",
    ("imported", "stated_disagrees"): "stated_disagrees",
    ("imported", "no_length"): "zero_length",
    ("imported", "united"): "joined_to_an_earlier_repair",
    ("imported", "no_cause"): "no_blame",
    ("imported", "service_unknown"): "before_tracking",
    ("imported", "outside_service"): "ends_after_service",
}


def hours(seconds):
    return f"{seconds / 3600:,.2f}"


def share(figures):
    service = figures["in_service_seconds"]
    return f"{100 * (1 - figures['down_in_service_seconds'] / service):.4f}" if service else "-"


def printed(system, source, figures) -> str:
    mean = figures["repair_seconds"] / figures["failures"] / 60
    middle = figures["median_repair_seconds"] / 60
    cells = [system, source, figures["failures"], figures["episodes"], hours(figures["downtime_seconds"]), f"{mean:.2f}"]
    return " ".join(f"{cell!s:>12}" for cell in [*cells, f"{middle:g}", share(figures)])


def test_every_figure_of_the_tables_is_that_of_the_file(imported):
    tables, (oracle, _) = Tables(imported.data).figures(), imported.oracle()
    head = ["system", "source", "failures", "episodes", "downtime h", "mean min", "median min", "available %"]
    print("\n" + " ".join(f"{cell:>12}" for cell in head))
    for system, expected in oracle.items():
        print(printed(system, "tables", tables[system]))
        print(printed(system, "file", expected))
    for system, expected in oracle.items():
        # No period of service is no figure in the oracle and no time in the tables.
        wanted = {name: expected[name] or 0 for name in FIGURES}
        assert tables[system] == wanted, f"system {system}"
    assert tables.keys() == oracle.keys()


def test_no_row_is_dropped_and_every_trap_is_reported(imported):
    _, traps = imported.oracle()
    with imported.rejects.open() as file:
        lines = list(csv.DictReader(file))
    assert f"{traps['rows']} rows read = {traps['rows']} imported + 0 refused" in imported.said
    for (fate, reason), trap in TRAPS.items():
        found = sum(line["fate"] == fate and line["reason"] == reason for line in lines)
        print(f"{reason}: import {found}, oracle {traps[trap]}")
        assert found == traps[trap], reason
    assert not [line for line in lines if line["fate"] == "refused"]
    months = {MONTH.match(line["text"]).groups() for line in lines if line["reason"] == "month_spelling"}
    assert {text[0].isdigit() for text, _ in months} == {True, False}, "both spellings are in the file"
    for text, taken in months:
        assert taken == lanl.month(text).strftime("%Y-%m"), text


def test_a_file_imported_twice_changes_nothing(tmp_path):
    once = Imported(tmp_path, "17")
    figures, facts = Tables(once.data).figures(), Tables(once.data).facts()
    once.tell()
    again = Tables(once.data)
    assert again.figures() == figures
    assert again.facts() == facts == {"new": facts["new"]}
    assert f", 0 facts told, {facts['new'] - 1} told before" in once.said, "all but the definition of the site"


def test_the_commands_of_the_docs_train_and_backtest_a_public_log(tmp_path):
    """docs/risk.md on one node, the only one of its system: the gate lets nobody speak for it but the rules, and says why."""
    told = Imported(tmp_path, "7")
    said = medfleet(told.data, "train")
    assert [re.search(rf"{horizon}: model [0-9a-f]{{16}} ", said) is not None for horizon in ("24h", "7d")] == [True, True]
    medfleet(told.data, "backtest")
    pages = sorted((told.data / "reports").glob("backtest-*.json"))
    assert len(pages) == 2 and all(page.with_suffix(".html").exists() for page in pages)
    for page in pages:
        backtest = json.loads(page.read_text())["backtest"]
        assert [one["speaker"] for one in backtest["spoken"]][-3:] == ["rules", "hazard", "trees"]
        (decision,) = backtest["decisions"]
        assert (decision["speaks"], decision["devices"]) == ("rules", 1)
        assert decision["because"] == f"the rules speak: {decision['failures']} failures on 1 device, and more can be said from 30 failures on 5 devices"
        assert backtest["heard"]["device_days"]["failures"] > 0


def test_a_wrong_second_would_be_found(imported):
    """The comparison itself can fail: a repair made one minute longer in the file is seen in its system's figures."""
    oracle, _ = imported.oracle()
    log = lanl.read(imported.file, lanl.ZONE)
    longest = log["seconds"].idxmax()
    log.loc[longest, "end"] += lanl.pd.Timedelta(minutes=1)
    log["seconds"] = lanl.whole_seconds(log["end"] - log["start"])
    moved = {one["system"]: one for one in lanl.figures(log, lanl.episodes(log), lanl.service(log))}
    system = int(log.loc[longest, "system"])
    assert moved[system]["repair_seconds"] == oracle[system]["repair_seconds"] + 60
    assert Tables(imported.data).figures()[system]["repair_seconds"] != moved[system]["repair_seconds"]
