//! The first voice: rules on code families and life counters, data that a technician can read and correct.

use medfleet_domain::kind::DeviceKind;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::column::{Column, FamilyColumn};
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
    /// The family of errors that `column` counts, whatever part they were told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    pub column: String,
    pub at_least: f64,
    /// How alarming it is, between 0 and 1; calibration turns it into a probability.
    pub weight: f64,
    /// What the technician reads.
    pub says: String,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Measure {
    Part(Column),
    /// Of the family that the rule names.
    Family(FamilyColumn),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rule: Vec<Rule>,
}

/// Rules that were checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    rules: Vec<(Measure, Rule)>,
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

    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// The most alarming rule that holds for this row, and what it counted.
    pub fn strongest(&self, frame: &Frame, row: usize) -> Option<(&Rule, f64)> {
        let group = frame.group(row);
        let own = self.rules.iter().filter(|(_, rule)| applies(rule, group));
        let counted = own.map(|(measure, rule)| (rule, counted(*measure, rule, frame, row)));
        let held = counted.filter(|(rule, counted)| *counted >= rule.at_least);
        held.max_by(|(one, _), (other, _)| one.weight.total_cmp(&other.weight))
    }

    pub fn score(&self, frame: &Frame, row: usize) -> f64 {
        self.strongest(frame, row).map_or(0.0, |(rule, _)| rule.weight)
    }
}

fn applies(rule: &Rule, group: &Group) -> bool {
    let kind = rule.kind.as_deref().is_none_or(|kind| kind == group.kind.as_str());
    kind && rule.component.as_deref().is_none_or(|component| component == &*group.component)
}

fn counted(measure: Measure, rule: &Rule, frame: &Frame, row: usize) -> f64 {
    match (measure, &rule.family) {
        (Measure::Part(column), _) => frame.value(row, column),
        (Measure::Family(column), Some(family)) => frame.family_value(row, family, column),
        (Measure::Family(_), None) => f64::NAN,
    }
}

fn measured(rule: &Rule) -> Result<Measure, Error> {
    let (of_part, of_family) = (Column::parse(&rule.column), FamilyColumn::parse(&rule.column));
    let (name, column) = (rule.name.clone(), rule.column.clone());
    match (&rule.family, of_part, of_family) {
        (None, Some(of_part), _) => Ok(Measure::Part(of_part)),
        (Some(_), _, Some(of_family)) => Ok(Measure::Family(of_family)),
        (None, None, Some(_)) => Err(Error::NoFamily { rule: name, column }),
        (None, None, None) => {
            Err(Error::UnknownColumn { rule: name, column, known: Column::ALL.map(Column::as_str).join(", ") })
        }
        (Some(family), _, None) => Err(Error::NoFamilyColumn {
            rule: name,
            family: family.clone(),
            column,
            known: FamilyColumn::ALL.map(FamilyColumn::as_str).join(", "),
        }),
    }
}

fn checked(rule: Rule) -> Result<(Measure, Rule), Error> {
    let measure = measured(&rule)?;
    if !(rule.weight > 0.0 && rule.weight < 1.0) {
        return Err(Error::Weight { rule: rule.name, weight: rule.weight });
    }
    if let Some(kind) = &rule.kind {
        DeviceKind::parse(kind).map_err(|source| Error::UnknownKind { rule: rule.name.clone(), source })?;
    }
    Ok((measure, rule))
}

#[cfg(test)]
mod tests {
    use medfleet_domain::time::Timestamp;

    use super::*;
    use crate::fate::Fate;
    use crate::frame::{FamilyErrors, Row};

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
        assert!(rule("family_errors_1d", 0.5, "ct").is_err_and(|said| said.contains("say `family`")));
        assert_eq!(rule("family_errors_1d'\nfamily = 'tube_arc", 0.5, "ct"), Ok(()));
        let of_no_family = rule("part_errors_1d'\nfamily = 'tube_arc", 0.5, "ct");
        assert!(of_no_family.is_err_and(|said| said.contains("`tube_arc`") && said.contains("family_errors_7d")));
    }

    #[test]
    fn a_rule_counts_a_family_by_name_and_says_how_many_it_counted() {
        let text = "[[rule]]\nname = 'arcs'\nkind = 'ct'\ncomponent = 'tube'\nfamily = 'tube_arc'\n\
                    column = 'family_errors_7d'\nat_least = 4\nweight = 0.5\nsays = 'arcs'";
        let rules = Rules::read(text).expect("a sound rule");
        let group =
            |component: &str| Group { kind: DeviceKind::Ct, make_model: "made up".into(), component: component.into() };
        let mut frame = Frame::new(vec![group("tube"), group("table")]);
        let told = |family: &str, last_week: u32| {
            let mut counts = [0; FamilyColumn::COUNT];
            counts[FamilyColumn::FamilyErrors7d.index()] = last_week;
            FamilyErrors { family: family.into(), counts }
        };
        let unknown = Fate { failed_after: None, watched_for: 0 };
        let row = |group| Row { device: 0, group, at: Timestamp(0), fate: unknown, weight: 1.0 };
        let none = [f64::NAN; Column::COUNT];
        let rows = [
            (0, vec![told("cooling", 9), told("tube_arc", 4)]),
            (0, vec![told("cooling", 9), told("tube_arc", 3)]),
            (0, vec![]),
            (1, vec![told("tube_arc", 9)]),
        ];
        for (group, families) in rows {
            frame.push_telling(row(group), &none, families).expect("a row");
        }
        let counted = |row| rules.strongest(&frame, row).map(|(rule, counted)| (rule.name.as_str(), counted));
        assert_eq!([0, 1, 2, 3].map(counted), [Some(("arcs", 4.0)), None, None, None]);
        let kept = serde_json::to_string(&rules).expect("rules are words");
        assert_eq!(serde_json::from_str::<Rules>(&kept).expect("and back"), rules);
    }

    #[test]
    fn rules_of_models_that_knew_no_families_are_read_as_they_were_written() {
        let written = r#"{"rules":[["part_errors1d",{"name":"r","kind":null,"component":null,"column":"part_errors_1d","at_least":3.0,"weight":0.7,"says":"s"}]]}"#;
        let read: Rules = serde_json::from_str(written).expect("as models once said");
        assert_eq!(serde_json::to_string(&read).expect("and again"), written, "or its model would have another name");
    }
}
