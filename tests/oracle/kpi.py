"""The figures of docs/KPIS.md, computed from the life of each device: written from the definitions, sharing nothing with the product.

Whoever calls brings lives (`lanl.py` from a CSV, `demo.py` from archived facts) and takes figures by group. Time is in whole microseconds
since the Unix epoch; the last division is made at the very end. Names of figures are those of a scorecard, so that they can be compared.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

SECOND = 1_000_000
DAY = 86_400 * SECOND
YEAR = 365.25 * DAY
QUARTER = 900 * SECOND
REPEAT_WITHIN = 7 * DAY  # an episode that begins so soon after the end of the one before is a repeat
ABOUT_WITHIN = DAY  # an order opened so soon after a down began is about it
SEEN_WITHIN = DAY  # how old the last sight may be that says whether a device was in use
CONFIDENCE = 0.95
ENOUGH_EVENTS, ENOUGH_RATIO = 5, 4.0
TREND_LIMIT = 1.96
AGE_BAND_YEARS = 5

UP = ("productive", "standby", "engineering")
DOWN = ("scheduled_down", "unscheduled_down")
CORRECTIVE, PLANNED = "corrective", ("preventive", "inspection")
OWN, SUPPLIER, FACILITY = ("in_house", "user"), ("vendor", "parts"), ("facility",)

Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A device in one known condition. `told`: by a person or a record. `overrun`: of maintenance. `conflict`: use was seen all the same."""

    begins: int
    ends: int
    condition: str
    told: bool = False
    overrun: bool = False
    conflict: bool = False
    assumed: bool = False
    degradation: int = 0  # none, minor, partial, severe


@dataclass
class Order:
    name: str
    group: str
    opened: int
    arrived: int | None = None
    started: int | None = None
    repaired: int | None = None
    returned: int | None = None
    closed: int | None = None
    cancelled: bool = False
    planned_until: int | None = None
    waits: list[tuple[str, int, int | None]] = field(default_factory=list)

    @property
    def finished(self) -> int | None:
        return self.closed if self.returned is None else self.returned

    @property
    def mended(self) -> int | None:
        return self.finished if self.repaired is None else self.repaired


@dataclass
class Planned:
    """One planned maintenance: when it was due, and when it was done if it was."""

    due: int
    done: int | None
    order: str | None = None

    def state(self, now: int) -> str:
        if self.done is not None and self.done <= now:
            return "on_time" if self.done <= self.due else "late"
        return "overdue" if self.due <= now else "not_due"

    def concerns(self, since: int, until: int) -> bool:
        """Due in the period, or carried into it: due before and not done when it began."""
        return self.due < until and (self.due >= since or self.done is None or self.done >= since)


@dataclass(frozen=True)
class Reading:
    """What a counter said, in thousandths of its unit. One with a modulus goes on from nought where that is reached."""

    at: int
    unit: str
    value: int
    modulus: int | None = None

    def gained_since(self, before: "Reading") -> tuple[int, bool]:
        """And whether it had begun anew: what it then says is the least that it gained. Round the modulus it has gone if that was at most half of it."""
        if self.unit != before.unit:
            return 0, False
        if self.value >= before.value:
            return self.value - before.value, False
        if self.modulus is not None and 0 <= self.value + self.modulus - before.value <= self.modulus // 2:
            return self.value + self.modulus - before.value, False
        return self.value, True


@dataclass
class Life:
    """All that is known of one device up to `now`."""

    device: str
    site: str
    kind: str
    service: list[Span]
    pieces: list[Piece]
    orders: list[Order] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    make_model: str = ""
    in_service_day: int | None = None
    base: list[Span] = field(default_factory=list)
    unregistered: bool = False
    readings: dict[tuple[str, str, str], list[Reading]] = field(default_factory=dict)  # of counter, component and who reads it

    def owes(self, work: Planned, since: int) -> bool:
        """It fell due while in service, and from before the period is carried only while that goes on."""
        return self.serves(work.due - 1) and (work.due >= since or self.unregistered or any(ends > since for _, ends in self.service))

    def serves(self, at: int) -> bool:
        return self.unregistered or any(begins <= at < ends for begins, ends in self.service)


# --- spans


def united(spans: Iterable[Span]) -> list[Span]:
    """Sorted, without overlap."""
    out: list[Span] = []
    for begins, ends in sorted(span for span in spans if span[0] < span[1]):
        if out and begins <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], ends))
        else:
            out.append((begins, ends))
    return out


def common(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """What two lists of `united` spans have in common."""
    out, starts = [], [ends for _, ends in other]
    for begins, ends in one:
        at = bisect_left(starts, begins)
        while at < len(other) and other[at][0] < ends:
            low, high = max(begins, other[at][0]), min(ends, other[at][1])
            if low < high:
                out.append((low, high))
            at += 1
    return out


def length(spans: Iterable[Span]) -> int:
    return sum(ends - begins for begins, ends in spans)


# --- failures


@dataclass
class Run:
    """Downs between which nothing says that the device worked."""

    onset: int
    until: int
    down: int
    told: bool
    in_use: bool
    ended: bool = False


def runs(life: Life, belongs: Callable[[Piece], bool]) -> list[Run]:
    """In the order of time, while the device is in service. Silence ends none; what is up does. In use: so it was when it was last seen,
    within the day before."""
    found: list[Run] = []
    current, seen, service = None, None, united(life.service)
    for piece in life.pieces:
        if belongs(piece):
            whole = [(piece.begins, piece.ends)]
            for begins, ends in whole if life.unregistered else common(whole, service):
                if current is None:
                    in_use = seen is not None and seen.condition == "productive" and seen.ends >= begins - SEEN_WITHIN
                    current = Run(begins, ends, 0, False, in_use)
                    found.append(current)
                current.until, current.down, current.told = ends, current.down + ends - begins, current.told or piece.told
        elif current is not None and piece.condition in UP:
            current.ended, current = True, None
        seen = piece if piece.condition != "unknown" else seen
    return found


def troubles(life: Life) -> list[Run]:
    """Unscheduled down; an overrun of maintenance is downtime and no failure."""
    return runs(life, lambda piece: piece.condition == "unscheduled_down" and not piece.overrun)


def times_off_line(life: Life) -> list[Run]:
    return runs(life, lambda piece: piece.condition in DOWN)


@dataclass
class Episode:
    onset: int
    ended: int | None
    down: int
    in_use: bool
    interrupt: bool
    order: str | None
    kind: str = ""


def about(trouble: Run, order: Order) -> bool:
    """Open while it lasted, or opened within a day after it began."""
    open_meanwhile = order.opened < trouble.until and (order.finished is None or order.finished > trouble.onset)
    return open_meanwhile or trouble.onset <= order.opened < trouble.onset + ABOUT_WITHIN


def episodes(life: Life, now: int, repeat_within: int = REPEAT_WITHIN) -> list[Episode]:
    """Every order with all its troubles is one, every trouble without an order for itself; classed in the order in which they began."""
    corrective = sorted((one for one in life.orders if one.group == CORRECTIVE and not one.cancelled), key=lambda one: (one.opened, one.name))
    of_order: dict[str, list[Run]] = {one.name: [] for one in corrective}
    found = []
    for trouble in troubles(life):
        first = next((one for one in corrective if about(trouble, one)), None)
        if first is not None:
            of_order[first.name].append(trouble)
            continue
        lasting = trouble.told or not trouble.ended
        ended = trouble.until if trouble.ended else None
        found.append(Episode(trouble.onset, ended, trouble.down, trouble.in_use, not lasting, None))
    for order in corrective:
        downs = of_order[order.name]
        onset = min([order.opened, *(one.onset for one in downs)])
        ended = None if order.finished is None else max([order.finished, *(one.until for one in downs)])
        in_use = any(one.in_use for one in downs)
        found.append(Episode(onset, ended, sum(one.down for one in downs), in_use, False, order.name))
    found.sort(key=lambda one: (one.onset, -one.down))
    before = None
    for one in found:
        if one.interrupt:
            one.kind = "interrupt"
            continue
        one.kind = "repeat" if before is not None and one.onset - before <= repeat_within else "failure"
        ended = now if one.ended is None else one.ended
        before = ended if before is None else max(before, ended)
    return found


# --- counters


def counters(life: Life, of: "Period") -> dict[tuple[str, str, str, str], dict]:
    """By counter, component, who reads it and unit: what it gained in the period, from how many samples, how many of them began anew, and
    the newest. Of two samples in one second the greater speaks; the first of all gains nothing."""
    found: dict[tuple[str, str, str, str], dict] = {}
    for series, told in life.readings.items():
        speaks = {one.at // SECOND: one for one in sorted(told, key=lambda one: (one.value, one.at))}
        ordered = [speaks[second] for second in sorted(speaks)]
        for before, now in zip(ordered, ordered[1:], strict=False):
            if of.holds(now.at):
                sums = found.setdefault((*series, now.unit), {"gained": 0, "samples": 0, "resets": 0})
                gained, anew = now.gained_since(before)
                sums["gained"] += gained
                sums["samples"] += 1
                sums["resets"] += anew
                sums |= {"last": now.at, "reading": now.value}
    return found


def between_failures(accounts: "Sequence[Account]", of: "Period", by: "Sequence[str]") -> dict[tuple, float | None]:
    """Cycles between failures of groups of devices by counter and unit: all that it gained ÷ all that failed, whichever device did."""
    gained: dict[tuple, int] = defaultdict(int)
    failed: dict[tuple, int] = defaultdict(int)
    for one in accounts:
        for (counter, component, source, unit), sums in counters(one.life, of).items():
            key = (*(getattr(one.life, name) for name in by), counter, component, source, unit)
            gained[key] += sums["gained"]
            failed[key] += sum(each.kind == "failure" for each in one.episodes)
    return {key: total / 1_000 / failed[key] if failed[key] else None for key, total in gained.items()}


# --- statistics


def poisson_limits(events: int) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low = stats.chi2.ppf(tail, 2 * events) / 2 if events else 0.0
    return low, stats.chi2.isf(tail, 2 * events + 2) / 2


def clock(told: Sequence[tuple[int, bool]]) -> dict:
    """Median, ninetieth percentile and mean after Kaplan and Meier of (duration, whether it ended)."""
    figures = {"count": len(told), "open": sum(not ended for _, ended in told), "median_seconds": None, "p90_seconds": None, "mean_seconds": None}
    if not told:
        return figures
    # scipy counts an end before what is still open at the same instant, as everybody does.
    data = stats.CensoredData(
        uncensored=np.array([span for span, ended in told if ended], dtype=float),
        right=np.array([span for span, ended in told if not ended], dtype=float),
    )
    curve = stats.ecdf(data).sf
    for name, left in (("median_seconds", 0.5), ("p90_seconds", 0.1)):
        reached = curve.quantiles[curve.probabilities <= left + 1e-12]
        figures[name] = reached[0] / SECOND if len(reached) else None
    longest = max(span for span, _ in told)
    edges = np.concatenate([[0.0], curve.quantiles, [longest]])
    shares = np.concatenate([[1.0], curve.probabilities])
    figures["mean_seconds"] = float((np.diff(edges) * shares).sum()) / SECOND
    return figures


def trend(times: Sequence[int], total: int) -> tuple[float | None, bool, float | None]:
    """Laplace's u, whether it is claimed, and the exponent of a power law where it is."""
    if not times:
        return None, False, None
    count = len(times)
    u = (np.mean(times) - total / 2) / (total * (1 / (12 * count)) ** 0.5)
    claimed = abs(u) > TREND_LIMIT
    return float(u), bool(claimed), float(count / np.log(total / np.asarray(times, float)).sum()) if claimed else None


# --- figures of a group


@dataclass(frozen=True)
class Period:
    since: int
    until: int
    now: int

    def holds(self, at: int) -> bool:
        return self.since <= at < self.until


@dataclass
class Account:
    """What one device adds to the figures of a period."""

    life: Life
    sums: dict[str, int]
    episodes: list[Episode]
    off_line: list[Run]
    repairs: list[Order]


def account(life: Life, of: Period, repeat_within: int = REPEAT_WITHIN) -> Account:
    corrective = [one for one in life.orders if one.group == CORRECTIVE and not one.cancelled]
    return Account(
        life,
        seconds_of(life, of),
        [one for one in episodes(life, of.now, repeat_within) if of.holds(one.onset) and life.serves(one.onset)],
        [one for one in times_off_line(life) if of.holds(one.onset)],
        [one for one in corrective if of.holds(one.opened)],
    )


def seconds_of(life: Life, of: Period) -> dict[str, int]:
    """Microseconds by condition over the period, and within base hours; names as in the formulas. What was heard of a device that is
    not in service counts nowhere; one that nobody registered was in service while it was heard."""
    spans: dict[str, list[Span]] = defaultdict(list)
    heard = [piece for piece in life.pieces if piece.condition != "unknown"]
    whole = united((piece.begins, piece.ends) for piece in heard) if life.unregistered else united(life.service)
    service, base = common(whole, [(of.since, of.until)]), common(life.base, [(of.since, of.until)])
    for piece in heard:
        marks = (piece.condition, piece.conflict and "conflict", piece.assumed and "assumed")
        within = common([(piece.begins, piece.ends)], service) if piece.begins < piece.ends else []
        for name in filter(None, marks):
            spans[name].extend(within)
    sums: dict[str, int] = defaultdict(int, service=length(service), base=length(common(service, base)))
    for name, told in spans.items():
        sums[name], sums["base " + name] = length(told), length(common(united(told), base))
    delayed = common(united(spans["unscheduled_down"]), base)
    for name, parties in (("others", OWN + FACILITY), ("anybody", OWN + FACILITY + SUPPLIER)):
        waits = united((begins, of.now if ends is None else ends) for order in life.orders if not order.cancelled for party, begins, ends in order.waits if party in parties)
        sums["wait " + name] = length(common(delayed, waits))
    return sums


def uptime(up: int, down: int, conflict: int, total: int) -> dict:
    """Up ÷ known; worst takes the unknown for down, best for up, and what was down while use was seen too."""
    known = up + down
    if total <= 0 or known <= 0:
        return {}
    best = min(total - down + conflict, total)
    return {"": up / known, "over_seconds": up / SECOND, "under_seconds": known / SECOND, "worst": up / total, "best": best / total, "coverage": known / total}


def utilization(used: int, known: int, total: int) -> dict:
    if total <= 0 or known <= 0:
        return {}
    worst, best = used / total, (used + total - known) / total
    return {"": used / known, "over_seconds": used / SECOND, "under_seconds": known / SECOND, "worst": worst, "best": best, "coverage": known / total}


def ratios(sums: dict[str, int]) -> dict:
    up, down = sum(sums[name] for name in UP), sum(sums[name] for name in DOWN)
    base_up, base_down = sum(sums["base " + name] for name in UP), sum(sums["base " + name] for name in DOWN)
    total, base_total = sums["service"], sums["base"]
    others, anybody = sums["wait others"], sums["wait anybody"]  # whoever but the supplier
    found = {
        "total_uptime": uptime(up, down, sums["conflict"], total),
        "operational_uptime": uptime(base_up, base_down, sums["base conflict"], base_total),
        "equipment_dependent_uptime": uptime(base_up, base_down - anybody, sums["base conflict"], base_total - anybody),
        "supplier_dependent_uptime": uptime(base_up, base_down - others, sums["base conflict"], base_total - others),
        "base_utilization": utilization(sums["base productive"], base_up + base_down, base_total),
        "total_utilization": utilization(sums["productive"], up + down, total),
    }
    parts = ("", "over_seconds", "under_seconds", "worst", "best", "coverage")
    return {"_".join(filter(None, (name, part))): of.get(part) for name, of in found.items() for part in parts}


def repair_clocks(orders: Sequence[Order], now: int) -> dict:
    """The four clocks of corrective orders, and how long they waited for whom."""
    told: dict[str, list] = {"response": [], "repair": [], "turnaround": [], "parts_wait": []}
    waited: dict[str, int] = {"parts": 0, "vendor": 0, "facility": 0, "own": 0}
    not_told = 0

    def ran(begins: int, ends: int | None) -> tuple[int, bool]:
        return (min(now, now if ends is None else ends) - begins, ends is not None and ends <= now)

    for order in orders:
        waits = {name: united((begins, now if ends is None else ends) for party, begins, ends in order.waits if party in parties) for name, parties in WAITS.items()}
        for name, spans in waits.items():
            waited[name] += length(spans)
        if order.arrived is not None or (order.started is None and order.mended is None):
            told["response"].append(ran(order.opened, order.arrived))
        else:
            not_told += 1
        if order.started is not None:
            worked, ended = ran(order.started, order.mended)
            between = common(united(span for spans in waits.values() for span in spans), [(order.started, order.started + worked)])
            told["repair"].append((worked - length(between), ended))
        told["turnaround"].append(ran(order.opened, order.finished))
        if waits["parts"]:
            runs_still = any(party == "parts" and ends is None for party, _, ends in order.waits)
            told["parts_wait"].append((length(waits["parts"]), not runs_still))
    figures = {f"{name}_{part}": value for name, of in told.items() for part, value in clock(of).items()}
    figures["response_not_told"] = not_told
    return figures | {f"waited_{name}_seconds": of / SECOND for name, of in waited.items()}


WAITS = {"parts": ("parts",), "vendor": ("vendor",), "facility": FACILITY, "own": OWN}


def maintenance(planned: Iterable[Planned], since: int, until: int, now: int) -> dict:
    """On time ÷ due in the period; what was due before and not done when it began is carried, and no part of the share."""
    count: dict[str, int] = defaultdict(int)
    for one in planned:
        if one.concerns(since, until):
            count["carried" if one.due < since else one.state(now)] += 1
    due = count["on_time"] + count["late"] + count["overdue"]
    figures = {f"pm_{name}_count": count[name] for name in ("on_time", "late", "overdue", "not_due", "carried")}
    return figures | {"pm_due_count": due, "pm_on_time": count["on_time"] / due if due else None}


def scorecard(accounts: Sequence[Account], of: Period) -> dict:
    """Every figure of a group of devices but the share in use at once."""
    sums: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    failed: list[int] = []
    for one in accounts:
        for name, value in one.sums.items():
            sums[name] += value
        served = one.sums["service"]
        counts["registered"] += served > 0
        counts["monitored"] += served > 0 and any(one.sums[name] for name in (*UP, *DOWN))
        counts["whole"] += served >= of.until - of.since
        for episode in one.episodes:
            counts[episode.kind] += 1
            counts["in_use"] += episode.kind == "failure" and episode.in_use
            counts["without_down"] += episode.kind == "failure" and episode.down == 0
            if episode.kind == "failure" and served >= of.until - of.since:
                failed.append(episode.onset - of.since)
    off_line = [run for one in accounts for run in one.off_line]
    repairs = [order for one in accounts for order in one.repairs]
    planned = [work for one in accounts for work in one.life.planned if one.life.owes(work, of.since)]
    up, down = sum(sums[name] for name in UP), sum(sums[name] for name in DOWN)
    failures, years = counts["failure"], sums["service"] / YEAR
    low, high = poisson_limits(failures)
    u, claimed, beta = trend(failed, of.until - of.since)
    lost = sum(one.down for one in off_line)
    mean_lost = lost / len(off_line) if off_line else None
    between = up / failures if failures else None

    def per(value, events):
        return value / events / SECOND if events else None

    return {
        "registered_devices": counts["registered"],
        "monitored_devices": counts["monitored"],
        "in_service_seconds": sums["service"] / SECOND,
        "base_hours_seconds": sums["base"] / SECOND,
        "known_seconds": (up + down) / SECOND,
        "scheduled_down_seconds": sums["scheduled_down"] / SECOND,
        "unscheduled_down_seconds": sums["unscheduled_down"] / SECOND,
        "assumed_seconds": sums["assumed"] / SECOND,
        "conflict_seconds": sums["conflict"] / SECOND,
        **ratios(sums),
        "failures": failures,
        "repeats": counts["repeat"],
        "interrupts": counts["interrupt"],
        "failures_in_use": counts["in_use"],
        "failures_without_down": counts["without_down"],
        "device_years": years or None,
        "failures_per_device_year": failures / years if years else None,
        "failures_per_device_year_low": low / years if years else None,
        "failures_per_device_year_high": high / years if years else None,
        "failure_rate_is_enough": bool(years and failures >= ENOUGH_EVENTS and high <= ENOUGH_RATIO * low),
        "mtbf_calendar_seconds": per(sums["service"], failures),
        "mtbf_uptime_seconds": per(up, failures),
        "mtbf_use_seconds": per(sums["productive"], counts["in_use"]),
        "trend_u": u,
        "trend_is_claimed": claimed,
        "trend_beta": beta,
        "trend_devices": counts["whole"],
        "times_off_line": len(off_line),
        "times_off_line_open": sum(not one.ended for one in off_line),
        "mean_time_off_line_seconds": per(lost, len(off_line)),
        "steady_availability": None if between is None else between / (between + (mean_lost or 0)),
        **repair_clocks(repairs, of.now),
        **maintenance(planned, of.since, of.until, of.now),
    }


def grouped(accounts: Iterable[Account], by: Sequence[str]) -> dict[tuple, list[Account]]:
    found: dict[tuple, list[Account]] = defaultdict(list)
    for one in accounts:
        found[tuple(getattr(one.life, name) for name in by)].append(one)
    return found


# --- sites compared


def stratum(life: Life, adjustment: str, last_day: int) -> tuple:
    if adjustment == "nothing":
        return ()
    age = "" if life.in_service_day is None else int(max((last_day - life.in_service_day) / 365.25, 0)) // AGE_BAND_YEARS
    return {"kind": (life.kind,), "kind_model": (life.kind, life.make_model), "kind_model_age": (life.kind, life.make_model, age)}[adjustment]


def compared(accounts: Sequence[Account], of: Period, adjustment: str, by: str) -> dict[str, dict]:
    """Observed, and expected at the fleet's rate of each device's stratum, by site. Hours are those of unscheduled downtime."""

    def seen(one: Account) -> float:
        return sum(episode.kind == "failure" for episode in one.episodes) if by == "failures" else one.sums["unscheduled_down"] / (3_600 * SECOND)

    last_day = (of.until - 1) // DAY
    strata: dict[tuple, list[Account]] = defaultdict(list)
    for one in accounts:
        strata[stratum(one.life, adjustment, last_day)].append(one)
    rates = {name: sum(map(seen, of_it)) / (sum(one.sums["service"] for one in of_it) or 1) for name, of_it in strata.items()}
    sites = {}
    for (site,), devices in grouped(accounts, ["site"]).items():
        observed = float(sum(map(seen, devices)))
        expected = sum(rates[stratum(one.life, adjustment, last_day)] * one.sums["service"] for one in devices)
        sites[site] = {"observed": observed, "expected": expected, "ratio": observed / expected if expected else None, "devices": len(devices)}
    return sites


# --- shares in use at once


def in_use_at_once(lives: Sequence[Life], of: Period) -> dict:
    """Of each quarter-hour in use ÷ known; the median, the 95th percentile and the peak of these shares, with bounds ranked anew.
    Coverage is that of the whole period."""
    count = (of.until - of.since) // QUARTER
    used, known, service = (np.zeros(count, dtype=np.int64) for _ in range(3))

    def spread(into: np.ndarray, begins: int, ends: int) -> None:
        begins, ends = max(begins, of.since) - of.since, min(ends, of.until) - of.since
        if begins >= ends:
            return
        first, last = begins // QUARTER, (ends - 1) // QUARTER
        if first == last:
            into[first] += ends - begins
            return
        into[first] += (first + 1) * QUARTER - begins
        into[first + 1 : last] += QUARTER
        into[last] += ends - last * QUARTER

    for life in lives:
        for begins, ends in life.service:
            spread(service, begins, ends)
        for piece in life.pieces:
            if piece.condition != "unknown":
                spread(known, piece.begins, piece.ends)
            if piece.condition == "productive":
                spread(used, piece.begins, piece.ends)
    serving = service > 0
    used, known, service = used[serving], known[serving], np.maximum(service, known)[serving]
    seen = known > 0
    shares = {"": np.sort(used[seen] / known[seen]), "worst": np.sort(used / service), "best": np.sort((used + service - known) / service)}
    figures = {"in_use_at_once_quarters": int(seen.sum()), "in_use_at_once_unknown_quarters": int((~seen).sum())}
    for name, place in (("median", lambda n: (n + 1) // 2), ("p95", lambda n: -(-19 * n // 20)), ("peak", lambda n: n)):
        for bound, of_all in shares.items():
            figures["_".join(filter(None, ("in_use_at_once", name, bound)))] = float(of_all[place(len(of_all)) - 1]) if seen.any() else None
        figures[f"in_use_at_once_{name}_coverage"] = known.sum() / service.sum() if seen.any() else None
    return figures
