//! The relations that the feature query reads: signals, parts and instants, as columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use medfleet_domain::time::{MICROS_PER_DAY, Timestamp};
use medfleet_risk::frame::Group;

use crate::Error;
use crate::gather::Signal;

/// Width of the buckets by which recent signals meet instants: the longest window of the query.
const BUCKET_MICROS: i64 = 30 * MICROS_PER_DAY;

/// One part that is asked about.
pub struct AskedPart<'a> {
    pub device: u32,
    pub group: u32,
    pub site: i64,
    pub component: &'a str,
    /// The maker's limit of its counter.
    pub life: Option<f64>,
    /// From when on its counter was known; None of a part without.
    pub counted_from: Option<Timestamp>,
    /// From when and until when the device was known by this make and model.
    pub known_from: Timestamp,
    pub known_until: Timestamp,
}

pub fn signals(told: &[(u32, Vec<Signal>)]) -> Result<RecordBatch, Error> {
    let rows = || told.iter().flat_map(|(device, signals)| signals.iter().map(move |signal| (*device, signal)));
    let int = |of: &dyn Fn(u32, &Signal) -> i64| -> ArrayRef {
        Arc::new(rows().map(|(device, signal)| of(device, signal)).collect::<Int64Array>())
    };
    let text = |of: fn(&Signal) -> &str| -> ArrayRef {
        Arc::new(rows().map(|(_, signal)| Some(of(signal))).collect::<StringArray>())
    };
    let amounts: ArrayRef = Arc::new(rows().map(|(_, signal)| signal.amount).collect::<Float64Array>());
    Ok(RecordBatch::try_from_iter([
        ("device", int(&|device, _| i64::from(device))),
        ("sort", text(|signal| signal.sort.as_str())),
        ("part", text(|signal| &signal.part)),
        ("name", text(|signal| &signal.name)),
        ("happened_at", int(&|_, signal| signal.told.at.micros())),
        ("known_at", int(&|_, signal| signal.told.known_at.micros())),
        ("bucket", int(&|_, signal| signal.told.at.micros().div_euclid(BUCKET_MICROS))),
        ("amount", amounts),
    ])?)
}

pub fn parts(asked: &[AskedPart<'_>]) -> Result<RecordBatch, Error> {
    let int =
        |of: &dyn Fn(&AskedPart<'_>) -> i64| -> ArrayRef { Arc::new(asked.iter().map(of).collect::<Int64Array>()) };
    let components: ArrayRef = Arc::new(StringArray::from_iter_values(asked.iter().map(|part| part.component)));
    let counted_from = asked.iter().map(|part| part.counted_from.map(Timestamp::micros));
    let counted_from: ArrayRef = Arc::new(counted_from.collect::<Int64Array>());
    let lives: ArrayRef = Arc::new(asked.iter().map(|part| part.life).collect::<Float64Array>());
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("device", int(&|part| i64::from(part.device)), false),
        ("part_group", int(&|part| i64::from(part.group)), false),
        ("site", int(&|part| part.site), false),
        ("part", components, false),
        ("life", lives, true),
        ("counted_from", counted_from, true),
        ("known_from", int(&|part| part.known_from.micros()), false),
        ("known_until", int(&|part| part.known_until.micros()), false),
    ])?)
}

pub fn instants(at: &[Timestamp]) -> Result<RecordBatch, Error> {
    let micros: ArrayRef = Arc::new(at.iter().map(|at| at.micros()).collect::<Int64Array>());
    let buckets: ArrayRef = Arc::new(at.iter().map(|at| at.micros().div_euclid(BUCKET_MICROS)).collect::<Int64Array>());
    Ok(RecordBatch::try_from_iter([("now", micros), ("bucket", buckets)])?)
}

/// What a model knows a group by.
pub fn groups(groups: &[Group]) -> Result<RecordBatch, Error> {
    let numbers: ArrayRef = Arc::new((0..).take(groups.len()).collect::<Int64Array>());
    let text =
        |of: &dyn Fn(&Group) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(groups.iter().map(of))) };
    Ok(RecordBatch::try_from_iter([
        ("part_group", numbers),
        ("kind", text(&|group| group.kind.as_str())),
        ("make_model", text(&|group| &group.make_model)),
        ("component", text(&|group| &group.component)),
    ])?)
}
