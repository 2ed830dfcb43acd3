//! The embedded rules do what their stories say.

use medfleet_alerts::rule::Rules;
use medfleet_alerts::trial;

const TRIALS: &str = include_str!("../rules/trials.yaml");

#[test]
fn the_embedded_rules_pass_their_trials() {
    let outcomes = trial::run(&Rules::embedded().expect("sound"), TRIALS).expect("the trials can be read");
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(outcomes.len() > 10);
}

#[test]
fn a_trial_that_expects_something_else_fails() {
    let planted = TRIALS.replacen("09:12 device-failed ct-1 raised", "09:13 device-failed ct-1 raised", 1);
    let outcomes = trial::run(&Rules::embedded().expect("sound"), &planted).expect("the trials can be read");
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.passed()).count(), 1);
}
