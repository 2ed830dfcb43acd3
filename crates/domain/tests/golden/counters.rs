//! Golden cases about counters: resets, wraps, late samples, corrections.

use medfleet_domain::entry::Step;

use crate::given::{Device, Writer, sample};

fn counted(device: &Device) -> Vec<(i64, Step)> {
    let view = device.view();
    view.usage().into_iter().map(|row| (row.increment_milli / 1_000, row.step)).collect()
}

#[test]
fn golden_13_a_reset_is_named_and_the_first_sample_makes_no_row() {
    let mut device = Device::new();
    for (time, value) in [("09:00", 1_000), ("10:00", 1_050), ("11:00", 7), ("12:00", 30)] {
        device.reads(time, value);
    }
    assert_eq!(counted(&device), [(50, Step::Counted), (7, Step::Reset), (23, Step::Counted)]);
}

#[test]
fn golden_13_a_wrap_is_believed_up_to_half_the_modulus() {
    let gained = |before: i64, now: i64| {
        let mut device = Device::new();
        device.says(Writer::Agent, "09:00", "09:00", sample(before, Some(65_536)));
        device.says(Writer::Agent, "10:00", "10:00", sample(now, Some(65_536)));
        counted(&device)
    };
    assert_eq!(gained(65_530, 4), [(10, Step::Wrapped)]);
    assert_eq!(gained(40_000, 7_232), [(32_768, Step::Wrapped)], "just half the modulus");
    assert_eq!(gained(40_000, 7_233), [(7_233, Step::Reset)], "one more is no wrap");
}

#[test]
fn golden_13_of_two_samples_of_one_second_the_greater_speaks() {
    let forth = [1_000, 1_040, 1_050];
    for readings in [[forth[0], forth[1], forth[2]], [forth[0], forth[2], forth[1]]] {
        let mut device = Device::new();
        device.reads("09:00", readings[0]);
        device.reads("10:00", readings[1]);
        device.reads("10:00", readings[2]);
        assert_eq!(counted(&device), [(50, Step::Counted)]);
    }
}

#[test]
fn golden_14_a_late_sample_changes_itself_and_its_successor() {
    let mut device = Device::new();
    device.reads("09:00", 1_000);
    device.reads("12:00", 1_100);
    assert_eq!(device.view().increments(), [100]);
    device.says(Writer::Agent, "10:30", "13:00", sample(1_040, None));
    assert_eq!(device.view().increments(), [40, 60]);
    let weights: Vec<i64> = device.last.iter().map(|entry| entry.weight).collect();
    assert_eq!(weights, [-1, 1, 1], "nothing else moves");
}

#[test]
fn golden_14_a_late_sample_finds_its_neighbours_on_days_long_archived() {
    let mut device = Device::new();
    device.reads("09:00", 1_000);
    for (day, value) in [("+3 09:00", 1_300), ("+6 09:00", 1_600), ("+9 09:00", 1_900)] {
        device.reads(day, value);
    }
    device.says(Writer::Agent, "+4 09:00", "+10 09:00", sample(1_450, None));
    assert_eq!(device.view().increments(), [300, 150, 150, 300]);
}

#[test]
fn golden_14_a_corrected_sample_stays_in_its_series_and_a_voided_last_one_gives_way() {
    let mut device = Device::new();
    device.reads("09:00", 1_000);
    let misread = device.reads("10:00", 9_999);
    device.reads("11:00", 1_050);
    assert_eq!(counted(&device), [(8_999, Step::Counted), (1_050, Step::Reset)]);
    device.corrects("12:00", misread, "10:00", sample(1_020, None));
    assert_eq!(device.view().increments(), [20, 30]);
    let wrong = device.reads("13:00", 5_000);
    device.voids("13:30", wrong, "lee", "other tube");
    device.reads("14:00", 1_070);
    assert_eq!(device.view().increments(), [20, 30, 20]);
}
