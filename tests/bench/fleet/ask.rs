//! Users at the api: each asks one question after the other over HTTP, with filters and periods drawn by seeded chance.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use medfleet_api::operator::{Quarantine, Redriven};
use medfleet_api::{Accepted, ApiConfig, HumanDoor, Refused, Service};
use medfleet_domain::fact::Run;
use medfleet_domain::time::Day;
use medfleet_lake::Lake;
use medfleet_log::Profile;
use medfleet_log::embedded::{EmbeddedConfig, EmbeddedLog};
use medfleet_log::topics::street;
use medfleet_runtime::{Health, Metrics, Shutdown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::grow::FIRST;

/// Nobody states anything here.
struct Closed;

fn closed<T>() -> Result<T, Refused> {
    Err(Refused::NotNow("this is a measurement".to_owned()))
}

#[async_trait]
impl HumanDoor for Closed {
    async fn submit(&self, _: Run) -> Result<Accepted, Refused> {
        closed()
    }
    async fn quarantine(&self, _: usize) -> Result<Quarantine, Refused> {
        closed()
    }
    async fn redrive(&self, _: u32, _: u64) -> Result<Redriven, Refused> {
        closed()
    }
}

pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub const fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A period in days: from, until. A third presets up to the end, a third calendar months, a third any days.
pub fn period(dice: &mut Dice, days: i32) -> (Option<u64>, Day, Day) {
    let end = FIRST.0 + days;
    match dice.roll(3) {
        0 => {
            let preset = [7, 30, 90, 365, 395][dice.roll(5) as usize];
            (Some(preset), Day(end - preset as i32), Day(end))
        }
        1 => {
            let months = (days / 31).max(1) as u64;
            let first = dice.roll(months) as u32;
            let length = 1 + dice.roll(u64::from(months as u32 - first).min(12)) as u32;
            (None, month(first), Day(month(first + length).0.min(end)))
        }
        _ => {
            let from = FIRST.0 + dice.roll(days as u64 - 1) as i32;
            (None, Day(from), Day(from + 1 + dice.roll((end - from - 1) as u64 + 1) as i32))
        }
    }
}

fn month(number: u32) -> Day {
    let (year, month, _) = FIRST.civil();
    let at = month - 1 + number;
    Day::from_civil(year + (at / 12) as i32, at % 12 + 1, 1)
}

/// What to ask, and the class it is counted in.
fn question(dice: &mut Dice, sites: u64, days: i32) -> (&'static str, String) {
    let (preset, from, until) = period(dice, days);
    let mut query = match preset {
        Some(days) => format!("days={days}"),
        None => format!("from={from}&until={until}"),
    };
    let as_of = dice.roll(5) == 0;
    if as_of {
        let lowest = if preset.is_some() { FIRST.0 + 30 } else { from.0 + 1 };
        let day = Day(lowest + dice.roll((FIRST.0 + days - lowest).max(1) as u64) as i32);
        // One in four is asked at some hour of the day.
        let hour = if dice.roll(4) == 0 { dice.roll(24) } else { 0 };
        query += &if hour == 0 { format!("&as_of={day}") } else { format!("&as_of={day}T{hour:02}:00:00Z") };
    }
    let site = dice.roll(sites);
    let kind = ["ct", "mri", "infusion_pump", "ventilator", "xray"][dice.roll(5) as usize];
    let narrowed = if dice.roll(3) == 0 { format!("&kind={kind}") } else { String::new() };
    let adjust = ["nothing", "kind", "kind_model", "kind_model_age"][dice.roll(4) as usize];
    let (class, path) = match dice.roll(13) {
        0..4 => ("fleet page", format!("/?{query}")),
        4..6 => ("site page", format!("/sites/site-{site:02}?{query}")),
        6 => ("site page", format!("/sites/site-{site:02}?{query}&kind={kind}")),
        7 => ("uptime by site", format!("/api/v1/uptime?{query}&group=site&kind={kind}")),
        8 => ("uptime by kind", format!("/api/v1/uptime?{query}&group=kind&site=site-{site:02}")),
        9 => ("comparison", format!("/compare?{query}&adjust={adjust}{narrowed}")),
        10 => ("comparison", format!("/compare?{query}&adjust={adjust}{narrowed}&site=site-{site:02}")),
        11 => ("comparison by hours", format!("/compare?{query}&adjust={adjust}{narrowed}&by=downtime")),
        _ => ("uptime by site and kind", format!("/api/v1/uptime?{query}")),
    };
    (if as_of { as_of_class(class) } else { class }, path)
}

fn as_of_class(class: &str) -> &'static str {
    match class {
        "fleet page" => "fleet page, as_of",
        "site page" => "site page, as_of",
        "comparison" => "comparison, as_of",
        "comparison by hours" => "comparison by hours, as_of",
        _ => "uptime, as_of",
    }
}

/// The api over a lake, serving.
struct Served {
    address: SocketAddr,
    token: String,
    serving: JoinHandle<Result<(), medfleet_api::ApiError>>,
    shutdown: Shutdown,
    _log: tempfile::TempDir,
}

async fn serve(folder: &Path) -> anyhow::Result<Served> {
    let log_folder = tempfile::tempdir()?;
    let log = EmbeddedLog::open(EmbeddedConfig::new(log_folder.path().to_owned()), &street(Profile::Dev)?).await?;
    let config = ApiConfig {
        listen: "127.0.0.1:0".parse()?,
        token_file: log_folder.path().join("login.token"),
        ..ApiConfig::default()
    };
    let lake = Lake::open_local(folder).await?;
    let shutdown = Shutdown::new();
    let (metrics, health) = (Metrics::new()?, Health::new());
    let service = Service::new(config, lake, Arc::new(log), Arc::new(Closed), metrics, health, shutdown.clone())?;
    let token = service.login_link().split_once("token=").context("a login link has a token")?.1.to_owned();
    let started = Instant::now();
    service.advance().await?;
    println!("first cut with all sums after {:.1} s", started.elapsed().as_secs_f64());
    let bound = service.bind().await?;
    let address = bound.address();
    let serving = tokio::spawn(bound.serve());
    Ok(Served { address, token, serving, shutdown, _log: log_folder })
}

/// Asks pages one after the other, each three times, and says how long each took.
pub async fn time(folder: &Path, paths: &[String]) -> anyhow::Result<()> {
    let Served { address, token, serving, shutdown, _log } = serve(folder).await?;
    for path in paths.iter().flat_map(|path| [path; 3]) {
        let started = Instant::now();
        let answer = get(address, &token, path, "identity").await?;
        println!("{:8.1} ms, {} bytes: {path}", started.elapsed().as_secs_f64() * 1_000.0, answer.len());
    }
    shutdown.request();
    Ok(serving.await??)
}

/// Users at one api, who go on where they were.
pub struct Users {
    served: Served,
    sites: u64,
    days: i32,
    dice: Vec<Dice>,
    times: BTreeMap<&'static str, Vec<Duration>>,
    took: Duration,
    first_cut: i64,
}

impl Users {
    pub async fn at(folder: &Path, users: usize) -> anyhow::Result<Self> {
        let served = serve(folder).await?;
        let (sites, days) = shape(served.address, &served.token).await?;
        let first_cut = cut(served.address, &served.token).await?;
        println!("{sites} sites, {days} days; resident {} MiB", resident_mebibytes());
        let dice = (0..users).map(|user| Dice::new(user as u64 + 1)).collect();
        Ok(Self { served, sites, days, dice, times: BTreeMap::new(), took: Duration::ZERO, first_cut })
    }

    pub const fn days(&self) -> i32 {
        self.days
    }

    /// All of them ask, until so many questions are answered.
    pub async fn ask(&mut self, questions: usize) -> anyhow::Result<()> {
        let asked = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let Served { address, token, .. } = &self.served;
        let (sites, days) = (self.sites, self.days);
        let user = |dice| one_user(dice, *address, token.clone(), Arc::clone(&asked), questions, sites, days);
        let users: Vec<_> = self.dice.drain(..).map(user).map(tokio::spawn).collect();
        for user in users {
            let (dice, times) = user.await??;
            self.dice.push(dice);
            for (class, took) in times {
                self.times.entry(class).or_default().push(took);
                self.times.entry("all").or_default().push(took);
            }
        }
        self.took += began.elapsed();
        Ok(())
    }

    /// Says how long it took, and ends the api.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let (questions, took) = (self.times.get("all").map_or(0, Vec::len), self.took.as_secs_f64());
        let last_cut = cut(self.served.address, &self.served.token).await?;
        println!("the api went from cut {} to {last_cut}; resident {} MiB", self.first_cut, resident_mebibytes());
        println!("{questions} questions in {took:.1} s, {:.0} a second", questions as f64 / took);
        for (class, times) in &mut self.times {
            report(class, times);
        }
        self.served.shutdown.request();
        Ok(self.served.serving.await??)
    }
}

pub fn report(class: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1_000.0;
    println!(
        "{class}: {} asked, p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        times.len(),
        at(50),
        at(95),
        at(99),
        at(100)
    );
}

async fn one_user(
    mut dice: Dice,
    address: SocketAddr,
    token: String,
    asked: Arc<AtomicUsize>,
    questions: usize,
    sites: u64,
    days: i32,
) -> anyhow::Result<(Dice, Vec<(&'static str, Duration)>)> {
    let mut times = Vec::new();
    while asked.fetch_add(1, Ordering::Relaxed) < questions {
        let (class, path) = question(&mut dice, sites, days);
        let started = Instant::now();
        get(address, &token, &path, "gzip").await?;
        times.push((class, started.elapsed()));
    }
    Ok((dice, times))
}

async fn get(address: SocketAddr, token: &str, path: &str, encoding: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n");
    let request = format!("{head}Accept-Encoding: {encoding}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path} was answered {}", answer.chars().take(900).collect::<String>());
    Ok(answer)
}

/// Sites, and whole days from the first one told to the cut.
async fn shape(address: SocketAddr, token: &str) -> anyhow::Result<(u64, i32)> {
    let answer = get(address, token, "/api/v1/sites", "identity").await?;
    let made_at =
        answer.split("\"made_at\":\"").nth(1).context("an answer names its cut")?.get(..10).context("a day")?;
    let mut numbers = made_at.split('-').map(|part| part.parse::<u32>());
    let mut next = || numbers.next().context("a day has three numbers")?.context("a number");
    let day = Day::from_civil(next()? as i32, next()?, next()?);
    Ok((answer.matches("\"time_zone\"").count() as u64, day.0 - FIRST.0))
}

/// The number of the cut that is shown.
async fn cut(address: SocketAddr, token: &str) -> anyhow::Result<i64> {
    let answer = get(address, token, "/api/v1/sites", "identity").await?;
    let number = answer.split("\"number\":").nth(1).context("an answer names its cut")?;
    Ok(number.split([',', '}']).next().unwrap_or_default().trim().parse()?)
}

pub fn resident_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1_024
}
