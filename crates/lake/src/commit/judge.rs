//! What a commit entry means to a writer that failed to put its own there. Pure.

use std::collections::BTreeSet;

use deltalake_core::kernel::Action;
use uuid::Uuid;

/// Key in the commit's info under which the attempt is written.
pub(crate) const ATTEMPT_KEY: &str = "medfleetAttempt";

/// Up to where an application (one partition of one log) is contained in a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Txn {
    pub app_id: String,
    pub version: i64,
}

impl Txn {
    pub fn new(app_id: impl Into<String>, version: i64) -> Self {
        Self { app_id: app_id.into(), version }
    }
}

/// What stands at the version a writer wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing: put again.
    Absent,
    /// My own attempt landed and only its acknowledgement was lost.
    Mine,
    /// Somebody's commit that concerns neither my applications nor the shape: step over it.
    Foreign,
    /// Another writer commits for an application of mine: I am a zombie, or it is.
    Taken(Vec<Txn>),
    /// The shape of the table changed.
    Reshaped,
}

/// Reads an entry. `actions` is `None` when the version does not exist.
///
/// | entry | verdict |
/// |---|---|
/// | none | `Absent` |
/// | my attempt id | `Mine`, whatever else it holds |
/// | a `txn` of one of my applications | `Taken` |
/// | protocol or metadata | `Reshaped` |
/// | anything else | `Foreign` |
pub(crate) fn judge(actions: Option<&[Action]>, attempt: Uuid, mine: &BTreeSet<&str>) -> Entry {
    let Some(actions) = actions else { return Entry::Absent };
    if actions.iter().any(|action| attempt_of(action) == Some(attempt)) {
        return Entry::Mine;
    }
    let taken: Vec<Txn> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Txn(txn) if mine.contains(txn.app_id.as_str()) => Some(Txn::new(txn.app_id.clone(), txn.version)),
            _ => None,
        })
        .collect();
    if !taken.is_empty() {
        return Entry::Taken(taken);
    }
    match actions.iter().any(|a| matches!(a, Action::Metadata(_) | Action::Protocol(_))) {
        true => Entry::Reshaped,
        false => Entry::Foreign,
    }
}

fn attempt_of(action: &Action) -> Option<Uuid> {
    let Action::CommitInfo(info) = action else { return None };
    info.info.get(ATTEMPT_KEY)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake_core::kernel::{Protocol, Transaction};
    use std::collections::HashMap;

    fn info(attempt: Uuid) -> Action {
        Action::commit_info(HashMap::from([(ATTEMPT_KEY.into(), attempt.to_string().into())]))
    }

    fn txn(app_id: &str, version: i64) -> Action {
        Action::Txn(Transaction::new(app_id, version))
    }

    fn protocol() -> Action {
        let text = r#"{"minReaderVersion":1,"minWriterVersion":2}"#;
        Action::Protocol(serde_json::from_str::<Protocol>(text).unwrap())
    }

    #[test]
    fn the_truth_table_of_the_doc_comment_holds() {
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mine = BTreeSet::from(["log/facts/0", "log/facts/1"]);
        let judged = |actions: &[Action]| judge(Some(actions), me, &mine);

        assert_eq!(judge(None, me, &mine), Entry::Absent);
        assert_eq!(judged(&[info(me), txn("log/facts/0", 7)]), Entry::Mine);
        assert_eq!(judged(&[info(me), protocol()]), Entry::Mine);
        assert_eq!(
            judged(&[info(other), txn("log/facts/9", 3), txn("log/facts/1", 7)]),
            Entry::Taken(vec![Txn::new("log/facts/1", 7)])
        );
        assert_eq!(judged(&[info(other), protocol()]), Entry::Reshaped);
        assert_eq!(judged(&[info(other), txn("upkeep", 3)]), Entry::Foreign);
        assert_eq!(judged(&[txn("log/facts/9", 3)]), Entry::Foreign);
    }
}
