//! Which partition a key belongs to: our own rule, the same in both keepers, part of every stored offset and never
//! changed.

use twox_hash::XxHash64;

/// XXH64 with seed 0 over the key, modulo the number of partitions.
///
/// # Panics
/// With no partitions there is no answer; keepers refuse to create such a topic.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    let hash = XxHash64::oneshot(0, key);
    (hash % u64::from(partitions)) as u32
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    /// Stored offsets depend on these numbers: a change here orphans every subject's history.
    #[test]
    fn golden_partitions_never_change() {
        let keys: [&[u8]; 6] = [b"", b"a", b"device:mr-01", b"device:mr-02", b"site:north", &[0, 255, 0, 255]];
        let of_8 = keys.map(|key| partition_of(key, 8));
        let of_12 = keys.map(|key| partition_of(key, 12));
        assert_eq!(of_8, [1, 3, 7, 7, 5, 5]);
        assert_eq!(of_12, [9, 11, 3, 11, 1, 5]);
    }

    #[test]
    fn keys_spread_evenly() {
        let mut filled = [0_u32; 8];
        for device in 0..80_000 {
            filled[partition_of(format!("device:{device}").as_bytes(), 8) as usize] += 1;
        }
        assert!(filled.iter().all(|&count| (9_500..10_500).contains(&count)), "uneven: {filled:?}");
    }
}
