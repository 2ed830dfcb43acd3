//! The data files that travel inside the binary, read and checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_domain::kind::DeviceKind;

use super::{Kind, check};
use crate::error::Error;

pub const FLEET_FILE: (&str, &str) = ("fleet.toml", include_str!("../../catalogue/fleet.toml"));

macro_rules! kind_files {
    ($($name:literal)*) => {
        [$((concat!("kinds/", $name, ".toml"), include_str!(concat!("../../catalogue/kinds/", $name, ".toml"))),)*]
    };
}

const KIND_FILES: [(&str, &str); 15] = kind_files! {
    "surgical_robot" "vr_ai" "anesthesia" "defibrillator" "ct" "mri" "xray" "injector" "ultrasound"
    "patient_monitor" "infusion_pump" "fetal_monitor" "ventilator" "sterilizer" "laser"
};

/// All kinds, checked: every name a file mentions is defined in it.
#[derive(Debug, Clone)]
pub struct Catalogue {
    kinds: BTreeMap<DeviceKind, Arc<Kind>>,
}

impl Catalogue {
    pub fn embedded() -> Result<Self, Error> {
        Self::from_files(&KIND_FILES)
    }

    /// Reads `(file name, text)` pairs. Every kind must come exactly once.
    pub fn from_files(files: &[(&str, &str)]) -> Result<Self, Error> {
        let mut kinds = BTreeMap::new();
        for (file, text) in files {
            let kind: Kind = toml::from_str(text).map_err(|source| Error::unreadable(file, source))?;
            check::kind(&kind).map_err(|flaw| Error::flawed(file, flaw))?;
            if kinds.insert(kind.kind, Arc::new(kind)).is_some() {
                return Err(Error::flawed(file, "its kind is described by another file too: keep one".into()));
            }
        }
        Ok(Self { kinds })
    }

    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    pub fn kind(&self, kind: DeviceKind) -> Option<&Arc<Kind>> {
        self.kinds.get(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_domain_is_described() {
        let catalogue = Catalogue::embedded().expect("embedded files are sound");
        for kind in DeviceKind::CATALOGUE {
            let described = catalogue.kind(kind).unwrap_or_else(|| panic!("{} has no file", kind.as_str()));
            assert!(described.models.len() >= 2, "{} needs two models", kind.as_str());
        }
    }

    #[test]
    fn every_kind_fails_by_wear_and_by_chance() {
        use super::super::Failure;
        for kind in Catalogue::embedded().expect("embedded files are sound").kinds() {
            let wears = kind.components.iter().any(|part| matches!(part.failure, Failure::Weibull { .. }));
            let chance = kind.components.iter().any(|part| matches!(part.failure, Failure::Exponential { .. }));
            assert!(wears && chance, "{}: wear {wears}, chance {chance}", kind.title);
        }
    }

    #[test]
    fn imaging_and_lasers_keep_the_makers_schedule() {
        let catalogue = Catalogue::embedded().expect("embedded files are sound");
        for one in catalogue.kinds() {
            assert_eq!(one.aem_eligible, !one.kind.keeps_makers_schedule(), "{}", one.kind.as_str());
        }
    }

    #[test]
    fn a_flaw_names_the_file_and_the_value() {
        let text = KIND_FILES[4].1.replacen("repair = \"tube\"", "repair = \"tub\"", 1);
        let error = Catalogue::from_files(&[("kinds/ct.toml", &text)]).expect_err("no such repair");
        let said = error.to_string();
        assert!(said.contains("kinds/ct.toml") && said.contains("`tub`"), "{said}");
    }
}
