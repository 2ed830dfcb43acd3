//! A simulated fleet is learned from and scored: live as in a batch, and the same from the same past.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use medfleet_domain::fact::{Fact, Sealed};
use medfleet_domain::id::{DeviceId, SiteId, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::{Day, MICROS_PER_DAY, Timestamp};
use medfleet_risk::gate::Demands;
use medfleet_risk::horizon::Horizon;
use medfleet_risk::voice::rules::Rules;
use medfleet_scorer::features::{LifeLimits, SILENTLY};
use medfleet_scorer::gather::Gatherer;
use medfleet_scorer::learn::{Course, Learned, learn};
use medfleet_scorer::models::Models;
use medfleet_scorer::scoring::{DeviceScore, score};
use medfleet_simulator::catalogue::Catalogue;
use medfleet_simulator::fleet::Fleet;
use medfleet_simulator::history::History;
use medfleet_simulator::plan::Plan;

const DAYS: i64 = 60;

struct Told {
    start: Timestamp,
    facts: Vec<(DeviceId, SiteId, DeviceKind, Fact)>,
}

/// The past of the demo fleet.
fn told() -> Told {
    let fleet = Fleet::embedded().expect("the demo fleet");
    let start = Day::from_civil(2026, 1, 1).start();
    let plan = Plan::draw(&fleet, &Catalogue::embedded().expect("the catalogue"), 3, start).expect("a plan");
    let unsealed = |fact: Fact| Sealed { fact, bytes: Vec::new() };
    let mut history = History::new(plan, start.plus_micros(DAYS * MICROS_PER_DAY), unsealed);
    let mut facts = Vec::new();
    while let Some(day) = history.next_day() {
        for run in day.facts.iter().filter(|run| run.subject.kind == SubjectKind::Device) {
            let device = DeviceId::new(run.subject.name()).expect("a device");
            let one = |sealed: &Sealed| (device.clone(), run.site.clone(), run.kind, sealed.fact.clone());
            facts.extend(run.facts.iter().map(one));
        }
    }
    Told { start, facts }
}

impl Told {
    fn day(&self, day: i64) -> Timestamp {
        self.start.plus_micros(day * MICROS_PER_DAY)
    }

    /// Everything that was known at an instant.
    fn known(&self, at: Timestamp) -> Gatherer {
        let mut gatherer = Gatherer::default();
        for (device, site, kind, fact) in self.facts.iter().filter(|(.., fact)| fact.known_at <= at) {
            gatherer.tell(device, site, *kind, fact);
        }
        gatherer.settle();
        gatherer
    }

    async fn learned(&self) -> Learned {
        let limits = LifeLimits::new();
        let course = Course {
            horizon: Horizon::Day,
            seed: 5,
            limits: &limits,
            rules: Rules::embedded().expect("the rules"),
            reported: false,
            demands: Demands { failures_min: 3, devices_min: 2, draws: 20, doubt_max: 0.5 },
            done: SILENTLY,
        };
        learn(&self.known(self.day(DAYS)), &SessionContext::new(), course).await.expect("learned")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_scored_live_as_it_is_in_a_batch_and_a_model_is_made_twice_to_the_byte() {
    let told = told();
    let Learned { model, .. } = told.learned().await;
    assert_eq!(model.version().unwrap(), told.learned().await.model.version().unwrap(), "same past, same seed");

    let folder = tempfile::tempdir().unwrap();
    let models = Models::new(folder.path());
    let version = models.keep(&model).unwrap();
    let read = Arc::new(models.read(&version).unwrap());
    std::fs::write(models.file(&version), model.to_json().unwrap().replacen("\"seed\":5", "\"seed\":6", 1)).unwrap();
    assert!(models.read(&version).err().expect("other words").to_string().contains("remove it"));

    let (session, limits, model) = (SessionContext::new(), LifeLimits::new(), Arc::new(model));
    let instants: Vec<Timestamp> = [50, 53, 59].map(|day| told.day(day)).to_vec();
    let whole = told.known(told.day(DAYS));
    let batch = score(&session, &whole, &model, &limits, &instants).await.unwrap();
    assert_eq!(batch, score(&session, &whole, &read, &limits, &instants).await.unwrap(), "a model read back");
    let mut compared = 0;
    for at in instants {
        let live = score(&session, &told.known(at), &model, &limits, &[at]).await.unwrap();
        let of_day: Vec<&DeviceScore> = batch.iter().filter(|score| score.at == at).collect();
        for (one, other) in
            live.iter().filter_map(|one| Some((one, *of_day.iter().find(|other| other.device == one.device)?)))
        {
            assert_eq!(one, other);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} scores are in both");
    assert!(batch.iter().any(|score| !score.grounds.is_empty()), "some score has grounds");
    let first = &batch[0];
    let fact = first.scored("run", &version, 24);
    assert!(fact.check().is_ok() && fact.component == *first.component);
}
