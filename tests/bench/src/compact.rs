//! Upkeep at rest: every partition of every table merged as far as upkeep would once it is quiet.

use std::path::Path;

use medfleet_lake::{CompactionPolicy, Lake, Reader, ReaderLimits, compact, schema};

pub async fn run(data: &Path) -> anyhow::Result<()> {
    let lake = Lake::open_local(data).await?;
    let reader = Reader::new(lake.clone(), ReaderLimits::default())?;
    // No partition is busy: nobody writes.
    let policy = CompactionPolicy { busy_merge_files: 2, quiet_after_seconds: -1, ..CompactionPolicy::default() };
    for def in schema::tables() {
        let Some(table) = lake.current(def).await? else { continue };
        while compact(&reader, &table, &policy).await?.files_before > 0 {}
    }
    Ok(())
}
