//! What narrows the list of alerts, as it stands in the address.

use medfleet_domain::alert::Urgency;
use medfleet_domain::alert::life::Alert;
use serde::Deserialize;

use crate::problem::Problem;

/// Stands for alerts that nobody was given.
pub const NOBODY: &str = "none";
/// Stands for alerts that are with whoever asks.
pub const ME: &str = "me";

#[derive(Debug, Default, Deserialize)]
pub struct Narrow {
    site: Option<String>,
    kind: Option<String>,
    /// page, soon or inbox.
    urgency: Option<String>,
    /// open when nothing is said; ended, or all.
    show: Option<String>,
    /// A person's name, `none`, or `me`.
    assigned: Option<String>,
}

fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

impl Narrow {
    pub fn site(&self) -> Option<&str> {
        said(&self.site)
    }

    pub fn kind(&self) -> Option<&str> {
        said(&self.kind)
    }

    pub fn urgency(&self) -> Option<&str> {
        said(&self.urgency)
    }

    pub fn assigned(&self) -> Option<&str> {
        said(&self.assigned)
    }

    pub fn show(&self) -> &str {
        said(&self.show).unwrap_or("open")
    }

    pub fn check(&self) -> Result<(), Problem> {
        if !matches!(self.show(), "open" | "ended" | "all") {
            return Err(Problem::bad_value("show", self.show(), "use open, ended or all"));
        }
        match self.urgency() {
            Some(other) if Urgency::ALL.iter().all(|known| known.as_str() != other) => {
                Err(Problem::bad_value("urgency", other, "use page, soon or inbox"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is to be shown to this person, as far as the person is known.
    pub fn fits(&self, alert: &Alert, me: Option<&str>) -> bool {
        let is = |wanted: Option<&str>, value: &str| wanted.is_none_or(|wanted| wanted == value);
        let shown = match self.show() {
            "open" => alert.is_open(),
            "ended" => !alert.is_open(),
            _ => true,
        };
        let about = &alert.about;
        shown
            && is(self.site(), about.site.as_str())
            && is(self.kind(), about.kind.as_str())
            && is(self.urgency(), about.urgency.as_str())
            && match self.assigned() {
                Some(ME) => me.is_some() && holder(alert) == me,
                wanted => is(wanted, alert.assigned_to.as_deref().unwrap_or(NOBODY)),
            }
    }

    /// What it is narrowed to beside open or ended, and whose, in words; empty where it is not.
    pub fn words(&self, site: impl Fn(&str) -> String, kind: impl Fn(&str) -> String) -> String {
        let urgency = self.urgency().map(|urgency| match urgency {
            "page" => "now".to_owned(),
            other => other.to_owned(),
        });
        let with = self.assigned().filter(|one| ![NOBODY, ME].contains(one)).map(|one| format!("with {one}"));
        let all = [urgency, self.site().map(site), self.kind().map(kind), with];
        all.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// What links of the page carry on.
    pub fn filters(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("show", said(&self.show)),
            ("urgency", self.urgency()),
            ("site", self.site()),
            ("kind", self.kind()),
            ("assigned", self.assigned()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
    }
}

/// With whom it is: whom it was given to, else who took it.
fn holder(alert: &Alert) -> Option<&str> {
    alert.assigned_to.as_deref().or(alert.acknowledged_by.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::alerts::record::tests::alert;

    #[test]
    fn mine_is_what_i_was_given_or_took_and_nobody_gave_on() {
        let mine = Narrow { assigned: Some(ME.to_owned()), ..Narrow::default() };
        let of = |given: Option<&str>, took: Option<&str>| Alert {
            assigned_to: given.map(str::to_owned),
            acknowledged_by: took.map(str::to_owned),
            ..alert(1)
        };
        let (given, took, lost, free) =
            (of(Some("kim"), Some("lee")), of(None, Some("kim")), of(Some("lee"), Some("kim")), of(None, None));
        assert_eq!([&given, &took, &lost, &free].map(|one| mine.fits(one, Some("kim"))), [true, true, false, false]);
        assert_eq!([&given, &free].map(|one| mine.fits(one, None)), [false, false], "nobody asks");
    }

    #[test]
    fn open_alerts_are_shown_unless_others_are_asked_for() {
        let mut ended = alert(1);
        ended.withdrawn = true;
        let shows = |show: &str| {
            let narrow = Narrow { show: Some(show.to_owned()), ..Narrow::default() };
            (narrow.fits(&alert(2), None), narrow.fits(&ended, None))
        };
        assert_eq!((shows(""), shows("ended"), shows("all")), ((true, false), (false, true), (true, true)));
        let none = Narrow { assigned: Some(NOBODY.to_owned()), ..Narrow::default() };
        let lee = Narrow { assigned: Some("lee".to_owned()), ..Narrow::default() };
        assert_eq!((none.fits(&alert(2), None), lee.fits(&alert(2), None)), (true, false));
        assert!(Narrow { urgency: Some("panic".into()), ..Narrow::default() }.check().is_err());
    }
}
