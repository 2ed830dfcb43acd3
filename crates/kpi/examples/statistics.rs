//! Answers statistical questions line by line, so that tests can hold the answers against scipy's.
//!
//! `chi2 DF P`, `normal P`, `tails SHAPE X`, `rate EVENTS`, `laplace TOTAL TIME…`, `survival MICROS:ENDED…`,
//! `shape OBSERVED:EXPECTED…`: each is answered by one line of numbers.

use std::io::{BufRead as _, Write as _};

use medfleet_kpi::stats::{compare, gamma, rate, survival, trend};

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
        "laplace" => {
            let numbers = numbers()?;
            let trend = trend::laplace(&numbers[1..], numbers[0]).ok_or("no failures")?;
            vec![trend.u, trend.beta.unwrap_or(f64::NAN)]
        }
        "survival" => {
            let duration =
                |(micros, ended): (f64, f64)| survival::Duration { micros: micros as i64, ended: ended > 0.0 };
            let durations: Vec<survival::Duration> = pairs()?.into_iter().map(duration).collect();
            survival::survival(&durations).into_iter().flat_map(|(at, share)| [at as f64, share]).collect()
        }
        "shape" => vec![compare::shape(&pairs()?).unwrap_or(f64::INFINITY)],
        other => return Err(format!("`{other}` is no question").into()),
    })
}
