//! The first voice: rules on code families and life counters, data that a technician can read and correct.

use medfleet_domain::kind::DeviceKind;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::column::Column;
use crate::frame::{Frame, Group};

/// The rules that travel in the binary.
const EMBEDDED: &str = include_str!("../../rules/rules.toml");

/// One rule: if the column reaches the limit, the part is at risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    /// Every kind when left out.
    pub kind: Option<String>,
    /// Every part when left out.
    pub component: Option<String>,
    pub column: String,
    pub at_least: f64,
    /// How alarming it is, between 0 and 1; calibration turns it into a probability.
    pub weight: f64,
    /// What the technician reads.
    pub says: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rule: Vec<Rule>,
}

/// Rules that were checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    rules: Vec<(Column, Rule)>,
}

impl Rules {
    pub fn embedded() -> Result<Self, Error> {
        Self::read(EMBEDDED)
    }

    pub fn read(text: &str) -> Result<Self, Error> {
        let file: RuleFile = toml::from_str(text).map_err(|source| Error::RulesUnreadable(Box::new(source)))?;
        let rules = file.rule.into_iter().map(checked).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// The most alarming rule that holds for this row.
    pub fn strongest(&self, frame: &Frame, row: usize) -> Option<&Rule> {
        let group = frame.group(row);
        let holds =
            |(column, rule): &&(Column, Rule)| applies(rule, group) && frame.value(row, *column) >= rule.at_least;
        let held = self.rules.iter().filter(holds).map(|(_, rule)| rule);
        held.max_by(|a, b| a.weight.total_cmp(&b.weight))
    }

    pub fn score(&self, frame: &Frame, row: usize) -> f64 {
        self.strongest(frame, row).map_or(0.0, |rule| rule.weight)
    }
}

fn applies(rule: &Rule, group: &Group) -> bool {
    let kind = rule.kind.as_deref().is_none_or(|kind| kind == group.kind.as_str());
    kind && rule.component.as_deref().is_none_or(|component| component == &*group.component)
}

fn checked(rule: Rule) -> Result<(Column, Rule), Error> {
    let Some(column) = Column::parse(&rule.column) else {
        let known = Column::ALL.map(Column::as_str).join(", ");
        return Err(Error::UnknownColumn { rule: rule.name, column: rule.column, known });
    };
    if !(rule.weight > 0.0 && rule.weight < 1.0) {
        return Err(Error::Weight { rule: rule.name, weight: rule.weight });
    }
    if let Some(kind) = &rule.kind {
        DeviceKind::parse(kind).map_err(|source| Error::UnknownKind { rule: rule.name.clone(), source })?;
    }
    Ok((column, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rules_are_sound() {
        assert!(Rules::embedded().expect("embedded rules can be read").rules.len() > 5);
    }

    #[test]
    fn a_wrong_rule_is_refused_with_the_cure() {
        let rule = |column: &str, weight: f64, kind: &str| {
            let text = format!(
                "[[rule]]\nname = 'r'\nkind = '{kind}'\ncolumn = '{column}'\nat_least = 1\nweight = {weight}\nsays = ''"
            );
            Rules::read(&text).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(rule("part_errors_1d", 0.5, "ct"), Ok(()));
        assert!(rule("errors_tomorrow", 0.5, "ct").is_err_and(|said| said.contains("part_errors_1d")));
        assert!(rule("part_errors_1d", 1.5, "ct").is_err_and(|said| said.contains("1.5")));
        assert!(rule("part_errors_1d", 0.5, "toaster").is_err());
    }
}
