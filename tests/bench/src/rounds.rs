//! Turns: product, control, product, control … in one process, so that both meet the same machine.

use std::fmt::Display;
use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

pub const ROUNDS: usize = 5;
/// `/proc/self/stat` counts in these, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one turn took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    pub seconds: f64,
    /// Of all threads of this process.
    pub core_seconds: f64,
}

impl std::ops::Add for Took {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { seconds: self.seconds + other.seconds, core_seconds: self.core_seconds + other.core_seconds }
    }
}

/// The turns of one job.
#[derive(Debug, Default)]
pub struct Turns {
    pub product: Vec<Took>,
    pub control: Vec<Took>,
}

/// A stopwatch of the wall and of this process's cores.
pub struct Watch {
    began: Instant,
    core_seconds: f64,
}

impl Watch {
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self { began: Instant::now(), core_seconds: core_seconds()? })
    }

    pub fn stop(self) -> anyhow::Result<Took> {
        Ok(Took { seconds: self.began.elapsed().as_secs_f64(), core_seconds: core_seconds()? - self.core_seconds })
    }
}

fn core_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program comes second, in parentheses, and may hold spaces.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>());
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

impl Turns {
    /// One line for measure.py: rates of every turn, in the order they were taken.
    pub fn print(&self, job: &str, shape: impl Display, units: u64, unit: &str, beside: Value) {
        let rates = |turns: &[Took]| turns.iter().map(|took| units as f64 / took.seconds).collect::<Vec<_>>();
        let per_core = |turns: &[Took]| turns.iter().map(|took| units as f64 / took.core_seconds).collect::<Vec<_>>();
        let line = json!({
            "job": job,
            "shape": shape.to_string(),
            "unit": unit,
            "product": rates(&self.product),
            "control": rates(&self.control),
            "product_per_core": per_core(&self.product),
            "control_per_core": per_core(&self.control),
            "beside": beside,
        });
        println!("{line}");
    }
}
