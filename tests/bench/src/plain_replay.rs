//! The control of replay: one thread, the same bytes, a naive fold in memory: no claims, no precedence, no dedup past a set, no tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use medfleet_domain::condition::Condition;
use medfleet_domain::fact::Body;
use medfleet_domain::id::Subject;
use medfleet_domain::time::Timestamp;
use medfleet_log::{EventLog, Partition, Topic};

const READ_BYTES: usize = 8 * 1024 * 1024;

#[derive(Default)]
struct Device {
    seen: HashSet<(u64, u64)>,
    intervals: BTreeMap<Timestamp, (Timestamp, Condition)>,
    counters: HashMap<(String, String), i64>,
    counted_milli: i64,
    errors: u64,
}

/// What the fold came to.
#[derive(Debug, Default)]
pub struct Folded {
    devices: usize,
    intervals: usize,
    counted_milli: i64,
    errors: u64,
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} subjects, {} intervals, {} thousandths counted, {} errors",
            self.devices, self.intervals, self.counted_milli, self.errors
        )
    }
}

pub async fn fold(log: &dyn EventLog) -> anyhow::Result<Folded> {
    let mut devices: HashMap<Subject, Device> = HashMap::new();
    for partition in 0..log.partitions(Topic::FACTS)? {
        let home = Partition::new(Topic::FACTS, partition);
        let bounds = log.bounds(home).await?;
        let mut next = bounds.floor;
        while next < bounds.end {
            for record in log.read(home.at(next), READ_BYTES).await? {
                next = record.offset + 1;
                let run = medfleet_wire::decode_record(&record.value)?.run;
                let device = devices.entry(run.subject.clone()).or_default();
                for (seq, sealed) in (run.first_seq.0..).zip(run.facts) {
                    if device.seen.insert((run.epoch.0, seq)) {
                        device.take(sealed.fact.at, sealed.fact.body);
                    }
                }
            }
        }
    }
    Ok(Folded {
        devices: devices.len(),
        intervals: devices.values().map(|device| device.intervals.len()).sum(),
        counted_milli: devices.values().map(|device| device.counted_milli).sum(),
        errors: devices.values().map(|device| device.errors).sum(),
    })
}

impl Device {
    fn take(&mut self, at: Timestamp, body: Body) {
        match body {
            Body::Stretch(stretch) => {
                self.intervals.insert(at, (stretch.until, stretch.condition));
            }
            Body::Usage(sample) => {
                let last = self.counters.insert((sample.counter, sample.component), sample.value_milli);
                self.counted_milli += last.map_or(0, |last| (sample.value_milli - last).max(0));
            }
            Body::Error(_) => self.errors += 1,
            _ => {}
        }
    }
}
