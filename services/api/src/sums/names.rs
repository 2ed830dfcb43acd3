//! Numbers for names: sites with kinds, and devices at them.

use std::collections::HashMap;
use std::sync::Arc;

/// A site and a kind.
#[derive(Debug, Clone)]
pub struct Track {
    pub site: Arc<str>,
    pub kind: Arc<str>,
}

/// A device while it is of one kind at one site.
#[derive(Debug, Clone)]
pub struct Seat {
    pub device: Arc<str>,
    pub track: u32,
    /// Number of the device, wherever it sits.
    pub number: u32,
}

#[derive(Debug, Default)]
pub struct Names {
    pub tracks: Vec<Track>,
    pub seats: Vec<Seat>,
    track_of: HashMap<Arc<str>, HashMap<Arc<str>, u32>>,
    /// By track.
    seat_of: Vec<HashMap<Arc<str>, u32>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Names {
    /// How many devices there are.
    pub fn devices(&self) -> usize {
        self.numbers.len()
    }

    pub fn find(&self, site: &str, kind: &str, device: &str) -> Option<(u32, u32)> {
        let track = *self.track_of.get(site)?.get(kind)?;
        let seat = *self.seat_of[track as usize].get(device)?;
        Some((track, seat))
    }

    pub fn find_or_add(&mut self, site: &str, kind: &str, device: &str) -> (u32, u32) {
        if let Some(found) = self.find(site, kind, device) {
            return found;
        }
        let track = self.track(site, kind);
        let seat = self.seats.len() as u32;
        let device: Arc<str> = device.into();
        self.seat_of[track as usize].insert(Arc::clone(&device), seat);
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(Arc::clone(&device)).or_insert(next);
        self.seats.push(Seat { device, track, number });
        (track, seat)
    }

    fn track(&mut self, site: &str, kind: &str) -> u32 {
        if let Some(track) = self.track_of.get(site).and_then(|kinds| kinds.get(kind)) {
            return *track;
        }
        let track = self.tracks.len() as u32;
        let named = Track { site: site.into(), kind: kind.into() };
        self.track_of.entry(Arc::clone(&named.site)).or_default().insert(Arc::clone(&named.kind), track);
        self.tracks.push(named);
        self.seat_of.push(HashMap::new());
        track
    }
}
