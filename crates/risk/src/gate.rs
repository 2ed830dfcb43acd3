//! The gate: a voice may alert for a sort of part only if it has earned it against everything simpler. What it decides, and why,
//! is data that people can read.

use medfleet_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::figures::{Judged, brier, pr_auc_of_order, rank};
use crate::frame::PartSort;
use crate::horizon::Horizon;
use crate::voice::Speaker;

/// What a voice must show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Demands {
    /// Failures of the sort, at least.
    pub failures_min: usize,
    /// Devices on which they happened, at least: fifty failures of one device are the story of that device.
    pub devices_min: usize,
    /// Midnights on which its scores were calibrated, at least; models of before asked for none.
    #[serde(default)]
    pub calibrated_days_min: usize,
    /// How often the judged past is drawn anew, device by device.
    pub draws: usize,
    /// Share of draws in which the voice may fail to be better.
    pub doubt_max: f64,
}

impl Default for Demands {
    fn default() -> Self {
        Self { failures_min: 30, devices_min: 5, calibrated_days_min: 3, draws: 200, doubt_max: 0.05 }
    }
}

/// The past of one sort of part, as every speaker scored it. All have the same rows.
#[derive(Debug, Clone)]
pub struct Past {
    pub sort: PartSort,
    /// The device of each row, and the instant of its failure if the row failed.
    pub devices: Vec<u32>,
    /// Midnights on which everybody was calibrated.
    pub calibrated_days: usize,
    /// Failures of the sort up to the end of this past: (device, onset), each once.
    pub failures: Vec<(u32, Timestamp)>,
    pub scored: Vec<(Speaker, Judged)>,
}

/// One voice against one simpler speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contest {
    pub voice: Speaker,
    pub against: Speaker,
    pub pr_auc: [Option<f64>; 2],
    pub brier: [f64; 2],
    /// Share of draws in which the voice was not better in PR-AUC, and in Brier; one without any failure shows neither.
    pub doubt: [f64; 2],
    pub won: bool,
}

/// Who speaks for a sort of part, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub sort: PartSort,
    pub horizon: Horizon,
    pub speaks: Speaker,
    pub failures: usize,
    pub devices: usize,
    pub rows: usize,
    pub contests: Vec<Contest>,
    /// For people.
    pub because: String,
}

/// Decides for one sort. The most complex voice that wins all its contests speaks; the rules need win none.
pub fn decide(past: &Past, horizon: Horizon, demands: &Demands, seed: u64) -> Decision {
    let mut failed_devices: Vec<u32> = past.failures.iter().map(|(device, _)| *device).collect();
    failed_devices.sort_unstable();
    failed_devices.dedup();
    let (failures, devices) = (past.failures.len(), failed_devices.len());
    let mut decision = Decision {
        sort: past.sort.clone(),
        horizon,
        speaks: Speaker::Rules,
        failures,
        devices,
        rows: past.devices.len(),
        contests: Vec::new(),
        because: String::new(),
    };
    if failures < demands.failures_min || devices < demands.devices_min {
        let on = if devices == 1 { "device" } else { "devices" };
        decision.because = format!(
            "the rules speak: {failures} failures on {devices} {on}, and more can be said from {} failures on {} devices",
            demands.failures_min, demands.devices_min
        );
        return decision;
    }
    if past.calibrated_days < demands.calibrated_days_min {
        decision.because = format!(
            "the rules speak: chances were calibrated on {} midnights, and more can be said from {} on: a longer past is needed",
            past.calibrated_days, demands.calibrated_days_min
        );
        return decision;
    }
    for voice in Speaker::VOICES.into_iter().filter(|voice| *voice != Speaker::Rules) {
        let fought = contests(past, voice, demands, seed);
        let won = !fought.is_empty() && fought.iter().all(|contest| contest.won);
        decision.contests.extend(fought);
        if won {
            decision.speaks = voice;
        }
    }
    decision.because = because(&decision);
    decision
}

fn because(decision: &Decision) -> String {
    let figure = |area: Option<f64>| area.map_or("none".to_owned(), |area| format!("{area:.3}"));
    // Of each voice that was held back, the one that it beat least surely.
    let held_back = Speaker::VOICES.into_iter().filter(|voice| *voice > decision.speaks);
    let hardest = held_back.filter_map(|voice| {
        let lost = decision.contests.iter().filter(|contest| contest.voice == voice && !contest.won);
        lost.max_by(|a, b| (a.doubt[0] + a.doubt[1]).total_cmp(&(b.doubt[0] + b.doubt[1])))
    });
    let told = hardest.map(|contest| {
        let (voice, against) = (contest.voice.as_str(), contest.against.as_str());
        let (own, other) = (figure(contest.pr_auc[0]), figure(contest.pr_auc[1]));
        format!("{voice} ({own}) do not surely beat {against} ({other}) in PR-AUC and Brier")
    });
    let told: Vec<String> = told.collect();
    match (told.is_empty(), decision.speaks) {
        (true, speaks) => format!("{} beat everything simpler in PR-AUC and Brier", speaks.as_str()),
        (false, Speaker::Rules) => format!("the rules speak: {}", told.join("; ")),
        (false, speaks) => format!("{} beat everything simpler; {}", speaks.as_str(), told.join("; ")),
    }
}

fn contests(past: &Past, voice: Speaker, demands: &Demands, seed: u64) -> Vec<Contest> {
    let scored = |speaker: Speaker| past.scored.iter().find(|(scored, _)| *scored == speaker).map(|(_, judged)| judged);
    let Some(own) = scored(voice) else { return Vec::new() };
    let simpler = past.scored.iter().filter(|(speaker, _)| *speaker < voice);
    let draws = draws(&past.devices, demands.draws, seed);
    simpler.map(|(against, other)| contest((voice, own), (*against, other), &draws, demands)).collect()
}

fn contest(voice: (Speaker, &Judged), against: (Speaker, &Judged), draws: &[Vec<f64>], demands: &Demands) -> Contest {
    let order = [rank(&voice.1.score), rank(&against.1.score)];
    let both = [voice.1, against.1];
    let area =
        |side: usize, weight: &[f64]| pr_auc_of_order(&both[side].score, &both[side].failed, weight, &order[side]);
    let miss = |side: usize, weight: &[f64]| brier(&both[side].probability, &both[side].failed, weight);
    let mut not_better = [0.0; 2];
    for draw in draws {
        let weight: Vec<f64> = draw.iter().zip(&voice.1.weight).map(|(times, weight)| times * weight).collect();
        let (Some(own), Some(other)) = (area(0, &weight), area(1, &weight)) else {
            // Nobody fails in it: where few have failed, what one of them shows is no proof.
            not_better = not_better.map(|count| count + 1.0);
            continue;
        };
        not_better[0] += f64::from(u8::from(own <= other));
        not_better[1] += f64::from(u8::from(miss(0, &weight) >= miss(1, &weight)));
    }
    let doubt = not_better.map(|count| count / draws.len() as f64);
    Contest {
        voice: voice.0,
        against: against.0,
        pr_auc: [0, 1].map(|side| area(side, &voice.1.weight)),
        brier: [0, 1].map(|side| miss(side, &voice.1.weight)),
        doubt,
        won: doubt.iter().all(|doubt| *doubt <= demands.doubt_max),
    }
}

/// For each draw, how often each row counts. Devices are drawn whole: the days of one device are no independent witnesses.
fn draws(devices: &[u32], count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut known = devices.to_vec();
    known.sort_unstable();
    known.dedup();
    let place: Vec<usize> = devices.iter().filter_map(|device| known.binary_search(device).ok()).collect();
    let one = |draw: usize| {
        let mut times = vec![0.0; known.len()];
        for nth in 0..known.len() {
            let parts = [seed, draw as u64, nth as u64].map(u64::to_le_bytes).concat();
            times[(twox_hash::XxHash3_64::oneshot(&parts) % known.len() as u64) as usize] += 1.0;
        }
        place.iter().map(|place| times[*place]).collect()
    };
    (0..count).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use medfleet_domain::kind::DeviceKind;

    const DEVICES: u32 = 60;
    const DAYS: u32 = 40;

    /// A past in which each device fails on its last days, and each speaker scores by a rule of its own.
    fn past(scores: &[(Speaker, &dyn Fn(u32, u32) -> f64)]) -> Past {
        let rows: Vec<(u32, u32)> = (0..DEVICES).flat_map(|device| (0..DAYS).map(move |day| (device, day))).collect();
        let failed: Vec<bool> = rows.iter().map(|(_, day)| day + 5 >= DAYS).collect();
        let judged = |score: &dyn Fn(u32, u32) -> f64| {
            let score: Vec<f64> = rows.iter().map(|(device, day)| score(*device, *day)).collect();
            Judged { probability: score.clone(), score, failed: failed.clone(), weight: vec![1.0; rows.len()] }
        };
        Past {
            sort: PartSort { kind: DeviceKind::Ct, component: "tube".into() },
            devices: rows.iter().map(|(device, _)| *device).collect(),
            calibrated_days: 30,
            failures: (0..DEVICES).map(|device| (device, Timestamp(i64::from(device)))).collect(),
            scored: scores.iter().map(|(speaker, score)| (*speaker, judged(*score))).collect(),
        }
    }

    fn blind(_: u32, _: u32) -> f64 {
        0.125
    }

    fn seeing(_: u32, day: u32) -> f64 {
        if day + 5 >= DAYS { 0.9 } else { 0.02 }
    }

    fn noisy(device: u32, day: u32) -> f64 {
        0.125 + f64::from((device * 7919 + day * 104_729) % 97) / 10_000.0
    }

    fn speaks(past: &Past) -> Decision {
        decide(past, Horizon::Week, &Demands::default(), 1)
    }

    #[test]
    fn a_voice_that_sees_more_speaks() {
        let decision =
            speaks(&past(&[(Speaker::ClassRate, &blind), (Speaker::Rules, &blind), (Speaker::Trees, &seeing)]));
        assert_eq!(decision.speaks, Speaker::Trees, "{decision:?}");
    }

    #[test]
    fn noise_above_the_class_rate_earns_nothing() {
        let decision = speaks(&past(&[
            (Speaker::ClassRate, &blind),
            (Speaker::Rules, &blind),
            (Speaker::Hazard, &blind),
            (Speaker::Trees, &noisy),
        ]));
        assert_eq!(decision.speaks, Speaker::Rules);
        assert!(
            decision.because.contains("trees (") && decision.because.contains("do not surely beat"),
            "{decision:?}"
        );
    }

    #[test]
    fn trees_that_do_not_beat_the_hazard_leave_it_the_word() {
        let decision = speaks(&past(&[
            (Speaker::ClassRate, &blind),
            (Speaker::Rules, &blind),
            (Speaker::Hazard, &seeing),
            (Speaker::Trees, &seeing),
        ]));
        assert_eq!(decision.speaks, Speaker::Hazard);
    }

    #[test]
    fn fifty_failures_of_one_device_leave_the_word_to_the_rules_and_say_why() {
        let mut past = past(&[(Speaker::Rules, &blind), (Speaker::Trees, &seeing)]);
        past.failures = (0..50).map(|nth| (7, Timestamp(nth))).collect();
        let decision = speaks(&past);
        assert_eq!((decision.speaks, decision.failures, decision.devices), (Speaker::Rules, 50, 1));
        assert!(decision.because.contains("50 failures on 1 device,"), "{}", decision.because);
    }

    /// A slice in which one device alone failed was once proof enough: draws without it were passed over.
    #[test]
    fn what_one_device_shows_of_the_slice_is_no_proof() {
        let speaks_where_so_many_fail = |failing: u32| {
            let mut past = past(&[(Speaker::ClassRate, &blind), (Speaker::Rules, &blind), (Speaker::Trees, &seeing)]);
            for (_, judged) in &mut past.scored {
                for (failed, device) in judged.failed.iter_mut().zip(&past.devices) {
                    *failed &= *device < failing;
                }
                for ((said, failed), device) in judged.probability.iter_mut().zip(&judged.failed).zip(&past.devices) {
                    *said = if *device < failing || *failed { *said } else { said.min(0.02) };
                }
            }
            speaks(&past).speaks
        };
        assert_eq!(speaks_where_so_many_fail(1), Speaker::Rules);
        assert_eq!(speaks_where_so_many_fail(8), Speaker::Trees);
    }

    #[test]
    fn chances_that_were_calibrated_on_one_midnight_leave_the_word_to_the_rules_and_say_why() {
        let mut past = past(&[(Speaker::Rules, &blind), (Speaker::Trees, &seeing)]);
        past.calibrated_days = 1;
        let decision = speaks(&past);
        assert_eq!((decision.speaks, decision.contests.len()), (Speaker::Rules, 0));
        assert!(decision.because.contains("calibrated on 1 midnights"), "{}", decision.because);
        past.calibrated_days = 3;
        assert_eq!(speaks(&past).speaks, Speaker::Trees);
    }
}
