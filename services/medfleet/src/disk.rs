//! How full the disk under the data folder is, as metrics.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use medfleet_runtime::{Metrics, Shutdown};
use prometheus::{IntGauge, IntGaugeVec};

use crate::house::House;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

struct Gauges {
    free: IntGauge,
    total: IntGauge,
    used: IntGaugeVec,
}

/// Looks at the disk until the end is asked for.
pub async fn watch(house: House, metrics: &Metrics, shutdown: Shutdown) -> anyhow::Result<()> {
    let room = metrics.room("house");
    let gauges = Gauges {
        free: room.gauge("free_bytes", "What is free on the disk of the data folder.")?,
        total: room.gauge("total_bytes", "What the disk of the data folder holds in all.")?,
        used: room.gauge_vec("used_bytes", "What each room of the data folder takes.", &["room"])?,
    };
    let rooms = [("log", house.log()), ("lake", house.root().join("lake")), ("snapshots", house.snapshots())];
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while shutdown.unless_requested(ticks.tick()).await.is_some() {
        let (root, rooms) = (house.root().to_owned(), rooms.clone());
        let looked = tokio::task::spawn_blocking(move || look(&root, &rooms)).await;
        match looked.context("looking at the disk panicked")? {
            Ok(found) => show(&gauges, &found),
            Err(error) => tracing::warn!(%error, "cannot look at the disk"),
        }
    }
    Ok(())
}

struct Found {
    free: u64,
    total: u64,
    used: Vec<(&'static str, u64)>,
}

fn show(gauges: &Gauges, found: &Found) {
    gauges.free.set(found.free.cast_signed());
    gauges.total.set(found.total.cast_signed());
    for (room, bytes) in &found.used {
        gauges.used.with_label_values(&[room]).set(bytes.cast_signed());
    }
}

fn look(root: &Path, rooms: &[(&'static str, PathBuf)]) -> anyhow::Result<Found> {
    let disk = rustix::fs::statvfs(root).with_context(|| format!("the disk under {}", root.display()))?;
    let used = rooms.iter().map(|(room, folder)| (*room, bytes_under(folder))).collect();
    Ok(Found { free: disk.f_bavail * disk.f_frsize, total: disk.f_blocks * disk.f_frsize, used })
}

/// Bytes of all files under a folder. Files come and go meanwhile: one that is gone counts nothing.
fn bytes_under(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_under(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_as_large_as_its_files_and_an_absent_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let room = folder.path().join("log");
        fs::create_dir_all(room.join("deep")).unwrap();
        fs::write(room.join("deep/a"), [0; 700]).unwrap();
        fs::write(room.join("b"), [0; 42]).unwrap();
        let rooms = [("log", room), ("lake", folder.path().join("lake"))];
        let found = look(folder.path(), &rooms).unwrap();
        assert_eq!(found.used, [("log", 742), ("lake", 0)]);
        assert!(found.free > 0 && found.free <= found.total);
    }
}
