//! `medfleet rules`: checks alert rules, and runs them on the stories of a file of trials.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use medfleet_alerts::rule::Rules;
use medfleet_alerts::trial::{self, Outcome};

use crate::cli::{RulesAction, RulesOptions};

pub fn run(options: &RulesOptions) -> anyhow::Result<()> {
    let rules = match &options.rules {
        Some(file) => Rules::read(&read(file)?).with_context(|| format!("cannot use the rules {}", file.display()))?,
        None => Rules::embedded()?,
    };
    match &options.action {
        RulesAction::Show => show(&rules),
        RulesAction::Test { trials } => test(&rules, trials)?,
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn show(rules: &Rules) {
    for rule in rules.iter() {
        println!("{:20} {:?}, {:?}: {}", rule.name, rule.when, rule.urgency, rule.says);
    }
}

/// Prints what came of each trial, and ends with an error if any did not go as expected.
fn test(rules: &Rules, trials: &Path) -> anyhow::Result<()> {
    let outcomes = trial::run(rules, &read(trials)?).with_context(|| format!("cannot run {}", trials.display()))?;
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    outcomes.iter().for_each(print);
    anyhow::ensure!(failed == 0, "{failed} of {} trials did not go as expected", outcomes.len());
    println!("all {} trials went as expected", outcomes.len());
    Ok(())
}

fn print(outcome: &Outcome) {
    println!("{}  {}", if outcome.passed() { "ok    " } else { "FAILED" }, outcome.name);
    if outcome.passed() {
        return;
    }
    let missing = outcome.expected.iter().filter(|line| !outcome.seen.contains(line));
    missing.for_each(|line| println!("        expected, and did not happen: {line}"));
    let surplus = outcome.seen.iter().filter(|line| !outcome.expected.contains(line));
    surplus.for_each(|line| println!("        happened, and was not expected: {line}"));
    let differs = outcome.expected.iter().zip(&outcome.seen).find(|(expected, seen)| expected != seen);
    if let Some((expected, seen)) = differs.filter(|_| outcome.expected.len() == outcome.seen.len()) {
        println!("        first in another order: expected {expected}, and {seen} happened");
    }
}
