//! From the ledger's rows to the lake's: one function per table, nothing decided here.

use std::collections::BTreeSet;
use std::sync::Arc;

use medfleet_domain::dedup::Sighting;
use medfleet_domain::entry::{self, Entry, HeadRole, Reason, Row};
use medfleet_domain::fact::{JournalState, Run, Sealed};
use medfleet_domain::fleet::BaseHours;
use medfleet_domain::human::Ownership;
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::ledger::{Filed, Ledger, Passing};
use medfleet_domain::time::Timestamp;
use medfleet_lake::rows::{
    AlertStepRow, CalendarRow, ComponentRow, ContractRow, DeviceRow, ErrorRow, FactRow, HeadRow, IntervalRow,
    MaintenanceRow, ModelRow, OrderRow, ScoreRow, SiteRow, StatementRow, UsageRow, VerdictRow, WithdrawalRow,
};
use medfleet_lake::{Cause, Day, Text, UtcMicros};

use crate::notes;
use crate::waiting::Waiting;

/// Rows waiting for the next flush, by table.
#[derive(Debug, Default)]
pub struct Pending {
    pub facts: Waiting<FactRow>,
    pub intervals: Waiting<IntervalRow>,
    pub usage: Waiting<UsageRow>,
    pub errors: Waiting<ErrorRow>,
    pub devices: Waiting<DeviceRow>,
    pub sites: Waiting<SiteRow>,
    pub calendars: Waiting<CalendarRow>,
    pub orders: Waiting<OrderRow>,
    pub maintenance: Waiting<MaintenanceRow>,
    pub components: Waiting<ComponentRow>,
    pub contracts: Waiting<ContractRow>,
    pub statements: Waiting<StatementRow>,
    pub scores: Waiting<ScoreRow>,
    pub alert_steps: Waiting<AlertStepRow>,
    pub models: Waiting<ModelRow>,
    pub withdrawals: Waiting<WithdrawalRow>,
    pub heads: Waiting<HeadRow>,
    pub verdicts: Waiting<VerdictRow>,
}

/// Which rows are made: those of every table, or of those that are built anew.
#[derive(Debug, Clone, Default)]
pub enum Wanted {
    #[default]
    All,
    Only(BTreeSet<&'static str>),
}

impl Wanted {
    pub fn includes(&self, table: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(tables) => tables.contains(table),
        }
    }

    /// A ledger that does not keep facts whose rows are not made.
    pub fn ledger(&self) -> Ledger {
        Ledger::passing(Passing::over(!self.includes("usage"), !self.includes("errors")))
    }
}

impl Pending {
    pub fn len(&self) -> usize {
        let ledger = self.intervals.len() + self.usage.len() + self.errors.len() + self.heads.len();
        let few = self.devices.len() + self.sites.len() + self.calendars.len() + self.verdicts.len();
        let notes = self.orders.len() + self.maintenance.len() + self.components.len();
        let told = self.scores.len() + self.alert_steps.len() + self.models.len() + self.withdrawals.len();
        self.facts.len() + ledger + few + notes + told + self.contracts.len() + self.statements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Files the entries of one record; the index of a cause is the entry's place among those of its sort, whatever else is made of the
    /// record. What is seen at a place counts for the device it names, by the binder's copies: a place itself has no rows.
    pub fn push_entries(&mut self, subject: &Subject, entries: Vec<Entry>, cause: Cause, wanted: &Wanted) {
        if subject.kind == SubjectKind::Place {
            return;
        }
        let name = Text::from(subject.shared_name());
        let mut places = [0; SORTS];
        for Entry { weight, row } in entries {
            let next = &mut places[sort_of(&row)];
            let at = Cause { index: *next, ..cause };
            *next += 1;
            if !wanted.includes(table_of(&row)) {
                continue;
            }
            match row {
                Row::Interval(row) => self.intervals.push(interval(&name, row, weight, at)),
                Row::Usage(row) => self.usage.push(usage(&name, row, weight, at)),
                Row::Error(row) => self.errors.push(error(&name, row, weight, at)),
                Row::Head(row) => self.heads.push(head(&name, row, weight, at)),
                Row::Device(row) => self.devices.push(device(&name, row, weight, at)),
                Row::Site(row) => self.sites.push(site(&name, row, weight, at)),
                Row::Calendar(row) => self.calendars.extend(calendar(&name, &row, weight, at)),
                Row::Note(row) => notes::push(self, &name, row, weight, at),
                Row::Score(row) => self.scores.push(score(&name, row, weight, at)),
                Row::Verdict(row) => self.verdicts.push(verdict(subject, row, at)),
            }
        }
    }
}

const SORTS: usize = 4;

/// Rows of these sorts are counted apart, so that a ledger which passes over the facts of one gives the others the same places.
const fn sort_of(row: &Row) -> usize {
    match row {
        Row::Interval(_) => 0,
        Row::Usage(_) => 1,
        Row::Error(_) => 2,
        _ => 3,
    }
}

const fn table_of(row: &Row) -> &'static str {
    match row {
        Row::Interval(_) => "intervals",
        Row::Usage(_) => "usage",
        Row::Error(_) => "errors",
        Row::Head(_) => "heads",
        Row::Device(_) => "devices",
        Row::Site(_) => "sites",
        Row::Calendar(_) => "calendars",
        Row::Note(note) => notes::table_of(note),
        Row::Score(_) => "scores",
        Row::Verdict(_) => "verdicts",
    }
}

/// The archive's row of one fact. A duplicate points to its original: it carries no bytes, and says what they hash to.
pub fn fact(run: &Run, sealed: &Sealed, filed: &Filed, appended_at_micros: i64, cause: Cause) -> FactRow {
    let fact = &sealed.fact;
    FactRow {
        subject_kind: run.subject.kind.as_str().into(),
        subject: run.subject.shared_name().into(),
        epoch: filed.epoch.0.cast_signed(),
        seq: filed.seq.0.cast_signed(),
        kind: fact.body.name().into(),
        at: utc(fact.at),
        known_at: utc(fact.known_at),
        known_assumed: fact.known_assumed,
        day: Day(fact.at.day().0),
        site: run.site.shared().into(),
        device_kind: run.kind.as_str().into(),
        agent: run.agent.as_ref().map(|agent| agent.shared().into()),
        source_kind: fact.source.kind.as_str().into(),
        clock: fact.clock.as_str().into(),
        verdict: verdict_name(filed.verdict).into(),
        suspect: filed.suspect,
        bytes: (filed.verdict != Sighting::Duplicate).then(|| sealed.bytes.clone()),
        content_hash: (filed.verdict == Sighting::Duplicate).then(|| filed.digest.cast_signed()),
        appended_at: UtcMicros(appended_at_micros),
        cause,
    }
}

pub const fn verdict_name(verdict: Sighting) -> &'static str {
    match verdict {
        Sighting::New => "new",
        Sighting::Duplicate => "duplicate",
        Sighting::Conflict => "conflict",
    }
}

pub fn verdict_named(name: &str) -> Option<Sighting> {
    [Sighting::New, Sighting::Duplicate, Sighting::Conflict].into_iter().find(|verdict| verdict_name(*verdict) == name)
}

fn name(text: &str) -> Text {
    Text::from(Arc::<str>::from(text))
}

fn some_name(text: &str) -> Option<Text> {
    (!text.is_empty()).then(|| name(text))
}

const fn utc(at: Timestamp) -> UtcMicros {
    UtcMicros(at.0)
}

fn interval(device: &Text, row: entry::IntervalRow, weight: i64, cause: Cause) -> IntervalRow {
    IntervalRow {
        device: device.clone(),
        site: row.site.shared().into(),
        kind: row.kind.as_str().into(),
        day: Day(row.span.from.day().0),
        from_at: utc(row.span.from),
        until_at: utc(row.span.until),
        condition: row.condition.as_str().into(),
        degradation: row.degradation.as_str().into(),
        reason: (row.reason != Reason::Reported).then(|| row.reason.as_str().into()),
        source_kind: row.source.as_str().into(),
        assumed: row.source == medfleet_domain::condition::SourceKind::Assumed,
        conflict: row.conflict,
        claim: row.asserted,
        author: some_name(&row.author),
        weight,
        cause,
    }
}

fn usage(device: &Text, row: entry::UsageRow, weight: i64, cause: Cause) -> UsageRow {
    UsageRow {
        device: device.clone(),
        site: row.site.shared().into(),
        kind: row.kind.as_str().into(),
        day: Day(row.at.day().0),
        counter: name(&row.sample.counter),
        component: some_name(&row.sample.component),
        unit: name(&row.sample.unit),
        source: name(&row.source),
        at: utc(row.at),
        value_milli: row.sample.value_milli,
        increment_milli: row.increment_milli,
        step: row.step.as_str().into(),
        epoch: row.epoch.0.cast_signed(),
        seq: row.seq.0.cast_signed(),
        weight,
        cause,
    }
}

fn error(device: &Text, row: entry::ErrorRow, weight: i64, cause: Cause) -> ErrorRow {
    ErrorRow {
        device: device.clone(),
        site: row.site.shared().into(),
        kind: row.kind.as_str().into(),
        day: Day(row.at.day().0),
        at: utc(row.at),
        code: name(&row.error.code),
        family: some_name(&row.error.family),
        severity: row.error.severity.as_str().into(),
        component: some_name(&row.error.component),
        cause_domain: some_name(&row.error.cause_domain),
        text: some_name(&row.error.text),
        epoch: row.epoch.0.cast_signed(),
        seq: row.seq.0.cast_signed(),
        weight,
        cause,
    }
}

fn head(subject: &Text, row: entry::HeadRow, weight: i64, cause: Cause) -> HeadRow {
    let role: HeadRole = row.role;
    let journal = row.journal.as_deref();
    let said = |of: fn(&JournalState) -> u64| journal.map(|journal| of(journal).cast_signed());
    HeadRow {
        subject: subject.clone(),
        role: role.as_str().into(),
        site: row.site.shared().into(),
        kind: row.kind.as_str().into(),
        agent: row.agent.as_ref().map(|agent| agent.shared().into()),
        condition: row.condition.as_str().into(),
        degradation: row.degradation.as_str().into(),
        from_at: utc(row.from),
        until_at: row.until.map(utc),
        edge_at: (row.edge > Timestamp::MIN).then(|| utc(row.edge)),
        author: some_name(&row.author),
        accepted_facts: said(|journal| journal.accepted_facts),
        waiting_facts: said(|journal| journal.waiting_facts),
        journal_bytes: said(|journal| journal.used_bytes),
        journal_limit_bytes: said(|journal| journal.capacity_bytes),
        oldest_waiting_at: journal.and_then(|journal| journal.oldest_known_at).map(utc),
        weight,
        cause,
    }
}

fn device(device: &Text, row: entry::DeviceRow, weight: i64, cause: Cause) -> DeviceRow {
    let stated = row.registration;
    DeviceRow {
        device: device.clone(),
        site: row.site.shared().into(),
        kind: stated.kind.as_str().into(),
        make: some_name(&stated.make),
        model: some_name(&stated.model),
        serial: some_name(&stated.serial),
        department: some_name(&stated.department),
        room: some_name(&stated.room),
        asset_number: stated.asset_number.as_deref().map(name),
        in_service_day: stated.in_service.map(|day| Day(day.0)),
        end_of_support_day: stated.end_of_support.map(|day| Day(day.0)),
        in_service: !row.retired,
        on_loan_to: row.on_loan_to.as_ref().map(|site| site.shared().into()),
        acquisition_cost_cents: stated.acquisition_cost_cents,
        cost_centre: stated.cost_centre.as_deref().map(name),
        ownership: stated.ownership.map(Ownership::as_str).map(Text::from),
        valid_from: utc(row.valid_from),
        valid_until: row.valid_until.map(utc),
        weight,
        cause,
    }
}

fn site(site: &Text, row: entry::SiteRow, weight: i64, cause: Cause) -> SiteRow {
    SiteRow {
        site: site.clone(),
        name: name(&row.site.title),
        time_zone: name(&row.site.time_zone),
        region: name(&row.site.region),
        demo: row.site.demo,
        valid_from: utc(row.valid_from),
        recorded_at: utc(row.recorded_at),
        weight,
        cause,
    }
}

/// A version without any hours is a row too, a stretch of no length: without it the version before would go on.
const NO_HOURS: [BaseHours; 1] = [BaseHours { weekday: 1, from_minute: 0, until_minute: 0 }];

fn calendar(site: &Text, row: &entry::CalendarRow, weight: i64, cause: Cause) -> Vec<CalendarRow> {
    let hours = |hours: &BaseHours| CalendarRow {
        site: site.clone(),
        kind: row.calendar.kind.map(|kind| kind.as_str().into()),
        weekday: i32::from(hours.weekday),
        from_minute: i32::from(hours.from_minute),
        until_minute: i32::from(hours.until_minute),
        valid_from: Day(row.calendar.valid_from.0),
        recorded_at: utc(row.recorded_at),
        weight,
        cause,
    };
    let stated: &[BaseHours] = if row.calendar.hours.is_empty() { &NO_HOURS } else { &row.calendar.hours };
    stated.iter().map(hours).collect()
}

fn score(device: &Text, row: entry::ScoreRow, weight: i64, cause: Cause) -> ScoreRow {
    let said = *row.scored;
    // Ppm are millionths and hours are few: both fit.
    let count = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    ScoreRow {
        device: device.clone(),
        site: row.site.shared().into(),
        kind: row.kind.as_str().into(),
        day: Day(row.at.day().0),
        at: utc(row.at),
        horizon_hours: count(said.horizon_hours),
        risk_ppm: count(said.risk_ppm),
        component: some_name(&said.component),
        component_ppm: count(said.component_ppm),
        voice: name(&said.voice),
        grounds: name(&serde_json::json!(said.grounds).to_string()),
        model: name(&said.model),
        run: name(&said.run),
        epoch: row.epoch.0.cast_signed(),
        seq: row.seq.0.cast_signed(),
        weight,
        cause,
    }
}

fn verdict(subject: &Subject, row: entry::VerdictRow, cause: Cause) -> VerdictRow {
    VerdictRow {
        request: name(&row.request.id),
        subject: name(&subject.to_string()),
        verdict: if row.granted { "granted" } else { "refused" }.into(),
        reason: some_name(&row.text),
        at: utc(row.at),
        cause,
    }
}
