"""The lives of a fleet, folded from the archived bytes of its facts: DOMAIN A0 and GOLDEN once more, in Python.

Reads the raw Parquet of the table `facts` up to the offsets of one cut, and nothing else of the product's tables: neither intervals nor
orders nor heads. `kpi.py` makes figures of what comes out.
"""

import json
import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import kpi
from faults.factbytes import fields
from faults.judge import Tables

# Numbers of proto/medfleet/v1: bodies of a fact, then what of them is read.
STRETCH, USAGE, REGISTERED, MOVED, LOANED, RETURNED, RETIRED, ORDER, ASSERTED, PM_DONE, SITE, CALENDAR = 18, 20, 24, 27, 28, 29, 30, 32, 33, 34, 38, 39
NOT_IN_A_DEMO = ("moved", "loaned", "returned", "retired", "corrected", "voided", "bound", "unbound", "clock_step")
SOURCE_NAME = 6
CONDITIONS = {1: "standby", 2: "engineering", 3: "productive", 4: "scheduled_down", 5: "unscheduled_down"}
USABLE, PARTIAL, MAINTENANCE, DOWN = 1, 2, 3, 4
GROUPS = {1: "corrective", 2: "preventive", 3: "upgrade", 4: "inspection"}
PARTIES = {0: "in_house", 1: "in_house", 2: "vendor", 3: "parts", 4: "facility", 5: "user"}
OPENED, ARRIVED, STARTED, WAITING, WAITED, REPAIRED, BACK, CLOSED, CANCELLED, REMOTE = 1, 3, 4, 5, 6, 7, 8, 9, 10, 12
COMPLETED = 1
RANKS = {"assumed": 1, "derived": 2, "gateway": 3, "device": 4, "record": 5, "person": 6}
MINUTE = 60 * kpi.SECOND


@dataclass
class Claim:
    """What a person says of a device from `begins` on. Open ones hold until the next open one."""

    begins: int
    ends: int | None
    what: int
    planned_until: int | None
    said: int
    degradation: int = 0


@dataclass
class Told:
    """What was said of one device."""

    site: str = ""
    kind: str = ""
    stretches: list[tuple[int, int, str, int, int]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    phases: dict[str, list[tuple[int, dict]]] = field(default_factory=lambda: defaultdict(list))
    maintenance: list[tuple[int, dict]] = field(default_factory=list)
    registered: tuple[int, dict] | None = None
    readings: dict[tuple[str, str, str], list[kpi.Reading]] = field(default_factory=lambda: defaultdict(list))


# --- the archive


def lives(lake: Path, cut: int) -> tuple[list[kpi.Life], int]:
    """Every device that was ever registered, and the time of the cut."""
    found, made_at = whole(lake, cut)
    return [life for life, _, _ in found], made_at


def whole(lake: Path, cut: int) -> tuple[list[tuple[kpi.Life, Told, "Hours"]], int]:
    """The same, each with what was said of it and the hours of its site."""
    tables = Tables(lake)
    assert tables.open("facts", "cuts")
    ((made_at, offsets),) = tables.rows("SELECT epoch_us(made_at), offsets FROM cuts WHERE cut = ?", cut)
    told, sites = read(tables, json.loads(offsets))
    hours = {name: Hours(*of) for name, of in sites.items()}
    return [(life(name, of, hours[of.site], made_at), of, hours[of.site]) for name, of in sorted(told.items()) if of.registered], made_at


def facts(tables: Tables, offsets: dict[str, int], kinds: Iterable[str]) -> list[tuple]:
    """Those below the offsets of a cut that count: neither repeated nor of a clock known to be wrong."""
    tables.db.execute("CREATE OR REPLACE TEMP TABLE pins (topic TINYINT, part INTEGER, below BIGINT)")
    for place, below in offsets.items():
        topic, part = place.rsplit("/", 1)
        if topic in TOPICS:
            tables.db.execute("INSERT INTO pins VALUES (?, ?, ?)", [TOPICS[topic], int(part), below])
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return tables.rows(
        "SELECT kind, subject_kind, subject, site, device_kind, epoch_us(\"at\"), epoch_us(known_at), source_kind, bytes FROM facts"
        f" JOIN pins ON topic = cause_topic AND part = cause_partition AND cause_offset < below"
        f" WHERE kind IN ({listed}) AND verdict <> 'duplicate' AND NOT suspect"
    )


TOPICS = {"medfleet.facts.v1": 0, "medfleet.fleet.v1": 1}


def read(tables: Tables, offsets: dict[str, int]) -> tuple[dict[str, Told], dict[str, tuple]]:
    assert not facts(tables, offsets, NOT_IN_A_DEMO), "nobody took anything back or moved: this oracle does not read that"
    told: dict[str, Told] = defaultdict(Told)
    zones, calendars = {}, defaultdict(list)
    for kind, subject_kind, subject, site, device_kind, at, known, source, data in facts(tables, offsets, READ):
        if kind == "site_defined":
            zones[subject] = ZoneInfo(fields(fields(data)[SITE])[2].decode())
        elif kind == "calendar_defined":
            calendars[subject].append((known, calendar(fields(data)[CALENDAR])))
        elif subject_kind == "device":
            READ[kind](told[subject], at, known, source, data)
            told[subject].site, told[subject].kind = site, device_kind
    return told, {name: (zone, calendars[name]) for name, zone in zones.items()}


def stretch(of: Told, at: int, _known: int, source: str, data: bytes) -> None:
    """Half a million of them: the body is the last field, and read in place. With a degradation it is two bytes longer."""
    body = data[-14:] if data[-14:-11] == STRETCH_HEAD[11] else data[-16:]
    assert body[:3] == STRETCH_HEAD[body[2]] and body[3] == UNTIL_KEY and body[12] == CONDITION_KEY, data
    (ends,) = struct.unpack_from("<q", body, 4)
    degradation = body[15] if body[2] == 13 else 0
    of.stretches.append((at, ends, CONDITIONS[body[13]], RANKS[source], degradation))


STRETCH_HEAD = {length: bytes([STRETCH << 3 & 0x7F | 0x82, 1, length]) for length in (11, 13)}
UNTIL_KEY, CONDITION_KEY = 0x09, 0x10


def asserted(of: Told, at: int, known: int, _source: str, data: bytes) -> None:
    body = fields(fields(data)[ASSERTED])
    of.claims.append(Claim(at, body.get(3), body[1], body.get(5), known, body.get(2, 0)))


def usage(of: Told, at: int, _known: int, _source: str, data: bytes) -> None:
    whole = fields(data)
    body = fields(whole[USAGE])
    series = (body[1].decode(), body.get(2, b"").decode(), whole.get(SOURCE_NAME, b"").decode())
    modulus = signed(body[5]) if 5 in body else None
    of.readings[series].append(kpi.Reading(at, body.get(3, b"").decode(), signed(body.get(4, 0)), modulus))


def order(of: Told, at: int, _known: int, _source: str, data: bytes) -> None:
    body = fields(fields(data)[ORDER])
    of.phases[body[1].decode()].append((at, body))


def pm_done(of: Told, at: int, _known: int, _source: str, data: bytes) -> None:
    of.maintenance.append((at, fields(fields(data)[PM_DONE])))


def registered(of: Told, at: int, _known: int, _source: str, data: bytes) -> None:
    assert of.registered is None, "nobody registers a device twice"
    of.registered = (at, fields(fields(data)[REGISTERED]))


READ = {"stretch": stretch, "usage": usage, "asserted": asserted, "order": order, "pm_done": pm_done, "registered": registered, "site_defined": None, "calendar_defined": None}


# --- condition


def pieces(of: Told, now: int) -> list[kpi.Piece]:
    """Cut at every edge; the strongest source speaks, and a person's claim lies over it."""
    claims = sorted(of.claims, key=lambda one: (one.begins, one.said))
    stretches = sorted(of.stretches)
    edges = {edge for begins, ends, *_ in stretches for edge in (begins, ends)}
    edges |= {edge for one in claims for edge in (one.begins, one.ends, one.planned_until) if edge is not None and edge < now} | {now}
    found: list[kpi.Piece] = []
    covering: list[tuple[int, int, str, int, int]] = []
    place, times = 0, sorted(edges)
    for begins, ends in zip(times, times[1:], strict=False):
        covering = [one for one in covering if one[1] > begins]
        while place < len(stretches) and stretches[place][0] <= begins:
            covering += [stretches[place]] if stretches[place][1] > begins else []
            place += 1
        piece = judged(begins, ends, heard(covering), claimed(claims, begins) if claims and begins < now else None)
        if piece:
            found.append(piece)
    return found


def heard(covering: list[tuple]) -> tuple[str, int] | None:
    """Condition and degradation. Within the strongest kind of source up against down is a contradiction: unknown. Among up and among
    down the greater wins, and so does the greater degradation."""
    if len(covering) < 2:
        return (covering[0][2], covering[0][4]) if covering else None
    strongest = max(one[3] for one in covering)
    voices = {one[2] for one in covering if one[3] == strongest}
    ranked = [name for name in CONDITIONS.values() if name in voices]
    contradicted = voices & set(kpi.UP) and voices & set(kpi.DOWN)
    return "unknown" if contradicted else ranked[-1], max(one[4] for one in covering if one[3] == strongest)


def claimed(claims: list[Claim], at: int) -> tuple[str, int] | None:
    """What people's claims do at an instant: the worst of the newest open one and the bounded ones over it."""
    begun = claims[: bisect_right(claims, at, key=lambda one: one.begins)]
    standing = [one for one in begun if one.ends is not None and at < one.ends]
    standing += [one for one in reversed(begun) if one.ends is None][:1]
    forces = [(of, one.degradation) for one in standing if (of := force(one, at))]
    return max(forces, key=lambda one: (("partial", "maintenance", "overrun", "down").index(one[0]), one[1]), default=None)


def force(claim: Claim, at: int) -> str | None:
    if claim.what == MAINTENANCE:
        return "overrun" if claim.planned_until is not None and at >= claim.planned_until else "maintenance"
    return {USABLE: None, PARTIAL: "partial", DOWN: "down"}[claim.what]


def judged(begins: int, ends: int, voice: tuple[str, int] | None, said: tuple[str, int] | None) -> kpi.Piece | None:
    (seen, degradation), (claim, claimed_degradation) = voice or (None, 0), said or (None, 0)
    if claim == "down":
        return kpi.Piece(begins, ends, "unscheduled_down", told=True, conflict=seen in kpi.UP)
    if claim == "overrun":
        return kpi.Piece(begins, ends, "unscheduled_down", told=True, overrun=True, conflict=seen == "productive")
    if claim == "maintenance":
        return kpi.Piece(begins, ends, "scheduled_down", told=True, conflict=seen == "productive")
    degradation = max(degradation, claimed_degradation) if claim == "partial" and seen not in kpi.DOWN else degradation
    return kpi.Piece(begins, ends, seen, degradation=degradation) if seen else None


# --- orders and maintenance


def work_order(name: str, phases: list[tuple[int, dict]]) -> kpi.Order:
    def first(*wanted: int) -> int | None:
        return min((at for at, body in phases if body.get(3) in wanted), default=None)

    return kpi.Order(
        name,
        next(GROUPS[body[2]] for _, body in phases),
        min(at for at, _ in phases),
        arrived=first(ARRIVED, REMOTE),
        started=first(STARTED),
        repaired=first(REPAIRED),
        returned=first(BACK),
        closed=first(CLOSED),
        cancelled=first(CANCELLED) is not None,
        planned_until=min((body[6] for _, body in phases if 6 in body), default=None),
        waits=list(waits(phases)),
    )


def waits(phases: list[tuple[int, dict]]) -> Iterator[tuple[str, int, int | None]]:
    """From where a wait is said to begin to where it is said to end, at the latest to the repair, the return or the closing."""
    over = (WAITED, REPAIRED, BACK, CLOSED, CANCELLED)
    for at, body in phases:
        if body.get(3) == WAITING:
            ends = (other for other, of in phases if of.get(3) in over and other >= at and (of.get(3) != WAITED or of.get(4, 0) in (0, body.get(4, 0))))
            yield PARTIES[body.get(4, 0)], at, min(ends, default=None)


def planned(of: Told, orders: list[kpi.Order], hours: "Hours") -> list[kpi.Planned]:
    """Due at the end of the planned window, else of the due day. Done is a completion, else the repair or the return: never paper."""
    of_order, alone = defaultdict(list), defaultdict(list)
    names = {one.name for one in orders if one.group in kpi.PLANNED and not one.cancelled}
    for at, body in of.maintenance:
        name = body[4].decode() if 4 in body else None
        due = hours.end_of_day(signed(body[2])) if 2 in body else None
        into = of_order[name] if name in names else alone[body.get(1), due]
        into.append((due, at if body.get(3) == COMPLETED else None))
    found = []
    for one in orders:
        if one.name in names:
            said = of_order[one.name]
            due = one.planned_until if one.planned_until is not None else min((due for due, _ in said if due is not None), default=None)
            done = min((at for _, at in said if at is not None), default=one.repaired if one.repaired is not None else one.returned)
            found += [kpi.Planned(due, done, one.name)] if due is not None else []
    found += [kpi.Planned(due, min((at for _, at in said if at is not None), default=None)) for (_, due), said in alone.items() if due is not None]
    return found


def signed(zigzag: int) -> int:
    """A `sint32` as it is written."""
    return zigzag >> 1 ^ -(zigzag & 1)


# --- base hours


def repeated(data: bytes, wanted: int) -> Iterator[bytes]:
    """Every value of a repeated field; `fields` keeps the last only."""
    place = 0
    while place < len(data):
        length = next(count for count in range(1, len(data) - place + 1) if complete(data[place : place + count]))
        key = data[place] >> 3
        if key == wanted:
            yield fields(data[place : place + length])[wanted]
        place += length


def complete(data: bytes) -> bool:
    """Whether these bytes are one field and all of it."""
    wire, body = data[0] & 7, data[1:]
    if wire == 2:
        return bool(body) and len(body) == 1 + body[0]
    if wire == 0:
        return bool(body) and body[-1] < 0x80
    return len(body) == {1: 8, 5: 4}[wire]


def calendar(data: bytes) -> tuple[str | None, int, list[tuple[int, int, int]]]:
    body = fields(data)
    kind = body[1].decode() if 1 in body else None
    hours = [(one[1], one.get(2, 0), one.get(3, 0)) for one in map(fields, repeated(data, 3))]
    return kind, signed(body.get(2, 0)), hours


class Hours:
    """The clock and the calendars of one site."""

    def __init__(self, zone: ZoneInfo, calendars: list[tuple]) -> None:
        self.zone, self.calendars = zone, sorted(calendars, key=lambda one: (one[1][1], one[0]))

    def end_of_day(self, day: int) -> int:
        return self.at(date(1970, 1, 1) + timedelta(day + 1), 0)

    def at(self, day: date, minute: int) -> int:
        """The instant at which the wall clock shows a minute of a day; minute 1440 is the next midnight."""
        wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
        return round(wall.replace(tzinfo=self.zone).astimezone(UTC).timestamp()) * kpi.SECOND

    def in_force(self, kind: str, day: int) -> list[tuple[int, int, int]]:
        """The kind's own calendar before the site's; of those that have begun the latest, then the one recorded last."""
        for scope in (kind, None):
            begun = [hours for _, (of, valid_from, hours) in self.calendars if of == scope and valid_from <= day]
            if begun:
                return begun[-1]
        return []

    def base(self, kind: str, since: int, until: int) -> list[kpi.Span]:
        first = datetime.fromtimestamp(since / kpi.SECOND, self.zone).date()
        last = datetime.fromtimestamp(until / kpi.SECOND, self.zone).date()
        found = []
        for nth in range((last - first).days + 1):
            day = first + timedelta(nth)
            for weekday, begins, ends in self.in_force(kind, (day - date(1970, 1, 1)).days):
                if weekday == day.isoweekday():
                    found.append((self.at(day, begins), self.at(day, ends)))
        return kpi.united(found)


# --- a life


def life(name: str, of: Told, hours: Hours, now: int) -> kpi.Life:
    since, body = of.registered
    make_model = " ".join(body.get(part, b"").decode() for part in (2, 3)).strip()
    orders = [work_order(order, phases) for order, phases in of.phases.items()]
    return kpi.Life(
        name,
        of.site,
        of.kind,
        [(since, now)],
        pieces(of, now),
        orders,
        planned(of, orders, hours),
        make_model,
        signed(body[8]) if 8 in body else None,
        hours.base(of.kind, since, now),
        readings=of.readings,
    )
