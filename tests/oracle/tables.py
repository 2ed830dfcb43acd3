"""The figures of an import as the product's tables tell them: raw Parquet files, read by DuckDB."""

from collections import defaultdict
from pathlib import Path
from statistics import median

import duckdb

from faults import delta
from faults.factbytes import fields

HERE = Path(__file__).parent
# The columns that are asked for of a table that an import leaves empty.
WITHOUT_ROWS = {
    "errors": "device VARCHAR, weight BIGINT",
    "usage": "device VARCHAR, counter VARCHAR, increment_milli BIGINT, weight BIGINT",
}
# Numbers of proto/medfleet/v1.
WORK_ORDER_FIELD, ORDER_FIELD, CLASS_FIELD, PHASE_FIELD = 32, 1, 2, 3
OPENED, RETURNED_TO_SERVICE = 1, 8
CORRECTIVE = 1
PM_DONE_FIELD, OUTCOME_FIELD, COMPLETED = 34, 3, 1
VOIDED_FIELD, TARGET_FIELD = 36, 1


def plain(value):
    return value if isinstance(value, str) else int(value)


def stated(facts) -> dict[str, int]:
    """Failures, repairs and maintenance of one device, from its standing facts."""
    taken_back = set()
    for kind, _, _, _, body in facts:
        if kind == "voided":
            target = fields(body[VOIDED_FIELD])[TARGET_FIELD]
            named = fields(target)
            taken_back |= set(range(named[2], named[3] + 1))
    standing = [(kind, second, body) for kind, _, seq, second, body in facts if seq not in taken_back]
    orders = defaultdict(dict)
    for kind, second, body in standing:
        if kind == "order" and fields(body[WORK_ORDER_FIELD]).get(CLASS_FIELD) == CORRECTIVE:
            order = fields(body[WORK_ORDER_FIELD])
            orders[order[ORDER_FIELD]][order[PHASE_FIELD]] = second
    repaired = [phases for phases in orders.values() if RETURNED_TO_SERVICE in phases]
    done = [fields(body[PM_DONE_FIELD])[OUTCOME_FIELD] for kind, _, body in standing if kind == "pm_done"]
    return {
        "failures": len(orders),
        "repairs": len(repaired),
        "repair_seconds": sum(phases[RETURNED_TO_SERVICE] - phases[OPENED] for phases in repaired),
        "maintenance": done.count(COMPLETED),
        "parts": sum(kind == "component_replaced" for kind, _, _ in standing),
    }


class Tables:
    """The tables of one data folder."""

    def __init__(self, data: Path):
        self.lake = data / "lake"
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        for table in ["facts", "intervals", "errors", "usage"]:
            files = [str(path) for path in delta.active_files(delta.current(self.lake, table))]
            if not files:
                self.db.execute(f"CREATE TABLE {table} ({WITHOUT_ROWS[table]})")
                continue
            self.db.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files}, hive_partitioning = true)")

    def facts(self) -> dict[str, int]:
        """Facts by verdict."""
        return dict(self.db.execute("SELECT verdict, count(*) FROM facts GROUP BY verdict").fetchall())

    def figures(self) -> dict[int, dict]:
        """By system, what fixtures/lanl/FIGURES.md defines. Everything in whole seconds."""
        repairs = self._repairs()
        seconds = self._ask("lanl_seconds.sql")
        systems = {}
        for site in sorted({site for site, *_ in seconds} | set(repairs)):
            devices = [row for row in seconds if row[0] == site]
            in_service = [row for row in devices if row[3]]
            assert not any(row[4] for row in devices), f"{site} has conditions that nobody reported"
            spans = [span for device in repairs[site].values() for span in device]
            lengths = [ends - begins for begins, ends in spans]
            systems[int(site.removeprefix("lanl-"))] = {
                "nodes_listed": len(in_service),
                "failures": len(spans),
                "episodes": self._episodes(repairs[site]),
                "repair_seconds": sum(lengths),
                "median_repair_seconds": int(median(lengths)),
                "downtime_seconds": sum(row[2] or 0 for row in devices),
                "in_service_seconds": sum((row[2] or 0) + row[3] for row in in_service),
                "down_in_service_seconds": sum(row[2] or 0 for row in in_service),
            }
        return systems

    def maintained(self) -> dict[str, dict]:
        """By device, what oracle/cmms.py computes from the files."""
        names = ["site", "standby", "productive", "scheduled_down", "unscheduled_down", "partial", "errors", "operation", "exposures"]
        devices = {device: dict(zip(names, map(plain, figures), strict=True)) for device, *figures in self._ask("cmms_devices.sql")}
        said = defaultdict(list)
        for subject, kind, epoch, seq, second, data in self._ask("cmms_said.sql"):
            said[subject].append((kind, epoch, seq, second, fields(data)))
        for device, figures in devices.items():
            figures |= stated(said[device])
        return devices

    def _ask(self, name: str) -> list[tuple]:
        return self.db.execute((HERE / name).read_text()).fetchall()

    def _repairs(self) -> dict[str, dict[str, list[tuple[int, int]]]]:
        """Start and end of every order, by site and device, from the archived bytes."""
        rows = self._ask("lanl_orders.sql")
        orders = defaultdict(dict)
        for site, subject, at, data in rows:
            order = fields(fields(data)[WORK_ORDER_FIELD])
            orders[site, subject, order[ORDER_FIELD]][order[PHASE_FIELD]] = at
        repairs = defaultdict(lambda: defaultdict(list))
        for (site, subject, _), phases in orders.items():
            repairs[site][subject].append((phases[OPENED], phases[RETURNED_TO_SERVICE]))
        return repairs

    def _episodes(self, repairs: dict[str, list[tuple[int, int]]]) -> int:
        """Stretches of down that touch are one outage; a repair of no length is one too, unless it lies in or touches another."""
        down = defaultdict(list)
        for device, begins, ends in self._ask("lanl_outages.sql"):
            down[device].append((begins, ends))
        count = 0
        for device, spans in repairs.items():
            reached = None
            for begins, ends in sorted(down[device] + [span for span in spans if span[0] == span[1]]):
                count += reached is None or begins > reached
                reached = ends if reached is None else max(reached, ends)
        return count
