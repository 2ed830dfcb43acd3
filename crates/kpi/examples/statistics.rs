//! Answers statistical questions line by line, so that tests can hold the answers against scipy's.
//!
//! `chi2 DF P`, `normal P`, `tails SHAPE X`, `rate EVENTS`, `limits EVENTS DISPERSION CONFIDENCE`,
//! `funnel EXPECTED DISPERSION CONFIDENCE`, `laplace TOTAL TIME…`, `survival MICROS:ENDED…`, `summary MICROS:ENDED…`,
//! `shape OBSERVED:EXPECTED…`, `count OBSERVED EXPECTED SHAPE LOW HIGH`, `spread LOG:VARIANCE…`,
//! `hours LOG VARIANCE SPREAD LOW HIGH`, `downtime SEED SITE:YEARS:HOURS…`, `failures SITE:YEARS:COUNT…`: each is answered
//! by one line of numbers. `inf` says that there is no shape or spread, `NaN` that there is no number.

use std::io::{BufRead as _, Write as _};

use medfleet_kpi::stats::cohort::Experience;
use medfleet_kpi::stats::compare::{Adjustment, Comparison};
use medfleet_kpi::stats::{compare, gamma, rate, shrink, survival, trend};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(line?.trim())?;
        let words: Vec<String> = answer.iter().map(|value| format!("{value:e}")).collect();
        writeln!(out, "{}", words.join(" "))?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let mut words = line.split_whitespace();
    let question = words.next().ok_or("an empty line")?;
    let rest: Vec<&str> = words.collect();
    let numbers = || rest.iter().map(|word| word.parse::<f64>()).collect::<Result<Vec<f64>, _>>();
    let pairs = || {
        let pair = |word: &&str| {
            let (one, other) = word.split_once(':').ok_or("a pair is written one:other")?;
            Ok::<_, Box<dyn std::error::Error>>((one.parse::<f64>()?, other.parse::<f64>()?))
        };
        rest.iter().map(pair).collect::<Result<Vec<(f64, f64)>, _>>()
    };
    Ok(match question {
        "chi2" => vec![gamma::chi_square_quantile(numbers()?[0], numbers()?[1])],
        "normal" => vec![gamma::normal_quantile(numbers()?[0])],
        "tails" => {
            let (lower, upper) = gamma::tails(numbers()?[0], numbers()?[1]);
            vec![lower, upper]
        }
        "rate" => {
            let (low, high) = rate::exact_limits(rest[0].parse()?, rate::CONFIDENCE);
            vec![low, high, rate::upper_limit(rest[0].parse()?, rate::CONFIDENCE)]
        }
        "limits" => {
            let (low, high) = rate::overdispersed_limits(numbers()?[0], numbers()?[1], numbers()?[2]);
            vec![low, high]
        }
        "funnel" => {
            let (low, high) = compare::funnel(numbers()?[0], numbers()?[1], numbers()?[2]);
            vec![low, high]
        }
        "laplace" => {
            let numbers = numbers()?;
            let trend = trend::laplace(&numbers[1..], numbers[0]).ok_or("no failures")?;
            vec![trend.u, trend.beta.unwrap_or(f64::NAN)]
        }
        "survival" => {
            survival::survival(&durations(pairs()?)).into_iter().flat_map(|(at, share)| [at as f64, share]).collect()
        }
        "summary" => {
            let of = survival::summary(&durations(pairs()?));
            let micros = |micros: Option<i64>| micros.map_or(f64::NAN, |micros| micros as f64);
            let mean = of.mean_micros.unwrap_or(f64::NAN);
            vec![of.count as f64, of.open as f64, micros(of.median_micros), micros(of.p90_micros), mean]
        }
        "shape" => vec![shrink::shape(&pairs()?).unwrap_or(f64::INFINITY)],
        "count" => {
            let [observed, expected, shape, low, high] = five(numbers()?)?;
            shrunk(shrink::count(observed, expected, Some(shape).filter(|shape| shape.is_finite()), (low, high)))
        }
        "spread" => {
            let log = |(value, variance)| shrink::Log { value, variance };
            let logs: Vec<shrink::Log> = pairs()?.into_iter().map(log).collect();
            vec![shrink::spread(&logs).unwrap_or(0.0)]
        }
        "hours" => {
            let [value, variance, spread, low, high] = five(numbers()?)?;
            let spread = Some(spread).filter(|spread| *spread > 0.0);
            shrunk(shrink::hours(shrink::Log { value, variance }, spread, (low, high)))
        }
        "downtime" => {
            let fleet = fleet(&rest[1..], |one, hours| one.down_hours = hours)?;
            let [unadjusted, ..] = compare::downtime(&fleet[..].into(), rest[0].parse()?);
            compared(&unadjusted)
        }
        "failures" => {
            let fleet = fleet(&rest, |one, failures| one.failures = failures)?;
            compared(&compare::failures(&fleet[..].into(), Adjustment::Nothing))
        }
        other => return Err(format!("`{other}` is no question").into()),
    })
}

fn durations(pairs: Vec<(f64, f64)>) -> Vec<survival::Duration> {
    let duration = |(micros, ended): (f64, f64)| survival::Duration { micros: micros as i64, ended: ended > 0.0 };
    pairs.into_iter().map(duration).collect()
}

fn five(numbers: Vec<f64>) -> Result<[f64; 5], Box<dyn std::error::Error>> {
    numbers.try_into().map_err(|_| "five numbers are asked for".into())
}

fn shrunk(of: shrink::Shrunk) -> Vec<f64> {
    vec![of.value, of.low, of.high]
}

/// Devices of one kind, each with what happened to it.
fn fleet(
    words: &[&str],
    happened: impl Fn(&mut Experience, f64),
) -> Result<Vec<Experience>, Box<dyn std::error::Error>> {
    let device = |word: &&str| {
        let parts: Vec<&str> = word.split(':').collect();
        let [site, years, what] = parts[..] else { return Err("a device is written site:years:what".into()) };
        let mut one = Experience {
            site: site.to_owned(),
            kind: "ct".to_owned(),
            make_model: String::new(),
            age: String::new(),
            service_years: years.parse()?,
            failures: 0.0,
            down_hours: 0.0,
        };
        happened(&mut one, what.parse()?);
        Ok(one)
    };
    words.iter().map(device).collect()
}

/// Shape and dispersion, then of each site by name: ratio, limits, both funnels, and what it is drawn to.
fn compared(of: &Comparison) -> Vec<f64> {
    let site = |one: &compare::SiteRatio| {
        let [(low, high), (lowest, highest)] = one.funnel;
        [one.ratio, one.low, one.high, low, high, lowest, highest, one.shrunk, one.shrunk_low, one.shrunk_high]
    };
    let head = [of.shape.unwrap_or(f64::INFINITY), of.dispersion];
    head.into_iter().chain(of.sites.iter().flat_map(site)).collect()
}
