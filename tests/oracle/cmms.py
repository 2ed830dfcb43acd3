"""Figures of the invented maintenance export, computed straight from its CSV files: the independent half of the import test.

Shares nothing with the product but what docs/import.md says. Rows that planted.csv calls refused are left out by their line; the test
proves that the product refuses exactly those.
"""

import csv
from collections import defaultdict
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

FOLDER = Path(__file__).parent.parent / "fixtures/cmms"
RECORD_END = datetime(2025, 12, 1, tzinfo=timezone.utc)
SITES = {
    "Main Campus": ("main", ZoneInfo("America/Chicago")),
    "North Clinic": ("north", ZoneInfo("America/Denver")),
    "Harbor Surgery": ("harbor", ZoneInfo("America/New_York")),
}
STATES = {"SCAN": "productive", "IDLE": "standby", "SERVICE": "scheduled_down", "FAULT": "unscheduled_down"}
TABLES = ["assets.csv", "work_orders.csv", "pm.csv", "errors.csv", "meters.csv", "states.csv"]


def rows(name, folder=FOLDER):
    """Every row that is not planted to be refused; the header is line 1 and no cell holds a line break."""
    with (folder / "planted.csv").open() as file:
        refused = {int(p["line"]) for p in csv.DictReader(file) if (p["file"], p["fate"]) == (name, "refused")}
    with (folder / name).open() as file:
        return [row for line, row in enumerate(csv.DictReader(file), 2) if line not in refused]


def wall(text, zone):
    """A wall time; of two equal ones the earlier (fold 0), a bare day is its midnight."""
    form = "%m/%d/%Y %H:%M" if " " in text else "%m/%d/%Y"
    return datetime.strptime(text, form).replace(tzinfo=zone)


def second(instant):
    return int(instant.timestamp())


class Asset:
    def __init__(self, row):
        self.site, self.zone = SITES[row["Facility"]]
        self.installed = row["Installed"] and datetime.fromisoformat(row["Installed"]).replace(tzinfo=timezone.utc)
        self.removed = row["Removed"] and datetime.fromisoformat(row["Removed"]).replace(tzinfo=timezone.utc)
        self.first = None
        self.orders, self.maintenance, self.states, self.errors, self.readings = [], [], [], [], defaultdict(list)

    def see(self, *instants):
        """An accepted row mentions these instants: the earliest of all begins a service of unknown date."""
        seen = [second(instant) for instant in instants if instant]
        self.first = min([self.first, *seen] if self.first is not None else seen)

    def service(self):
        day = self.first // 86_400 * 86_400
        begins = second(self.installed) if self.installed else day
        return begins, min(second(self.removed), second(RECORD_END)) if self.removed else second(RECORD_END)


def assets(folder=FOLDER):
    found, names = {}, {}
    for row in rows("assets.csv", folder):
        found[row["Asset No"]] = Asset(row)
        names[row["Asset No"]] = names[row["Tag"]] = row["Asset No"]
    at = lambda name: found[names[name]]  # noqa: E731
    for row in rows("work_orders.csv", folder):
        one = at(row["Asset"])
        cells = ["Reported", "Dispatched", "On Site", "Repaired", "Back In Use", "Closed", "Entered"]
        times = {cell: wall(row[cell], one.zone) if row[cell] else None for cell in cells}
        one.see(*times.values())
        one.orders.append((row, times))
    for row in rows("pm.csv", folder):
        one = at(row["Asset"])
        cells = ["Planned From", "Planned To", "Started", "Finished", "Entered"]
        times = {cell: wall(row[cell], one.zone) if row[cell] else None for cell in cells}
        one.see(*times.values())
        one.maintenance.append((row, times))
    for row in rows("errors.csv", folder):
        one, when = at(row["Asset"]), datetime.fromisoformat(row["Time"])
        one.see(when)
        one.errors.append(row["Code"])
    for row in rows("meters.csv", folder):
        one = at(row["Asset"])
        when = wall(row["Read At"], one.zone)
        one.see(when)
        if row["Hours"]:
            one.readings["operation"].append((when, round(float(row["Hours"]) * 60_000)))
        if row["Exposures"]:
            one.readings["exposures"].append((when, int(row["Exposures"]) * 1000))
    for row in rows("states.csv", folder):
        one = at(row["Machine"])
        begins, ends = int(row["From"]), int(row["To"])
        one.see(*(datetime.fromtimestamp(t, timezone.utc) for t in (begins, ends)))
        one.states.append((begins, ends, row["State"]))
    return found


def conditions(asset):
    """Seconds of each condition, and those in which the device worked with something lost: between any two edges nothing changes."""
    begins, ends = asset.service()
    stop = second(RECORD_END)
    monitor, orders, partial, window, overrun = defaultdict(list), [], [], [], []
    for a, b, state in asset.states:
        if state in STATES:
            monitor[STATES[state]].append((a, b))
    for row, times in asset.orders:
        until = times["Back In Use"] or times["Repaired"] or times["Closed"]
        span = second(times["Reported"]), second(until) if until else stop
        {"Down": orders, "Degraded": partial, "None": []}[row["Effect"]].append(span)
    for row, times in asset.maintenance:
        if times["Finished"]:
            a, b = second(times["Started"]), second(times["Finished"])
            planned = second(times["Planned To"]) if times["Planned From"] and times["Planned To"] else b
            window.append((a, min(b, max(planned, a))))
            overrun.append((max(planned, a), b))
    spans = [(begins, ends), *orders, *partial, *window, *overrun, *(span for spans in monitor.values() for span in spans)]
    edges = sorted({min(edge, stop) for span in spans for edge in span})
    seconds = dict.fromkeys(["standby", "productive", "scheduled_down", "unscheduled_down", "partial"], 0)
    for a, b in pairwise(edges):
        seen = {word for word, spans in monitor.items() if covered(spans, a, b)}
        up, down = seen & {"standby", "productive"}, seen & {"scheduled_down", "unscheduled_down"}
        if covered(overrun, a, b):
            one = "unscheduled_down"
        elif covered(window, a, b):
            one = "scheduled_down"
        elif covered(orders, a, b):  # the record is a stronger witness than the monitor
            one = "unscheduled_down"
        elif up and down:  # one witness says both: unknown
            continue
        elif seen:
            one = max(seen, key=list(seconds).index)  # productive before standby, unscheduled before scheduled
        elif begins <= a < ends:  # nobody reports it: assumed, in service
            one = "standby"
        else:
            continue
        seconds[one] += b - a
        seconds["partial"] += (b - a) * (one in ("standby", "productive") and covered(partial, a, b))
    return seconds


def covered(spans, a, b):
    return any(x <= a and b <= y for x, y in spans)


def increments(readings):
    """Sum of what a counter grew by, in thousandths; one that stands lower than before began again at zero."""
    total, before = 0, None
    for _, value in sorted(readings):
        if before is not None:
            total += value - before if value >= before else value
        before = value
    return total


def figures(folder=FOLDER):
    """By device, what the tables of the product must say."""
    answer = {}
    for number, asset in assets(folder).items():
        if asset.first is None:
            continue
        corrective = [times for row, times in asset.orders if row["Type"] == "Repair"]
        repaired = [times for times in corrective if times["Back In Use"]]
        answer[f"cmms-{number}"] = {
            **conditions(asset),
            "site": asset.site,
            "failures": len(corrective),
            "repairs": len(repaired),
            "repair_seconds": sum(second(t["Back In Use"]) - second(t["Reported"]) for t in repaired),
            "maintenance": sum(row["Outcome"] == "Done" for row, _ in asset.maintenance),
            "parts": sum(bool(row["Part"]) for row, _ in asset.maintenance),
            "errors": len(asset.errors),
            "operation": increments(asset.readings["operation"]),
            "exposures": increments(asset.readings["exposures"]),
        }
    return answer
