"""A contract statement judged instant by instant, from the definitions in DOMAIN alone, beside the house's algebra of spans. Whoever calls
brings a case, with every time in whole microseconds since the Unix epoch: drawn at random, or read from archived facts."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
NEVER = 10**18
EPOCH = date(1970, 1, 1)
COUNTS, ONLY, BOTH = "counts as downtime", "excluded from downtime only", "excluded from downtime and base"


def day_number(day: date) -> int:
    return (day - EPOCH).days


class Judge:
    """One case, looked at one instant at a time: what holds there holds up to the next."""

    def __init__(self, case: dict):
        self.case, self.contract, self.zone = case, case["contract"], ZoneInfo(case["zone"])
        self.starts = [piece[0] for piece in case["pieces"]]
        lives: dict[str, list] = {}
        for order in case["orders"]:
            lives.setdefault(order[0], []).append(order)
        sequence = ["Opened", "Assigned", "Arrived", "RepairStarted", "WaitingStarted", "WaitingEnded", "Repaired", "ReturnedToService", "Closed", "Cancelled", "VendorCalled", "RemoteConnected"]
        self.orders = [sorted(life, key=lambda one: (one[5], sequence.index(one[2]))) for life in lives.values()]
        self.orders = [life for life in self.orders if all(one[2] != "Cancelled" for one in life)]
        self.spells = self.troubles()

    def weight(self, piece: list) -> int:
        condition, degradation = piece[2], piece[3]
        if condition in ("UnscheduledDown", "ScheduledDown"):
            return 10_000
        return 0 if condition == "Unknown" or degradation == "None" else self.contract[degradation.lower()]

    def troubles(self) -> list[tuple[int, int]]:
        spells, open_from, reached = [], None, None
        for piece in self.case["pieces"]:
            if piece[2] in ("Unknown", "ScheduledDown"):
                continue
            if self.weight(piece) > 0:
                open_from = piece[0] if open_from is None else open_from
                reached = piece[1]
            elif open_from is not None:
                spells.append((open_from, reached))
                open_from = None
        return spells + ([(open_from, reached)] if open_from is not None else [])

    def first(self, life: list, phases: tuple, since: int = -NEVER):
        return next((one[5] for one in life if one[2] in phases and one[5] >= since), None)

    def ended(self, life: list) -> int:
        returned = self.first(life, ("ReturnedToService",))
        closed = self.first(life, ("Closed",))
        return returned if returned is not None else closed if closed is not None else NEVER

    def is_about(self, life: list, spell: tuple[int, int]) -> bool:
        opened = life[0][5]
        return (opened < spell[1] or opened - spell[0] <= DAY_US) and self.ended(life) > spell[0]

    def piece_at(self, at: int):
        """What is known then: pieces follow each other, and none lies over another."""
        place = bisect_right(self.starts, at) - 1
        piece = self.case["pieces"][place] if place >= 0 else None
        return piece if piece and at < piece[1] and piece[2] != "Unknown" else None

    def spell_at(self, at: int):
        place = bisect_right(self.spells, at, key=lambda spell: spell[0]) - 1
        return self.spells[place] if place >= 0 and at < self.spells[place][1] else None

    def waits_for(self, life: list, party: str, at: int) -> bool:
        for place, one in enumerate(life):
            if one[2] == "WaitingStarted" and one[3] == party and one[5] <= at:
                ends = [
                    other[5]
                    for other in life
                    if other[5] >= one[5] and (other[2] in ("Repaired", "ReturnedToService", "Closed") or other[2] == "WaitingEnded" and other[3] in (None, party))
                ]
                if not ends or at < ends[0]:
                    return True
        return False

    def whole(self, life: list, at: int) -> bool:
        """The order's life, or a trouble it is about."""
        spell = self.spell_at(at)
        return life[0][5] <= at < self.ended(life) or (spell is not None and self.is_about(life, spell))

    def exclusions(self, at: int) -> set[str]:
        found = set()
        for life in self.orders:
            causes = {one[4] for one in life}
            if self.waits_for(life, "Facility", at) or causes & {"facility", "network"} and self.whole(life, at):
                found.add("Facility")
            if self.waits_for(life, "User", at) or causes & {"use", "user", "accessory"} and self.whole(life, at):
                found.add("User")
            if any(one[1] == "Upgrade" for one in life) and self.whole(life, at):
                found.add("Upgrade")
        return found & set(self.contract["exclusions"])

    def clock(self, at: int, overrun: bool) -> str:
        starts, stops = self.contract["starts"], self.contract["stops"]
        if overrun or (starts, stops) == ("Onset", "ReturnedToUse"):
            return "counted"
        spell, stopped = self.spell_at(at), False
        for life in self.orders:
            if not self.is_about(life, spell):
                continue
            begin = spell[0] if starts == "Onset" else self.first(life, ("Opened",) if starts == "Reported" else ("VendorCalled",))
            if begin is None:
                continue
            begin = max(begin, spell[0])
            phases = {"Arrived": ("Arrived",), "RemoteConnected": ("RemoteConnected", "Arrived"), "Repaired": ("Repaired",)}.get(stops, ())
            end = self.first(life, phases, begin)
            end = spell[1] if end is None else min(end, spell[1])
            if begin <= at < end:
                return "counted"
            stopped |= begin < end <= at
        return "after_clock" if stopped else "before_clock"

    def in_hours(self, at: int) -> bool:
        hours = self.contract["hours"]
        if hours == "AroundTheClock":
            return True
        local = datetime.fromtimestamp(at // SECOND_US, self.zone)
        if hours == "OfSite":
            if "base" in self.case:
                return any(begins <= at < ends for begins, ends in self.case["base"])
            begun = [calendar for calendar in self.case["calendars"] if calendar[0] <= day_number(local.date())]
            if not begun:
                return False
            weekly = max(begun, key=lambda calendar: (calendar[0], calendar[1]))[2]
        else:
            weekly = hours["Own"]
        of_day = local.hour * 60 + local.minute
        return any(one["weekday"] == local.isoweekday() and one["from_minute"] <= of_day < one["until_minute"] for one in weekly)

    def period(self) -> tuple[int, int]:
        """From the first local midnight to the last."""
        days = [EPOCH + timedelta(days=day) for day in self.case["days"]]
        begin, end = (round(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * SECOND_US for day in days)
        return begin, end

    def edges(self) -> list[int]:
        """Every instant at which anything that is judged may change."""
        edges = {edge for piece in self.case["pieces"] for edge in piece[:2]} | {order[5] for order in self.case["orders"]}
        edges |= {edge for span in (*self.case["in_service"], *self.case.get("base", ())) for edge in span}
        begin, end = self.period()
        return [begin, *sorted(edge for edge in edges if begin < edge < end), end]

    def statement(self, moments: Sequence[int]) -> dict:
        figures = {variant: [0, 0, 0, 0] for variant in (COUNTS, ONLY, BOTH)}
        classes: dict[str, int] = {}
        for at, until in pairwise(moments):
            if any(begins <= at < ends for begins, ends in self.case["in_service"]):
                self.judge(at, until - at, figures, classes)
        return {"figures": figures, "classes": {name: micros for name, micros in classes.items() if micros}}

    def judge(self, at: int, lasts: int, figures: dict, classes: dict) -> None:
        covered = self.in_hours(at)
        add = lambda name: classes.__setitem__(name, classes.get(name, 0) + lasts)
        if covered:
            for figure in figures.values():
                figure[0] += lasts
        piece = self.piece_at(at)
        if piece is None:
            if covered:
                add("unknown")
                for figure in figures.values():
                    figure[2] += lasts
            return
        weight = self.weight(piece)
        if weight == 0:
            return
        if not covered:
            return add("uncovered")
        if self.exclusions(at):
            return add("excluded")
        if piece[2] == "ScheduledDown":
            figures[COUNTS][1] += 10_000 * lasts
            figures[BOTH][0] -= lasts
            both, only = ("MaintenanceFromBoth" in self.contract["exclusions"], "MaintenanceFromDowntime" in self.contract["exclusions"])
            return add("maintenance_from_both" if both else "maintenance_from_downtime" if only else "counted")
        ruling = self.clock(at, piece[4])
        add(ruling)
        if ruling == "counted":
            for figure in figures.values():
                figure[1] += weight * lasts
                figure[3] += weight * lasts if piece[5] else 0


def merged(answer: dict) -> dict:
    """Where several exclude a time, which of them is named is not judged here."""
    classes = dict(answer["classes"])
    excluded = sum(classes.pop(name, 0) for name in ("facility", "user", "upgrade"))
    return {"figures": answer["figures"], "classes": classes | ({"excluded": excluded} if excluded else {})}
