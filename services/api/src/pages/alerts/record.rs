//! What became of alerts of the same sort: how often they were right, and what fixed them. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use medfleet_domain::alert::life::Alert;
use medfleet_domain::kind::DeviceKind;

/// Alerts looked back upon.
pub const LOOKED_BACK_ON: usize = 20;

/// The last alerts of the same rule and kind of equipment before one, those of the same part first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    pub raised: usize,
    pub right: usize,
    pub wrong: usize,
}

/// All alerts by their sort, newest first: put in order once, and asked for each alert of a page.
pub struct Past<'a>(BTreeMap<(&'a str, DeviceKind), Vec<&'a Alert>>);

impl<'a> Past<'a> {
    pub fn of(all: &'a [Alert]) -> Self {
        let mut sorts: BTreeMap<_, Vec<&Alert>> = BTreeMap::new();
        for one in all {
            sorts.entry((one.about.rule.as_str(), one.about.kind)).or_default().push(one);
        }
        sorts.values_mut().for_each(|sort| sort.sort_by_key(|one| Reverse((one.raised_at, one.id))));
        Self(sorts)
    }

    /// Alerts of the same sort as this one that are older, newest first.
    pub fn similar<'b>(&'b self, of: &'b Alert) -> impl Iterator<Item = &'b Alert> {
        let sort = self.0.get(&(of.about.rule.as_str(), of.about.kind)).map_or(&[][..], Vec::as_slice);
        let newer = sort.partition_point(|one| one.raised_at > of.raised_at);
        sort[newer..].iter().copied().filter(|one| one.id != of.id)
    }
}

impl Record {
    pub fn of(past: &Past<'_>, of: &Alert) -> Self {
        let mut record = Self::default();
        let (same, other): (Vec<&Alert>, Vec<&Alert>) =
            past.similar(of).partition(|one| one.about.part == of.about.part);
        for one in same.into_iter().chain(other).take(LOOKED_BACK_ON) {
            record.raised += 1;
            match one.finding.as_ref().and_then(|finding| finding.was_right()) {
                Some(true) => record.right += 1,
                Some(false) => record.wrong += 1,
                None => {}
            }
        }
        record
    }

    /// How likely such an alert is right: the share of verdicts, drawn to one half where there are few (rule of succession).
    pub fn chance(&self) -> f64 {
        (self.right + 1) as f64 / (self.right + self.wrong + 2) as f64
    }

    /// `7 of the last 20 were right; 9 without a verdict`.
    pub fn words(&self) -> String {
        let silent = self.raised - self.right - self.wrong;
        match (self.raised, silent) {
            (0, _) => "This is the first of its sort".to_owned(),
            (raised, 0) => format!("{} of the last {raised} were right", self.right),
            (raised, silent) if silent == raised => format!("None of the last {raised} has a verdict yet"),
            (raised, silent) => format!("{} of the last {raised} were right; {silent} without a verdict", self.right),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use medfleet_domain::alert::{About, AlertId, Change, Finding, Urgency};
    use medfleet_domain::id::{SiteId, Subject, SubjectKind};
    use medfleet_domain::time::Timestamp;

    pub fn alert(id: u64) -> Alert {
        let about = About {
            rule: "device-failed".into(),
            subject: Subject::new(SubjectKind::Device, "ct-1").unwrap(),
            part: String::new(),
            site: SiteId::new("north").unwrap(),
            kind: DeviceKind::Ct,
            urgency: Urgency::Page,
        };
        let at = Timestamp::from_seconds(id as i64);
        let change = Change::Raised {
            about,
            began: at,
            late: false,
            fact: None,
            summary: "ct-1 has failed".into(),
            score: None,
        };
        Alert::begin(AlertId(id), &change, at).unwrap()
    }

    fn judged(id: u64, finding: Finding) -> Alert {
        Alert { finding: Some(finding), ..alert(id) }
    }

    #[test]
    fn only_older_alerts_of_the_same_sort_are_looked_back_on() {
        let mut other = judged(2, Finding::Confirmed);
        other.about.kind = DeviceKind::Mri;
        let all = [judged(1, Finding::WearReplaced), other, judged(3, Finding::NothingFound), alert(4), alert(9)];
        let record = Record::of(&Past::of(&all), &alert(5));
        assert_eq!(record, Record { raised: 3, right: 1, wrong: 1 });
        assert_eq!(record.words(), "1 of the last 3 were right; 1 without a verdict");
        assert_eq!(Record::of(&Past::of(&all), &alert(1)).words(), "This is the first of its sort");
    }

    #[test]
    fn of_the_same_part_are_looked_back_on_first() {
        let of_part = |id: u64, part: &str, finding| {
            let mut alert = judged(id, finding);
            alert.about.part = part.into();
            alert
        };
        let mut all: Vec<Alert> = (1..=20).map(|id| of_part(id, "tube", Finding::Confirmed)).collect();
        all.extend((21..=60).map(|id| of_part(id, "table", Finding::NothingFound)));
        let new = of_part(61, "tube", Finding::NotDone);
        assert_eq!(Record::of(&Past::of(&all), &new).words(), "20 of the last 20 were right");
    }

    #[test]
    fn twenty_are_looked_back_on_and_no_verdict_is_no_verdict() {
        let mut all: Vec<Alert> = (1..=30).map(alert).collect();
        all[0] = judged(1, Finding::Confirmed);
        assert_eq!(Record::of(&Past::of(&all), &alert(31)).words(), "None of the last 20 has a verdict yet");
        all[29] = judged(30, Finding::NotDone);
        assert_eq!(Record::of(&Past::of(&all), &alert(31)).right, 0);
        assert_eq!(Record::default().chance(), 0.5);
    }
}
