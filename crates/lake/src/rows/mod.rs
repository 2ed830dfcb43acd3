//! The rows of every table, one file per kind of table, and the registry of definitions.

mod archive;
mod chronicle;
mod cuts;
mod dimensions;
mod ledger;
mod live;
mod notes;
mod rollups;
mod scores;

pub use archive::{FactRow, OriginalRow, TraceRow};
pub use chronicle::{AlertStepRow, ModelRow, WithdrawalRow};
pub use cuts::CutRow;
pub use dimensions::{CalendarRow, DeviceRow, SiteRow};
pub use ledger::{ErrorRow, IntervalRow, UsageRow};
pub use live::{HeadRow, VerdictRow};
pub use notes::{ComponentRow, ContractRow, MaintenanceRow, OrderRow, StatementRow};
pub use rollups::{DayRollupRow, QuarterRollupRow};
pub use scores::ScoreRow;

use crate::schema::{Content, Row, TableDef};

/// Layout of one table: partition, order inside files, and columns with kept extremes.
struct Layout {
    partition: &'static [&'static str],
    sort: &'static [&'static str],
    stats: &'static [&'static str],
}

fn entries<R: Row>(name: &'static str, layout: Layout) -> TableDef {
    TableDef {
        name,
        schema: R::schema(),
        partition_columns: layout.partition,
        sort_columns: layout.sort,
        stats_columns: layout.stats,
        content: Content::Entries,
        is_ruled: true,
    }
}

fn sums<R: Row>(
    name: &'static str,
    layout: Layout,
    keys: &'static [&'static str],
    sums: &'static [&'static str],
) -> TableDef {
    TableDef { content: Content::Sums { keys, sums }, ..entries::<R>(name, layout) }
}

/// Every table; `facts` first because it is the archive, `cuts` last because it names the others.
pub(crate) fn definitions() -> Vec<TableDef> {
    vec![
        entries::<FactRow>("facts", archive::FACTS),
        entries::<IntervalRow>("intervals", ledger::INTERVALS),
        entries::<UsageRow>("usage", ledger::USAGE),
        entries::<ErrorRow>("errors", ledger::ERRORS),
        entries::<DeviceRow>("devices", dimensions::DEVICES),
        entries::<SiteRow>("sites", dimensions::SITES),
        entries::<CalendarRow>("calendars", dimensions::CALENDARS),
        entries::<OrderRow>("orders", notes::OF_DEVICE),
        entries::<MaintenanceRow>("maintenance", notes::OF_DEVICE),
        entries::<ComponentRow>("components", notes::OF_DEVICE),
        entries::<ContractRow>("contracts", notes::CONTRACTS),
        entries::<StatementRow>("statements", notes::OF_DEVICE),
        entries::<ScoreRow>("scores", scores::SCORES),
        entries::<AlertStepRow>("alert_steps", chronicle::ALERT_STEPS),
        entries::<ModelRow>("models", chronicle::MODELS),
        entries::<WithdrawalRow>("withdrawals", chronicle::MODELS),
        entries::<HeadRow>("heads", live::HEADS),
        entries::<VerdictRow>("verdicts", live::VERDICTS),
        sums::<QuarterRollupRow>("rollup_quarter", rollups::QUARTER, rollups::QUARTER_KEYS, rollups::SUMS),
        sums::<DayRollupRow>("rollup_day", rollups::DAY, rollups::DAY_KEYS, rollups::SUMS),
        TableDef { is_ruled: false, ..entries::<CutRow>("cuts", cuts::CUTS) },
    ]
}
