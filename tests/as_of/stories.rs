//! Told stories, and all that is asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use medfleet_api::measure::Measure;
use medfleet_api::query::{self, Scope, UptimeRow};
use medfleet_api::{Cuts, OpenCut, Period};
use medfleet_domain::time::Timestamp;
use medfleet_kpi::Question;
use medfleet_kpi::ask;
use medfleet_kpi::comparison::{self, By, Fleet};
use medfleet_kpi::figures::figures;
use medfleet_kpi::registry::{self, Column, View};
use medfleet_kpi::scorecard::{Group, scorecards};
use medfleet_kpi::statement::{Asked, statement};
use medfleet_kpi::stats::compare::Adjustment;
use medfleet_kpi::table::{Cell, Table};

use crate::compact;
use crate::install::Install;
use crate::story::{self, Arrival, Chance, QUARTER, Story, Told, happened};

/// Stories told unless `MEDFLEET_AS_OF_STORIES` names another number.
const STORIES: u64 = 3;
const INSTANTS: usize = 3;
/// The days with which a story begins.
const EARLY_QUARTERS: i64 = 2 * 96;

fn stories() -> u64 {
    let asked = std::env::var("MEDFLEET_AS_OF_STORIES").ok();
    asked.map_or(STORIES, |asked| asked.parse().expect("MEDFLEET_AS_OF_STORIES is a number"))
}

/// Feeds an installation with what was appended before an instant. One that is followed is flushed where the story says so;
/// any other at its end alone, for how the log was cut into flushes must not matter.
async fn feed(
    folder: &std::path::Path,
    told: &[Told],
    before: Timestamp,
    follow: bool,
) -> anyhow::Result<(Install, Cuts)> {
    let mut install = Install::open(folder).await?;
    let cuts = Cuts::new(install.reader()?);
    let told: Vec<&Told> = told.iter().take_while(|one| one.appended_at < before).collect();
    let Some((last, told)) = told.split_last() else { anyhow::bail!("nothing was told before {before}") };
    for one in told {
        install.append(&one.run, one.appended_at)?;
        if follow && one.flush {
            install.flush(one.appended_at.plus_micros(1)).await?;
            cuts.advance().await?;
            ask_meanwhile(&cuts, before).await?;
        }
    }
    if follow {
        // As upkeep does, which changes no row.
        compact::run(folder).await?;
    }
    install.append(&last.run, last.appended_at)?;
    install.flush(before).await?;
    cuts.advance().await?;
    Ok((install, cuts))
}

/// Somebody compares sites at every cut, as seen from one instant: what was worked out for one must not be taken for the next.
async fn ask_meanwhile(cuts: &Cuts, now: Timestamp) -> anyhow::Result<()> {
    let Some(open) = cuts.newest() else { return Ok(()) };
    query::fleet_in_memory(&open, &Question::new(story::BEGIN, now, now)).await?;
    Ok(())
}

fn by_kind(rows: &[UptimeRow]) -> BTreeMap<(String, String), Measure> {
    let mut sums: BTreeMap<(String, String), Measure> = BTreeMap::new();
    for row in rows {
        *sums.entry((row.site.clone(), row.kind.clone())).or_default() += row.measure;
    }
    sums.retain(|_, measure| *measure != Measure::default());
    sums
}

/// The answer of the sums, which must be that of the intervals.
async fn both_ways(open: &OpenCut, period: Period) -> anyhow::Result<Vec<UptimeRow>> {
    let sums = query::uptime(open, period).await?;
    let devices = query::uptime_by_intervals(open, period, Scope::default()).await?;
    assert_eq!(by_kind(&sums), by_kind(&devices), "sums and intervals differ over {period:?}");
    let known = |mut rows: Vec<UptimeRow>| {
        rows.retain(|row| row.measure != Measure::default());
        rows
    };
    let by_device = query::uptime_by_device(open, period, Scope::default()).await?;
    assert_eq!(by_device, known(devices), "sums of devices and intervals differ over {period:?}");
    Ok(sums)
}

/// The rows of one view of the KPI room, seen from an instant, as far as these columns go.
async fn rows(
    view: &View,
    open: &OpenCut,
    period: Period,
    now: Timestamp,
    keeps: impl Fn(&Column) -> bool,
) -> anyhow::Result<Vec<String>> {
    let question = Question::new(period.from, period.until, now);
    // The facts behind intervals are asked of one device.
    let question = if view.name == "evidence" { question.of_device("d-1") } else { question };
    let table = view.table(open.kpi().await?, &question).await?;
    let kept = |row: &Vec<Cell>| {
        let shown = |name: &str| view.columns.iter().find(|column| column.shown() == name);
        let cells = table.headings.iter().zip(row).filter(|(heading, _)| shown(&heading.name).is_none_or(&keeps));
        format!("{:?}", cells.map(|(_, cell)| cell).collect::<Vec<_>>())
    };
    let mut rows: Vec<String> = table.rows.iter().map(kept).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// Devices, each with a contract that may cover it.
pub type Agreed = [(String, String)];

/// Those of a story.
fn agreed() -> Vec<(String, String)> {
    (0..story::DEVICES).map(|device| (format!("d-{device}"), "SC-1".to_owned())).collect()
}

/// The statement of every device that its contract covers, for the month in which a period ends: its figures, and its spans
/// without the records behind them.
async fn stated(open: &OpenCut, agreed: &Agreed, period: Period, now: Timestamp) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for (device, contract) in agreed {
        let day = Timestamp(period.until.0 - 1).day();
        let asked = Asked { device, contract, day, now };
        let Some(mut sheet) = statement(open.kpi().await?, asked).await? else { continue };
        sheet.statement.lines.iter_mut().for_each(|line| line.causes.clear());
        all.push(format!("{device} {:?} {} {:?}", sheet.days, sheet.is_open, sheet.statement));
    }
    Ok(all)
}

/// Scorecards of devices and of kinds at their sites, sites compared by failures and by downtime, and contract statements, seen
/// from an instant: each a name and its rows. Other groups add up the same rows.
async fn made(
    open: &OpenCut,
    agreed: &Agreed,
    period: Period,
    now: Timestamp,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let (session, question) = (open.kpi().await?, Question::new(period.from, period.until, now));
    let written = |table: Table| table.rows.iter().map(|row| format!("{row:?}")).collect();
    let mut all = Vec::new();
    for (word, group) in [("site and kind", Group::SiteKind), ("device", Group::Device)] {
        let cards = scorecards(session, &question, group).await?;
        all.push((format!("scorecards by {word}"), written(Table::of(&figures(), &cards))));
    }
    let fleet = Fleet::read(session, &question).await?;
    for (word, by) in By::WORDS {
        let sites = Table::of(&comparison::figures(), &fleet.compare(by));
        all.push((format!("comparison by {word}"), written(sites)));
    }
    all.push(("statements".to_owned(), stated(open, agreed, period, now).await?));
    Ok(all)
}

/// The same, and sites compared out of memory as well.
async fn made_both_ways(
    open: &OpenCut,
    agreed: &Agreed,
    period: Period,
    now: Timestamp,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    compared_both_ways(open, &Question::new(period.from, period.until, now)).await?;
    made(open, agreed, period, now).await
}

/// Sites compared out of memory and by the views: the same in every cell, down to the devices behind them.
async fn compared_both_ways(open: &OpenCut, question: &Question) -> anyhow::Result<()> {
    for kind in ["", "laser"] {
        let question = question.clone().of_kind(kind);
        let by_views = Fleet::read(open.kpi().await?, &question).await?;
        let in_memory = query::fleet_in_memory(open, &question).await?.expect("memory holds a small fleet");
        for (word, by) in By::WORDS {
            let table = |fleet: &Fleet| format!("{:?}", Table::of(&comparison::figures(), &fleet.compare(by)).rows);
            assert_eq!(table(&in_memory), table(&by_views), "sites compared by {word}, `{kind}`: {question:?}");
            for (site, adjustment) in [("east", Adjustment::Kind), ("west", Adjustment::KindModelAge)] {
                let devices = |fleet: &Fleet| fleet.devices(site, adjustment, by);
                assert_eq!(devices(&in_memory), devices(&by_views), "{site} by {word}, `{kind}`: {question:?}");
            }
        }
    }
    Ok(())
}

/// How many rows were compared of each view, and of what is made of them: empty equals empty, and shows nothing.
#[derive(Default)]
pub struct Compared(pub BTreeMap<String, usize>);

impl Compared {
    pub fn add(&mut self, name: &str, rows: &[String]) {
        *self.0.entry(name.to_owned()).or_default() += rows.len();
    }

    pub fn nothing_was_empty_but(&self, named: &[&str]) {
        let empty = self.0.iter().filter(|(_, rows)| **rows == 0).map(|(name, _)| name.as_str());
        let empty: Vec<&str> = empty.collect();
        assert!(empty == named, "nothing was compared of {empty:?}: {:?}", self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_of_an_instant_equals_a_fresh_installation_fed_with_what_came_before_it() -> anyhow::Result<()> {
    let mut compared = Compared::default();
    for seed in 0..stories() {
        let mut chance = Chance::new(seed);
        let told = Story::new(seed).tell();
        let (begin, end) = (story::BEGIN, Timestamp(story::BEGIN.0 + story::DAYS * 24 * 4 * QUARTER));
        let folder = tempfile::tempdir()?;
        let (_install, cuts) = feed(folder.path(), &told, end, true).await?;
        let newest = cuts.newest().expect("a cut was made");
        let whole = Period { from: begin, until: end };
        let followed = both_ways(&newest, whole).await?;
        let session = Arc::new(OpenCut::new(newest.cut.clone(), newest.session().await?.clone()));
        assert_eq!(followed, query::uptime(&session, whole).await?, "story {seed}: following the cuts lost something");
        for _ in 0..INSTANTS {
            let quarters = chance.within(8, story::DAYS * 24 * 4);
            // Half of the instants are midnights, half lie anywhere between two records.
            let instant = match chance.one_in(2) {
                true => Timestamp((begin.0 + quarters * QUARTER).div_euclid(96 * QUARTER) * 96 * QUARTER),
                false => Timestamp(begin.0 + quarters * QUARTER + chance.within(0, QUARTER)),
            };
            // Half of the periods had been over for a while: something was told of them afterwards.
            let over = if chance.one_in(2) { chance.within(0, quarters / 2) } else { 0 };
            let until = instant.0.div_euclid(QUARTER) * QUARTER - over * QUARTER;
            let from = begin.0.max(until - chance.within(1, quarters.max(2)) * QUARTER);
            if from >= until {
                continue;
            }
            let period = Period { from: Timestamp(from), until: Timestamp(until) };
            let fresh_folder = tempfile::tempdir()?;
            let (_fresh_install, fresh) = feed(fresh_folder.path(), &told, instant, false).await?;
            let fresh = fresh.newest().expect("a cut was made");
            let earlier = cuts.as_of(Arc::clone(&newest), instant).await?;
            let sums = (both_ways(&earlier, period).await?, both_ways(&fresh, period).await?);
            assert_eq!(sums.0, sums.1, "story {seed}, as of {instant}, {period:?}");
            for view in registry::views() {
                let all = |_: &Column| true;
                // Terms are told late of the days with which the story begins.
                let is_early = view.name == "backdated" && period.until.0 > begin.0 + EARLY_QUARTERS * QUARTER;
                let early = Period { from: begin, until: Timestamp(begin.0 + EARLY_QUARTERS * QUARTER) };
                let period = if is_early { early } else { period };
                let rows = (
                    rows(view, &earlier, period, instant, all).await?,
                    rows(view, &fresh, period, instant, all).await?,
                );
                assert_eq!(rows.0, rows.1, "story {seed}, as of {instant}, {period:?}: {}", view.name);
                compared.add(view.name, &rows.0);
            }
            let made = (
                made_both_ways(&earlier, &agreed(), period, instant).await?,
                made_both_ways(&fresh, &agreed(), period, instant).await?,
            );
            assert_eq!(made.0, made.1, "story {seed}, as of {instant}, {period:?}");
            made.0.iter().for_each(|(name, rows)| compared.add(name, rows));
        }
    }
    // Readings of counters are rare in stories, and none came late: `amended_counters` has cases of its own in `kpi`.
    compared.nothing_was_empty_but(&["amended_counters"]);
    Ok(())
}

/// Views that say how and when facts came, and so differ when they come in another way.
const OF_ARRIVAL: [&str; 5] = ["amendments", "amended_work", "amended_counters", "backdated", "evidence"];

/// Tells a story in order and in every other way, and compares all KPIs of a period as they stand when the last fact of the latest has come.
pub async fn whatever_order(
    told: &[Told],
    late: &str,
    seed: u64,
    agreed: &Agreed,
    period: Period,
    compared: &mut Compared,
) -> anyhow::Result<()> {
    let now = told.iter().map(|one| one.appended_at).max().unwrap_or(period.until).max(period.until);
    let now = now.plus_micros(2 * Arrival::LATE_MICROS);
    let folder = tempfile::tempdir()?;
    let (_install, cuts) = feed(folder.path(), told, now, true).await?;
    let sums = both_ways(&cuts.newest().expect("a cut was made"), period).await?;
    let in_order = standing(&cuts, agreed, period, now).await?;
    for arrival in Arrival::ALL {
        let folder = tempfile::tempdir()?;
        let (_install, cuts) = feed(folder.path(), &arrival.of(told, late, seed), now, true).await?;
        assert_eq!(
            sums,
            both_ways(&cuts.newest().expect("a cut was made"), period).await?,
            "story {seed}, {arrival:?}"
        );
        for ((name, rows), (_, other)) in in_order.iter().zip(standing(&cuts, agreed, period, now).await?) {
            assert_eq!(*rows, other, "story {seed}, {arrival:?}: {name}");
            compared.add(name, rows);
        }
    }
    Ok(())
}

/// Every view that says nothing of how facts came, and what is made of them, as they stand at last: each a name and its rows.
async fn standing(
    cuts: &Cuts,
    agreed: &Agreed,
    period: Period,
    now: Timestamp,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let newest = cuts.newest().expect("a cut was made");
    let mut all = Vec::new();
    for view in registry::views().iter().filter(|view| !OF_ARRIVAL.contains(&view.name)) {
        // Where in the log it stands is not the same.
        let anywhere = |column: &Column| !column.name.starts_with("log_");
        all.push((view.name.to_owned(), rows(view, &newest, period, now, anywhere).await?));
    }
    all.extend(made_both_ways(&newest, agreed, period, now).await?);
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kpi_is_the_same_in_whatever_order_and_however_often_facts_come() -> anyhow::Result<()> {
    let mut compared = Compared::default();
    for seed in 0..stories().div_ceil(STORIES) {
        let told = Story::new(seed).tell();
        let end = Timestamp(story::BEGIN.0 + story::DAYS * 24 * 4 * QUARTER);
        let period = Period { from: story::BEGIN, until: end };
        whatever_order(&told, story::AGENTS[2], seed, &agreed(), period, &mut compared).await?;
    }
    compared.nothing_was_empty_but(&[]);
    Ok(())
}

/// Views that say who said what, which a claim that had not ended yet says otherwise once it has; and what it came from.
const OF_WITNESSES: [&str; 1] = ["pieces"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_an_instant_equals_a_fresh_installation_fed_with_what_had_happened_before_it() -> anyhow::Result<()> {
    let mut compared = Compared::default();
    for seed in 0..stories() {
        let mut chance = Chance::new(seed ^ 0xa7);
        let told = Story::new(seed).tell();
        let (begin, end) = (story::BEGIN, Timestamp(story::BEGIN.0 + story::DAYS * 24 * 4 * QUARTER));
        let folder = tempfile::tempdir()?;
        let (_install, cuts) = feed(folder.path(), &told, end, true).await?;
        let newest = cuts.newest().expect("a cut was made");
        for _ in 0..INSTANTS.div_ceil(2) {
            let quarters = chance.within(96, story::DAYS * 24 * 4);
            let instant = Timestamp(begin.0 + quarters * QUARTER + chance.within(0, 2) * chance.within(0, QUARTER));
            let until = Timestamp(instant.0.div_euclid(QUARTER) * QUARTER);
            let period = Period { from: Timestamp(begin.0 + chance.within(0, quarters) * QUARTER), until };
            let fresh_folder = tempfile::tempdir()?;
            let (_fresh_install, fresh) = feed(fresh_folder.path(), &happened(&told, instant), end, false).await?;
            let fresh = fresh.newest().expect("a cut was made");
            let then = cuts.happened(Arc::clone(&newest), instant).await?;
            assert_eq!(then.at(), instant);
            let sums = (both_ways(&then, period).await?, both_ways(&fresh, period).await?);
            assert_eq!(sums.0, sums.1, "story {seed}, at {instant}, {period:?}");
            let of_state = |view: &&View| !OF_ARRIVAL.contains(&view.name) && !OF_WITNESSES.contains(&view.name);
            for view in registry::views().iter().filter(of_state) {
                let anywhere = |column: &Column| !column.name.starts_with("log_");
                let rows = (
                    rows(view, &then, period, instant, anywhere).await?,
                    rows(view, &fresh, period, instant, anywhere).await?,
                );
                assert_eq!(rows.0, rows.1, "story {seed}, at {instant}, {period:?}: {}", view.name);
                compared.add(view.name, &rows.0);
            }
            let made =
                (made(&then, &agreed(), period, instant).await?, made(&fresh, &agreed(), period, instant).await?);
            assert_eq!(made.0, made.1, "story {seed}, at {instant}, {period:?}");
            made.0.iter().for_each(|(name, rows)| compared.add(name, rows));
        }
    }
    compared.nothing_was_empty_but(&[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_of_weeks_makes_no_difference_between_memory_and_views() -> anyhow::Result<()> {
    let mut failures = 0;
    for seed in 0..2 * stories() {
        let mut chance = Chance::new(seed ^ 0x51);
        let told = Story::sparse(seed).tell();
        let (begin, quarters) = (story::BEGIN, story::SPARSE_DAYS * 24 * 4);
        let end = Timestamp(begin.0 + quarters * QUARTER);
        let folder = tempfile::tempdir()?;
        let (_install, cuts) = feed(folder.path(), &told, end, false).await?;
        let newest = cuts.newest().expect("a cut was made");
        for _ in 0..INSTANTS {
            // Most of the periods begin weeks after the story.
            let from = chance.within(0, quarters - 96);
            let until = from + chance.within(96, quarters - from + 1);
            let at = |quarter: i64| Timestamp(begin.0 + quarter * QUARTER);
            let question = Question::new(at(from), at(until), end);
            compared_both_ways(&newest, &question).await?;
            failures += ask::failures(newest.kpi().await?, &question).await?.len();
            let earlier = cuts.as_of(Arc::clone(&newest), at(until)).await?;
            compared_both_ways(&earlier, &Question { now: at(until), ..question }).await?;
        }
    }
    assert!(failures > 0, "nothing failed in any of the stories");
    Ok(())
}
