//! Jobs for the operator: topics, quarantine, content hashes and rebuilding a table.

use std::sync::Arc;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Body, Fact, Run, Source};
use medfleet_domain::fleet::Site;
use medfleet_domain::id::{AgentId, Epoch, Seq, SiteId, Subject};
use medfleet_domain::kind::DeviceKind;
use medfleet_domain::time::Timestamp;
use medfleet_ingest::quarantine::{self, Entry, Redriven};
use medfleet_ingest::{Admitter, Meters};
use medfleet_log::kafka::{Applied, KafkaConfig, apply_topics};
use medfleet_log::topics::street;
use medfleet_log::{EventLog, Partition, Profile, Topic, TopicDeclaration, read_to_end};
use medfleet_processor::{TABLES, rebuild as rebuilding};
use medfleet_runtime::Metrics;
use medfleet_runtime::now_micros;

use crate::backing;
use crate::cli::{
    Place, QuarantineAction, QuarantineOptions, QuarantinePlace, RebuildOptions, SiteOptions, TopicsAction,
    TopicsOptions, TopicsProfile,
};
use crate::house::House;
use crate::secrets::Secrets;

/// Bytes of an unreadable payload that `show` prints.
const SHOWN_MAX_BYTES: usize = 512;

pub async fn topics(place: &Place, options: &TopicsOptions) -> anyhow::Result<()> {
    let profile = match options.profile {
        TopicsProfile::Dev => Profile::Dev,
        TopicsProfile::Production => Profile::Production,
    };
    let declared = street(profile)?;
    match options.action {
        TopicsAction::Show => declared.iter().for_each(print_topic),
        TopicsAction::Apply => {
            let brokers = place.kafka.as_deref().context("topics live on Kafka: name it with --kafka HOST:PORT")?;
            for (topic, applied) in apply_topics(&KafkaConfig::new(brokers), &declared).await? {
                let said = match applied {
                    Applied::Created => "created",
                    Applied::Present => "present",
                };
                println!("{topic} {said}");
            }
        }
    }
    Ok(())
}

fn print_topic(declared: &TopicDeclaration) {
    println!("{} partitions={} replication={}", declared.topic, declared.partitions, declared.replication_factor);
    declared.config.iter().for_each(|(key, value)| println!("  {key}={value}"));
}

pub async fn quarantine(place: &Place, options: QuarantineOptions) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
    let log = backing::log(place, &house).await?;
    match options.action {
        QuarantineAction::List => {
            let mut count = 0;
            quarantine::scan(&*log, |entry| {
                count += 1;
                println!("{}", line(&entry));
                true
            })
            .await?;
            println!("{count} in quarantine");
        }
        QuarantineAction::Show { place: QuarantinePlace { partition, offset } } => {
            show(&quarantine::find(&*log, partition, offset).await?);
        }
        QuarantineAction::Redrive { place: QuarantinePlace { partition, offset } } => {
            let entry = quarantine::find(&*log, partition, offset).await?;
            let admitter = Admitter::new(Arc::clone(&log), Meters::new(&Metrics::default())?);
            admitter.learn_sites().await?;
            match quarantine::redrive(&admitter, &entry, Timestamp(now_micros())).await? {
                Redriven::Admitted { position, facts } => println!("{facts} facts admitted at {position}"),
                Redriven::Batch { appended, quarantined, held } => {
                    println!("{appended} facts admitted, {quarantined} still refused, {held} would be held");
                }
            }
        }
    }
    Ok(())
}

fn line(entry: &Entry) -> String {
    let Entry { position, quarantined: refused } = entry;
    let about = refused.subject.as_ref().map_or_else(|| refused.origin.clone(), ToString::to_string);
    let place = format!("{}:{}", position.partition, position.offset);
    format!("{place}\t{}\t{}\t{} bytes\t{about}", refused.received_at, refused.reason, refused.payload.len())
}

fn show(entry: &Entry) {
    println!("{}", line(entry));
    println!("origin {}", entry.quarantined.origin);
    match medfleet_wire::decode_run(&entry.quarantined.payload) {
        Ok(run) => {
            println!(
                "run of {} epoch {} from seq {}, {} facts",
                run.subject,
                run.epoch,
                run.first_seq.0,
                run.facts.len()
            );
            run.facts.iter().for_each(|sealed| println!("  {:?}", sealed.fact));
        }
        Err(refusal) => {
            println!("cannot be read: {refusal}");
            let shown = &entry.quarantined.payload[..entry.quarantined.payload.len().min(SHOWN_MAX_BYTES)];
            println!("{}", shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
}

pub async fn site(place: &Place, options: &SiteOptions) -> anyhow::Result<()> {
    anyhow::ensure!(
        options.time_zone.parse::<chrono_tz::Tz>().is_ok(),
        "`{}` is no time zone: use an IANA name such as America/New_York",
        options.time_zone
    );
    let log = backing::log(place, &House::open(&place.data)?).await?;
    let admitter = Admitter::new(Arc::clone(&log), Meters::new(&Metrics::default())?);
    let (site, now) = (SiteId::new(&options.site)?, Timestamp(now_micros()));
    if let Some(zone) = first_zone(&*log, &site).await?.filter(|zone| *zone != options.time_zone) {
        anyhow::bail!(
            "site `{site}` keeps its time zone {zone}, as its days are counted in it: give --time-zone {zone}, or \
             define another site for {}",
            options.time_zone
        );
    }
    let fact = Fact {
        at: now,
        known_at: now,
        known_assumed: false,
        clock: Clock::Synchronised,
        source: Source { kind: SourceKind::Person, name: "operator".to_owned() },
        body: Body::SiteDefined(Site {
            title: options.title.clone(),
            time_zone: options.time_zone.clone(),
            region: options.region.clone(),
            demo: false,
        }),
    };
    let sealed = medfleet_wire::accept(fact)?;
    let run = Run {
        subject: Subject::site(&site),
        epoch: Epoch::derived(&[b"operator", options.site.as_bytes(), &sealed.bytes]),
        first_seq: Seq(1),
        site,
        kind: DeviceKind::Other,
        agent: None,
        facts: vec![sealed],
    };
    println!("site {} defined at {}", options.site, admitter.run(run, now).await?);
    Ok(())
}

/// The time zone that a site was first defined with.
async fn first_zone(log: &dyn EventLog, site: &SiteId) -> anyhow::Result<Option<String>> {
    let mut first = None;
    for partition in 0..log.partitions(Topic::FLEET)? {
        let home = Partition::new(Topic::FLEET, partition);
        read_to_end(log, home.at(log.bounds(home).await?.floor), |record| {
            let run = medfleet_wire::decode_record(&record.value)?.run;
            first = run.facts.iter().filter(|_| run.site == *site).find_map(|sealed| match &sealed.fact.body {
                Body::SiteDefined(site) => Some(site.time_zone.clone()),
                _ => None,
            });
            Ok::<_, anyhow::Error>(first.is_none())
        })
        .await?;
        if first.is_some() {
            break;
        }
    }
    Ok(first)
}

pub fn agent_password(place: &Place, agent: &str) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
    let secrets = Secrets::open(&house.secrets(), &[])?;
    println!("{}", secrets.agent_password(&AgentId::new(agent)?)?.display());
    Ok(())
}

pub async fn hash(place: &Place) -> anyhow::Result<()> {
    let lake = backing::lake(&House::open(&place.data)?).await?;
    for (table, hash) in rebuilding::hashes(&lake).await? {
        println!("{table} {} rows {:032x}", hash.rows, hash.sum);
    }
    Ok(())
}

pub async fn rebuild(place: &Place, options: &RebuildOptions) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
    let (log, lake) = (backing::log(place, &house).await?, backing::lake(&house).await?);
    let tables = if options.table == "all" { TABLES.to_vec() } else { vec![options.table.as_str()] };
    let bar = ProgressBar::new_spinner().with_message(format!("rebuilding {}", options.table));
    bar.set_style(ProgressStyle::with_template("{msg}: {pos} records")?);
    let counted = bar.clone();
    let rebuilt = rebuilding::rebuild(log, &lake, &tables, move |records| counted.inc(records)).await;
    bar.finish_and_clear();
    for (table, rebuilt) in rebuilt.with_context(|| format!("{} was not rebuilt", options.table))? {
        println!("{table} {} rows {} in {}", rebuilt.rows, rebuilt.hash, rebuilt.generation);
        if let Some(what) = rebuilt.succeeds {
            println!("  the table before it was {what}: not compared");
        }
    }
    Ok(())
}
