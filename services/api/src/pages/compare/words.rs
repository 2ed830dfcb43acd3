//! What a comparison says, in words, and what it leaves open. Pure.

use medfleet_kpi::comparison::{By, ComparedSite};

use crate::pages::format::decimal;

/// Below so many of all sites together there is nothing to compare.
const OBSERVED_ENOUGH: f64 = 10.0;

/// A site against the limits of one of its size that is like the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub class: &'static str,
    pub mark: &'static str,
    pub words: &'static str,
}

const FEW: Standing = Standing { class: "well", mark: "▼", words: "fewer, beyond 99.8 %" };
const FEWER: Standing = Standing { class: "good", mark: "▽", words: "fewer, beyond 95 %" };
pub const LIKE: Standing = Standing { class: "like", mark: "●", words: "like the fleet" };
const UNSEEN: Standing = Standing { class: "like", mark: "◌", words: "fewer seen, and too much unseen to tell" };
const MORE: Standing = Standing { class: "more", mark: "△", words: "more, beyond 95 %" };
const MOST: Standing = Standing { class: "most", mark: "▲", words: "more, beyond 99.8 %" };

impl Standing {
    /// More than the limits allow is more however much nobody saw. Fewer is fewer only if it would be, had the time that nobody saw
    /// brought what it brings elsewhere.
    pub fn of(one: &ComparedSite) -> Self {
        let [(low, high), (lowest, highest)] = one.ratio.funnel;
        let seen = one.ratio.ratio;
        let at_most = seen + one.unseen;
        match (seen, at_most) {
            (seen, _) if seen > highest => MOST,
            (seen, _) if seen > high => MORE,
            (_, at_most) if at_most < lowest => FEW,
            (_, at_most) if at_most < low => FEWER,
            (seen, _) if seen < low => UNSEEN,
            _ => LIKE,
        }
    }
}

/// What may be concluded, the weightiest first.
pub fn verdict(sites: &[&ComparedSite], by: By, name: &impl Fn(&str) -> String) -> Vec<String> {
    let what = match by {
        By::Failures => "failures",
        By::Downtime => "hours down",
    };
    if sites.len() < 2 {
        return vec!["There are not two sites with devices in service: nothing can be compared.".to_owned()];
    }
    let observed: f64 = sites.iter().map(|one| one.ratio.observed).sum();
    if by == By::Failures && observed < OBSERVED_ENOUGH {
        return vec![format!("{observed} failures in all: too few to compare sites. Ask for a longer period.")];
    }
    let told = |one: &&&ComparedSite| {
        let (observed, expected) = (decimal(one.ratio.observed, 0), decimal(one.ratio.expected, 1));
        format!("{} ({observed} against {expected} expected)", name(&one.ratio.site))
    };
    let of = |standing: Standing| -> Vec<String> {
        sites.iter().filter(|one| Standing::of(one) == standing).map(|one| told(&one)).collect()
    };
    let mut said = Vec::new();
    let mut say = |sites: Vec<String>, words: String| {
        if !sites.is_empty() {
            said.push(format!("{words}: {}.", sites.join(", ")));
        }
    };
    say(of(MOST), format!("More {what} than its equipment explains, beyond chance (99.8 %)"));
    say(of(FEW), format!("Fewer {what} than its equipment explains, beyond chance (99.8 %)"));
    say(
        of(UNSEEN),
        format!(
            "Fewer {what} seen than the equipment explains, but the time that nobody saw may hold as many: look at the coverage first"
        ),
    );
    let between = [of(MORE), of(FEWER)].concat();
    say(
        between,
        "Between the 95 % and the 99.8 % limit, where one site in twenty lies by chance: look, do not conclude".into(),
    );
    if said.is_empty() {
        said.push("No site lies outside the limits: they differ no more than chance explains.".to_owned());
    }
    let ties = sites.iter().map(|one| one.place.tie).max().unwrap_or(0);
    said.push(match ties {
        1 => "No ranking is given: the intervals of all sites overlap.".to_owned(),
        ties => format!("{ties} groups can be told apart; within a group there is no order."),
    });
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_kpi::comparison::Seen;
    use medfleet_kpi::stats::compare::{Adjustment, SiteRatio};
    use medfleet_kpi::stats::ranking::Place;

    fn site(name: &str, ratio: f64, tie: usize) -> ComparedSite {
        let of = SiteRatio {
            site: name.into(),
            devices: 10,
            service_years: 3.0,
            observed: ratio * 20.0,
            expected: 20.0,
            ratio,
            low: ratio * 0.8,
            high: ratio * 1.2,
            funnel: [(0.6, 1.5), (0.4, 1.8)],
            shrunk: ratio,
            shrunk_low: ratio,
            shrunk_high: ratio,
        };
        let place = Place { best: 1, worst: 2, tie };
        ComparedSite {
            adjustment: Adjustment::Kind,
            ratio: of,
            place,
            sites: 2,
            seen: Seen::default(),
            unseen: 0.0,
            dispersion: 1.0,
            shape: None,
        }
    }

    #[test]
    fn a_site_beyond_the_limits_is_named_with_its_numbers_and_one_between_them_is_not_judged() {
        let sites = [site("north", 2.0, 2), site("south", 1.0, 1), site("west", 1.6, 2)];
        let said = verdict(&sites.iter().collect::<Vec<_>>(), By::Failures, &|site| site.to_owned());
        assert!(said[0].ends_with("north (40 against 20.0 expected)."), "{said:?}");
        assert!(said[1].contains("do not conclude: west") && said[2].starts_with("2 groups"), "{said:?}");
    }

    /// A site whose agents were dark for most of the month was once praised for it.
    #[test]
    fn few_failures_seen_in_the_little_time_that_was_seen_are_no_praise() {
        let dark = ComparedSite { unseen: 0.6, ..site("north", 0.3, 1) };
        let sites = [dark, site("south", 1.0, 1), site("west", 0.3, 1)];
        let said = verdict(&sites.iter().collect::<Vec<_>>(), By::Failures, &|site| site.to_owned());
        assert!(said[0].starts_with("Fewer failures than") && said[0].contains("west") && !said[0].contains("north"));
        assert!(said[1].starts_with("Fewer failures seen") && said[1].contains("north"), "{said:?}");
        let many = ComparedSite { unseen: 0.6, ..site("north", 2.0, 1) };
        assert_eq!(Standing::of(&many), MOST, "what was not seen makes no failures undone");
    }

    #[test]
    fn what_cannot_be_told_apart_is_said_to_be_so() {
        let sites = [site("north", 1.1, 1), site("south", 1.0, 1)];
        let said = verdict(&sites.iter().collect::<Vec<_>>(), By::Downtime, &|site| site.to_owned());
        assert!(said[0].starts_with("No site lies outside") && said[1].starts_with("No ranking"), "{said:?}");
        assert!(verdict(&[&sites[0]], By::Failures, &|site| site.to_owned())[0].contains("nothing can be compared"));
    }
}
