//! Which files to merge. Pure.
//!
//! Files of one partition merge like digits carry: a run starts with the smallest files and takes the
//! next as long as it is at most twice what the run already holds, so a row is rewritten about
//! log(partition size / flush size) times.

use std::collections::BTreeMap;

/// When files are merged.
#[derive(Clone, Copy, Debug)]
pub struct CompactionPolicy {
    /// A partition that is still written to merges a run of this many files.
    pub busy_merge_files: usize,
    /// A partition without a new file for this long merges a run of `settled_merge_files`: what was told in one go lies in few files soon, and
    /// a large file that late facts trickle beside is not written anew for a few of them.
    pub settled_after_seconds: i64,
    pub settled_merge_files: usize,
    /// A partition without a new file for this long merges whatever it has more than one of.
    pub quiet_after_seconds: i64,
    /// Larger files are left alone, and merged files are cut at about this size.
    pub full_file_mebibytes: u64,
    /// So are files of more rows, and no merge takes more than that: it sorts them, or adds them up, within the memory of a
    /// [`crate::Reader`]. Rows of few bytes on disk are as large in memory as others.
    pub full_file_rows: u64,
    /// Partitions merged in one commit; the rest waits for the next call.
    pub partitions_per_commit: usize,
}

impl Default for CompactionPolicy {
    fn default() -> Self {
        Self {
            busy_merge_files: 64,
            settled_after_seconds: 30,
            settled_merge_files: 4,
            quiet_after_seconds: 600,
            full_file_mebibytes: 32,
            full_file_rows: 2_000_000,
            partitions_per_commit: 64,
        }
    }
}

/// What the plan needs to know of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileSize {
    pub path: String,
    /// Values of the partition columns, in any unique spelling.
    pub partition: String,
    pub size_bytes: u64,
    pub rows: u64,
    pub modified_millis: i64,
}

/// Files to merge with each other: at most one run per partition, partitions with most files first.
pub(super) fn plan(files: &[FileSize], policy: &CompactionPolicy, now_millis: i64) -> Vec<Vec<String>> {
    let mut partitions: BTreeMap<&str, Vec<&FileSize>> = BTreeMap::new();
    for file in files {
        partitions.entry(&file.partition).or_default().push(file);
    }
    let mut runs: Vec<Vec<String>> =
        partitions.into_values().filter_map(|files| run(files, policy, now_millis)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.truncate(policy.partitions_per_commit);
    runs
}

fn run(mut files: Vec<&FileSize>, policy: &CompactionPolicy, now_millis: i64) -> Option<Vec<String>> {
    let full = policy.full_file_mebibytes << 20;
    let newest = files.iter().map(|file| file.modified_millis).max()?;
    files.retain(|file| file.size_bytes < full && file.rows < policy.full_file_rows);
    let is_since = |seconds: i64| newest + seconds * 1_000 < now_millis;
    let quiet = is_since(policy.quiet_after_seconds);
    files.sort_by_key(|file| file.size_bytes);
    let mut run = Vec::new();
    let (mut held_bytes, mut held_rows) = (0, 0);
    for file in files {
        let carries = quiet || run.is_empty() || file.size_bytes <= held_bytes * 2;
        let fits = held_bytes + file.size_bytes <= full && held_rows + file.rows <= policy.full_file_rows;
        if !carries || !(run.is_empty() || fits) {
            break;
        }
        held_bytes += file.size_bytes;
        held_rows += file.rows;
        run.push(file.path.clone());
    }
    let least = match quiet {
        true => 2,
        false if is_since(policy.settled_after_seconds) => policy.settled_merge_files,
        false => policy.busy_merge_files,
    };
    (run.len() >= least.max(2)).then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn file(path: usize, partition: &str, size_bytes: u64, age_seconds: i64) -> FileSize {
        FileSize {
            path: path.to_string(),
            partition: partition.into(),
            size_bytes,
            rows: size_bytes / 10,
            modified_millis: NOW - age_seconds * 1_000,
        }
    }

    fn policy() -> CompactionPolicy {
        CompactionPolicy { busy_merge_files: 4, ..CompactionPolicy::default() }
    }

    #[test]
    fn a_busy_partition_waits_until_it_has_enough_small_files() {
        let three: Vec<_> = (0..3).map(|i| file(i, "d1", 100, 1)).collect();
        assert!(plan(&three, &policy(), NOW).is_empty());
        let four: Vec<_> = (0..4).map(|i| file(i, "d1", 100, 1)).collect();
        assert_eq!(plan(&four, &policy(), NOW), vec![vec!["0", "1", "2", "3"]]);
    }

    #[test]
    fn a_large_merged_file_is_not_rewritten_for_a_few_small_ones() {
        let mut files: Vec<_> = (0..4).map(|i| file(i, "d1", 100, 1)).collect();
        files.push(file(9, "d1", 10_000, 1));
        assert_eq!(plan(&files, &policy(), NOW), vec![vec!["0", "1", "2", "3"]]);
    }

    #[test]
    fn a_quiet_partition_merges_everything_below_full_size() {
        let policy = CompactionPolicy { full_file_mebibytes: 1, ..policy() };
        let files = [file(0, "d1", 100, 3_600), file(1, "d1", 90_000, 3_600), file(2, "d1", 2 << 20, 3_600)];
        assert_eq!(plan(&files, &policy, NOW), vec![vec!["0", "1"]]);
        assert!(plan(&files[1..], &policy, NOW).is_empty(), "one file below full size is left alone");
    }

    #[test]
    fn a_partition_that_was_told_in_one_go_merges_soon_and_one_with_late_files_waits() {
        let policy = CompactionPolicy { busy_merge_files: 64, ..CompactionPolicy::default() };
        let mut files: Vec<_> = (0..3).map(|i| file(i, "d1", 100, 31)).collect();
        files.push(file(9, "d1", 1_000_000, 3_600));
        assert!(plan(&files, &policy, NOW).is_empty(), "three files are not worth it yet");
        files.push(file(3, "d1", 250, 31));
        assert_eq!(plan(&files, &policy, NOW), vec![vec!["0", "1", "2", "3"]], "the large one stays");
        files.push(file(10, "d1", 100, 29));
        assert!(plan(&files, &policy, NOW).is_empty(), "it was written to just now");
    }

    #[test]
    fn a_merge_takes_no_more_rows_than_a_full_file_has() {
        let policy = CompactionPolicy { full_file_rows: 25, ..policy() };
        let mut files: Vec<_> = (0..4).map(|i| file(i, "d1", 100, 3_600)).collect();
        assert_eq!(plan(&files, &policy, NOW), vec![vec!["0", "1"]], "ten rows each");
        files.iter_mut().for_each(|file| file.rows = 25);
        assert!(plan(&files, &policy, NOW).is_empty(), "all are full");
    }

    #[test]
    fn partitions_never_mix() {
        let files: Vec<_> = (0..6).map(|i| file(i, if i < 3 { "d1" } else { "d2" }, 100, 3_600)).collect();
        assert_eq!(plan(&files, &policy(), NOW), vec![vec!["0", "1", "2"], vec!["3", "4", "5"]]);
    }

    #[test]
    fn each_row_is_rewritten_a_logarithmic_number_of_times() {
        rewritten(&policy(), 1);
        rewritten(&CompactionPolicy::default(), 31);
    }

    /// Of files that come one by one, each old enough to be merged.
    fn rewritten(policy: &CompactionPolicy, age_seconds: i64) {
        let mut files: Vec<FileSize> = Vec::new();
        let mut rewritten_bytes = 0;
        for flush in 0..4_096 {
            files.push(file(flush, "d1", 100, age_seconds));
            for run in plan(&files, policy, NOW) {
                let merged: u64 = files.iter().filter(|f| run.contains(&f.path)).map(|f| f.size_bytes).sum();
                files.retain(|f| !run.contains(&f.path));
                files.push(file(10_000 + flush, "d1", merged, age_seconds));
                rewritten_bytes += merged;
            }
        }
        assert!(rewritten_bytes < 12 * 4_096 * 100, "{rewritten_bytes}");
        assert!(files.len() < 24, "{}", files.len());
    }
}
