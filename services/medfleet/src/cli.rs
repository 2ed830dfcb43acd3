//! The command line. Every flag has an environment variable of the same name, `MEDFLEET_…`.

mod risk;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use medfleet_alerter::drivers::guard::Network;
use medfleet_domain::alert::AlertId;
use medfleet_processor::ProcessorConfig;

pub use risk::{BacktestOptions, ScorerOptions, TrainOptions};

#[derive(Parser)]
#[command(
    name = "medfleet",
    version,
    about = "The flight recorder and scoreboard of a health system's medical devices"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub place: Place,
}

/// Where everything is kept.
#[derive(Args, Clone)]
pub struct Place {
    /// The one folder of this installation.
    #[arg(long, global = true, env = "MEDFLEET_DATA", default_value = "data")]
    pub data: PathBuf,
    /// Kafka's bootstrap servers; without them the log is embedded under the data folder.
    #[arg(long, global = true, env = "MEDFLEET_KAFKA", value_name = "HOST:PORT")]
    pub kafka: Option<String>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Runs every role in one process: MQTT door, ingest, log, processor, api and pages.
    Up(UpOptions),
    /// Runs ingest alone: judges batches and appends them to Kafka.
    Ingest(IngestOptions),
    /// Runs a processor alone: folds the log into tables.
    Processor(ProcessorOptions),
    /// Runs the api and the pages alone.
    Api(ApiOptions),
    /// Runs the scorer alone: once a day, what models say of every device.
    Scorer(ScorerOptions),
    /// Runs the SQL endpoint alone, over the Postgres wire.
    Sql(SqlOptions),
    /// Looks at or creates the topics of the event log.
    Topics(TopicsOptions),
    /// Looks at what was refused for good, or drives it in again.
    Quarantine(QuarantineOptions),
    /// Defines a site, so that its agents' facts are taken in.
    Site(SiteOptions),
    /// Makes an agent's password for the embedded door, and prints where it is kept.
    AgentPassword { agent: String },
    /// Makes a user of the SQL endpoint, or gives one a new password, and prints where it is kept.
    SqlUser(SqlUserOptions),
    /// Prints the content hash of every table.
    Hash,
    /// Builds a table anew from the log, compares content hashes and swaps it in.
    Rebuild(RebuildOptions),
    /// Writes a report as one printable page.
    Report(ReportOptions),
    /// Brings a file of past repairs into the log, by a mapping that says what its columns mean.
    Import(ImportOptions),
    /// Runs the alerter alone: decides on alerts and sends messages about them.
    Alerter(AlerterOptions),
    /// Looks at alerts where the log is not held by another process, or prints the secret that signs webhooks.
    Alerts(AlertsOptions),
    /// Learns from the past how likely parts are to fail, and lets the gate decide who may speak. `medfleet up` scores by it.
    Train(TrainOptions),
    /// Judges what models would have said on a past that they have not seen, beside trivial baselines.
    Backtest(BacktestOptions),
    /// Shows alert rules, or runs them on given facts.
    Rules(RulesOptions),
}

#[derive(Args, Clone)]
pub struct UpOptions {
    /// Where pages and API are served. Any address but loopback turns TLS on.
    #[arg(long, env = "MEDFLEET_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Memory that all questions to the tables may take together; a large fleet compared over a year needs 2,048.
    #[arg(long, default_value_t = 512, value_name = "MEBIBYTES")]
    pub query_memory_mebibytes: usize,
    /// Where agents connect, with TLS.
    #[arg(long, env = "MEDFLEET_MQTT_LISTEN", default_value = "127.0.0.1:8883")]
    pub mqtt_listen: SocketAddr,
    /// Where SQL is answered, over the Postgres wire. Any address but loopback turns TLS on.
    #[arg(long, env = "MEDFLEET_SQL_LISTEN", default_value = "127.0.0.1:5433")]
    pub sql_listen: SocketAddr,
    /// No demo fleet.
    #[arg(long, env = "MEDFLEET_NO_DEMO")]
    pub no_demo: bool,
    /// Days of history of the demo fleet.
    #[arg(long, env = "MEDFLEET_DEMO_DAYS", default_value_t = 21)]
    pub demo_days: u16,
    /// Of these, the last days for which the demo also tells what a scorer would have said then, by a model of the days before.
    #[arg(long, env = "MEDFLEET_DEMO_SCORED_DAYS", default_value_t = 0)]
    pub demo_scored_days: u16,
    #[command(flatten)]
    pub broker: BrokerOptions,
    #[command(flatten)]
    pub keep: KeepOptions,
    #[command(flatten)]
    pub alerting: AlertingOptions,
}

/// What is worth an alert, whom to tell, and by which servers. Without routes nobody is told and nothing is connected to.
#[derive(Args, Clone)]
pub struct AlertingOptions {
    /// Alert rules (YAML); those in the binary when absent.
    #[arg(long, env = "MEDFLEET_RULES", value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Whom alerts are for (YAML): people, their channels, sites, kinds and hours.
    #[arg(long, env = "MEDFLEET_ROUTES", value_name = "FILE")]
    pub routes: Option<PathBuf>,
    /// smtp://HOST:PORT, smtp+starttls://HOST:PORT or smtps://HOST:PORT
    #[arg(long, env = "MEDFLEET_SMTP", value_name = "URL")]
    pub smtp: Option<String>,
    #[arg(long, env = "MEDFLEET_SMTP_USER", requires = "smtp_password_file")]
    pub smtp_user: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, env = "MEDFLEET_SMTP_PASSWORD_FILE", value_name = "FILE")]
    pub smtp_password_file: Option<PathBuf>,
    /// Whom e-mails are from.
    #[arg(long, env = "MEDFLEET_MAIL_FROM", default_value = "medfleet <medfleet@localhost.localdomain>")]
    pub mail_from: String,
    /// Private networks that webhooks and Alertmanager may reach: 10.1.0.0/16,127.0.0.1
    #[arg(long, env = "MEDFLEET_DELIVER_TO", value_delimiter = ',', value_name = "NETWORK,…")]
    pub deliver_to: Vec<Network>,
    /// Where people open an alert from a message: https://medfleet.example
    #[arg(long, env = "MEDFLEET_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
}

#[derive(Args, Clone)]
pub struct AlerterOptions {
    #[command(flatten)]
    pub alerting: AlertingOptions,
    /// Where /metrics, /live and /ready answer.
    #[arg(long, default_value = "127.0.0.1:9104")]
    pub status_listen: SocketAddr,
}

#[derive(Args)]
pub struct AlertsOptions {
    #[command(subcommand)]
    pub action: AlertsAction,
}

#[derive(Subcommand)]
pub enum AlertsAction {
    /// One line for each alert, the newest last.
    List {
        /// Those that have ended too.
        #[arg(long)]
        all: bool,
    },
    /// One alert with its life and its messages.
    Show { alert: AlertId },
    /// Prints where the secret that signs webhooks is kept.
    WebhookSecret,
}

/// How much of the log is kept once every table has it. With 0 and 0 it is never trimmed.
#[derive(Args, Clone)]
pub struct KeepOptions {
    /// Records younger than this stay in the log; 0: age is no reason to trim.
    #[arg(long, env = "MEDFLEET_LOG_KEEP_HOURS", default_value_t = ProcessorConfig::default().log_keep_hours)]
    pub log_keep_hours: u64,
    /// A partition longer than this loses its oldest records whatever their age; 0: size is no reason to trim.
    #[arg(long, env = "MEDFLEET_LOG_KEEP_MEBIBYTES", default_value_t = ProcessorConfig::default().log_keep_mebibytes)]
    pub log_keep_mebibytes: u64,
}

impl KeepOptions {
    pub fn apply(&self, config: ProcessorConfig) -> ProcessorConfig {
        ProcessorConfig { log_keep_hours: self.log_keep_hours, log_keep_mebibytes: self.log_keep_mebibytes, ..config }
    }
}

/// An MQTT broker outside; without it the door is embedded.
#[derive(Args, Clone)]
pub struct BrokerOptions {
    /// mqtt://HOST:PORT or mqtts://HOST:PORT
    #[arg(long, env = "MEDFLEET_MQTT", value_name = "URL")]
    pub mqtt: Option<String>,
    /// The authority that signed the broker's certificate.
    #[arg(long, env = "MEDFLEET_MQTT_CA", value_name = "FILE")]
    pub mqtt_ca: Option<PathBuf>,
    #[arg(long, env = "MEDFLEET_MQTT_USER", default_value = "ingest")]
    pub mqtt_user: String,
    /// A file whose first line is the password.
    #[arg(long, env = "MEDFLEET_MQTT_PASSWORD_FILE", value_name = "FILE")]
    pub mqtt_password_file: Option<PathBuf>,
    /// First of the 64 shards this process owns.
    #[arg(long, default_value_t = 0)]
    pub first_shard: u8,
    #[arg(long, default_value_t = 63)]
    pub last_shard: u8,
}

#[derive(Args, Clone)]
pub struct IngestOptions {
    #[command(flatten)]
    pub broker: BrokerOptions,
    /// Where /metrics, /live and /ready answer.
    #[arg(long, default_value = "127.0.0.1:9101")]
    pub status_listen: SocketAddr,
}

#[derive(Args, Clone)]
pub struct ProcessorOptions {
    /// Partitions of the fact topic this worker owns; all when absent.
    #[arg(long, value_delimiter = ',')]
    pub partitions: Vec<u32>,
    #[arg(long, default_value = "127.0.0.1:9102")]
    pub status_listen: SocketAddr,
    /// Ends once everything in the log is in the tables.
    #[arg(long)]
    pub until_idle: bool,
    #[command(flatten)]
    pub keep: KeepOptions,
}

#[derive(Args, Clone)]
pub struct ApiOptions {
    #[arg(long, env = "MEDFLEET_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Memory that all questions to the tables may take together; a large fleet compared over a year needs 2,048.
    #[arg(long, default_value_t = 512, value_name = "MEBIBYTES")]
    pub query_memory_mebibytes: usize,
}

#[derive(Args, Clone)]
pub struct SqlOptions {
    #[arg(long, env = "MEDFLEET_SQL_LISTEN", default_value = "127.0.0.1:5433")]
    pub sql_listen: SocketAddr,
    /// Where /metrics, /live and /ready answer.
    #[arg(long, default_value = "127.0.0.1:9103")]
    pub status_listen: SocketAddr,
}

#[derive(Args)]
pub struct SqlUserOptions {
    /// a-z, 0-9, - and _
    pub name: String,
    /// Sites whose rows the user sees.
    #[arg(long, value_delimiter = ',', value_name = "SITE,…", required_unless_present = "all", conflicts_with = "all")]
    pub sites: Vec<String>,
    /// All sites, also those to come.
    #[arg(long)]
    pub all: bool,
}

#[derive(Args)]
pub struct TopicsOptions {
    #[arg(value_enum)]
    pub action: TopicsAction,
    /// Replication as on one development broker or as in production.
    #[arg(long, value_enum, default_value = "production")]
    pub profile: TopicsProfile,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum TopicsAction {
    /// Creates what is missing and refuses another partition count.
    Apply,
    /// Prints what is declared.
    Show,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum TopicsProfile {
    Dev,
    Production,
}

#[derive(Args)]
pub struct QuarantineOptions {
    #[command(subcommand)]
    pub action: QuarantineAction,
}

#[derive(Subcommand)]
pub enum QuarantineAction {
    /// One line for each refused payload.
    List,
    /// One payload whole.
    Show { place: QuarantinePlace },
    /// Tries a payload again, under the identity its facts always had.
    Redrive { place: QuarantinePlace },
}

/// PARTITION:OFFSET, as `list` prints it.
#[derive(Clone, Copy)]
pub struct QuarantinePlace {
    pub partition: u32,
    pub offset: u64,
}

impl std::str::FromStr for QuarantinePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(partition, offset)| {
            Some(Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("`{text}` is no place in quarantine: write PARTITION:OFFSET as `list` prints it"))
    }
}

#[derive(Args)]
pub struct SiteOptions {
    pub site: String,
    #[arg(long)]
    pub title: String,
    /// IANA name, such as America/New_York.
    #[arg(long)]
    pub time_zone: String,
    #[arg(long, default_value = "")]
    pub region: String,
}

#[derive(Args)]
pub struct RebuildOptions {
    /// The table, or `all`.
    #[arg(long)]
    pub table: String,
}

#[derive(Args)]
pub struct ReportOptions {
    #[command(subcommand)]
    pub report: Report,
}

#[derive(Subcommand)]
pub enum Report {
    /// For the board: each site against its target and the year before, the longest outages, what changed since the last.
    Board(BoardOptions),
}

#[derive(Args)]
pub struct BoardOptions {
    /// First UTC day, 2026-10-01; the first day of the last whole month when absent.
    #[arg(long, requires = "until")]
    pub from: Option<String>,
    /// The day after the last.
    #[arg(long, requires = "from")]
    pub until: Option<String>,
    /// Uptime in base hours that each site shall reach, in percent.
    #[arg(long, env = "MEDFLEET_BOARD_TARGET_PERCENT", default_value_t = 97.0)]
    pub target_percent: f64,
    /// Where to write it; under `reports` in the data folder when absent.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Not the report itself: the next one goes on listing what changed since the one before.
    #[arg(long)]
    pub draft: bool,
    /// What was known before this UTC day or instant, 2026-10-01T06:00:00Z: a draft.
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// What had happened before this UTC day or instant, by all that is known: a draft.
    #[arg(long, value_name = "INSTANT")]
    pub at: Option<String>,
}

#[derive(Args)]
pub struct ImportOptions {
    /// What the columns mean (TOML).
    #[arg(long, value_name = "FILE")]
    pub mapping: PathBuf,
    /// The folder with the tables, which is the mapping's own when absent; where the mapping names one table also its file, or `-` for
    /// standard input.
    pub tables: Option<PathBuf>,
    /// Where to list the rows that were refused or read in a special way; under the data folder when absent.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Reads and reports, and tells nothing.
    #[arg(long)]
    pub check: bool,
    /// Leaves what was told to a processor. Else the import folds it into the tables, as it owns the embedded log; on Kafka a
    /// processor does.
    #[arg(long)]
    pub no_fold: bool,
    #[command(flatten)]
    pub keep: KeepOptions,
}

#[derive(Args)]
pub struct RulesOptions {
    #[command(subcommand)]
    pub action: RulesAction,
    /// The rules (YAML); those in the binary when absent.
    #[arg(long, global = true, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum RulesAction {
    /// One line for each rule.
    Show,
    /// Runs the trials of a file: given facts, and all that is to come of them.
    Test {
        #[arg(value_name = "FILE")]
        trials: PathBuf,
    },
}
