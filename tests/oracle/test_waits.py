"""Waits for two parties at once, worked out by hand: the same cases as in `crates/kpi/tests/kpi/waits.rs`."""

from collections import defaultdict

import kpi
import pytest
import told

HOUR = 3_600 * kpi.SECOND
DAY = kpi.Period(0, 24 * HOUR, 48 * HOUR)


def order(name: str, *waits: tuple[str, int, int], **phases: int) -> kpi.Order:
    return kpi.Order(name, kpi.CORRECTIVE, 9 * HOUR, waits=[(party, begins * HOUR, ends * HOUR) for party, begins, ends in waits], **phases)


def down_from_nine(*orders: kpi.Order) -> kpi.Life:
    """Base hours are those from eight to five."""
    pieces = [kpi.Piece(8 * HOUR, 9 * HOUR, "standby"), kpi.Piece(9 * HOUR, 17 * HOUR, "unscheduled_down", told=True)]
    return kpi.Life("ct-7", "north", "ct", [(0, 24 * HOUR)], pieces, list(orders), base=[(8 * HOUR, 17 * HOUR)])


def hours(*lives: kpi.Life) -> list[tuple[float, float]]:
    """Up and known hours of equipment-dependent and of supplier-dependent uptime."""
    sums: dict[str, int] = defaultdict(int)
    for name, value in (item for life in lives for item in kpi.seconds_of(life, DAY).items()):
        sums[name] += value
    found = kpi.ratios(sums)
    return [tuple(found[f"{name}_uptime_{part}_seconds"] / 3_600 for part in ("over", "under")) for name in ("equipment_dependent", "supplier_dependent")]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([order("wo-1", ("facility", 9, 14), ("parts", 10, 12), ("vendor", 13, 16))], [(1, 2), (1, 4)]),
        ([order("wo-1", ("parts", 10, 14), ("in_house", 15, 16)), order("wo-2", ("vendor", 12, 15), ("user", 14, 16))], [(1, 3), (1, 7)]),
        ([order("wo-1", ("facility", 9, 14), cancelled=True)], [(1, 9), (1, 9)]),
    ],
)
def test_waits_at_once_are_one_time_of_waiting(orders, expected):
    assert hours(down_from_nine(*orders)) == expected


def test_what_one_device_waits_takes_nothing_out_of_the_downtime_of_another():
    waiting = down_from_nine(order("wo-1", ("parts", 6, 17), ("vendor", 6, 17), ("facility", 6, 17)))
    assert hours(waiting, down_from_nine()) == [(2, 10), (2, 10)]


def test_a_repair_loses_each_hour_once():
    waits = ("parts", 10, 15), ("vendor", 11, 16), ("user", 11, 13), ("in_house", 12, 14)
    found = kpi.repair_clocks([order("wo-1", *waits, started=9 * HOUR, repaired=17 * HOUR)], DAY.now)
    names = ("repair_mean", "waited_parts", "waited_vendor", "waited_facility", "waited_own")
    assert [found[f"{name}_seconds"] / 3_600 for name in names] == [2, 5, 5, 0, 3]


def test_a_wait_ends_with_that_of_its_party_or_of_nobody_in_particular():
    parts, facility, user = 3, 4, 5
    phases = [(1, told.WAITING, facility), (2, told.WAITING, parts), (3, told.WAITED, user), (4, told.WAITED, parts), (5, told.WAITING, parts), (6, told.WAITED, 0)]
    found = told.waits([(at, {3: phase, 4: party}) for at, phase, party in phases])
    assert sorted(found) == [("facility", 1, 6), ("parts", 2, 4), ("parts", 5, 6)]
