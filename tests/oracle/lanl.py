"""Figures of the Los Alamos failure log, computed straight from its CSV: the independent half of the import test.

Shares nothing with the product but the definitions in fixtures/lanl/FIGURES.md, which the numbers in brackets cite. Everything is counted
in whole seconds; hours and ratios are only derived from them at the end. Prints JSON, or with --format markdown the tables of FIGURES.md.

    python lanl.py [CSV[.xz]] [--zone UTC] [--format json|markdown]

Data: Los Alamos National Laboratory, LA-UR-05-7318. We thank Los Alamos for providing it.
"""

import argparse
import json
from pathlib import Path

import kpi
import pandas as pd

LOG = Path(__file__).parent.parent / "fixtures/lanl/LA-UR-05-7318-failure-data-1996-2005.csv.xz"
ZONE = "America/Denver"  # [1] the zone in which every repair over a change of clocks agrees with its stated length
RECORD_END = pd.Timestamp("2005-09-10")  # [6] the midnight after the last time in the log
CENTURY_PIVOT = 70  # [5] a two-digit year of 70 and more is 19yy
BLAME = ["Facilities", "Hardware", "Human Error", "Network", "Undetermined", "Software"]
NODE = ["system", "node"]
UNASSIGNED = "unassigned"
DAY_SECONDS = 86_400


def read(path, zone):
    """The log, one row per repair, with times as UTC instants. Every cell stays text until its meaning is known."""
    log = pd.read_csv(path, dtype=str, keep_default_na=False)
    log["system"] = log["System"].astype(int)
    log["node"] = log["nodenumz"].where(log["nodenumz"] != "", UNASSIGNED)  # [2]
    for name, column in [("start", "Prob Started"), ("end", "Prob Fixed")]:
        log[name] = as_utc(pd.to_datetime(log[column], format="%m/%d/%Y %H:%M"), zone)  # [1]
    log["seconds"] = whole_seconds(log["end"] - log["start"])
    log["stated_minutes"] = log["Down Time"].astype(int)
    log["install_month"] = log["node install"].map(month)
    log["production_month"] = log["node prod"].map(month)
    log["decommission_month"] = log["node decom"].map(month)
    return log


def as_utc(wall, zone):
    """Wall times as naive UTC. Of the two hours that bear one name in autumn the later is meant: the stated downtimes say so."""
    local = wall.dt.tz_localize(zone, ambiguous=[False] * len(wall), nonexistent="raise")
    return local.dt.tz_convert("UTC").dt.tz_localize(None)


def whole_seconds(delta):
    return delta.dt.total_seconds().astype("int64")


def month(cell):
    """First day of the month a cell names: `5-Apr` is April 2005, `Nov-96` November 1996; None for words and blanks. [5]"""
    left, _, right = cell.partition("-")
    if not right:
        return pd.NaT
    year, name = (int(left), right) if left.isdigit() else (int(right), left)
    year += 1900 if year >= CENTURY_PIVOT else 2000
    return pd.to_datetime(f"{name} {year}", format="%b %Y")


def episodes(log):
    """One row per outage: repairs of one node that overlap or touch are one. [3]"""
    log = log.sort_values([*NODE, "start", "end"], kind="stable")
    latest = log.groupby(NODE)["end"].cummax()
    reached = latest.groupby([log["system"], log["node"]]).shift()
    begins = reached.isna() | (log["start"] > reached)
    outage = begins.cumsum().rename("outage")
    united = log.groupby([*NODE, outage]).agg(start=("start", "min"), end=("end", "max"), repairs=("start", "size"))
    united["seconds"] = whole_seconds(united["end"] - united["start"])
    return united.reset_index()


def service(log):
    """One row per node: from when until when it is taken to have been in service; unassigned rows name no node and have none. [6]"""
    assigned = log[log["node"] != UNASSIGNED]
    nodes = assigned.groupby(NODE).agg(
        production=("production_month", "first"),
        decommission=("decommission_month", "first"),
        first_repair=("start", "min"),
    )
    nodes["from"] = nodes["production"].fillna(nodes["first_repair"].dt.floor("D"))
    after_last_month = nodes["decommission"] + pd.offsets.MonthBegin(1)
    nodes["until"] = after_last_month.fillna(RECORD_END).clip(upper=RECORD_END)
    nodes["seconds"] = whole_seconds(nodes["until"] - nodes["from"])
    return nodes.reset_index()


def down_in_service(outages, nodes):
    """Outage seconds that lie inside the node's period of service, by system. [7]"""
    both = outages.merge(nodes[[*NODE, "from", "until"]], on=NODE)
    inside = both[["end", "until"]].min(axis=1) - both[["start", "from"]].max(axis=1)
    return whole_seconds(inside.clip(lower=pd.Timedelta(0))).groupby(both["system"]).sum()


def lives(log, outages, nodes):
    """What the episode and repeat rules of docs/KPIS.md are asked about: each node's downs as recorded, standby assumed between them as long
    as it was in service, and every row as a corrective order. An order is named by its row, from 1 on."""
    served = {(one.system, one.node): (micros(one.since), micros(one.until)) for one in nodes.rename(columns={"from": "since"}).itertuples()}
    rows = log.assign(row=range(1, len(log) + 1))
    orders = {name: [order(one) for one in of_node.itertuples()] for name, of_node in rows.groupby(NODE)}
    found = []
    for (system, node), of_node in outages.groupby(NODE):
        downs = [(micros(one.start), micros(one.end)) for one in of_node.sort_values("start").itertuples() if one.seconds]
        service = [served[system, node]] if (system, node) in served else []
        pieces = [kpi.Piece(*span, "unscheduled_down", told=True) for span in downs]
        pieces += [kpi.Piece(*span, "standby", assumed=True) for span in between(service, downs)]
        pieces.sort(key=lambda one: one.begins)
        found.append(kpi.Life(f"lanl-{system}-{node}", f"lanl-{system}", "other", service, pieces, orders[system, node]))
    return found


def order(row):
    return kpi.Order(f"lanl-row-{row.row}", kpi.CORRECTIVE, micros(row.start), returned=micros(row.end))


def between(service, downs):
    """What is left of the service outside the downs."""
    for begins, ends in service:
        for down_begins, down_ends in downs:
            if begins < down_begins:
                yield begins, min(down_begins, ends)
            begins = max(begins, down_ends)
        if begins < ends:
            yield begins, ends


def micros(at):
    return int(at.timestamp()) * kpi.SECOND


def figures(log, outages, nodes):
    """What the tables of the product must say about each system. Times to repair are those of rows [4], downtime that of outages. [3]"""
    rows = log.groupby("system")
    table = pd.DataFrame(
        {
            "nodes_declared": rows["nodes"].first().replace("", None),
            "nodes_listed": nodes.groupby("system").size(),
            "failures": rows.size(),
            "episodes": outages.groupby("system").size(),
            "repair_seconds": rows["seconds"].sum(),
            "median_repair_seconds": rows["seconds"].median(),
            "downtime_seconds": outages.groupby("system")["seconds"].sum(),
            "stated_downtime_seconds": rows["stated_minutes"].sum() * 60,
            "in_service_seconds": nodes.groupby("system")["seconds"].sum(),
            "down_in_service_seconds": down_in_service(outages, nodes),
        }
    )
    return [system_figures(system, row) for system, row in table.iterrows()]


def system_figures(system, row):
    """One system: seconds as counted, then what people read. No period of service, no availability. [7]"""
    known = {name: None if pd.isna(value) else int(value) for name, value in row.items()}
    known["nodes_listed"] = known["nodes_listed"] or 0
    in_service = known["in_service_seconds"]
    return {
        "system": int(system),
        **known,
        "downtime_hours": round(known["downtime_seconds"] / 3600, 4),
        "mean_repair_minutes": round(known["repair_seconds"] / known["failures"] / 60, 4),
        "median_repair_minutes": known["median_repair_seconds"] / 60,
        "availability": in_service and round(1 - known["down_in_service_seconds"] / in_service, 9),
    }


def traps(log, outages, nodes):
    """How often each trap of FIGURES.md is in the log. No trap costs a row."""
    off = log["stated_minutes"] * 60 - log["seconds"]
    node_rows = log[log["node"] != UNASSIGNED]
    lives = node_rows.merge(nodes[[*NODE, "from", "until"]], on=NODE)
    blamed = (log[BLAME] != "").sum(axis=1)
    columns = list(log.columns[: list(log.columns).index("Same Event") + 1])
    spelled = log[["node install", "node prod", "node decom"]]
    numbers = nodes.merge(node_rows.groupby("system")["nodes"].first().astype(int), on="system")
    counts = {
        "rows": len(log),
        "rows_without_node": (log["node"] == UNASSIGNED).sum(),
        "stated_disagrees": (off != 0).sum(),
        "stated_one_minute_short": (off == -60).sum(),
        "stated_one_hour_off": (off.abs() == 3600).sum(),
        "end_before_start": (log["seconds"] < 0).sum(),
        "zero_length": (log["seconds"] == 0).sum(),
        "longer_than_7_days": (log["seconds"] > 7 * DAY_SECONDS).sum(),
        "longer_than_30_days": (log["seconds"] > 30 * DAY_SECONDS).sum(),
        "crosses_midnight": (log["start"].dt.normalize() != log["end"].dt.normalize()).sum(),
        "repeats_of_a_whole_row": log.duplicated(subset=columns).sum(),
        "repeats_of_node_and_times": log.duplicated(subset=[*NODE, "start", "end"]).sum(),
        "joined_to_an_earlier_repair": len(log) - len(outages),
        "shares_both_times_with_another_node": node_rows.duplicated(subset=["system", "start", "end"], keep=False).sum(),
        "month_as_digit_first": spelled.apply(lambda c: c.str.match(r"^\d+-")).any(axis=1).sum(),
        "month_as_name_first": spelled.apply(lambda c: c.str.match(r"^[A-Z][a-z]{2}-\d")).any(axis=1).sum(),
        "before_tracking": (log["node prod"] == "before tracking").sum(),
        "current": (log["node decom"] == "current").sum(),
        "decommission_after_record_end": (log["decommission_month"] >= RECORD_END).sum(),
        "starts_in_decommission_month": (log["decommission_month"] <= log["start"]).sum(),
        "starts_before_installation": (log["start"] < log["install_month"]).sum(),
        "starts_before_service": (lives["start"] < lives["from"]).sum(),
        "ends_after_service": (lives["end"] > lives["until"]).sum(),
        "no_blame": (blamed == 0).sum(),
        "several_blames": (blamed > 1).sum(),
        "blamed_on_dst_or_maintenance": (log["Software"].str.startswith("DST") | (log["Hardware"] == "Maintenance")).sum(),
        "nodes_listed": len(nodes),
        "nodes_numbered_beyond_the_declared_count": (numbers["node"].astype(int) >= numbers["nodes"]).sum(),
        "nodes_with_two_old_numbers": (node_rows.groupby(NODE)["nodenum"].nunique() > 1).sum(),
        "nodes_with_two_lives": (node_rows.groupby(NODE)[["node install", "node prod", "node decom"]].nunique() > 1).any(axis=1).sum(),
    }
    return {name: int(count) for name, count in counts.items()}


def markdown(answer):
    """The two tables of FIGURES.md."""
    lines = [
        "| system | nodes listed / declared | failures | episodes | downtime h | stated h | mean repair min | median min | availability |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for s in answer["systems"]:
        share = "–" if s["availability"] is None else f"{100 * s['availability']:.4f} %"
        lines.append(
            f"| {s['system']} | {s['nodes_listed']} / {s['nodes_declared'] or '?'} | {s['failures']:,} | {s['episodes']:,} | {s['downtime_hours']:,.2f} "
            f"| {s['stated_downtime_seconds'] / 3600:,.2f} | {s['mean_repair_minutes']:.2f} | {s['median_repair_minutes']:g} | {share} |"
        )
    lines += ["", "| in the log | count |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {count:,} |" for name, count in answer["traps"].items()]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("csv", nargs="?", type=Path, default=LOG)
    arguments.add_argument("--zone", default=ZONE, help="time zone the wall times are read in")
    arguments.add_argument("--format", choices=["json", "markdown"], default="json")
    given = arguments.parse_args()

    log = read(given.csv, given.zone)
    outages, nodes = episodes(log), service(log)
    answer = {
        "zone": given.zone,
        "record_end": f"{RECORD_END.isoformat()}Z",
        "traps": traps(log, outages, nodes),
        "systems": figures(log, outages, nodes),
        "in_service_days": int(nodes["seconds"].sum()) // DAY_SECONDS,
    }
    print(markdown(answer) if given.format == "markdown" else json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
