//! What `train` and `backtest` are told.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use medfleet_risk::horizon::Horizon;
use medfleet_risk::voice::rules::Rules;

#[derive(Args)]
pub struct ScorerOptions {
    /// Where /metrics, /live and /ready answer.
    #[arg(long, default_value = "127.0.0.1:9104")]
    pub status_listen: SocketAddr,
}

#[derive(Args)]
pub struct TrainOptions {
    /// How far the model looks ahead.
    #[arg(long, value_enum, default_value = "any")]
    pub horizon: HorizonOption,
    /// The same past and seed make the same model to the byte.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A voice may speak for a sort of part from so many failures on; below, the rules do.
    #[arg(long, value_name = "FAILURES", default_value_t = 30)]
    pub failures_min: usize,
    #[command(flatten)]
    pub rules: RulesOption,
    /// Makes a model that the log tells of once more, from the past, the seed and the demands it was made from.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["horizon", "seed", "failures_min"])]
    pub again: Option<String>,
    /// Makes nothing, and takes a model back: its alerts lose their cause, and nobody asks it again.
    #[arg(long, value_name = "MODEL", requires = "because", conflicts_with_all = ["horizon", "seed", "failures_min", "again"])]
    pub withdraw: Option<String>,
    /// Why it is taken back.
    #[arg(long, value_name = "REASON", requires = "withdraw")]
    pub because: Option<String>,
    /// Who takes it back.
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub by: String,
}

#[derive(Args)]
pub struct BacktestOptions {
    /// How far the model looks ahead.
    #[arg(long, value_enum, default_value = "any")]
    pub horizon: HorizonOption,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A voice may speak for a sort of part from so many failures on; below, the rules do.
    #[arg(long, value_name = "FAILURES", default_value_t = 30)]
    pub failures_min: usize,
    #[command(flatten)]
    pub rules: RulesOption,
    /// Folder for the page and the JSON; `reports` in the data folder when absent.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct RulesOption {
    /// The first voice: rules on errors and life counters (TOML, docs/risk.md); those in the binary when absent.
    #[arg(long = "rules", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl RulesOption {
    pub fn read(&self) -> anyhow::Result<Rules> {
        let Some(file) = &self.file else { return Ok(Rules::embedded()?) };
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read the rules {}", file.display()))?;
        Rules::read(&text).with_context(|| format!("the rules in {} cannot be used", file.display()))
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum HorizonOption {
    #[value(name = "24h")]
    Day,
    #[value(name = "7d")]
    Week,
    /// Both, as far as the past is long enough.
    Any,
}

impl HorizonOption {
    pub fn horizons(self) -> Vec<Horizon> {
        match self {
            Self::Day => vec![Horizon::Day],
            Self::Week => vec![Horizon::Week],
            Self::Any => Horizon::ALL.to_vec(),
        }
    }

    pub const fn is_any(self) -> bool {
        matches!(self, Self::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_ones_own_replace_the_first_voice_and_a_flaw_in_them_is_named_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ours.toml");
        let read = |weight: f64| {
            let rule = format!(
                "[[rule]]\nname = 'tube'\nkind = 'ct'\ncolumn = 'part_errors_1d'\nat_least = 3\nweight = {weight}\nsays = 'three in a day'"
            );
            std::fs::write(&file, rule).unwrap();
            RulesOption { file: Some(file.clone()) }.read()
        };
        assert_ne!(read(0.5).unwrap(), Rules::embedded().unwrap());
        let refused = format!("{:#}", read(1.5).unwrap_err());
        assert!(refused.contains("ours.toml") && refused.contains("1.5"), "{refused}");
        std::fs::remove_file(&file).unwrap();
        let missing = RulesOption { file: Some(file.clone()) }.read().unwrap_err();
        assert!(format!("{missing:#}").contains("cannot read the rules"), "{missing:#}");
        assert_eq!(RulesOption { file: None }.read().unwrap(), Rules::embedded().unwrap());
    }
}
