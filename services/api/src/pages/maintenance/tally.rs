//! Planned maintenance counted by risk class and site. Pure.

use std::collections::BTreeMap;

use medfleet_kpi::ask::{PmState, PmWork};
use medfleet_kpi::table::{Cell, Figure};

/// What happens to a patient when equipment of this class fails; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    LifeSupport,
    High,
    Medium,
    Low,
    NotClassed,
}

impl Class {
    pub const ALL: [Self; 5] = [Self::LifeSupport, Self::High, Self::Medium, Self::Low, Self::NotClassed];

    pub fn of(work: &PmWork) -> Self {
        Self::ALL.into_iter().find(|one| one.word() == work.risk_class).unwrap_or(Self::NotClassed)
    }

    /// As the view writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::LifeSupport => "life_support",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::NotClassed => "not_classed",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::LifeSupport => "Life support",
            Self::High => "High risk",
            Self::Medium => "Medium risk",
            Self::Low => "Low risk",
            Self::NotClassed => "Not classed",
        }
    }

    pub const fn means(self) -> &'static str {
        match self {
            Self::LifeSupport => "a patient may die when it fails",
            Self::High => "a patient may be harmed when it fails",
            Self::Medium => "care is delayed or repeated",
            Self::Low => "an inconvenience",
            Self::NotClassed => "nobody has said",
        }
    }

    /// All of it has to be done in time.
    pub const fn must_be_whole(self) -> bool {
        matches!(self, Self::LifeSupport | Self::High)
    }
}

/// Work of one class, at one site or, where that is empty, at all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tallied {
    pub class: Class,
    pub site: String,
    pub on_time: i64,
    pub late: i64,
    pub overdue: i64,
    /// Due before the period and not done when it began: apart from those due in it.
    pub carried: i64,
    /// Of these, not done yet.
    pub carried_open: i64,
    /// Due later in the period than the cut reaches.
    pub not_due: i64,
}

impl Tallied {
    const fn nothing(class: Class) -> Self {
        Self { class, site: String::new(), on_time: 0, late: 0, overdue: 0, carried: 0, carried_open: 0, not_due: 0 }
    }

    pub const fn due(&self) -> i64 {
        self.on_time + self.late + self.overdue
    }

    /// None where nothing was due.
    pub fn on_time_share(&self) -> Option<f64> {
        (self.due() > 0).then(|| self.on_time as f64 / self.due() as f64)
    }

    /// As scorecards count: what was carried into the period is no part of the share.
    fn count(&mut self, work: &PmWork) {
        if work.carried {
            self.carried += 1;
            self.carried_open += i64::from(work.state == PmState::Overdue);
            return;
        }
        match work.state {
            PmState::OnTime => self.on_time += 1,
            PmState::Late => self.late += 1,
            PmState::Overdue => self.overdue += 1,
            PmState::NotDue => self.not_due += 1,
        }
    }
}

pub fn by_class(work: &[PmWork]) -> Vec<Tallied> {
    tallied(work, |_| String::new())
}

pub fn by_class_and_site(work: &[PmWork]) -> Vec<Tallied> {
    tallied(work, |one| one.site.clone())
}

fn tallied(work: &[PmWork], site: impl Fn(&PmWork) -> String) -> Vec<Tallied> {
    let mut found: BTreeMap<(Class, String), Tallied> = BTreeMap::new();
    for one in work {
        let (class, site) = (Class::of(one), site(one));
        let empty = Tallied { site: site.clone(), ..Tallied::nothing(class) };
        found.entry((class, site)).or_insert(empty).count(one);
    }
    found.into_values().collect()
}

/// The columns of the file.
pub fn figures() -> Vec<Figure<Tallied>> {
    fn figure(
        name: &'static str,
        unit: &'static str,
        meaning: &'static str,
        of: fn(&Tallied) -> Cell,
    ) -> Figure<Tallied> {
        Figure { name, unit, meaning, of }
    }
    vec![
        figure("risk_class", "text", "life_support, high, medium, low or not_classed", |one| {
            Cell::text(one.class.word())
        }),
        figure("site", "text", "the site", |one| Cell::text(&one.site)),
        figure("due", "count", "due in the period", |one| Cell::Whole(one.due())),
        figure("on_time", "count", "of these, done before the end of their window", |one| Cell::Whole(one.on_time)),
        figure("late", "count", "of these, done after it", |one| Cell::Whole(one.late)),
        figure("overdue", "count", "of these, not done yet", |one| Cell::Whole(one.overdue)),
        figure("carried", "count", "due before the period and not done when it began; no part of the share", |one| {
            Cell::Whole(one.carried)
        }),
        figure("carried_open", "count", "of the carried, not done yet", |one| Cell::Whole(one.carried_open)),
        figure("not_due", "count", "due later in the period than the cut reaches", |one| Cell::Whole(one.not_due)),
        figure("on_time_share", "ratio", "on time ÷ due", |one| Cell::number(one.on_time_share())),
    ]
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::Timestamp;

    use super::*;

    fn work(class: &str, site: &str, state: PmState, carried: bool) -> PmWork {
        PmWork {
            device: "d".into(),
            site: site.into(),
            kind: "ct".into(),
            risk_class: class.into(),
            procedure: String::new(),
            work_order: None,
            due: Timestamp(0),
            done: None,
            reason: None,
            carried,
            state,
        }
    }

    #[test]
    fn what_is_not_due_yet_or_was_carried_over_is_in_neither_part_of_the_ratio() {
        let all = [
            work("high", "north", PmState::OnTime, false),
            work("high", "south", PmState::Overdue, true),
            work("high", "south", PmState::Late, true),
            work("high", "south", PmState::Overdue, false),
            work("high", "south", PmState::NotDue, false),
            work("low", "south", PmState::NotDue, false),
        ];
        let [high, low] = &by_class(&all)[..] else { panic!("two classes") };
        assert_eq!((high.due(), high.carried, high.carried_open, high.not_due), (2, 2, 1, 1));
        assert_eq!(high.on_time_share(), Some(0.5));
        assert_eq!((low.due(), low.on_time_share()), (0, None));
        let shares: Vec<Option<f64>> = by_class_and_site(&all).iter().map(Tallied::on_time_share).collect();
        assert_eq!(shares, [Some(1.0), Some(0.0), None]);
    }

    #[test]
    fn a_class_of_another_version_is_not_classed_and_the_gravest_come_first() {
        let all = [work("unheard_of", "n", PmState::Late, false), work("life_support", "n", PmState::Late, false)];
        assert_eq!(
            by_class(&all).iter().map(|one| one.class).collect::<Vec<_>>(),
            [Class::LifeSupport, Class::NotClassed]
        );
    }
}
