//! Upkeep at rest: every partition of every table merged as far as upkeep would once it is quiet.

use std::path::Path;

use medfleet_lake::{Lake, Reader, ReaderLimits, compact_at_rest, schema};

pub async fn run(data: &Path) -> anyhow::Result<()> {
    let lake = Lake::open_local(data).await?;
    let reader = Reader::new(lake.clone(), ReaderLimits::default())?;
    for def in schema::tables() {
        let Some(table) = lake.current(def).await? else { continue };
        compact_at_rest(&reader, &table).await?;
    }
    Ok(())
}
