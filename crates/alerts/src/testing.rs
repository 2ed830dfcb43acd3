//! An alert for tests: a page about a CT of St Mary that failed at noon.

use medfleet_domain::alert::life::Alert;
use medfleet_domain::alert::{About, AlertId, Change, Urgency};
use medfleet_domain::id::{Cause, SiteId, Subject, SubjectKind};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;

const NOON: Timestamp = Timestamp::from_seconds(43_200);

pub fn raised() -> Alert {
    let subject = Subject::new(SubjectKind::Device, "ct-1").expect("a name");
    let about = About {
        rule: "device-failed".into(),
        subject: subject.clone(),
        part: String::new(),
        site: SiteId::new("st-mary").expect("a name"),
        kind: DeviceKind::Ct,
        urgency: Urgency::Page,
    };
    let id = AlertId::of("device-failed", &subject, "", Cause { partition: 1, offset: 7 });
    let change =
        Change::Raised { about, began: NOON, late: false, fact: None, summary: "CT failed".into(), score: None };
    Alert::begin(id, &change, NOON).expect("a raise begins a life")
}
