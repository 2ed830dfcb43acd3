//! What the desk decides by and how the sender reaches people.

use std::path::PathBuf;
use std::time::Duration;

use medfleet_alerts::route::Routes;
use medfleet_alerts::rule::Rules;

use crate::drivers::guard::Allowed;

/// For the desk.
#[derive(Debug, Clone)]
pub struct DeskConfig {
    /// The rules as they are written; they go into the log where they differ from those in force.
    pub rules: String,
    /// Where the desk keeps its memory; without it every start reads the facts from the log's floor.
    pub memory_folder: Option<PathBuf>,
    /// How often silence, due dates and escalation are looked at.
    pub tick_milliseconds: u64,
    /// With nothing to say the desk tells how far it has read, so that a start reads no more than this again.
    pub idle_turn_seconds: u64,
    pub memory_after_seconds: u64,
    /// Lag without progress for so long is an alarm, and the process ends.
    pub stall_limit_seconds: u64,
}

impl Default for DeskConfig {
    fn default() -> Self {
        Self {
            rules: Rules::embedded_text().to_owned(),
            memory_folder: None,
            tick_milliseconds: 5_000,
            idle_turn_seconds: 600,
            memory_after_seconds: 300,
            stall_limit_seconds: 120,
        }
    }
}

impl DeskConfig {
    pub const fn tick(&self) -> Duration {
        Duration::from_millis(self.tick_milliseconds)
    }

    pub const fn idle_turn(&self) -> Duration {
        Duration::from_secs(self.idle_turn_seconds)
    }

    pub const fn memory_after(&self) -> Duration {
        Duration::from_secs(self.memory_after_seconds)
    }

    pub const fn stall_limit(&self) -> Duration {
        Duration::from_secs(self.stall_limit_seconds)
    }
}

/// For the sender.
#[derive(Debug, Clone, Default)]
pub struct DeliveryConfig {
    /// Whom to tell; None tells nobody, and opens no connection to anywhere.
    pub routes: Option<Routes>,
    pub mail: Option<MailConfig>,
    /// Signs webhooks: `whsec_` and base64, as receivers are given it.
    pub webhook_secret: Option<String>,
    /// Private addresses that webhooks and Alertmanager may reach.
    pub allowed: Allowed,
    /// Where people open an alert: `https://medfleet.example`; no link when absent.
    pub public_url: Option<String>,
}

#[derive(Debug, Clone)]
pub struct MailConfig {
    /// `smtp://HOST:PORT` (plain), `smtp+starttls://HOST:PORT` or `smtps://HOST:PORT`.
    pub server: String,
    pub user: Option<(String, String)>,
    /// The sender's address; its domain is that of every Message-ID.
    pub from: String,
}
