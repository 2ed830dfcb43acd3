//! What is believed beyond the edges of the ledgers, netted as cuts go on: every stretch withdraws a head and states another,
//! so the table is far longer than what stands, and is read whole only once.

use std::collections::HashMap;

use medfleet_domain::time::Timestamp;
use tokio::sync::Mutex;

use crate::cuts::OpenCut;
use crate::error::ApiError;
use crate::live::LiveDevice;
use crate::query::{self, Head};
use crate::sums::Known;

/// The whole table is netted so many records of each partition at a time: what follows a head withdraws it soon, so hardly more
/// than what stands is held in memory.
const WINDOW_RECORDS: i64 = 32_768;

/// The heads that stand at the newest cut that was asked for.
#[derive(Default)]
pub struct Heads(Mutex<Option<Stand>>);

struct Stand {
    number: i64,
    known: Known,
    generation: Option<String>,
    heads: HashMap<Head, i64>,
}

impl Heads {
    /// Every device in service and what is believed of it at the time of a cut; None of a cut older than where the heads stand.
    pub async fn live(&self, open: &OpenCut) -> Result<Option<Vec<LiveDevice>>, ApiError> {
        let mut stand = self.0.lock().await;
        if stand.as_ref().is_some_and(|stand| stand.number > open.cut.number) {
            return Ok(None);
        }
        if stand.as_ref().is_none_or(|stand| stand.number < open.cut.number) {
            let next = Stand::reach(stand.take(), open).await?;
            *stand = Some(next);
        }
        let at = open.made_at();
        let devices = open.devices(|device| device.in_service && device.holds_at(at)).await?;
        let Some(stand) = stand.as_ref() else { return Ok(None) };
        let present = Present::of(stand.heads.keys(), at);
        let mut live: Vec<LiveDevice> = devices.into_iter().map(|device| present.of_device(device)).collect();
        live.sort_by(|a, b| a.place().cmp(&b.place()));
        Ok(Some(live))
    }
}

impl Stand {
    /// The heads at a cut: those of an earlier one and what was said since, or all.
    async fn reach(before: Option<Self>, open: &OpenCut) -> Result<Self, ApiError> {
        let known = Known::of(&open.cut.offsets);
        let generation = open.cut.tables.get("heads").map(|version| version.generation.clone());
        let follows =
            |before: &Self| !before.known.is_empty() && before.known.within(&known) && before.generation == generation;
        let (mut heads, session, parts) = match before.filter(follows) {
            Some(before) => {
                let beyond = before.known.beyond_sql(&known);
                (before.heads, open.since(before.number).await?, vec![beyond])
            }
            None => {
                let parts = windows(open.cut.offsets.values().copied().max().unwrap_or(0));
                (HashMap::new(), open.session().await?, parts)
            }
        };
        for part in parts {
            for (head, weight) in query::heads(session, &part).await? {
                *heads.entry(head).or_default() += weight;
            }
            heads.retain(|_, weight| *weight != 0);
        }
        Ok(Self { number: open.cut.number, known, generation, heads })
    }
}

/// Conditions that split the table by where in the log its entries come from; the last is open.
fn windows(end: i64) -> Vec<String> {
    let starts = (0..end.max(1)).step_by(WINDOW_RECORDS as usize);
    let window = |from| match from + WINDOW_RECORDS < end {
        true => format!("cause_offset >= {from} AND cause_offset < {}", from + WINDOW_RECORDS),
        false => format!("cause_offset >= {from}"),
    };
    starts.map(window).collect()
}

/// The heads by what they are about.
struct Present<'a> {
    heard: HashMap<&'a str, &'a Head>,
    /// The claim that weighs most: down before maintenance before the rest, then the earliest.
    claimed: HashMap<&'a str, &'a Head>,
    agents: HashMap<&'a str, Timestamp>,
}

impl<'a> Present<'a> {
    fn of(heads: impl Iterator<Item = &'a Head>, at: Timestamp) -> Self {
        let mut present = Self { heard: HashMap::new(), claimed: HashMap::new(), agents: HashMap::new() };
        for head in heads {
            let subject = head.subject.as_str();
            match head.role.as_str() {
                "live" => {
                    present.heard.insert(subject, head);
                }
                "claim" if head.from <= at && head.until.is_none_or(|until| until > at) => {
                    let held = present.claimed.entry(subject).or_insert(head);
                    if rank(head) < rank(held) {
                        *held = head;
                    }
                }
                "agent" => {
                    let seen = present.agents.entry(subject).or_insert(head.from);
                    *seen = head.from.max(*seen);
                }
                _ => {}
            }
        }
        present
    }

    fn of_device(&self, device: query::DeviceVersion) -> LiveDevice {
        let (heard, claim) = (self.heard.get(&*device.device), self.claimed.get(&*device.device));
        let agent = heard.and_then(|head| head.agent.clone());
        LiveDevice {
            agent_seen: agent.as_deref().and_then(|agent| self.agents.get(agent)).copied(),
            agent,
            condition: heard.map(|head| head.condition.clone()),
            from: heard.map(|head| head.from),
            until: heard.and_then(|head| head.until),
            claim: claim.map(|head| head.condition.clone()),
            claim_degradation: claim.map(|head| head.degradation.clone()),
            claim_from: claim.map(|head| head.from),
            claim_author: claim.and_then(|head| head.author.clone()),
            device: device.device,
            site: device.site,
            kind: device.kind,
        }
    }
}

fn rank(head: &Head) -> (u8, Timestamp) {
    let weight = match head.condition.as_str() {
        "unscheduled_down" => 0,
        "scheduled_down" => 1,
        _ => 2,
    };
    (weight, head.from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_offset_once() {
        assert_eq!(windows(0), ["cause_offset >= 0"]);
        assert_eq!(windows(WINDOW_RECORDS), ["cause_offset >= 0"]);
        let two = ["cause_offset >= 0 AND cause_offset < 32768", "cause_offset >= 32768"];
        assert_eq!(windows(WINDOW_RECORDS + 1), two);
    }
}
