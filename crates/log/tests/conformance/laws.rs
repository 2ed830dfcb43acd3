//! The laws every keeper of the event log obeys, as tests over the port.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use medfleet_log::{
    EventLog, LogError, MAX_APPEND_BYTES, MAX_RECORD_BYTES, NewRecord, Outcome, Partition, Position, Record, Topic,
    TopicDeclaration, partition_of, read_to_end,
};

const WIDE: Topic = Topic::named("medfleet.test-wide.v1");
const NARROW: Topic = Topic::named("medfleet.test-narrow.v1");
const WIDE_PARTITIONS: u32 = 4;
/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);
const MIB: usize = 1024 * 1024;

/// A keeper under test, and what the suite needs of it beyond the port.
pub trait Keeper {
    fn log(&self) -> Arc<dyn EventLog>;
    /// Closes the log as a dying process would, and opens it anew.
    async fn reopen(&mut self);
    /// Opens it with other declarations, after closing it.
    async fn reopen_with(&mut self, topics: &[TopicDeclaration]) -> Result<(), LogError>;
    /// A log that is not this one.
    async fn another(&self) -> Arc<dyn EventLog>;
    /// A trim may free whole segments only: this many bytes make several of them.
    fn bytes_of_many_segments(&self) -> usize;
}

pub fn topics() -> Vec<TopicDeclaration> {
    vec![TopicDeclaration::new(WIDE, WIDE_PARTITIONS), TopicDeclaration::new(NARROW, 1)]
}

fn record(topic: Topic, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> NewRecord {
    NewRecord { topic, key: Bytes::copy_from_slice(key.as_ref()), value: Bytes::copy_from_slice(value.as_ref()) }
}

/// Records `range` of the narrow topic, whose value is their number.
fn numbered(range: std::ops::Range<u64>) -> Vec<NewRecord> {
    range.map(|number| record(NARROW, "subject", number.to_string())).collect()
}

fn start(topic: Topic) -> Vec<Position> {
    let partitions = if topic == WIDE { WIDE_PARTITIONS } else { 1 };
    (0..partitions).map(|partition| Partition::new(topic, partition).at(0)).collect()
}

fn number(record: &Record) -> u64 {
    std::str::from_utf8(&record.value).unwrap().parse().unwrap()
}

/// Reads one partition from an offset to its end.
async fn read_all(log: &dyn EventLog, mut from: Position) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let records = log.read(from, MIB).await.unwrap();
        if records.is_empty() {
            return all;
        }
        from.offset += records.len() as u64;
        all.extend(records);
    }
}

pub async fn offsets_are_contiguous_and_keep_the_order_of_the_call(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let call: Vec<_> = (0..800).map(|n| record(WIDE, keys[n % keys.len()], n.to_string())).collect();
    let positions = log.append(call.clone()).await.unwrap();
    let mut next = BTreeMap::<u32, u64>::new();
    for (sent, position) in call.iter().zip(&positions) {
        let expected = next.entry(position.partition).or_default();
        assert_eq!(
            (position.topic, position.offset),
            (sent.topic, *expected),
            "offsets of one partition follow each other"
        );
        *expected += 1;
    }
    assert!(next.len() > 1, "the keys should reach more than one partition");
    for at in start(WIDE) {
        let expected = call.iter().zip(&positions).filter(|(_, position)| position.home() == at.home());
        let found = read_all(&*log, at).await;
        assert_eq!(found.len() as u64, next.get(&at.partition).copied().unwrap_or(0));
        for (record, (sent, position)) in found.iter().zip(expected) {
            assert_eq!((record.offset, &record.key, &record.value), (position.offset, &sent.key, &sent.value));
        }
    }
    let more = log.append(vec![record(WIDE, "a", "later")]).await.unwrap();
    assert_eq!(more[0].offset, next[&more[0].partition], "the next call goes on where the last ended");
}

pub async fn a_key_goes_to_the_partition_of_the_partitioner(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let keys: Vec<String> = (0..64).map(|n| format!("device:{n}")).chain([String::new()]).collect();
    let positions = log.append(keys.iter().map(|key| record(WIDE, key, "x")).collect()).await.unwrap();
    for (key, position) in keys.iter().zip(positions) {
        assert_eq!(position.partition, partition_of(key.as_bytes(), WIDE_PARTITIONS), "{key}");
    }
}

pub async fn what_was_appended_is_there_after_reopening(keeper: &mut impl Keeper) {
    keeper.log().append(numbered(0..500)).await.unwrap();
    keeper.reopen().await;
    let log = keeper.log();
    let found = read_all(&*log, start(NARROW)[0]).await;
    assert_eq!(found.iter().map(number).collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
    assert_eq!(log.append(numbered(500..501)).await.unwrap()[0].offset, 500);
}

pub async fn reading_begins_anywhere_and_heeds_the_limit(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let value = vec![7; 10_000];
    log.append((0..100).map(|_| record(NARROW, "subject", &value)).collect()).await.unwrap();
    let home = Partition::new(NARROW, 0);
    for from in [0, 1, 42, 99] {
        let some = log.read(home.at(from), 50_000).await.unwrap();
        assert_eq!(some[0].offset, from);
        let bytes: usize = some.iter().map(Record::size_bytes).sum();
        assert!(bytes <= 60_100, "{bytes} bytes are more than a record above the limit");
    }
    assert_eq!(log.read(home.at(5), 1).await.unwrap().len(), 1, "a limit smaller than the record still gives one");
    assert_eq!(read_all(&*log, home.at(42)).await.len(), 58);
}

pub async fn reading_at_the_end_is_empty(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let home = Partition::new(NARROW, 0);
    assert!(log.read(home.at(0), MIB).await.unwrap().is_empty());
    log.append(numbered(0..3)).await.unwrap();
    assert!(log.read(home.at(3), MIB).await.unwrap().is_empty());
    let bounds = log.bounds(home).await.unwrap();
    assert_eq!((bounds.floor, bounds.end), (0, 3));
    let mut tail = log.tail(&[home.at(3)]).await.unwrap();
    assert!(tail.poll(MIB, Duration::from_millis(50)).await.unwrap().is_empty());
}

pub async fn a_tail_wakes_on_an_append(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let mut tail = log.tail(&start(WIDE)).await.unwrap();
    assert!(tail.poll(MIB, Duration::from_millis(100)).await.unwrap().is_empty());
    let waiting = tokio::spawn(async move { tail.poll(MIB, PATIENCE).await });
    log.append(vec![record(WIDE, "a", "news")]).await.unwrap();
    let batches = waiting.await.unwrap().unwrap();
    assert_eq!(batches.len(), 1, "woken by the append and not by the clock");
    assert_eq!(batches[0].records[0].value, "news");
}

pub async fn a_tail_follows_several_partitions_and_starves_none(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let call: Vec<_> = (0..4_000).map(|n: u32| record(WIDE, n.to_string(), vec![1; 200])).collect();
    log.append(call).await.unwrap();
    log.append(numbered(0..10)).await.unwrap();
    let places: Vec<_> = start(WIDE).into_iter().chain(start(NARROW)).collect();
    let mut tail = log.tail(&places).await.unwrap();
    let mut next: BTreeMap<Partition, u64> = BTreeMap::new();
    let mut total = 0;
    while total < 4_010 {
        let batches = tail.poll(20_000, PATIENCE).await.unwrap();
        assert!(!batches.is_empty(), "{total} of 4010 records came");
        for batch in batches {
            for record in &batch.records {
                assert_eq!(record.offset, *next.entry(batch.home).or_default(), "{}", batch.home);
                next.insert(batch.home, record.offset + 1);
            }
            total += batch.records.len();
        }
    }
    let cursors: BTreeMap<_, _> = tail.cursors().into_iter().map(|at| (at.home(), at.offset)).collect();
    assert_eq!(cursors, next);
    assert_eq!(next[&Partition::new(NARROW, 0)], 10);
}

pub async fn a_tail_moves_only_over_what_it_returned(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let mut tail = log.tail(&start(NARROW)).await.unwrap();
    let mut seen = Vec::new();
    for round in 0..20 {
        // Given up at once, whatever it was doing.
        let given_up = tokio::select! {
            biased;
            polled = tail.poll(MIB, PATIENCE) => Some(polled),
            () = tokio::task::yield_now() => None,
        };
        seen.extend(given_up.into_iter().flat_map(Result::unwrap));
        log.append(numbered(round * 10..round * 10 + 10)).await.unwrap();
    }
    while seen.iter().map(|batch| batch.records.len()).sum::<usize>() < 200 {
        seen.extend(tail.poll(MIB, PATIENCE).await.unwrap());
    }
    let numbers: Vec<u64> = seen.iter().flat_map(|batch| &batch.records).map(number).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

pub async fn a_sought_tail_begins_there(keeper: &mut impl Keeper) {
    let log = keeper.log();
    log.append(numbered(0..50)).await.unwrap();
    let home = Partition::new(NARROW, 0);
    let mut tail = log.tail(&[home.at(40)]).await.unwrap();
    assert_eq!(number(&tail.poll(MIB, PATIENCE).await.unwrap()[0].records[0]), 40);
    for offset in [7, 49, 0] {
        tail.seek(home.at(offset)).unwrap();
        assert_eq!(number(&tail.poll(1, PATIENCE).await.unwrap()[0].records[0]), offset);
    }
    assert!(matches!(tail.seek(Partition::new(WIDE, 0).at(0)), Err(LogError::NotFollowed { .. })));
}

pub async fn concurrent_appenders_lose_and_double_nothing(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let appenders = (0..8).map(|writer| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let mut mine = Vec::new();
            for n in 0..25 {
                let call = (0..4).map(|k| record(WIDE, format!("{writer}"), format!("{writer}/{n}/{k}"))).collect();
                mine.extend(log.append(call).await.unwrap());
            }
            assert!(mine.windows(2).all(|pair| pair[0].offset < pair[1].offset), "one writer's calls keep their order");
            mine
        })
    });
    let mut positions = HashSet::new();
    for appender in appenders.collect::<Vec<_>>() {
        for position in appender.await.unwrap() {
            assert!(positions.insert(position), "{position} was given twice");
        }
    }
    let mut found = HashSet::new();
    for at in start(WIDE) {
        for record in read_all(&*log, at).await {
            assert!(positions.contains(&at.home().at(record.offset)));
            assert!(found.insert(record.value.clone()), "{:?} is there twice", record.value);
        }
    }
    assert_eq!((positions.len(), found.len()), (800, 800));
}

pub async fn the_largest_record_is_taken_and_a_larger_one_refused(keeper: &mut impl Keeper) {
    let log = keeper.log();
    // Noise, so that no compression makes it small.
    let noise: Vec<u8> =
        (0..MAX_RECORD_BYTES as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    let largest = &noise[..MAX_RECORD_BYTES - 3];
    let position = log.append(vec![record(NARROW, "key", largest)]).await.unwrap()[0];
    let found = log.read(position, MIB).await.unwrap();
    assert!(found[0].value == largest, "the largest record came back changed");
    let error = log.append(vec![record(NARROW, "key", "small"), record(NARROW, "keys", largest)]).await.unwrap_err();
    assert_eq!(error.outcomes, [Outcome::Refused; 2]);
    assert!(matches!(error.source, LogError::RecordTooLarge { index: 1, .. }));
    assert!(error.source.to_string().contains(&format!("{MAX_RECORD_BYTES} (MAX_RECORD_BYTES)")), "{}", error.source);
    assert_eq!(
        log.bounds(position.home()).await.unwrap().end,
        position.offset + 1,
        "nothing of a refused call is in the log"
    );
}

pub async fn an_append_above_the_limit_is_refused_whole(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let call: Vec<_> = (0..MAX_APPEND_BYTES / MIB).map(|_| record(NARROW, "key", vec![0; MIB])).collect();
    let error = log.append(call).await.unwrap_err();
    assert!(matches!(error.source, LogError::AppendTooLarge { .. }) && !error.is_retryable());
    let nearly: Vec<_> = (0..MAX_APPEND_BYTES / MIB - 1).map(|_| record(NARROW, "key", vec![0; MIB])).collect();
    let positions = log.append(nearly).await.unwrap();
    assert_eq!(positions.last().map(|last| last.offset + 1), Some(positions.len() as u64));
    assert!(log.append(Vec::new()).await.unwrap().is_empty());
}

pub async fn trimmed_records_are_an_error_and_never_skipped(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let home = Partition::new(NARROW, 0);
    let count = 200;
    let value = vec![3; keeper.bytes_of_many_segments() / count];
    for _ in 0..10 {
        log.append((0..count / 10).map(|_| record(NARROW, "subject", &value)).collect()).await.unwrap();
    }
    let floor = log.trim(home.at(150)).await.unwrap().floor;
    assert!(floor > 0 && floor <= 150, "floor {floor}");
    assert_eq!(log.bounds(home).await.unwrap().floor, floor);
    let below = |result: LogError| matches!(result, LogError::BelowFloor { floor: f, .. } if f == floor);
    assert!(below(log.read(home.at(floor - 1), MIB).await.unwrap_err()));
    assert!(below(log.tail(&[home.at(0)]).await.err().unwrap()));
    let mut tail = log.tail(&[home.at(floor)]).await.unwrap();
    assert_eq!(tail.poll(1, PATIENCE).await.unwrap()[0].records[0].offset, floor);
    tail.seek(home.at(0)).unwrap();
    assert!(below(tail.poll(MIB, PATIENCE).await.unwrap_err()));
    assert_eq!(log.trim(home.at(1)).await.unwrap().floor, floor, "a floor never falls");
    assert!(matches!(log.trim(home.at(count as u64 + 1)).await, Err(LogError::PastEnd { .. })));
    drop((tail, log));
    keeper.reopen().await;
    let bounds = keeper.log().bounds(home).await.unwrap();
    assert_eq!((bounds.floor, bounds.end), (floor, count as u64));
}

pub async fn a_trimmed_partition_goes_on_where_it_was_and_alone(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let value = vec![3; keeper.bytes_of_many_segments() / 100];
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for _ in 0..100 {
        log.append(keys.iter().map(|key| record(WIDE, key, &value)).collect()).await.unwrap();
    }
    let homes: Vec<Partition> = start(WIDE).into_iter().map(Position::home).collect();
    let mut bounds = Vec::new();
    for home in &homes {
        bounds.push(log.bounds(*home).await.unwrap());
    }
    let trimmed = (0..homes.len()).max_by_key(|index| bounds[*index].end).unwrap();
    let end = bounds[trimmed].end;
    let after = log.trim(homes[trimmed].at(end)).await.unwrap();
    assert!(after.floor > 0 && after.floor <= end && after.end == end, "{after:?}");
    for (index, home) in homes.iter().enumerate().filter(|(index, _)| *index != trimmed) {
        assert_eq!(log.bounds(*home).await.unwrap(), bounds[index], "another partition moved");
    }
    let key =
        keys.iter().find(|key| partition_of(key.as_bytes(), WIDE_PARTITIONS) == homes[trimmed].partition).unwrap();
    drop(log);
    keeper.reopen().await;
    let appended = keeper.log().append(vec![record(WIDE, key, "next")]).await.unwrap();
    assert_eq!(appended, [homes[trimmed].at(end)], "an offset is given once");
    assert_eq!(&read_all(&*keeper.log(), homes[trimmed].at(end)).await[0].value[..], b"next");
}

pub async fn a_scan_reads_what_the_log_had_when_it_began(keeper: &mut impl Keeper) {
    let log = keeper.log();
    log.append(numbered(0..500)).await.unwrap();
    let from = Partition::new(NARROW, 0).at(20);
    let mut seen = Vec::new();
    let stopped = read_to_end(&*log, from, |record| {
        seen.push(number(&record));
        Ok::<_, LogError>(true)
    });
    assert_eq!(stopped.await.unwrap().offset, 500);
    assert_eq!(seen, (20..500).collect::<Vec<_>>());
    let until = |wanted: u64| move |record: Record| Ok::<_, LogError>(number(&record) < wanted);
    assert_eq!(read_to_end(&*log, from, until(30)).await.unwrap().offset, 31, "it goes on behind what was handed over");
    let failed = read_to_end(&*log, from, |_| Err::<bool, _>(LogError::Closed)).await;
    assert!(matches!(failed, Err(LogError::Closed)));
    let past = read_to_end(&*log, from.home().at(500), |_| Ok::<_, LogError>(true)).await.unwrap();
    assert_eq!(past.offset, 500, "nothing is left to read");
}

pub async fn a_place_past_the_end_is_refused(keeper: &mut impl Keeper) {
    let log = keeper.log();
    log.append(numbered(0..5)).await.unwrap();
    let past = Partition::new(NARROW, 0).at(6);
    assert!(matches!(log.read(past, MIB).await, Err(LogError::PastEnd { end: 5, .. })));
    assert!(matches!(log.tail(&[past]).await, Err(LogError::PastEnd { end: 5, .. })));
    let mut tail = log.tail(&[past.home().at(5)]).await.unwrap();
    tail.seek(past).unwrap();
    assert!(matches!(tail.poll(MIB, PATIENCE).await, Err(LogError::PastEnd { end: 5, .. })));
}

pub async fn a_log_keeps_its_identity_and_shares_it_with_no_other(keeper: &mut impl Keeper) {
    let log_id = keeper.log().log_id();
    let error = keeper.another().await.expect_id(log_id).unwrap_err();
    assert!(matches!(error, LogError::ForeignLog { expected, .. } if expected == log_id), "{error}");
    keeper.reopen().await;
    keeper.log().expect_id(log_id).unwrap();
    assert_eq!(log_id.to_string().parse::<medfleet_log::LogId>().unwrap(), log_id);
}

pub async fn an_unknown_topic_or_partition_is_refused(keeper: &mut impl Keeper) {
    let log = keeper.log();
    let stranger = Topic::named("medfleet.test-stranger.v1");
    let error = log.append(vec![record(NARROW, "a", "x"), record(stranger, "a", "x")]).await.unwrap_err();
    assert_eq!(error.outcomes, [Outcome::Refused; 2]);
    assert!(error.source.to_string().contains("medfleet.test-stranger.v1"), "{}", error.source);
    assert!(matches!(log.partitions(stranger), Err(LogError::UnknownTopic { .. })));
    assert!(matches!(
        log.bounds(Partition::new(NARROW, 1)).await,
        Err(LogError::UnknownPartition { partitions: 1, .. })
    ));
    assert!(matches!(log.tail(&[Partition::new(stranger, 0).at(0)]).await, Err(LogError::UnknownTopic { .. })));
    assert_eq!(log.bounds(Partition::new(NARROW, 0)).await.unwrap().end, 0, "nothing of a refused call is in the log");
}

pub async fn another_partition_count_is_refused(keeper: &mut impl Keeper) {
    let mut topics = topics();
    topics[0].partitions += 1;
    let error = keeper.reopen_with(&topics).await.unwrap_err();
    let LogError::PartitionCount { topic, declared, found } = error else { panic!("{error}") };
    assert_eq!((topic, declared, found), (WIDE, WIDE_PARTITIONS + 1, WIDE_PARTITIONS));
}

pub async fn append_time_is_the_keepers_clock(keeper: &mut impl Keeper) {
    let micros = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let before = micros();
    let position = keeper.log().append(numbered(0..1)).await.unwrap()[0];
    let found = keeper.log().read(position, MIB).await.unwrap()[0].appended_at_micros;
    // Kafka cuts to the millisecond.
    assert!(found >= before - 1_000 && found <= micros(), "{found} is not near {before}");
}

pub async fn a_dropped_append_harms_nothing(keeper: &mut impl Keeper) {
    let log = keeper.log();
    for _ in 0..20 {
        let append = log.append(vec![record(NARROW, "dropped", vec![1; MIB])]);
        let _ = tokio::time::timeout(Duration::ZERO, append).await;
    }
    let last = log.append(vec![record(NARROW, "kept", "x")]).await.unwrap()[0];
    assert_eq!(log.read(last, MIB).await.unwrap()[0].key, "kept");
}

pub async fn what_a_keeper_did_is_counted(keeper: &mut impl Keeper) {
    let log = keeper.log();
    log.append(vec![record(NARROW, "key", "value"), record(NARROW, "key", "value")]).await.unwrap();
    let _ = log.append(vec![record(NARROW, "key", vec![0; MAX_RECORD_BYTES])]).await.unwrap_err();
    let stats = log.stats();
    assert_eq!((stats.appended_records, stats.appended_bytes), (2, 16));
    assert_eq!((stats.refused_records, stats.unknown_records), (1, 0));
}
