//! Scores through the log: an alert of a part, a voice that goes beyond its budget, a model that is withdrawn, whatever is killed.

use medfleet_alerts::book::Book;
use medfleet_domain::alert::{Finding, Wish};
use medfleet_domain::fact::Body;
use medfleet_domain::id::{Subject, SubjectKind};
use medfleet_domain::risk::{ModelWithdrawn, RiskNews, RiskRecord, Scored, View};
use medfleet_domain::time::Timestamp;
use medfleet_log::{NewRecord, Topic};
use medfleet_runtime::now_micros;

use crate::house::House;

fn device(nth: usize) -> Subject {
    Subject::new(SubjectKind::Device, &format!("ct-{nth}")).unwrap()
}

/// The trees see a failure coming, the rules do not.
fn scored(model: &str) -> Body {
    let view = |voice: &str, ppm| View { voice: voice.into(), ppm };
    Body::Scored(Box::new(Scored {
        run: format!("today/{model}"),
        model: model.into(),
        horizon_hours: 168,
        risk_ppm: 910_000,
        component: "tube".into(),
        component_ppm: 900_000,
        voice: "trees".into(),
        grounds: Vec::new(),
        views: vec![view("rules", 10_000), view("hazard", 20_000), view("trees", 900_000)],
    }))
}

async fn withdraw(house: &House, model: &str) {
    let news = RiskNews::Withdrawn(ModelWithdrawn { model: model.into(), by: "kim".into(), reason: "leaky".into() });
    let value = medfleet_wire::encode_risk_record(&RiskRecord { at: Timestamp(now_micros()), news }).into();
    house.log.append(vec![NewRecord { topic: Topic::RISK, key: b"risk".as_slice().into(), value }]).await.unwrap();
}

fn open(book: &Book) -> usize {
    book.cases().filter(|case| case.alert.is_open()).count()
}

#[tokio::test]
async fn a_voice_beyond_its_budget_is_heard_no_more_by_any_later_life() {
    let house = House::open().await;
    let desk = house.quick_desk();
    for nth in 0..5 {
        house.say(device(nth), 0, scored("m-1")).await;
    }
    let book = house.book_when("five alerts", |book| book.cases().count() == 5).await;
    let first = &book.cases().next().unwrap().alert;
    let score = first.score.as_ref().unwrap();
    assert_eq!((&*first.about.part, &*score.voice, score.ppm), ("tube", "trees", 900_000));
    let ids: Vec<_> = book.cases().map(|case| case.alert.id).collect();
    for (nth, id) in ids.iter().take(4).enumerate() {
        let wish = Wish::Judge { finding: Finding::NothingFound };
        house.ask(&format!("r-{nth}"), *id, wish).await;
    }
    let book = house.book_when("the end of a voice", |book| !book.demotions().is_empty()).await;
    let demotion = &book.demotions()[0];
    assert_eq!((&*demotion.voice, &*demotion.technician, demotion.false_alerts), ("trees", "kim", 4));
    assert_eq!(open(&book), 0, "what it had raised has lost its cause: {book:#?}");
    desk.kill().await;
    std::fs::remove_dir_all(house.folder.path().join("alerter")).ok();
    let desk = house.quick_desk();
    house.say(device(7), 0, scored("m-1")).await;
    house.say(device(8), 0, scored("m-2")).await;
    let book = house.book_when("an alert of the other model", |book| open(book) == 1).await;
    desk.stop().await;
    assert_eq!(book.cases().count(), 6, "the hazard speaks of ct-7, and has nothing to say");
    assert_eq!(book.demotions().len(), 1);
}

#[tokio::test]
async fn a_model_that_is_withdrawn_is_heard_no_more() {
    let house = House::open().await;
    let desk = house.quick_desk();
    house.say(device(1), 0, scored("m-1")).await;
    house.book_when("the alert", |book| open(book) == 1).await;
    withdraw(&house, "m-1").await;
    house.book_when("its end", |book| book.cases().all(|case| case.alert.withdrawn)).await;
    desk.kill().await;
    let desk = house.quick_desk();
    house.say(device(2), 0, scored("m-1")).await;
    house.say(device(3), 0, scored("m-2")).await;
    let book = house.book_when("the alert of another model", |book| open(book) == 1).await;
    desk.stop().await;
    assert_eq!(book.cases().count(), 2);
}
