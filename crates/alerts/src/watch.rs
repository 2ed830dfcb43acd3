//! What is known of each subject, as far as alerts need it: how it is, who works on it, what is planned, when it was heard.
//! What it shows and what people state is kept for a while (`history`), so that what is taken back is as if it had never been said.

mod history;

use std::collections::BTreeMap;

use medfleet_domain::amend::Amendments;
use medfleet_domain::condition::Condition;
use medfleet_domain::fact::{Body, Sample};
use medfleet_domain::held::Held;
use medfleet_domain::human::Claimed;
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::order::Stewardship;
use medfleet_domain::time::{MICROS_PER_DAY, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rule::{Rule, When};
use history::{History, Said, Word};

/// For so long after a repair a device says nothing about its next failure.
const INFECTED_MICROS: i64 = 20 * MICROS_PER_DAY;
/// Words about a condition that can still be taken back, of one subject; some hours of them.
const SHOWN_KEPT: usize = 32;
/// Statements that can still be taken back, of one subject.
const STATED_KEPT: usize = 128;
/// Amendments that are remembered, of one subject.
const AMENDMENTS_KEPT: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub site: SiteId,
    pub kind: DeviceKind,
    pub agent: Option<AgentId>,
    /// The latest moment of which the subject itself has told.
    pub heard_at: Option<Timestamp>,
    /// What it shows of its condition.
    shown: History,
    /// What people and their systems state: claims, orders, maintenance, retirement.
    stated: History,
    /// What was taken back or corrected, and what follows from that.
    amended: Vec<Held>,
    amendments: Amendments,
    /// Judges what people ask about orders here, as the ledger does.
    stewardship: Stewardship,
    /// The instant of the latest score, by horizon.
    scored_at: BTreeMap<u32, Timestamp>,
    /// The latest reading of each counter.
    readings: BTreeMap<String, Reading>,
}

/// What a counter showed, and of which part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    at: Timestamp,
    part: String,
    value_milli: i64,
}

/// Which fact it is, when it happened, and whether an import told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    pub identity: (Epoch, Seq),
    pub at: Timestamp,
    pub imported: bool,
}

/// What a fact changed about failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It fails, since then.
    Fails(Timestamp),
    /// It works again, since then.
    Works(Timestamp),
    /// It failed then, and that is over: something newer is known.
    HadFailed(Timestamp),
    /// It left service.
    Retires,
    Nothing,
}

/// The part that a counter wears; the counter itself where it names none.
pub fn worn_part(sample: &Sample) -> &str {
    if sample.component.is_empty() { &sample.counter } else { &sample.component }
}

impl Watch {
    pub fn new(site: &SiteId, kind: DeviceKind, agent: Option<&AgentId>) -> Self {
        Self {
            site: site.clone(),
            kind,
            agent: agent.cloned(),
            heard_at: None,
            shown: History::keeping(SHOWN_KEPT),
            stated: History::keeping(STATED_KEPT),
            amended: Vec::new(),
            amendments: Amendments::default(),
            stewardship: Stewardship::default(),
            scored_at: BTreeMap::new(),
            readings: BTreeMap::new(),
        }
    }

    pub const fn is_retired(&self) -> bool {
        self.stated.now().retired
    }

    /// Since when it fails: by its own word, or by a person's, which outlives silence. What is out of service fails nobody.
    pub fn failing_since(&self) -> Option<Timestamp> {
        let own = self.shown.now().down_since();
        let claimed = self.stated.now().claimed_down.map(|(since, _)| since);
        let since = own.into_iter().chain(claimed).min();
        since.filter(|_| !self.is_retired())
    }

    /// Since when it has been as it shows itself.
    pub fn shown_since(&self) -> Option<Timestamp> {
        self.shown.now().since
    }

    /// Whether nothing but an import says that it fails: that wakes nobody.
    pub fn fails_by_import_alone(&self) -> bool {
        let shown = self.shown.now();
        let own = shown.down_since().map(|_| shown.imported);
        let claimed = self.stated.now().claimed_down.map(|(_, imported)| imported);
        own.or(claimed).is_some() && own.into_iter().chain(claimed).all(|imported| imported)
    }

    /// Preventive orders beside the window in which they were to be done.
    pub fn planned(&self) -> impl Iterator<Item = (&str, Span)> {
        self.stated.now().planned.iter().map(|(order, plan)| (order.as_str(), plan.window))
    }

    /// Whether a problem that a rule finds is no news now: work is planned or under way, or the device has just been mended.
    /// A failure is news despite an order that had long not been touched when it began, or a long window without work.
    pub fn suppresses(&self, rule: &Rule, began: Timestamp, now: Timestamp) -> bool {
        let stated = self.stated.now();
        if stated.retired {
            return true;
        }
        let holds = |since: Timestamp| {
            rule.when != When::DeviceFailed || began.micros() - since.micros() < rule.order_holds_micros()
        };
        let mut windows = stated.planned.values().filter(|plan| plan.window.contains(now));
        // What goes on beyond its window is an overrun.
        let said =
            |(since, window): (Timestamp, Option<Span>)| holds(since) && window.is_none_or(|window| now < window.until);
        // Who says that it is down knows more than the device that said it was in maintenance.
        let shown = self.shown.now();
        let contradicted =
            stated.claimed_down.is_some_and(|(claimed, _)| shown.since.is_some_and(|since| since <= claimed));
        let planned = (shown.condition == Some(Condition::ScheduledDown) && !contradicted)
            || stated.in_maintenance.is_some_and(said)
            || windows.any(|plan| plan.begun || holds(plan.window.from));
        let worked_on = stated.orders.values().any(|touched| holds(*touched));
        let infected = stated.returned_at.is_some_and(|returned| now.micros() - returned.micros() < INFECTED_MICROS);
        match rule.when {
            When::DeviceFailed | When::DeviceError | When::DeviceSilent | When::LifeNear => planned || worked_on,
            When::AtRisk => worked_on || planned || infected,
            When::AgentSilent | When::SiteSilent | When::PmOverdue => false,
        }
    }

    /// Whether a score of this horizon and instant is newer than the last.
    pub fn is_news(&self, horizon_hours: u32, at: Timestamp) -> bool {
        self.scored_at.get(&horizon_hours).is_none_or(|last| *last < at)
    }

    pub fn scored(&mut self, horizon_hours: u32, at: Timestamp) {
        self.scored_at.insert(horizon_hours, at);
    }

    /// Takes a fact in, and says what it changed about failing.
    pub fn observe(&mut self, witness: Witness, body: &Body) -> Turn {
        self.stewardship.observe(body);
        match body {
            Body::Requested(request) => {
                let Ok(decision) = self.stewardship.decide(request) else { return Turn::Nothing };
                self.stewardship.evolve(&decision);
                let stated = self.stewardship.stated(&decision, &request.ask);
                return stated.map_or(Turn::Nothing, |body| self.observe(witness, &body));
            }
            Body::Usage(sample) => {
                self.read(witness.at, sample);
                self.hear(witness.at);
            }
            Body::Began { .. } | Body::Error(_) | Body::Heartbeat(_) => self.hear(witness.at),
            Body::Stretch(stretch) => self.hear(stretch.until),
            _ => {}
        }
        let Some(word) = Word::of(body) else { return Turn::Nothing };
        let before = (self.failing_since(), self.is_retired());
        let failed = word.is_failure();
        let said = Said { identity: witness.identity, at: witness.at, imported: witness.imported, word };
        let history = if matches!(said.word, Word::Shows(_)) { &mut self.shown } else { &mut self.stated };
        history.hear(said);
        if !self.amended.is_empty() {
            self.rebuild();
        }
        let overtaken = failed
            && !self.is_amended(witness.identity)
            && self.shown.now().since.is_some_and(|since| witness.at < since);
        match self.turned(before, witness.at) {
            Turn::Nothing if overtaken && self.failing_since().is_none() => Turn::HadFailed(witness.at),
            turn => turn,
        }
    }

    /// Something earlier, or something still to come, should have been said otherwise or not at all.
    pub fn amend(&mut self, amendment: Held) -> Turn {
        let before = (self.failing_since(), self.is_retired());
        let at = amendment.at;
        if self.amended.iter().all(|known| known.identity() != amendment.identity()) {
            self.amended.push(amendment);
            if self.amended.len() > AMENDMENTS_KEPT {
                self.amended.remove(0);
            }
            self.rebuild();
        }
        self.turned(before, at)
    }

    /// Whether an amendment speaks in the place of this fact.
    pub fn is_amended(&self, identity: (Epoch, Seq)) -> bool {
        !self.amendments.is_empty() && self.amendments.speaks_for(identity)
    }

    /// Whether such a fact is kept here, so that what is taken back or corrected of it is seen to here.
    pub fn keeps(body: &Body) -> bool {
        Word::of(body).is_some()
    }

    /// Whether such a fact says something of the device at its moment: it was heard, or somebody says that it is down.
    pub const fn tells_of_its_moment(body: &Body) -> bool {
        match body {
            Body::Asserted(asserted) => matches!(asserted.claim, Claimed::Down),
            Body::Began { .. } | Body::Stretch(_) | Body::Error(_) | Body::Usage(_) | Body::Heartbeat(_) => true,
            _ => false,
        }
    }

    /// The greatest share of its life that a part has used, by the counters for which a rule knows a limit.
    pub fn life_used(&self, part: &str, limits: &BTreeMap<String, f64>) -> f64 {
        let of_part = self.readings.iter().filter(|(_, reading)| reading.part == part);
        let used = of_part
            .filter_map(|(counter, reading)| Some(reading.value_milli as f64 / (1_000.0 * limits.get(counter)?)));
        used.fold(0.0, f64::max)
    }

    /// Readings follow each other by the time they speak of; an earlier one says nothing of the present.
    fn read(&mut self, at: Timestamp, sample: &Sample) {
        if self.readings.get(&sample.counter).is_some_and(|known| at < known.at) {
            return;
        }
        let (part, value_milli) = (worn_part(sample).to_owned(), sample.value_milli);
        self.readings.insert(sample.counter.clone(), Reading { at, part, value_milli });
    }

    fn hear(&mut self, at: Timestamp) {
        self.heard_at = Some(self.heard_at.map_or(at, |heard| heard.max(at)));
    }

    /// Folds anew what stands of all that is kept. A correction counts at once: what it corrects is on its way at the latest.
    fn rebuild(&mut self) {
        let mut amendments = Amendments::default();
        self.amended.iter().for_each(|held| amendments.insert_from(held));
        amendments.trace(|_, _| true, |_| None);
        let (mut shown, mut stated) = (Vec::new(), Vec::new());
        for held in amendments.corrected() {
            let Some(word) = Word::of(&held.body) else { continue };
            let kept = if matches!(word, Word::Shows(_)) { &mut shown } else { &mut stated };
            let imported = self.told_by_import(held.identity());
            kept.push(Said { identity: held.identity(), at: held.at, imported, word });
        }
        self.shown.amend(&amendments, shown);
        self.stated.amend(&amendments, stated);
        self.amendments = amendments;
    }

    /// A correction mends what was said and not who said it.
    fn told_by_import(&self, identity: (Epoch, Seq)) -> bool {
        self.shown.said(identity).or_else(|| self.stated.said(identity)).is_some_and(|said| said.imported)
    }

    fn turned(&self, (before, was_retired): (Option<Timestamp>, bool), at: Timestamp) -> Turn {
        match (before, self.failing_since()) {
            _ if self.is_retired() && !was_retired => Turn::Retires,
            (None, Some(since)) => Turn::Fails(since),
            (Some(_), None) => Turn::Works(at),
            _ => Turn::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::human::{OrderClass, Phase, Registration};
    use medfleet_domain::order::{Ask, Request};

    use crate::rule::Rules;

    #[test]
    fn an_order_that_was_asked_for_and_granted_is_an_order() {
        let mut watch = Watch::new(&SiteId::new("st-mary").expect("a name"), DeviceKind::Ct, None);
        let registration = Registration {
            kind: DeviceKind::Ct,
            make: String::new(),
            model: String::new(),
            serial: "SN-1".into(),
            department: String::new(),
            room: String::new(),
            asset_number: None,
            in_service: None,
            acquisition_cost_cents: None,
            end_of_support: None,
            cost_centre: None,
            ownership: None,
        };
        let ask = |ask| Body::Requested(Box::new(Request { id: "r-1".into(), author: "kim".into(), ask }));
        let (order, now) = ("wo-1".to_owned(), Timestamp::from_seconds(1_000));
        let rules = Rules::embedded().expect("sound");
        let rule = rules.named("device-failed").expect("it is there");
        let mut seq = 0;
        let mut observe = |watch: &mut Watch, body: &Body| {
            seq += 1;
            watch.observe(Witness { identity: (Epoch(1), Seq(seq)), at: now, imported: false }, body);
        };
        let open = ask(Ask::OpenOrder { order: order.clone(), class: OrderClass::Corrective, text: String::new() });
        observe(&mut watch, &open);
        assert!(!watch.suppresses(rule, now, now), "refused: it is not registered");
        observe(&mut watch, &ask(Ask::Register(registration)));
        observe(&mut watch, &open);
        assert!(watch.suppresses(rule, now, now));
        observe(&mut watch, &ask(Ask::AdvanceOrder { order, phase: Phase::Closed, waiting_for: None }));
        assert!(!watch.suppresses(rule, now, now));
    }
}
