"""Ninety days of a fleet whose truth is known: every device's seconds, uptime and utilization as they could be observed, and bounds that hold the truth."""

import pytest
from test_demo import CONDITIONS, KINDS, _await_history, lived_in
from test_sql import connect

DAYS = 90
UP = ("productive", "standby", "engineering")
DOWN = ("scheduled_down", "unscheduled_down")
KNOWN_AT_LEAST = 0.99


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory):
    """What was true of each device, and what SQL says of it over the same time."""
    with lived_in(tmp_path_factory.mktemp("truth"), "--demo-days", str(DAYS)) as house:
        truth = _await_history(house)
        sums = ", ".join(f"sum({condition}_seconds)" for condition in CONDITIONS)
        # A device that moved has a row for each site.
        bounds = ("worst", "best", "utilization_worst", "utilization_best")
        weighed = ", ".join(f"sum({bound} * registered_seconds) / nullif(sum(registered_seconds), 0)" for bound in bounds)
        asked = (
            f"SELECT device, {sums}, sum(registered_seconds), sum(known_seconds), sum(up_seconds) / nullif(sum(known_seconds), 0),"
            f" sum(productive_seconds) / nullif(sum(known_seconds), 0), {weighed} FROM uptime_by_device(%s, %s) GROUP BY device"
        )
        with connect(house, "truth", "--all") as connection:
            rows = connection.execute(asked, (truth["from"], truth["until"])).fetchall()
        names = ("device", *CONDITIONS, "registered", "known", "uptime", "utilization", *bounds)
        said = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
        yield [(device, said[device["device"]]) for device in truth["devices"]]


def differing(told, problem) -> list[tuple]:
    found = [(of["device"], of["kind"], trouble) for of, said in told if (trouble := problem(of, said))]
    return found[:10]


def ratio(seconds: dict, names: tuple[str, ...]) -> float | None:
    whole = sum(seconds.values())
    return sum(seconds[name] for name in names) / whole if whole else None


def test_all_kinds_over_ninety_days_are_compared(told) -> None:
    assert len({of["kind"] for of, _ in told}) == KINDS
    assert sum(said["registered"] for _, said in told) / 86_400 > 0.9 * DAYS * len(told)


def test_every_second_that_could_be_observed_is_told_as_it_was(told) -> None:
    def problem(of: dict, said: dict):
        wrong = {name: (of["observed_s"][name], said[name]) for name in CONDITIONS if abs(of["observed_s"][name] - said[name]) >= 1}
        return wrong or None

    assert differing(told, problem) == []


def test_uptime_and_utilization_are_those_of_the_observed_time_to_a_second(told) -> None:
    def problem(of: dict, said: dict):
        wanted = ratio(of["observed_s"], UP), ratio(of["observed_s"], ("productive",))
        found = said["uptime"], said["utilization"]
        if wanted[0] is None:
            return None if found == (None, None) else (wanted, found)
        return None if all(abs(a - b) * said["known"] < 1 for a, b in zip(wanted, found, strict=True)) else (wanted, found)

    assert differing(told, problem) == []


def test_nearly_all_of_the_time_is_known_in_which_agent_and_device_were_up(told) -> None:
    heard = [(of, said) for of, said in told if of["heard_s"] > 0]
    assert len(heard) > 0.9 * len(told)
    assert differing(heard, lambda of, said: said["known"] < KNOWN_AT_LEAST * of["heard_s"] and (of["heard_s"], said["known"])) == []


def test_no_outage_of_an_agent_or_a_link_counts_as_downtime(told) -> None:
    """Down is never more than the device truly was, though agents and links were cut off for hours."""
    silent = sum(sum(of["lived_s"].values()) - of["heard_s"] for of, _ in told if of["agent"])
    assert silent > 86_400, "the fleet had outages"

    def problem(of: dict, said: dict):
        lived, found = (sum(seconds[name] for name in DOWN) for seconds in (of["lived_s"], said))
        return (lived, found) if found >= lived + 1 else None

    assert differing(told, problem) == []


@pytest.mark.parametrize(("names", "worst", "best"), [(UP, "worst", "best"), (("productive",), "utilization_worst", "utilization_best")], ids=["uptime", "utilization"])
def test_the_bounds_hold_the_truth_of_every_device(told, names: tuple[str, ...], worst: str, best: str) -> None:
    def problem(of: dict, said: dict):
        true, second = ratio(of["lived_s"], names), 1 / said["registered"]
        return None if said[worst] - second <= true <= said[best] + second else (said[worst], true, said[best])

    assert differing(told, problem) == []
