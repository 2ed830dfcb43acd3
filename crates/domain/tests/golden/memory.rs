//! How often the archive is asked: a cost, and never a matter of what comes out.

use medfleet_domain::condition::{Clock, SourceKind};
use medfleet_domain::fact::{Fact, Source};
use medfleet_domain::id::{Epoch, Seq};
use medfleet_domain::time::{Day, Timestamp};

use super::archive::Book;
use super::given::{S, TODAY, run, seal, stretch};

const BACKLOG_DAYS: i32 = 4;
const PER_DAY: i64 = 48;
const MICROS_PER_HALF_HOUR: i64 = 1_800_000_000;

/// One stretch as a record, and a commit behind it.
fn tell(book: &mut Book, seq: i64, from: Timestamp, micros: i64) {
    let until = Timestamp(from.0 + micros);
    let source = Source { kind: SourceKind::Device, name: "modbus".into() };
    let body = stretch(S, until);
    let fact = Fact { at: from, known_at: until, known_assumed: false, clock: Clock::Synchronised, source, body };
    book.admit(&run(Epoch(1), Seq(seq.cast_unsigned()), vec![seal(fact)]));
    book.commit();
}

#[test]
fn a_backlog_beside_live_facts_asks_for_each_day_a_few_times() {
    let mut book = Book::default();
    let begin = Day(TODAY.0 - 10);
    let late = i64::from(BACKLOG_DAYS) * PER_DAY;
    // The days are known and long forgotten: each had facts once, and the archive has them.
    for day in 0..BACKLOG_DAYS {
        tell(&mut book, i64::from(day) + 1, Day(begin.0 + day).start(), 1_000_000);
    }
    for nth in 0..3 {
        tell(&mut book, 1_000 + nth, Day(TODAY.0 - 2 + nth as i32).start(), 1_000_000);
    }
    book.questions = 0;
    for nth in 0..late {
        let at = Timestamp(begin.start().0 + nth * MICROS_PER_HALF_HOUR + 60_000_000);
        tell(&mut book, 10 + nth, at, 60_000_000);
        let live = Timestamp(TODAY.start().0 + (nth + 1) * 60_000_000);
        tell(&mut book, 2_000 + nth, live, 30_000_000);
    }
    let most = 4 * BACKLOG_DAYS as usize;
    assert!(book.questions <= most, "{} questions about {BACKLOG_DAYS} days", book.questions);
}
