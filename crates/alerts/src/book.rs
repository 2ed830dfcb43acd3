//! The book: all alerts and messages as the topic of alerts tells them, for whoever reads it and decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::record::{Answer, Demotion, Life, News, Record, Turn, Writer};
use medfleet_domain::alert::{AlertId, Change, Ending, Step};
use medfleet_domain::contract::Pin;
use medfleet_domain::time::Timestamp;

use crate::delivery::Outbox;
use crate::incident::Incident;
use crate::past::is_forgotten;

/// Answers remembered for each alert: a request that comes again among them is answered and not decided again.
pub const ANSWERS_KEPT: usize = 256;

/// One alert and how it came to be what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub alert: Alert,
    /// In the order of the log.
    pub steps: Vec<Step>,
    pub answers: VecDeque<Answer>,
}

impl Case {
    /// What became of a request.
    pub fn answer(&self, request: &str) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.request == request)
    }
}

/// What a record brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Its writer's life is over: it counts for nothing.
    Void,
    Opened(Writer, Life),
    /// Alerts to which something happened, each once.
    Alerts(Vec<AlertId>),
    /// Something about a message, or about rules.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    lives: BTreeMap<u8, Life>,
    /// Turns that count, by the desk's life.
    turns: BTreeMap<Life, u64>,
    rules: Option<String>,
    read: Vec<Pin>,
    cases: BTreeMap<AlertId, Case>,
    /// Which alerts ever became part of one.
    parts: BTreeMap<AlertId, BTreeSet<AlertId>>,
    outbox: Outbox,
    demotions: Vec<Demotion>,
    void_records: u64,
    /// When it last looked for what is to be forgotten, and how many alerts it has forgotten.
    looked_at: Option<Timestamp>,
    forgotten: u64,
}

impl Book {
    /// Takes one record in. Never judges: it has already happened.
    pub fn hear(&mut self, record: &Record) -> Heard {
        self.forget(record.at);
        let writer = record.news.writer();
        if let News::Opened(_) = record.news {
            self.lives.insert(place(writer), record.life);
            if writer == Writer::Sender {
                self.outbox.cut_off();
            }
            return Heard::Opened(writer, record.life);
        }
        if self.lives.get(&place(writer)) != Some(&record.life) {
            self.void_records += 1;
            return Heard::Void;
        }
        match &record.news {
            News::Turn(turn) => {
                *self.turns.entry(record.life).or_default() += 1;
                return Heard::Alerts(self.turn(turn));
            }
            News::Rules(yaml) => self.rules = Some(yaml.clone()),
            News::Intended(intent) => self.outbox.intended(intent.clone(), record.at),
            News::Attempted(message) => self.outbox.attempted(*message, record.at),
            News::Ended { message, outcome } => self.outbox.ended(*message, outcome, record.at),
            News::Opened(_) => {}
        }
        Heard::Other
    }

    /// Once a day, drops alerts that have been over for too long, with their messages.
    fn forget(&mut self, now: Timestamp) {
        if self.looked_at.is_some_and(|looked| looked.day() >= now.day()) {
            return;
        }
        self.looked_at = Some(now);
        let gone: Vec<AlertId> =
            self.cases.values().filter(|case| is_forgotten(&case.alert, now)).map(|case| case.alert.id).collect();
        for id in &gone {
            self.cases.remove(id);
            self.parts.remove(id);
            self.outbox.forget(*id);
        }
        self.forgotten += gone.len() as u64;
    }

    fn turn(&mut self, turn: &Turn) -> Vec<AlertId> {
        let mut touched = Vec::new();
        for step in &turn.steps {
            self.step(step);
            touched.push(step.alert);
        }
        for answer in &turn.answers {
            let Some(case) = self.cases.get_mut(&answer.alert) else { continue };
            case.answers.push_back(answer.clone());
            if case.answers.len() > ANSWERS_KEPT {
                case.answers.pop_front();
            }
            touched.push(answer.alert);
        }
        self.demotions.extend(turn.demotions.iter().cloned());
        if !turn.read.is_empty() {
            self.read = turn.read.clone();
        }
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    fn step(&mut self, step: &Step) {
        if let Change::Resolved { because: Ending::PartOf(whole) } = step.change {
            self.parts.entry(whole).or_default().insert(step.alert);
        }
        match self.cases.get_mut(&step.alert) {
            Some(case) => {
                case.alert.evolve(&step.change, step.at);
                case.steps.push(step.clone());
            }
            None => {
                if let Some(alert) = Alert::begin(step.alert, &step.change, step.at) {
                    let case = Case { alert, steps: vec![step.clone()], answers: VecDeque::new() };
                    self.cases.insert(step.alert, case);
                }
            }
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> Option<&str> {
        self.rules.as_deref()
    }

    /// How many turns of a desk's life count.
    pub fn turns(&self, life: Life) -> u64 {
        self.turns.get(&life).copied().unwrap_or(0)
    }

    /// Voices that went beyond their budget, in the order of the log.
    pub fn demotions(&self) -> &[Demotion] {
        &self.demotions
    }

    /// How far the desk has read the log.
    pub fn read(&self) -> &[Pin] {
        &self.read
    }

    pub fn case(&self, id: AlertId) -> Option<&Case> {
        self.cases.get(&id)
    }

    /// Alerts of the same subject that are part of this one.
    pub fn parts(&self, whole: &Alert) -> impl Iterator<Item = &Case> {
        let (id, subject) = (whole.id, whole.about.subject.clone());
        let cases = self.parts.get(&id).into_iter().flatten().filter_map(|part| self.case(*part));
        cases.filter(move |case| case.alert.whole() == Some(id) && case.alert.about.subject == subject)
    }

    pub fn incident<'a>(&'a self, alert: &'a Alert) -> Incident<'a> {
        let parts = self.parts(alert).map(|case| &case.alert).collect();
        let whole = alert.whole().and_then(|whole| self.case(whole)).map(|case| &case.alert);
        Incident { alert, parts, whole: whole.filter(|whole| whole.about.subject == alert.about.subject) }
    }

    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values()
    }

    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Alerts that were over for too long to be remembered.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Records of lives that another had followed.
    pub fn void_records(&self) -> u64 {
        self.void_records
    }
}

const fn place(writer: Writer) -> u8 {
    match writer {
        Writer::Desk => 0,
        Writer::Sender => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::raised;
    use medfleet_domain::alert::{Change, Ending};
    use medfleet_domain::time::MICROS_PER_DAY;

    const NOW: Timestamp = Timestamp::from_seconds(50_000);

    fn says(life: u64, news: News) -> Record {
        Record { life: Life(life), at: NOW, news }
    }

    fn raise() -> Turn {
        let alert = raised();
        let change = Change::Raised {
            about: alert.about.clone(),
            began: alert.began,
            late: false,
            fact: None,
            summary: alert.summary.clone(),
            score: None,
        };
        Turn { steps: vec![Step { alert: alert.id, at: alert.raised_at, change }], ..Turn::default() }
    }

    fn acknowledge() -> Turn {
        let change = Change::Acknowledged { by: "kim".into() };
        let answer = Answer { alert: raised().id, request: "r-1".into(), refused: None };
        Turn { steps: vec![Step { alert: raised().id, at: NOW, change }], answers: vec![answer], ..Turn::default() }
    }

    #[test]
    fn a_life_is_told_by_its_steps_and_its_answers() {
        let mut book = Book::default();
        book.hear(&says(1, News::Opened(Writer::Desk)));
        assert_eq!(book.hear(&says(1, News::Turn(raise()))), Heard::Alerts(vec![raised().id]));
        book.hear(&says(1, News::Turn(acknowledge())));
        let case = book.case(raised().id).expect("it was raised");
        assert_eq!(case.alert.acknowledged_by.as_deref(), Some("kim"));
        assert_eq!((case.steps.len(), case.answer("r-1").is_some(), case.answer("r-2")), (2, true, None));
    }

    #[test]
    fn what_has_been_over_for_180_days_is_forgotten_and_counted_and_what_is_open_stays() {
        let later = |days: i64, news| Record { at: NOW.plus_micros(days * MICROS_PER_DAY), ..says(1, news) };
        let over = |days: i64| {
            let mut book = Book::default();
            book.hear(&says(1, News::Opened(Writer::Desk)));
            book.hear(&says(1, News::Turn(raise())));
            let because = Ending::Over { at: NOW };
            let step = Step { alert: raised().id, at: NOW, change: Change::Resolved { because } };
            book.hear(&says(1, News::Turn(Turn { steps: vec![step], ..Turn::default() })));
            book.hear(&later(days, News::Turn(Turn::default())));
            (book.cases().count(), book.forgotten())
        };
        assert_eq!((over(180), over(181)), ((1, 0), (0, 1)));
        let mut book = Book::default();
        book.hear(&says(1, News::Opened(Writer::Desk)));
        book.hear(&says(1, News::Turn(raise())));
        book.hear(&later(1_000, News::Turn(Turn::default())));
        assert_eq!(book.cases().count(), 1, "it is open");
    }

    #[test]
    fn turns_that_count_are_counted_by_life() {
        let mut book = Book::default();
        book.hear(&says(1, News::Opened(Writer::Desk)));
        book.hear(&says(1, News::Turn(raise())));
        book.hear(&says(2, News::Opened(Writer::Desk)));
        book.hear(&says(1, News::Turn(raise())));
        assert_eq!((book.turns(Life(1)), book.turns(Life(2))), (1, 0), "the second of the first life is void");
    }

    #[test]
    fn what_a_life_says_after_another_has_opened_counts_for_nothing() {
        let mut book = Book::default();
        assert_eq!(book.hear(&says(1, News::Turn(raise()))), Heard::Void, "nobody has opened");
        book.hear(&says(1, News::Opened(Writer::Desk)));
        book.hear(&says(2, News::Opened(Writer::Desk)));
        assert_eq!(book.hear(&says(1, News::Turn(raise()))), Heard::Void);
        assert_eq!(book.hear(&says(2, News::Turn(raise()))), Heard::Alerts(vec![raised().id]));
        book.hear(&says(3, News::Opened(Writer::Sender)));
        assert_eq!(book.hear(&says(2, News::Turn(acknowledge()))), Heard::Alerts(vec![raised().id]), "another writer");
        assert_eq!(book.void_records(), 2);
    }
}
