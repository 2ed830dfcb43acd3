//! `medfleet alerts`: alerts as the log tells them, for whoever sits at the machine.

use anyhow::Context as _;
use medfleet_alerts::book::{Book, Case};
use medfleet_domain::alert::AlertId;

use crate::backing;
use crate::cli::{AlertsAction, AlertsOptions, Place};
use crate::house::House;
use crate::secrets::Secrets;

pub async fn run(place: &Place, options: AlertsOptions) -> anyhow::Result<()> {
    let house = House::open(&place.data)?;
    if let AlertsAction::WebhookSecret = options.action {
        println!("{}", Secrets::open(&house.secrets(), &[])?.webhook_secret()?.display());
        return Ok(());
    }
    let log = backing::log(place, &house).await?;
    let (book, _) = medfleet_alerter::read_book(&*log).await.context("the topic of alerts cannot be read")?;
    match options.action {
        AlertsAction::List { all } => list(&book, all),
        AlertsAction::Show { alert } => show(&book, alert)?,
        AlertsAction::WebhookSecret => {}
    }
    Ok(())
}

fn list(book: &Book, all: bool) {
    let mut cases: Vec<&Case> = book.cases().filter(|case| all || case.alert.is_open()).collect();
    cases.sort_by_key(|case| (case.alert.raised_at, case.alert.id));
    for Case { alert, .. } in cases {
        let taken = alert.assigned_to.as_ref().or(alert.acknowledged_by.as_ref());
        let state = if alert.is_open() { "open" } else { "ended" };
        let late = if alert.late { " late" } else { "" };
        println!(
            "{} {} {:5} {:5} {} ({}){late}{}",
            alert.id,
            alert.raised_at,
            state,
            alert.about.urgency.as_str(),
            alert.summary,
            alert.about.site,
            taken.map(|person| format!(", with {person}")).unwrap_or_default(),
        );
    }
}

fn show(book: &Book, alert: AlertId) -> anyhow::Result<()> {
    let case = book.case(alert).with_context(|| format!("there is no alert {alert}: `medfleet alerts list --all`"))?;
    println!("{} {} ({})", case.alert.id, case.alert.summary, case.alert.about.site);
    for step in &case.steps {
        println!("{}  {:?}", step.at, step.change);
    }
    for message in book.outbox().of(alert) {
        let intent = &message.intent;
        println!(
            "message {} to {} by {} {}: {}, {} attempts, {} repeats",
            intent.id,
            intent.person,
            intent.channel.name(),
            intent.channel.address(),
            message.standing(),
            message.attempts,
            message.repeats,
        );
    }
    Ok(())
}
