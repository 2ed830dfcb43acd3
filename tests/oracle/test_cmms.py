"""A maintenance system's export: six tables through import, log, fold and tables, against figures computed from the files alone."""

import csv
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path

import cmms
import pytest
from product import medfleet
from tables import Tables

MAPPING = cmms.FOLDER / "mapping.toml"


class Imported:
    """A copy of the export, told and folded, that may be changed and told again."""

    def __init__(self, folder: Path):
        self.data, self.tables, self.rejects = folder / "data", folder / "export", folder / "rejects.csv"
        self.tables.mkdir()
        for name in [*cmms.TABLES, "planted.csv"]:
            shutil.copy(cmms.FOLDER / name, self.tables / name)
        self.tell()

    def tell(self) -> None:
        self.said = medfleet(self.data, "import", "--mapping", str(MAPPING), "--rejects", str(self.rejects), str(self.tables))

    def compare(self) -> None:
        told, expected = Tables(self.data).maintained(), cmms.figures(self.tables)
        assert told.keys() == expected.keys()
        names = list(next(iter(expected.values())))
        print("\n" + " ".join(f"{name[:14]:>14}" for name in ["device", "source", *names]))
        for device, figures in expected.items():
            for source, one in [("tables", told[device]), ("files", figures)]:
                print(" ".join(f"{cell!s:>14}" for cell in [device, source, *(one[name] for name in names)]))
        for device, figures in expected.items():
            assert told[device] == figures, device


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Imported:
    return Imported(tmp_path_factory.mktemp("cmms"))


def test_every_figure_of_the_tables_is_that_of_the_files(imported):
    imported.compare()


def test_the_rejects_file_lists_exactly_the_planted_rows_with_a_cure(imported):
    with imported.rejects.open() as file:
        lines = list(csv.DictReader(file))
    with (imported.tables / "planted.csv").open() as file:
        planted = list(csv.DictReader(file))
    key = lambda row: (row["file"], row["line"], row["fate"], row["reason"])  # noqa: E731
    assert Counter(map(key, lines)) == Counter(map(key, planted))
    assert all(line["text"] and line["cure"] for line in lines)
    for name in cmms.TABLES:
        with (imported.tables / name).open() as file:
            rows = sum(1 for _ in csv.reader(file)) - 1
        refused = len({row["line"] for row in planted if (row["file"], row["fate"]) == (name, "refused")})
        assert f"{name}: {rows} rows read = {rows - refused} imported + {refused} refused" in imported.said


def test_told_again_the_export_changes_nothing(imported):
    tables = Tables(imported.data)
    figures, facts = tables.maintained(), tables.facts()
    imported.tell()
    again = Tables(imported.data)
    assert (again.maintained(), again.facts()) == (figures, facts)
    assert " 0 facts told, " in imported.said


def test_a_later_export_tells_what_is_new_and_takes_back_what_is_no_longer_said(tmp_path):
    export = Imported(tmp_path)
    before = Tables(export.data).facts()["new"]
    orders = export.tables / "work_orders.csv"
    text = orders.read_text()
    # An open order is closed, a closed one is corrected, one is added; the others stay.
    open_order = "P0106,4106,Repair,Down,11/29/2025 20:15,,,,,,"
    closed = "P0106,4106,Repair,Down,11/29/2025 20:15,,,,11/29/2025 21:45,,"
    assert open_order in text and "11/28/2025 12:00" in text
    text = text.replace(open_order, closed).replace("P0102,4103,Repair,Down,11/28/2025 08:00,,,,11/28/2025 12:00", "P0102,4103,Repair,Down,11/28/2025 08:00,,,,11/28/2025 09:00")
    orders.write_text(text + "P0201,4103,Repair,Down,11/30/2025 08:00,,,,11/30/2025 08:30,,Tube,late,\n")
    export.tell()
    assert "facts withdrawn that the tables no longer say" in export.said
    export.compare()
    assert Tables(export.data).facts()["new"] < before + 60, "the rest was not told again"


def test_a_wrong_second_would_be_found(imported):
    """The comparison itself can fail: an order made one minute longer is seen in its device's figures."""
    figures = cmms.figures(imported.tables)
    asset = cmms.assets(imported.tables)["4103"]
    row, times = next((row, times) for row, times in asset.orders if row["WO"] == "P0104")
    times["Back In Use"] += timedelta(minutes=1)
    assert cmms.conditions(asset)["unscheduled_down"] == figures["cmms-4103"]["unscheduled_down"] + 60
    assert row["Effect"] == "Down"
