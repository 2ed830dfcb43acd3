//! What a row may say: a machine, an order, maintenance, an error, an interval, counters. A row may say several.

use medfleet_domain::fact::Severity;
use medfleet_domain::human::{OrderClass, Ownership, PmOutcome};
use medfleet_domain::id::SiteId;
use medfleet_domain::kind::DeviceKind;
use serde::Deserialize;

use super::text::{Columns, Template, Word};
use super::words::{Effect, Prevents, Shown};

impl Word<DeviceKind> {
    pub fn other() -> Self {
        Self::always(DeviceKind::Other)
    }
}

/// When a row was entered: known then, and not assumed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub column: String,
}

/// The inventory of a device. Its first row stands; a later one that says otherwise is reported.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachinePart {
    pub site: Site,
    pub kind: Word<DeviceKind>,
    /// Other names under which tables name this device.
    #[serde(default)]
    pub aliases: Vec<Template>,
    #[serde(default)]
    pub make: Template,
    #[serde(default)]
    pub model: Template,
    #[serde(default)]
    pub serial: Template,
    #[serde(default)]
    pub department: Template,
    #[serde(default)]
    pub room: Template,
    pub asset_number: Option<Template>,
    pub in_service: Option<InServiceRule>,
    pub retired: Option<RetiredRule>,
    /// A column with an amount of money.
    pub acquisition_cost: Option<String>,
    pub end_of_support: Option<String>,
    pub cost_centre: Option<Template>,
    pub ownership: Option<Word<Ownership>>,
}

/// The site of a device: a template, or a cell through a table of codes.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Site {
    Named(Template),
    Coded(Word<SiteId>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InServiceRule {
    pub column: String,
    /// Words that leave it open.
    #[serde(default)]
    pub unknown: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredRule {
    pub column: String,
    /// Words for a device that is still there.
    #[serde(default)]
    pub never: Vec<String>,
    #[serde(default)]
    pub reason: Template,
}

/// A work order or a failure: phases with their times, and what it says about the device meanwhile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderPart {
    pub id: Template,
    pub class: Word<OrderClass>,
    pub opened: String,
    pub assigned: Option<String>,
    pub arrived: Option<String>,
    pub repair_started: Option<String>,
    pub repaired: Option<String>,
    pub returned: Option<String>,
    pub closed: Option<String>,
    pub cancelled: Option<String>,
    /// What the device could do from `down_from` until `down_until`.
    #[serde(default = "Word::down")]
    pub effect: Word<Effect>,
    /// Without it: `opened`.
    pub down_from: Option<String>,
    /// Without it: `returned`, else `repaired`, else `closed`.
    pub down_until: Option<String>,
    #[serde(default)]
    pub cause: Template,
    #[serde(default)]
    pub text: Template,
    /// Instead of `cause` and `text`: the first filled cell gives the text, its column the cause.
    #[serde(default)]
    pub causes: Vec<String>,
    #[serde(default)]
    pub no_cause: String,
    /// The part that failed, if a cell names it; for `unless_failed`.
    pub component: Option<Template>,
    /// Checked against the times and reported; the times win.
    pub stated_minutes: Option<String>,
}

impl Word<Effect> {
    fn down() -> Self {
        Self::always(Effect::Down)
    }
}

/// Maintenance that was performed, or could not be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenancePart {
    pub at: String,
    /// With an end it is downtime: scheduled within the planned window, unscheduled beyond.
    pub until: Option<String>,
    pub planned_from: Option<String>,
    pub planned_until: Option<String>,
    /// Without it no maintenance is stated as done: the row tells of a part alone.
    pub procedure: Option<Template>,
    /// A column with the day it was due.
    pub due: Option<String>,
    #[serde(default = "Word::completed")]
    pub outcome: Word<PmOutcome>,
    pub order: Option<Template>,
    pub component: Option<ComponentPart>,
}

impl Word<PmOutcome> {
    fn completed() -> Self {
        Self::always(PmOutcome::Completed)
    }
}

/// A part that was replaced, where the cell that names it is filled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentPart {
    pub name: Template,
    pub preventive: Word<Prevents>,
    pub old_serial: Option<Template>,
    pub new_serial: Option<Template>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorPart {
    pub at: String,
    pub code: Template,
    /// The family of the code; without it the code itself.
    pub family: Option<Template>,
    #[serde(default = "Word::warning")]
    pub severity: Word<Severity>,
    #[serde(default)]
    pub component: Template,
    #[serde(default)]
    pub cause_domain: Template,
    #[serde(default)]
    pub text: Template,
}

impl Word<Severity> {
    fn warning() -> Self {
        Self::always(Severity::Warning)
    }
}

/// In this condition from then until then.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalPart {
    pub from: String,
    pub until: Until,
    pub condition: Word<Shown>,
}

/// Where an interval ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Until {
    Column(String),
    /// So long after its beginning.
    Minutes(u32),
    /// At the next row of the same device in this table, but not later than so long after its beginning.
    NextWithinMinutes(u32),
}

/// A reading of a counter; an empty cell is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterPart {
    pub at: String,
    pub value: String,
    pub counter: Template,
    pub unit: Template,
    #[serde(default)]
    pub component: Template,
    /// From the file's unit to `unit`.
    #[serde(default = "one")]
    pub factor: u32,
    /// In `unit`.
    pub modulus: Option<u32>,
}

const fn one() -> u32 {
    1
}

impl MachinePart {
    pub fn columns<'a>(&'a self, columns: &mut Columns<'a>) {
        match &self.site {
            Site::Named(template) => columns.fill([template]),
            Site::Coded(word) => columns.choose([word]),
        };
        columns.choose([&self.kind]).fill(&self.aliases).choose(&self.ownership);
        columns.fill([&self.make, &self.model, &self.serial, &self.department, &self.room]);
        columns.fill(&self.asset_number).fill(&self.cost_centre).add(&self.acquisition_cost).add(&self.end_of_support);
        columns.add(self.in_service.iter().map(|rule| &rule.column));
        columns.add(self.retired.iter().map(|rule| &rule.column)).fill(self.retired.iter().map(|rule| &rule.reason));
    }
}

impl OrderPart {
    pub fn columns<'a>(&'a self, columns: &mut Columns<'a>) {
        columns.fill([&self.id, &self.cause, &self.text]).choose([&self.class]).choose([&self.effect]);
        columns.add([&self.opened]).add(&self.assigned).add(&self.arrived).add(&self.repair_started);
        columns.add(&self.repaired).add(&self.returned).add(&self.closed).add(&self.cancelled);
        columns.add(&self.down_from).add(&self.down_until).add(&self.causes).add(&self.stated_minutes);
        columns.fill(&self.component);
    }
}

impl MaintenancePart {
    pub fn columns<'a>(&'a self, columns: &mut Columns<'a>) {
        columns.add([&self.at]).add(&self.until).add(&self.planned_from).add(&self.planned_until).add(&self.due);
        columns.fill(&self.procedure).fill(&self.order).choose([&self.outcome]);
        if let Some(part) = &self.component {
            columns.fill([&part.name]).choose([&part.preventive]).fill(&part.old_serial).fill(&part.new_serial);
        }
    }
}

impl ErrorPart {
    pub fn columns<'a>(&'a self, columns: &mut Columns<'a>) {
        columns.add([&self.at]).fill([&self.code, &self.component, &self.cause_domain, &self.text]);
        columns.fill(&self.family).choose([&self.severity]);
    }
}

impl IntervalPart {
    pub fn columns<'a>(&'a self, columns: &mut Columns<'a>) {
        columns.add([&self.from]).choose([&self.condition]);
        if let Until::Column(column) = &self.until {
            columns.add([column]);
        }
    }
}

impl CounterPart {
    pub fn columns<'a>(&'a self, columns: &mut Columns<'a>) {
        columns.add([&self.at, &self.value]).fill([&self.counter, &self.unit, &self.component]);
    }
}
