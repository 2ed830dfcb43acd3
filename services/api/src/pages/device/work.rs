//! What went wrong with one device and what was done about it: episodes, orders with their clocks, planned maintenance,
//! and what later records changed.

use std::collections::BTreeSet;

use medfleet_domain::human::{OrderClass, Phase};
use medfleet_domain::statement::OrderFact;
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_kpi::ask::{self, Amended, AmendedCounter, AmendedWork, Episode, EpisodeClass, PmState, PmWork, Repair};
use medfleet_kpi::backdated::{Sized, backdated};
use medfleet_kpi::statement::order_facts;
use medfleet_kpi::stats::survival::Duration;

use super::amended::AmendedLine;
use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::kpi::question;
use crate::pages::format::{Clock, duration};
use crate::pages::frame::Frame;
use crate::period::Period;
use crate::query::{DeviceVersion, Scope};

/// An order that was opened so long before the period may still be open in it.
const ORDERS_BEFORE_DAYS: i64 = 400;
/// What an episode may wait for its evidence to be complete, before and after.
const EVIDENCE_MARGIN_MICROS: i64 = 60_000_000;

/// Everything of one device over a period that people dealt with.
pub struct Work {
    pub episodes: Vec<Episode>,
    pub repairs: Vec<Repair>,
    pub orders: Vec<OrderFact>,
    pub pm: Vec<PmWork>,
    pub amended: Vec<Amended>,
    amended_work: Vec<AmendedWork>,
    amended_counters: Vec<AmendedCounter>,
    /// Calendars, contracts and time zones that were recorded after the period.
    backdated: Vec<Sized>,
}

pub struct EpisodeLine {
    pub class: &'static str,
    pub what: &'static str,
    pub from: String,
    pub evidence: String,
    pub until: String,
    pub down: String,
    pub why: String,
}

pub struct OrderLine {
    pub order: String,
    pub open: bool,
    pub stands: String,
    pub opened: String,
    pub response: String,
    pub waited: String,
    pub repair: String,
    pub turnaround: String,
    pub cause: String,
}

pub struct PmLine {
    pub procedure: String,
    pub class: &'static str,
    pub mark: &'static str,
    pub state: &'static str,
    pub due: String,
    pub done: String,
    pub note: String,
}

impl Work {
    /// Of a device where it is now: terms are those of its site and kind.
    pub async fn of(open: &OpenCut, device: &DeviceVersion, period: Period) -> Result<Self, ApiError> {
        let session = open.kpi().await?;
        let name = device.device.as_str();
        let scope = Scope { device: name, ..Scope::default() };
        let here = question(open, period, Scope { site: &device.site, kind: &device.kind, device: name });
        let asked = question(open, period, scope);
        let from = Timestamp(period.from.0 - ORDERS_BEFORE_DAYS * MICROS_PER_DAY);
        let earlier = question(open, Period { from, ..period }, scope);
        // One after another: they share the memory that queries may use.
        let mut repairs = ask::repairs(session, &earlier).await?;
        repairs.retain(|one| one.finished.is_none_or(|at| at > period.from));
        Ok(Self {
            episodes: ask::failures(session, &asked).await?,
            repairs,
            orders: order_facts(session, &asked).await?,
            pm: ask::pm(session, &asked).await?,
            amended: ask::amendments(session, &asked).await?,
            amended_work: ask::amended_work(session, &asked).await?,
            amended_counters: ask::amended_counters(session, &asked).await?,
            backdated: backdated(session, &here).await?,
        })
    }

    /// Newest first.
    pub fn episode_lines(&self, frame: &Frame, device: &str, clock: Clock, at: Timestamp) -> Vec<EpisodeLine> {
        self.episodes.iter().rev().map(|one| episode_line(frame, one, device, clock, at)).collect()
    }

    /// Open ones first, then the newest.
    pub fn order_lines(&self, clock: Clock) -> Vec<OrderLine> {
        let mut repairs: Vec<&Repair> = self.repairs.iter().collect();
        repairs.sort_by_key(|one| (one.finished.is_some(), std::cmp::Reverse(one.opened)));
        repairs.into_iter().map(|one| self.order_line(one, clock)).collect()
    }

    fn order_line(&self, of: &Repair, clock: Clock) -> OrderLine {
        let waits = [
            (of.parts_micros, "parts"),
            (of.vendor_micros, "vendor"),
            (of.facility_micros, "facility"),
            (of.own_micros, "ourselves"),
        ];
        let waited: Vec<String> = waits
            .iter()
            .filter(|(micros, _)| *micros > 0)
            .map(|(micros, whom)| format!("{whom} {}", duration(*micros)))
            .collect();
        OrderLine {
            order: of.work_order.clone(),
            open: of.finished.is_none(),
            stands: match of.finished {
                Some(at) => format!("Done {}", clock.minute(at)),
                None => format!("Open: {}", self.stands(&of.work_order)),
            },
            opened: clock.minute(of.opened),
            response: of.response.map_or_else(|| "not told".to_owned(), |clock| clocked(Some(clock))),
            waited: if waited.is_empty() { "–".to_owned() } else { waited.join(", ") },
            repair: clocked(of.active),
            turnaround: clocked(Some(of.turnaround)),
            cause: of.cause_code.as_deref().unwrap_or_default().replace('_', " "),
        }
    }

    fn stands(&self, order: &str) -> String {
        stands(self.orders.iter().filter(|one| one.order == order && one.class == OrderClass::Corrective).collect())
    }

    pub fn pm_lines(&self, clock: Clock) -> Vec<PmLine> {
        self.pm.iter().rev().map(|one| pm_line(one, clock)).collect()
    }

    /// What changed after something had been known; the first telling of a time changes nothing.
    pub fn amended_lines(&self, clock: Clock) -> Vec<AmendedLine> {
        let records = self.amended.iter().filter(|one| !one.is_first()).map(AmendedLine::of);
        let work = self.amended_work.iter().map(AmendedLine::of_work);
        let terms = self.backdated.iter().filter(|one| one.before != one.after || one.before.is_none());
        let counters = self.amended_counters.iter().filter(|one| !one.is_first()).map(AmendedLine::of_counter);
        records.chain(work).chain(counters).chain(terms.map(|one| AmendedLine::of_terms(one, clock))).collect()
    }
}

/// Where an order stands by its phases: for whom it waits, which may be several at once, else what it reached last.
fn stands(mut phases: Vec<&OrderFact>) -> String {
    phases.sort_by_key(|one| (one.at, one.phase));
    let mut waits = BTreeSet::new();
    for one in &phases {
        match (one.phase, one.waiting_for) {
            (Phase::WaitingStarted, party) => waits.extend(party),
            (Phase::WaitingEnded, Some(party)) => waits.retain(|one| *one != party),
            (Phase::WaitingEnded, None) | (Phase::Repaired | Phase::ReturnedToService | Phase::Closed, _) => {
                waits.clear()
            }
            _ => {}
        }
    }
    let words = |code: &str| code.replace('_', " ");
    if waits.is_empty() {
        return phases.last().map_or_else(|| "opened".to_owned(), |last| words(last.phase.as_str()));
    }
    let parties: Vec<String> = waits.iter().map(|party| words(party.as_str())).collect();
    format!("waiting for {}", parties.join(" and "))
}

fn episode_line(frame: &Frame, one: &Episode, device: &str, clock: Clock, at: Timestamp) -> EpisodeLine {
    let until = one.ended.unwrap_or(at).max(one.onset);
    let (from, end) = (one.onset.plus_micros(-EVIDENCE_MARGIN_MICROS), until.plus_micros(EVIDENCE_MARGIN_MICROS));
    let (class, what) = match one.class {
        EpisodeClass::Failure => ("u", "Failure"),
        EpisodeClass::Repeat => ("u", "Repeat within 7 days"),
        EpisodeClass::Interrupt => ("i", "Interrupt"),
    };
    EpisodeLine {
        class,
        what,
        from: clock.minute(one.onset),
        evidence: frame.evidence(device, from, end.min(at)),
        until: one.ended.map_or_else(|| "not ended".to_owned(), |at| clock.minute(at)),
        down: if one.down_micros > 0 { duration(one.down_micros) } else { "none known".to_owned() },
        why: why(one),
    }
}

fn why(one: &Episode) -> String {
    let told = match one.evidence.as_str() {
        "order_and_down" => "downtime under an order",
        "order" => "an order, no downtime known",
        "told" => "a person told",
        "not_recovered" => "nothing ended it",
        "self_recovered" => "ended by itself, no order",
        other => other,
    };
    let mut said = vec![told.to_owned()];
    said.extend(one.work_order.as_ref().map(|order| format!("order {order}")));
    said.extend(one.cause_code.as_ref().filter(|code| !code.is_empty()).map(|code| code.replace('_', " ")));
    if one.downs > 1 {
        said.push(format!("{} downs", one.downs));
    }
    if one.in_use {
        said.push("began in use".to_owned());
    }
    said.join(", ")
}

/// A clock that still runs is marked as a lower bound.
fn clocked(clock: Option<Duration>) -> String {
    match clock {
        None => "–".to_owned(),
        Some(Duration { micros, ended: true }) => duration(micros),
        Some(Duration { micros, ended: false }) => format!("{} so far", duration(micros)),
    }
}

fn pm_line(one: &PmWork, clock: Clock) -> PmLine {
    let (class, mark, state) = match one.state {
        PmState::OnTime => ("fine", "●", "on time"),
        PmState::Late => ("late", "◐", "late"),
        PmState::Overdue => ("over", "▼", "overdue"),
        PmState::NotDue => ("todo", "○", "not due yet"),
    };
    let mut said = Vec::new();
    said.extend(one.reason.as_ref().map(|reason| format!("tried: {}", reason.replace('_', " "))));
    if one.carried {
        said.push("carried over".to_owned());
    }
    said.extend(one.work_order.as_ref().map(|order| format!("order {order}")));
    PmLine {
        procedure: if one.procedure.is_empty() { "planned maintenance".to_owned() } else { one.procedure.clone() },
        class,
        mark,
        state,
        due: clock.minute(one.due),
        done: one.done.map_or_else(|| "–".to_owned(), |at| clock.minute(at)),
        note: said.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use medfleet_domain::human::Party;
    use medfleet_domain::id::Cause;

    use super::*;

    #[test]
    fn golden_an_order_waits_for_everybody_whose_wait_has_not_ended() {
        let mut phases = Vec::new();
        let mut after = |phase, waiting_for| {
            let cause = Cause { partition: 0, offset: 0 };
            let (order, class, cause_code) = ("wo-1".to_owned(), OrderClass::Corrective, String::new());
            let at = Timestamp(phases.len() as i64);
            phases.push(OrderFact { order, class, phase, waiting_for, cause_code, at, cause });
            stands(phases.iter().rev().collect())
        };
        assert_eq!(after(Phase::Opened, None), "opened");
        assert_eq!(after(Phase::WaitingStarted, Some(Party::Vendor)), "waiting for vendor");
        assert_eq!(after(Phase::WaitingStarted, Some(Party::Parts)), "waiting for vendor and parts");
        assert_eq!(after(Phase::Arrived, None), "waiting for vendor and parts", "nobody said that a wait has ended");
        assert_eq!(after(Phase::WaitingEnded, Some(Party::Vendor)), "waiting for parts");
        assert_eq!(after(Phase::WaitingStarted, Some(Party::InHouse)), "waiting for in house and parts");
        assert_eq!(after(Phase::WaitingEnded, None), "waiting ended");
        after(Phase::WaitingStarted, Some(Party::Parts));
        assert_eq!(after(Phase::Repaired, None), "repaired", "what is repaired waits for nobody");
    }

    #[test]
    fn a_clock_that_runs_is_no_duration_yet() {
        assert_eq!(clocked(Some(Duration { micros: 7_200_000_000, ended: true })), "2 h");
        assert_eq!(clocked(Some(Duration { micros: 7_200_000_000, ended: false })), "2 h so far");
        assert_eq!(clocked(None), "–");
    }
}
