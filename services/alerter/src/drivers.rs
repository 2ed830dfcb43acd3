//! The channels by which a letter reaches people or systems. Each driver makes one attempt and says what became of it; when
//! to try again is not its affair.

pub mod alertmanager;
pub mod email;
pub mod guard;
mod http;
pub mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use medfleet_domain::alert::message::{Channel, Outcome};

use crate::config::DeliveryConfig;
use crate::error::AlerterError;
use crate::letter::Letter;
use alertmanager::Alertmanager;
use email::Email;
use http::Http;
use webhook::Webhook;

/// One attempt, from the look-up of a name to the answer.
pub const SEND_LIMIT: Duration = Duration::from_secs(15);

#[async_trait]
pub trait Driver: Send + Sync {
    /// One attempt under the letter's id.
    async fn send(&self, letter: &Letter) -> Outcome;
}

/// Every driver that is configured.
pub struct Drivers {
    email: Option<Email>,
    webhook: Option<Webhook>,
    pub alertmanager: Alertmanager,
}

impl Drivers {
    pub fn new(config: &DeliveryConfig) -> Result<Self, AlerterError> {
        let http = Http::new(config.allowed.clone())?;
        let webhook = config.webhook_secret.as_deref().map(|secret| Webhook::new(http.clone(), secret));
        Ok(Self {
            email: config.mail.as_ref().map(Email::new).transpose()?,
            webhook: webhook.transpose()?,
            alertmanager: Alertmanager::new(http),
        })
    }

    pub async fn send(&self, channel: &Channel, letter: &Letter) -> Outcome {
        let driver: Option<&dyn Driver> = match channel {
            Channel::Email(_) => self.email.as_ref().map(|driver| driver as &dyn Driver),
            Channel::Webhook(_) => self.webhook.as_ref().map(|driver| driver as &dyn Driver),
            Channel::Alertmanager(_) => Some(&self.alertmanager),
        };
        let Some(driver) = driver else {
            let reason = format!("no {} is configured: name its server or secret, and start again", channel.name());
            return Outcome::Failed { reason };
        };
        let late = |_| Outcome::Failed { reason: format!("no answer within {} s", SEND_LIMIT.as_secs()) };
        tokio::time::timeout(SEND_LIMIT, driver.send(letter)).await.unwrap_or_else(late)
    }
}
