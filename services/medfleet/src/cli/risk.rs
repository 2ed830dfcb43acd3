//! What `train` and `backtest` are told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use medfleet_risk::horizon::Horizon;

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
    /// Folder for the page and the JSON; `reports` in the data folder when absent.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
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
