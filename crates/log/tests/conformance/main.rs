//! One suite of laws, run against both keepers of the event log.
//!
//! The embedded half always runs. The Kafka half runs when `MEDFLEET_TEST_KAFKA` names a broker (`HOST:PORT`); with
//! `MEDFLEET_REQUIRE_BROKERS=1` a missing broker is a failure and not a pass. The law about a killed broker starts one
//! of its own.

// Test helpers may unwrap: a failure there is a failed test.
#![allow(clippy::unwrap_used)]

mod embedded;
mod kafka;
mod laws;

/// One test per law and keeper.
macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        mod embedded_keeper {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                crate::laws::$law(&mut crate::embedded::Embedded::begin(crate::laws::topics()).await).await;
            })+
        }
        mod kafka_keeper {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                if let Some(mut kafka) = crate::kafka::Kafka::begin(crate::laws::topics()).await {
                    crate::laws::$law(&mut kafka).await;
                }
            })+
        }
    };
}

laws!(
    offsets_are_contiguous_and_keep_the_order_of_the_call,
    a_key_goes_to_the_partition_of_the_partitioner,
    what_was_appended_is_there_after_reopening,
    reading_begins_anywhere_and_heeds_the_limit,
    reading_at_the_end_is_empty,
    a_tail_wakes_on_an_append,
    a_tail_follows_several_partitions_and_starves_none,
    a_tail_moves_only_over_what_it_returned,
    a_sought_tail_begins_there,
    concurrent_appenders_lose_and_double_nothing,
    the_largest_record_is_taken_and_a_larger_one_refused,
    an_append_above_the_limit_is_refused_whole,
    trimmed_records_are_an_error_and_never_skipped,
    a_trimmed_partition_goes_on_where_it_was_and_alone,
    a_scan_reads_what_the_log_had_when_it_began,
    a_place_past_the_end_is_refused,
    a_log_keeps_its_identity_and_shares_it_with_no_other,
    an_unknown_topic_or_partition_is_refused,
    another_partition_count_is_refused,
    append_time_is_the_keepers_clock,
    a_dropped_append_harms_nothing,
    what_a_keeper_did_is_counted,
);
