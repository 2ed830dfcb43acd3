"""Tables in the shape of a public benchmark of predictive maintenance, through import, log, fold and tables."""

from collections import Counter

import pandas as pd
from product import fold, medfleet
from tables import HERE, Tables, fields

FOLDER = HERE.parent / "fixtures/azure_shaped"
HOUR_SECONDS = 3600
COMPONENT_REPLACED_FIELD, COMPONENT_FIELD, PREVENTIVE_FIELD = 31, 1, 4


def read(name):
    return pd.read_csv(FOLDER / f"PdM_{name}.csv")


def expected() -> dict[str, dict]:
    """By machine, from the files alone."""
    telemetry, errors, maint, failures = map(read, ["telemetry", "errors", "maint", "failures"])
    failed = set(failures[["datetime", "machineID", "failure"]].itertuples(index=False, name=None))
    maint["failed"] = [row in failed for row in maint[["datetime", "machineID", "comp"]].itertuples(index=False, name=None)]
    return {
        f"pdm-{machine}": {
            "productive": int((telemetry.machineID == machine).sum()) * HOUR_SECONDS,
            "errors": int((errors.machineID == machine).sum()),
            "failures": int((failures.machineID == machine).sum()),
            "replaced": Counter((row.comp, not row.failed) for row in maint[maint.machineID == machine].itertuples()),
        }
        for machine in read("machines").machineID
    }


def test_a_benchmark_is_told_in_one_command_and_every_figure_is_that_of_its_files(tmp_path):
    said = medfleet(tmp_path, "import", "--mapping", str(FOLDER / "mapping.toml"))
    assert said.endswith("folded into the tables\n")
    for name in ["machines", "telemetry", "errors", "maint", "failures"]:
        rows = len(read(name))
        assert f"PdM_{name}.csv: {rows} rows read = {rows} imported + 0 refused" in said
    tables = Tables(tmp_path)
    told = tables.maintained()
    for machine, figures in expected().items():
        replaced = Counter()
        for (data,) in tables.db.execute(
            "SELECT bytes FROM facts WHERE subject = ? AND kind = 'component_replaced' AND verdict = 'new'", [machine]
        ).fetchall():
            part = fields(fields(data)[COMPONENT_REPLACED_FIELD])
            replaced[part[COMPONENT_FIELD].decode(), bool(part.get(PREVENTIVE_FIELD, 0))] += 1
        found = {name: told[machine][name] for name in ["productive", "errors", "failures"]} | {"replaced": replaced}
        print(machine, found)
        assert found == figures
        assert told[machine]["unscheduled_down"] == told[machine]["standby"] == 0, "nobody said so"
    assert any(prevented for figures in expected().values() for _, prevented in figures["replaced"])
    assert any(not prevented for figures in expected().values() for _, prevented in figures["replaced"])


def test_an_import_that_is_told_not_to_fold_leaves_it_to_a_processor(tmp_path):
    said = medfleet(tmp_path, "import", "--mapping", str(FOLDER / "mapping.toml"), "--no-fold")
    assert "folded" not in said and not (tmp_path / "lake" / "facts").exists()
    fold(tmp_path)
    assert sum(told["failures"] for told in Tables(tmp_path).maintained().values()) == len(read("failures"))
