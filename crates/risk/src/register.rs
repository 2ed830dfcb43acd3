//! The register: what the topic of risk tells, in its order. Whoever reads the topic takes its records in here.

use std::collections::BTreeMap;

use medfleet_domain::risk::{ModelTrained, ModelWithdrawn, RiskNews, RiskRecord, ScoringBegun};
use medfleet_domain::time::Timestamp;

#[derive(Debug, Default)]
pub struct Register {
    models: Vec<(Timestamp, ModelTrained)>,
    runs: Vec<(Timestamp, ScoringBegun)>,
    /// By model, the first word that took it back.
    withdrawn: BTreeMap<String, (Timestamp, ModelWithdrawn)>,
}

impl Register {
    pub fn take(&mut self, RiskRecord { at, news }: RiskRecord) {
        match news {
            RiskNews::Trained(trained) => self.models.push((at, trained)),
            RiskNews::Scoring(begun) => self.runs.push((at, begun)),
            RiskNews::Withdrawn(taken) => {
                self.withdrawn.entry(taken.model.clone()).or_insert((at, taken));
            }
        }
    }

    /// All models, oldest first, with when each was told.
    pub fn models(&self) -> impl DoubleEndedIterator<Item = &(Timestamp, ModelTrained)> {
        self.models.iter()
    }

    /// The same, to keep.
    pub fn into_models(self) -> Vec<(Timestamp, ModelTrained)> {
        self.models
    }

    /// The model that speaks for a horizon: the newest that nobody has withdrawn.
    pub fn newest(&self, horizon_hours: u32) -> Option<&ModelTrained> {
        let speaks =
            |model: &&ModelTrained| model.horizon_hours == horizon_hours && self.withdrawal(&model.model).is_none();
        self.models.iter().rev().map(|(_, model)| model).find(speaks)
    }

    /// When a model was first taken back, by whom and why.
    pub fn withdrawal(&self, model: &str) -> Option<&(Timestamp, ModelWithdrawn)> {
        self.withdrawn.get(model)
    }

    /// The latest run for a horizon, with when it was told.
    pub fn last_run(&self, horizon_hours: u32) -> Option<&(Timestamp, ScoringBegun)> {
        self.runs.iter().rev().find(|(_, run)| run.horizon_hours == horizon_hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::time::{Day, Span};

    fn told(at: i64, news: RiskNews) -> RiskRecord {
        RiskRecord { at: Timestamp(at), news }
    }

    fn trained(model: &str, horizon_hours: u32) -> RiskNews {
        let period = Span { from: Day(0).start(), until: Day(1).start() };
        let (model, pins, report) = (model.to_owned(), Vec::new(), String::new());
        RiskNews::Trained(ModelTrained { model, horizon_hours, seed: 1, cut: 1, pins, period, report })
    }

    fn withdrawn(model: &str, reason: &str) -> RiskNews {
        RiskNews::Withdrawn(ModelWithdrawn { model: model.into(), by: "kim".into(), reason: reason.into() })
    }

    #[test]
    fn the_newest_of_a_horizon_speaks_that_nobody_took_back_and_the_first_word_that_does_counts() {
        let mut register = Register::default();
        let news =
            [trained("a", 24), trained("b", 168), trained("c", 168), withdrawn("c", "leaky"), withdrawn("c", "again")];
        (0..).zip(news).for_each(|(at, news)| register.take(told(at, news)));
        let newest = |hours| register.newest(hours).map(|model| &*model.model);
        assert_eq!((newest(24), newest(168), newest(1)), (Some("a"), Some("b"), None));
        let (at, taken) = register.withdrawal("c").expect("taken back");
        assert_eq!((*at, &*taken.reason), (Timestamp(3), "leaky"));
        assert_eq!(register.models().map(|(_, model)| &*model.model).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
