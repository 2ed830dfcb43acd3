"""The oracle's counters against cases worked out by hand: GOLDEN 13 and 14, and cycles between failures over more than one device."""

from kpi import DAY, SECOND, Account, Life, Order, Period, Reading, account, between_failures, counters

HOUR = 3_600 * SECOND
SERIES = ("scans", "", "modbus")
ALL = Period(0, DAY, 2 * DAY)


def read(*samples: tuple[float, int], modulus: int | None = None, unit: str = "scans") -> list[Reading]:
    return [Reading(round(hour * HOUR), unit, value, modulus) for hour, value in samples]


def life(readings: list[Reading], device: str = "ct-1", orders: int = 0) -> Life:
    opened = [Order(f"wo-{nth}", "corrective", nth * HOUR, returned=nth * HOUR + SECOND) for nth in range(orders)]
    return Life(device, "north", "ct", [(0, 2 * DAY)], [], opened, readings={SERIES: readings})


def gained(readings: list[Reading], of: Period = ALL) -> tuple[int, int, int]:
    sums = counters(life(readings), of)[(*SERIES, "scans")]
    return sums["gained"], sums["samples"], sums["resets"]


def test_golden_13_the_first_sample_makes_no_row_and_a_reset_gains_what_it_says() -> None:
    assert gained(read((9, 1_000), (10, 1_050), (11, 7), (12, 30))) == (50 + 7 + 23, 3, 1)
    assert gained(read((9, 65_530), (10, 4), modulus=65_536)) == (10, 1, 0), "once round"
    assert gained(read((9, 40_000), (10, 8_000), modulus=65_536)) == (8_000, 1, 1), "more than half of the modulus is no way round"
    assert gained(read((9, 10), (10, 30), (10, 25))) == (20, 1, 0), "of two samples of one second the greater"
    assert gained([*read((9, 10)), *read((10, 30), unit="cycles"), *read((11, 40))]) == (0, 1, 0), "of another unit nothing is known"


def test_golden_14_a_late_sample_tells_when_it_was_gained_and_not_how_much() -> None:
    morning = Period(9 * HOUR, 11 * HOUR, 2 * DAY)
    assert gained(read((9, 1_000), (12, 1_100)))[0] == 100
    assert gained(read((12, 1_100), (9, 1_000), (10.5, 1_040))) == (100, 2, 0)
    assert gained(read((12, 1_100), (9, 1_000), (10.5, 1_040)), morning) == (40, 1, 0)


def test_cycles_between_failures_are_added_up_before_they_are_divided() -> None:
    """200 scans and no failure beside 100 scans and two: 150 between failures, and not the mean of anything."""
    lives = [life(read((1, 0), (2, 200_000)), "ct-1"), life(read((1, 0), (2, 100_000)), "ct-2", orders=1)]
    lives[1].orders.append(Order("wo-x", "corrective", 30 * HOUR, returned=31 * HOUR))
    accounts: list[Account] = [account(one, Period(0, 2 * DAY, 2 * DAY), repeat_within=HOUR) for one in lives]
    assert [len(one.episodes) for one in accounts] == [0, 2]
    key = ("ct", *SERIES, "scans")
    assert between_failures(accounts, Period(0, 2 * DAY, 2 * DAY), ("kind",)) == {key: 150.0}
    assert between_failures(accounts[:1], ALL, ("kind",)) == {key: None}, "nothing failed"
