//! What a Kafka error means for us: passing trouble or a refusal, and what became of the record.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::error::{LogError, Outcome};

pub(super) fn trouble(action: &'static str) -> impl FnOnce(KafkaError) -> LogError {
    move |source| {
        if refuses(&source) {
            LogError::KafkaRefused { action, source }
        } else {
            LogError::KafkaUnavailable { action, source }
        }
    }
}

/// An answer that did not come in time.
pub(super) fn timed_out(action: &'static str) -> LogError {
    LogError::KafkaUnavailable { action, source: KafkaError::Global(Code::OperationTimedOut) }
}

/// Errors that the same request will meet again until somebody changes something. All else may pass.
fn refuses(error: &KafkaError) -> bool {
    if matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_)) {
        return true;
    }
    error.rdkafka_error_code().is_some_and(|code| {
        never_accepted(code)
            || matches!(
                code,
                Code::GroupAuthorizationFailed
                    | Code::SaslAuthenticationFailed
                    | Code::Authentication
                    | Code::UnsupportedVersion
                    | Code::UnsupportedSASLMechanism
                    | Code::InvalidConfig
                    | Code::InvalidPartitions
                    | Code::InvalidReplicationFactor
                    | Code::PolicyViolation
                    | Code::InvalidTopic
            )
    })
}

/// The cluster turns such a record away before it is written anywhere, and will again.
fn never_accepted(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
    )
}

/// What became of a record whose delivery failed. Whatever is not known to be refused is unknown: a lost answer is no
/// answer.
pub(super) fn outcome(error: &KafkaError) -> Outcome {
    match error.rdkafka_error_code() {
        Some(code) if never_accepted(code) => Outcome::Refused,
        // It never left this process.
        Some(Code::QueueFull | Code::PurgeQueue) => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}

/// The partition no longer holds the offset that was asked for.
pub(super) fn is_lost_place(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_unknown_and_worth_another_try() {
        for code in [
            Code::MessageTimedOut,
            Code::BrokerTransportFailure,
            Code::NotEnoughReplicasAfterAppend,
            Code::PurgeInflight,
        ] {
            let error = KafkaError::MessageProduction(code);
            assert_eq!(outcome(&error), Outcome::Unknown, "{code}");
            assert!(trouble("append")(error).is_retryable(), "{code}");
        }
    }

    #[test]
    fn a_record_that_is_too_large_is_refused_for_good() {
        let error = KafkaError::MessageProduction(Code::MessageSizeTooLarge);
        assert_eq!(outcome(&error), Outcome::Refused);
        assert!(!trouble("append")(error).is_retryable());
    }
}
