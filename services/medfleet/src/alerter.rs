//! The alerter as a role: the desk that decides and the sender that tells, each with its own life on the log.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use medfleet_alerter::config::MailConfig;
use medfleet_alerter::drivers::guard::Allowed;
use medfleet_alerter::{Decider, DeliveryConfig, DeskConfig, DeskMeters, Sender, SenderMeters};
use medfleet_alerts::route::Routes;
use medfleet_alerts::rule::Rules;
use medfleet_log::EventLog;
use medfleet_runtime::{Health, Metrics, Shutdown};

use crate::backing;
use crate::cli::{AlerterOptions, AlertingOptions, Place};
use crate::house::House;
use crate::roles::{self, Crew};
use crate::secrets::Secrets;

pub async fn run(place: &Place, options: &AlerterOptions) -> anyhow::Result<()> {
    let (house, shutdown) = (House::open(&place.data)?, Shutdown::on_signals()?);
    let (metrics, health) = (Metrics::new()?, Health::new());
    let log = backing::log(place, &house).await?;
    let secrets = Secrets::open(&house.secrets(), &[])?;
    let mut crew = Crew::new();
    serve(&mut crew, &house, &secrets, &options.alerting, log, &metrics, &health, &shutdown)?;
    roles::serve_status(&mut crew, options.status_listen, metrics, health, &shutdown).await?;
    roles::see_through(crew, &shutdown).await
}

/// Starts the desk with its watchdog, and the sender.
#[expect(clippy::too_many_arguments, reason = "each is a different thing that the process lends to the role")]
pub fn serve(
    crew: &mut Crew,
    house: &House,
    secrets: &Secrets,
    options: &AlertingOptions,
    log: Arc<dyn EventLog>,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let desk = desk_config(house, options)?;
    let meters = DeskMeters::new(metrics, &desk)?;
    let watchdog = meters.watchdog.clone();
    let decider = Decider::new(Arc::clone(&log), desk, meters, health.role("alerter"));
    let (config, meters) = (delivery_config(secrets, options)?, SenderMeters::new(metrics)?);
    let sender = Sender::new(log, config, meters, health.role("sender"))?;
    let asked = shutdown.clone();
    crew.spawn(async move { decider.run(&asked).await.context("the alerter failed") });
    let asked = shutdown.clone();
    crew.spawn(async move { sender.run(&asked).await.context("the sender failed") });
    let watched = shutdown.clone();
    crew.spawn(async move { Ok(watchdog.watch(&watched).await?) });
    Ok(())
}

fn desk_config(house: &House, options: &AlertingOptions) -> anyhow::Result<DeskConfig> {
    let default = DeskConfig::default();
    let rules = match &options.rules {
        Some(file) => {
            let text = read(file)?;
            Rules::read(&text).with_context(|| format!("cannot use the rules {}", file.display()))?;
            text
        }
        None => default.rules.clone(),
    };
    Ok(DeskConfig { rules, memory_folder: Some(house.alerter()), ..default })
}

fn delivery_config(secrets: &Secrets, options: &AlertingOptions) -> anyhow::Result<DeliveryConfig> {
    let routes = options
        .routes
        .as_deref()
        .map(|file| Routes::read(&read(file)?).with_context(|| format!("cannot use the routes {}", file.display())));
    let user = match (&options.smtp_user, &options.smtp_password_file) {
        (Some(user), Some(file)) => Some((user.clone(), first_line(file)?)),
        _ => None,
    };
    let from = options.mail_from.clone();
    Ok(DeliveryConfig {
        routes: routes.transpose()?,
        mail: options.smtp.clone().map(|server| MailConfig { server, user, from }),
        webhook_secret: Some(first_line(&secrets.webhook_secret()?)?),
        allowed: Allowed::new(options.deliver_to.clone()),
        public_url: options.public_url.clone(),
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn first_line(file: &Path) -> anyhow::Result<String> {
    Ok(read(file)?.lines().next().unwrap_or_default().to_owned())
}
