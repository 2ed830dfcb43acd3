//! `medfleet up`: every role in one process over one data folder, with nothing else installed.

use std::sync::Arc;

use anyhow::Context as _;
use medfleet_ingest::{Admitter, EmbeddedDoor};
use medfleet_log::Position;
use medfleet_processor::ProcessorConfig;
use medfleet_runtime::{Health, Metrics, Shutdown};

use crate::cli::{Place, UpOptions};
use crate::demo::Demo;
use crate::house::House;
use crate::people::PeoplesDoor;
use crate::roles::{self, Crew};
use crate::secrets::Secrets;
use crate::{alerter, backing, live_demo, risk, sql};

pub async fn run(place: &Place, options: &UpOptions) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
    let shutdown = Shutdown::on_signals()?;
    let (metrics, health) = (Metrics::new()?, Health::new());
    let secrets = Secrets::open(&house.secrets(), &[options.listen, options.mqtt_listen, options.sql_listen])?;
    let log = backing::log(place, &house).await?;
    let lake = backing::lake(&house).await?;
    let mut crew = Crew::new();
    roles::watch_log(&mut crew, &log, &shutdown);

    let meters = medfleet_ingest::Meters::new(&metrics)?;
    let admitter = Admitter::new(Arc::clone(&log), meters.clone());
    let learned = admitter.learn_sites().await?;
    crew.spawn(follow_sites(admitter.clone(), learned, shutdown.clone()));
    let demo = if options.no_demo { None } else { Some(Demo::open(&house, options.demo_days)?) };
    if let Some(demo) = &demo {
        demo.make_passwords(&secrets)?;
    }

    let config = options.keep.apply(ProcessorConfig::default());
    roles::bind(&mut crew, Arc::clone(&log), lake.clone(), &config, &metrics, &shutdown)?;
    roles::fold(&mut crew, &house, Arc::clone(&log), lake.clone(), config, &metrics, &health, &shutdown)?;

    let scorer = risk::role::scorer(&house, Arc::clone(&log), lake.clone(), admitter.clone(), &metrics)?;
    sql::serve(&mut crew, options.sql_listen, &secrets, lake.clone(), Arc::clone(&log), &metrics, &health, &shutdown)?;
    alerter::serve(&mut crew, &house, &secrets, &options.alerting, Arc::clone(&log), &metrics, &health, &shutdown)?;
    let config = roles::api_config(options.listen, options.query_memory_mebibytes, &secrets);
    let door = Arc::new(PeoplesDoor { admitter: admitter.clone(), log: Arc::clone(&log) });
    crew.spawn(roles::watch_disk(house.clone(), metrics.clone(), shutdown.clone()));
    let service =
        medfleet_api::Service::new(config, lake, log, door, metrics.clone(), health.clone(), shutdown.clone())?;
    println!("medfleet is up. Sign in at {}", service.login_link());
    crew.spawn(async move { Ok(service.run().await?) });

    let ingest = health.role("ingest");
    let mqtt = match roles::external_door(&options.broker)? {
        Some(door) => {
            let (host, port) = (door.host.clone(), door.port);
            crew.spawn(roles::external(door, admitter.clone(), meters, shutdown.clone()));
            live_demo::Broker { host, port, ca_file: options.broker.mqtt_ca.clone() }
        }
        None => {
            let door = EmbeddedDoor {
                listen: options.mqtt_listen,
                certificate_file: secrets.certificate(),
                key_file: secrets.key(),
                passwords: secrets.passwords()?,
            };
            let open = door.open(admitter.clone(), meters).await?;
            let port = open.address().port();
            let asked = shutdown.clone();
            crew.spawn(async move { open.run(asked).await.context("the MQTT door failed") });
            live_demo::Broker { host: "localhost".to_owned(), port, ca_file: Some(secrets.authority()) }
        }
    };
    ingest.ready();

    let score = risk::role::score(Arc::clone(&scorer), shutdown.clone());
    if let Some(demo) = demo {
        let stage = live_demo::Stage { house, secrets, broker: mqtt, metrics, health };
        let asked = shutdown.clone();
        let scored = (options.demo_scored_days > 0).then(|| demo.forecast(place, scorer, options.demo_scored_days));
        let forecast = scored.transpose()?;
        crew.spawn(async move {
            let fleet = demo.tell_history(&admitter, forecast, &asked).await?;
            // What the past has to say of risk is said by then.
            tokio::try_join!(score, live_demo::play(fleet, stage, admitter, asked)).map(drop)
        });
    } else {
        crew.spawn(score);
    }
    roles::see_through(crew, &shutdown).await
}

pub async fn follow_sites(admitter: Admitter, from: Vec<Position>, shutdown: Shutdown) -> anyhow::Result<()> {
    admitter.follow_sites(from, shutdown).await.context("following the fleet topic failed")
}
