//! One simulated file: what it shows, what is durable, and what waits for a sync.

/// A page is kept, lost or torn as one.
pub const PAGE_BYTES: usize = 4096;
/// A torn page keeps some of its sectors. A sector is never torn.
pub const SECTOR_BYTES: usize = 512;

#[derive(Default)]
pub(super) struct SimFile {
    pub shown: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Unsynced>,
}

enum Unsynced {
    Write { position: usize, bytes: Vec<u8> },
    SetLen(usize),
}

/// What becomes of unsynced pieces, drawn from a seed (splitmix64), so that every run can be repeated.
pub(super) struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

impl SimFile {
    /// A file that was synced whole.
    pub fn synced(contents: &[u8]) -> Self {
        Self { shown: contents.to_vec(), durable: contents.to_vec(), unsynced: Vec::new() }
    }

    pub fn write(&mut self, position: usize, bytes: &[u8]) {
        write_into(&mut self.shown, position, bytes);
        self.unsynced.push(Unsynced::Write { position, bytes: bytes.to_vec() });
    }

    pub fn set_len(&mut self, len: usize) {
        self.shown.resize(len, 0);
        self.unsynced.push(Unsynced::SetLen(len));
    }

    /// Only what was waiting becomes durable: pages that a failed sync gave up are clean, and stay unwritten.
    pub fn sync(&mut self) {
        for piece in std::mem::take(&mut self.unsynced) {
            match piece {
                Unsynced::Write { position, bytes } => write_into(&mut self.durable, position, &bytes),
                Unsynced::SetLen(len) => self.durable.resize(len, 0),
            }
        }
    }

    /// The power fails: each waiting piece has a fate of its own, and the length may have run ahead of the data.
    pub fn lose_power(&mut self, dice: &mut Dice) {
        for piece in std::mem::take(&mut self.unsynced) {
            self.persist_in_part(piece, dice);
        }
        let missing = self.shown.len().saturating_sub(self.durable.len());
        if missing > 0 && dice.roll(4) == 0 {
            let grown = self.durable.len() + dice.roll(missing as u64 + 1) as usize;
            self.durable.resize(grown, 0);
        }
        self.shown.clone_from(&self.durable);
    }

    fn persist_in_part(&mut self, piece: Unsynced, dice: &mut Dice) {
        match piece {
            Unsynced::SetLen(len) if dice.roll(2) == 0 => self.durable.resize(len, 0),
            Unsynced::SetLen(_) => {}
            Unsynced::Write { position, bytes } => {
                let mut page_fate = (usize::MAX, 0);
                for (start, sector) in cut_at_multiples(position, &bytes, SECTOR_BYTES) {
                    let page = start / PAGE_BYTES;
                    if page_fate.0 != page {
                        page_fate = (page, dice.roll(3));
                    }
                    // 0: the page is lost. 1: it is kept. 2: it is torn, and each sector has a fate of its own.
                    if page_fate.1 == 1 || (page_fate.1 == 2 && dice.roll(2) == 0) {
                        write_into(&mut self.durable, start, sector);
                    }
                }
            }
        }
    }

    /// Gives up the waiting writes, some of them done and some not. The length is metadata, which a kernel does retry.
    pub fn fail_sync(&mut self, dice: &mut Dice) {
        let (lengths, writes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unsynced).into_iter().partition(|piece| matches!(piece, Unsynced::SetLen(_)));
        for write in writes {
            self.persist_in_part(write, dice);
        }
        self.unsynced = lengths;
    }
}

/// The parts of `bytes` that fall into each unit of the file, with where they begin in it.
fn cut_at_multiples(position: usize, bytes: &[u8], unit: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = position + at;
        let len = (unit - start % unit).min(bytes.len() - at);
        let part = &bytes[at..at + len];
        at += len;
        (len > 0).then_some((start, part))
    })
}

fn write_into(file: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[position..end].copy_from_slice(bytes);
}
