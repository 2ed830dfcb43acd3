//! A small fleet whose facts are told one record each, folded by the processor's book, and asked as a cut is asked.
#![allow(dead_code)] // each room of tests uses its own part

use std::collections::{BTreeMap, BTreeSet};

use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::fact::{Amendment, Body, Fact, Run, Sample, Source, Stretch};
use medfleet_domain::fleet::{BaseHours, Calendar, Site};
use medfleet_domain::human::*;
use medfleet_domain::id::{Epoch, Seq, SeqRange, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::ledger::Needs;
use medfleet_domain::time::{Day, Span, Timestamp};
use medfleet_kpi::Question;
use medfleet_lake::{
    Lake, ROLLUP_DAY_SQL, ROLLUP_QUARTER_SQL, Reader, ReaderLimits, RecordBatch, Row, SessionContext, run_over_batch,
    schema,
};
use medfleet_log::{Partition, Record, Topic};
use medfleet_processor::book::Book;
use medfleet_processor::told::Told;

pub use medfleet_domain::condition::Condition::{Productive as P, Standby as S, UnscheduledDown as UD};

pub const HOUR: i64 = 3_600_000_000;

/// `"03-20 10:00"`, in 2026, UTC.
pub fn at(text: &str) -> Timestamp {
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().expect("digits");
    let day = Day::from_civil(2026, number(0..2), number(3..5));
    day.start().plus_seconds(i64::from(number(6..8)) * 3_600 + i64::from(number(9..11)) * 60)
}

pub fn span(from: &str, until: &str) -> Span {
    Span::new(at(from), at(until)).expect("a span runs forward")
}

pub fn question(from: &str, until: &str, now: &str) -> Question {
    Question::new(at(from), at(until), at(now))
}

/// The processor's fold over one partition of facts and one of the fleet.
#[derive(Default)]
pub struct House {
    book: Book,
    offsets: BTreeMap<bool, u64>,
    written: BTreeMap<(String, &'static str), u64>,
    /// Where the fact last told stands in the log.
    pub told_at: u64,
    /// When the log takes a fact, where that is not when it was known.
    arrived: Option<Timestamp>,
    /// Where facts are told from, if not at `north`.
    elsewhere: Option<&'static str>,
}

impl House {
    /// A house with one site, `north`, in UTC, open Monday to Friday from eight to five.
    pub fn new() -> Self {
        let mut house = Self::default();
        house.zone("01-01 00:00", "UTC");
        house.calendar("01-01 00:00", "01-01 00:00", 1..=5);
        house
    }

    /// Defines the site with this time zone.
    pub fn zone(&mut self, said: &str, time_zone: &str) {
        self.zone_of(said, said, time_zone);
    }

    /// The same, of an earlier time.
    pub fn zone_of(&mut self, when: &str, said: &str, time_zone: &str) {
        let (title, region) = ("North".into(), "r".into());
        let body = Body::SiteDefined(Site { title, time_zone: time_zone.into(), region, demo: false });
        self.tell(north(), "people", SourceKind::Record, at(when), at(said), body);
    }

    pub fn calendar(&mut self, valid_from: &str, said: &str, weekdays: std::ops::RangeInclusive<u8>) {
        let hours = weekdays.map(|weekday| BaseHours { weekday, from_minute: 480, until_minute: 1_020 }).collect();
        let calendar = Calendar { kind: None, valid_from: at(valid_from).day(), hours };
        self.fleet(said, Body::CalendarDefined(calendar));
    }

    pub fn fleet(&mut self, said: &str, body: Body) {
        self.tell(north(), "people", SourceKind::Record, at(said), at(said), body);
    }

    pub fn register(&mut self, device: &str, when: &str) {
        let registration = Registration {
            kind: DeviceKind::Ct,
            make: "Acme".into(),
            model: "Slice".into(),
            serial: device.into(),
            department: String::new(),
            room: String::new(),
            asset_number: None,
            in_service: Some(Day::from_civil(2020, 1, 1)),
            acquisition_cost_cents: None,
            end_of_support: None,
            cost_centre: None,
            ownership: None,
        };
        self.record(device, when, Body::Registered(Box::new(registration)));
    }

    /// From then on it is heard and worked on there.
    pub fn moves(&mut self, device: &str, when: &str, site: &'static str) {
        self.elsewhere = Some(site);
        let site = SiteId::new(site).expect("a good name");
        self.record(device, when, Body::Moved(Move { site, department: String::new(), room: String::new() }));
    }

    /// What a system of record says of a device, known when it happened.
    pub fn record(&mut self, device: &str, when: &str, body: Body) -> SeqRange {
        self.says(device, when, when, body)
    }

    pub fn says(&mut self, device: &str, when: &str, said: &str, body: Body) -> SeqRange {
        let kind = if matches!(body, Body::Asserted(_)) { SourceKind::Person } else { SourceKind::Record };
        self.tell(device_of(device), "people", kind, at(when), at(said), body)
    }

    /// A condition as an agent reports it, a stretch for each hour, known at its end.
    pub fn hears(&mut self, device: &str, condition: Condition, from: &str, until: &str) {
        let (mut start, end) = (at(from), at(until));
        while start < end {
            let stop = start.next_hour().min(end);
            let body = Body::Stretch(Stretch { until: stop, condition, degradation: Degradation::None });
            self.tell(device_of(device), "agent", SourceKind::Device, start, stop, body);
            start = stop;
        }
    }

    /// One stretch that reaches the log long after it was seen.
    pub fn backlog(
        &mut self,
        device: &str,
        condition: Condition,
        from: Timestamp,
        until: Timestamp,
        arrived: Timestamp,
    ) {
        let body = Body::Stretch(Stretch { until, condition, degradation: Degradation::None });
        self.arrived = Some(arrived);
        self.tell(device_of(device), "agent", SourceKind::Device, from, until, body);
        self.arrived = None;
    }

    /// What is told there reaches the log then, whenever it happened.
    pub fn late(&mut self, arrived: &str, tell: impl FnOnce(&mut Self)) {
        self.arrived = Some(at(arrived));
        tell(self);
        self.arrived = None;
    }

    pub fn reads(&mut self, device: &str, when: &str, value: i64) {
        let sample = Sample {
            counter: "scans".into(),
            component: String::new(),
            unit: "scans".into(),
            value_milli: value * 1_000,
            modulus_milli: None,
        };
        self.tell(device_of(device), "agent", SourceKind::Device, at(when), at(when), Body::Usage(sample));
    }

    pub fn order(&mut self, device: &str, order: &str, when: &str, phase: Phase) -> SeqRange {
        self.phase(device, order, OrderClass::Corrective, when, phase, None, None)
    }

    pub fn wait(&mut self, device: &str, order: &str, when: &str, phase: Phase, whom: Party) {
        self.phase(device, order, OrderClass::Corrective, when, phase, Some(whom), None);
    }

    #[allow(clippy::too_many_arguments)]
    pub fn phase(
        &mut self,
        device: &str,
        order: &str,
        class: OrderClass,
        when: &str,
        phase: Phase,
        waiting_for: Option<Party>,
        planned: Option<Span>,
    ) -> SeqRange {
        let (cause, text) = ("device".into(), String::new());
        let body = OrderPhase { order: order.into(), class, phase, waiting_for, planned, cause, text };
        self.record(device, when, Body::Order(body))
    }

    pub fn claims(&mut self, device: &str, said: &str, claim: Claimed, from: &str, until: Option<&str>) -> SeqRange {
        let (author, reason) = ("kim".into(), "call".into());
        let asserted = Asserted { claim, until: until.map(at), author, reason, order: None };
        self.says(device, from, said, Body::Asserted(asserted))
    }

    pub fn voids(&mut self, device: &str, said: &str, target: SeqRange) {
        let (author, reason) = ("kim".into(), "wrong".into());
        let amendment = Amendment { target, replacement: None, author, reason };
        self.says(device, said, said, Body::Amended(Box::new(amendment)));
    }

    fn tell(
        &mut self,
        subject: Subject,
        writer: &'static str,
        kind: SourceKind,
        happened: Timestamp,
        known: Timestamp,
        body: Body,
    ) -> SeqRange {
        let fleet = subject.kind == SubjectKind::Site;
        let seq = self.written.entry((subject.to_string(), writer)).or_insert(0);
        *seq += 1;
        let source = Source { kind, name: writer.into() };
        let fact =
            Fact { at: happened, known_at: known, known_assumed: false, clock: Clock::Synchronised, source, body };
        let run = Run {
            epoch: Epoch::derived(&[writer.as_bytes()]),
            first_seq: Seq(*seq),
            site: SiteId::new(self.elsewhere.unwrap_or("north")).expect("a good name"),
            kind: if fleet { DeviceKind::Other } else { DeviceKind::Ct },
            agent: None,
            facts: vec![medfleet_wire::accept(fact).expect("a fact that every reader takes")],
            subject,
        };
        let topic = if fleet { Topic::FLEET } else { Topic::FACTS };
        let offset = self.offsets.entry(fleet).or_insert(0);
        let record = medfleet_wire::Record { run: run.clone(), received_at: known, implausible: Vec::new() };
        let record = Record {
            offset: *offset,
            appended_at_micros: self.arrived.unwrap_or(known).0,
            key: run.subject.key().into(),
            value: medfleet_wire::encode_record(&record).into(),
        };
        self.told_at = *offset;
        *offset += 1;
        let told = Told::by_log(Partition::new(topic, 0), &record).expect("a record that can be read");
        while let Err(needs) = self.book.admit(&told) {
            self.answer(&run.subject, &needs);
        }
        SeqRange::one(run.epoch, run.first_seq)
    }

    /// Everything is in memory but where amended facts lie.
    fn answer(&mut self, subject: &Subject, needs: &Needs) {
        assert!(needs.days.is_empty() && needs.epochs.is_empty() && needs.digests.is_empty(), "nothing was forgotten");
        let ledger = self.book.memory.ledgers.get_mut(subject).expect("it asked");
        for range in &needs.located {
            let (epoch, first, last) = (range.epoch.0 as i64, range.first.0 as i64, range.last.0 as i64);
            let own = self.book.pending.facts.iter().filter(|row| &*row.subject == subject.name());
            let named = own.filter(|row| row.epoch == epoch && (first..=last).contains(&row.seq));
            let daily = named.filter(|row| matches!(&*row.kind, "stretch" | "error" | "usage"));
            let days: BTreeSet<Day> = daily.map(|row| Day(row.day.0)).collect();
            ledger.supply_located(*range, days.into_iter().collect());
        }
    }

    /// How far the log of facts and that of the fleet reach now.
    pub fn now(&self) -> (u64, u64) {
        let end = |fleet| self.offsets.get(&fleet).copied().unwrap_or(0);
        (end(false), end(true))
    }

    /// The tables as they stand.
    pub async fn session(&self) -> SessionContext {
        self.as_of(self.now()).await
    }

    /// The tables as a cut at these offsets had them.
    pub async fn as_of(&self, (facts, fleet): (u64, u64)) -> SessionContext {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open_local(folder.path()).await.expect("a lake");
        let session = Reader::new(lake, ReaderLimits::default()).expect("a reader").empty_session();
        let pending = &self.book.pending;
        let known = |cause: medfleet_lake::Cause| {
            let end = if cause.topic == 1 { fleet } else { facts };
            cause.offset.cast_unsigned() < end
        };
        macro_rules! batch {
            ($rows:expr) => {{
                let rows: Vec<_> = $rows.iter().filter(|row| known(row.cause)).cloned().collect();
                to_batch(&rows)
            }};
        }
        let intervals = batch!(pending.intervals);
        let sites = batch!(pending.sites);
        for (name, sql) in [("rollup_quarter", ROLLUP_QUARTER_SQL), ("rollup_day", ROLLUP_DAY_SQL)] {
            let def = schema::table(name).expect("a rollup");
            let inputs = [("intervals", intervals.clone()), ("sites", sites.clone())];
            let sums = run_over_batch(&session, sql, &inputs, def).await.expect("a rollup runs");
            let whole = datafusion::arrow::compute::concat_batches(&def.schema, &sums);
            register(&session, name, whole.expect("batches of one table"));
        }
        register(&session, "intervals", intervals);
        register(&session, "sites", sites);
        register(&session, "facts", batch!(pending.facts));
        register(&session, "usage", batch!(pending.usage));
        register(&session, "errors", batch!(pending.errors));
        register(&session, "devices", batch!(pending.devices));
        register(&session, "calendars", batch!(pending.calendars));
        register(&session, "orders", batch!(pending.orders));
        register(&session, "maintenance", batch!(pending.maintenance));
        register(&session, "components", batch!(pending.components));
        register(&session, "contracts", batch!(pending.contracts));
        register(&session, "statements", batch!(pending.statements));
        register(&session, "heads", batch!(pending.heads));
        register(&session, "verdicts", batch!(pending.verdicts));
        medfleet_kpi::hours::register(&session, at("12-31 00:00")).await.expect("calendars can be read");
        session
    }
}

fn to_batch<R: Row>(rows: &[R]) -> RecordBatch {
    R::to_batch(rows).expect("rows fit their table")
}

fn register(session: &SessionContext, name: &str, batch: RecordBatch) {
    session.register_batch(name, batch).expect("a new name");
}

fn north() -> Subject {
    Subject::new(SubjectKind::Site, "north").expect("a good name")
}

pub fn device_of(name: &str) -> Subject {
    Subject::new(SubjectKind::Device, name).expect("a good name")
}
