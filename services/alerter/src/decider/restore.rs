//! The start of a desk: its memory or the log's floor, the facts up to its last turn, and the topic of alerts over all.

use std::collections::BTreeMap;
use std::time::Instant;

use medfleet_alerts::book::Book;
use medfleet_alerts::desk::Desk;
use medfleet_alerts::rule::Rules;
use medfleet_domain::alert::AlertId;
use medfleet_domain::alert::record::{News, Record, Turn, Writer};
use medfleet_domain::contract::Pin;
use medfleet_log::{Partition, Position, read_to_end};

use super::{Decider, Lived, Mind, Reach, append, followed, now};
use crate::error::AlerterError;
use crate::memory;
use crate::topic::{self, Opened};

impl Decider {
    pub(super) async fn restore(&self) -> Result<Lived, AlerterError> {
        let started = Instant::now();
        let Opened { life, book, next } = topic::open(&*self.log, Writer::Desk).await?;
        let in_force = match book.rules() {
            Some(text) => Rules::read(text)?,
            None => self.rules()?,
        };
        let folder = self.config.memory_folder.as_deref();
        let kept = folder.and_then(|folder| memory::load(folder, &self.log.log_id().to_string()));
        let kept = kept.filter(|kept| kept.turns <= book.turns(kept.life));
        let (desk, from) = match kept {
            Some(mut kept) => {
                // A memory may be older than the rules in force; what their change ended stands in the topic.
                kept.desk.set_rules(in_force, now());
                (kept.desk, kept.read)
            }
            None => (Desk::new(in_force), Vec::new()),
        };
        let mut mind = Mind { desk, answered: answered(&book) };
        mind.desk.know_demotions(book.demotions());
        let places = self.catch_up(&mut mind, &from, book.read()).await?;
        let recorded = book.cases().map(|case| (case.alert.id, case.alert.clone())).collect();
        let differing = mind.desk.reconcile(recorded);
        self.meters.differing.inc_by(differing as u64);
        let (facts, own) = (self.log.tail(&places).await?, self.log.tail(&[next]).await?);
        let begun = Instant::now();
        let mut lived = Lived {
            id: life,
            turns: 0,
            mind,
            facts,
            own,
            reach: Reach::default(),
            ticked: begun,
            told: begun,
            remembered: begun,
        };
        self.renew_rules(&mut lived, book.rules()).await?;
        let (subjects, milliseconds) = (lived.mind.desk.watched(), started.elapsed().as_millis());
        tracing::info!(subjects, differing, milliseconds, "the desk is restored");
        Ok(lived)
    }

    /// Tells the desk what lies between its memory and its last turn. What it decides over that was decided then, and is in
    /// the topic. Answers where to go on.
    async fn catch_up(&self, mind: &mut Mind, from: &[Pin], until: &[Pin]) -> Result<Vec<Position>, AlerterError> {
        let mut places = Vec::new();
        for home in followed(&*self.log)? {
            let floor = self.log.bounds(home).await?.floor;
            let (start, end) = (offset(from, home).max(floor), offset(until, home));
            if offset(from, home) < floor {
                tracing::warn!(%home, floor, "the log was trimmed past the desk's memory: orders and plans told before are not known to it");
            }
            if start < end {
                read_to_end(&*self.log, home.at(start), |record| {
                    if record.offset >= end {
                        return Ok::<_, AlerterError>(false);
                    }
                    // What this brought about stands in the topic, as do the answers to requests.
                    self.hear(mind, home, &[record], &mut Turn::default())?;
                    Ok(true)
                })
                .await?;
            }
            places.push(home.at(start.max(end)));
        }
        Ok(places)
    }

    /// Puts the configured rules into the log where others are in force.
    async fn renew_rules(&self, lived: &mut Lived, in_force: Option<&str>) -> Result<(), AlerterError> {
        if in_force == Some(self.config.rules.as_str()) {
            return Ok(());
        }
        let (rules, at) = (self.rules()?, now());
        let steps = lived.mind.desk.set_rules(rules, at);
        let record = |news| Record { life: lived.id, at, news };
        let turn = Turn { steps, ..Turn::default() };
        let news = vec![record(News::Rules(self.config.rules.clone())), record(News::Turn(turn))];
        append(&*self.log, news).await?;
        lived.turns += 1;
        Ok(())
    }
}

fn answered(book: &Book) -> BTreeMap<AlertId, Vec<String>> {
    let of = |case: &medfleet_alerts::book::Case| {
        let requests: Vec<String> = case.answers.iter().map(|answer| answer.request.clone()).collect();
        (!requests.is_empty()).then_some((case.alert.id, requests))
    };
    book.cases().filter_map(of).collect()
}

fn offset(pins: &[Pin], home: Partition) -> u64 {
    let pin = pins.iter().find(|pin| pin.topic == home.topic.name() && pin.partition == home.partition);
    pin.map_or(0, |pin| pin.next_offset)
}
