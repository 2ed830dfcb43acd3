//! Damage: what a broken line, a broken disk or a stranger might make of a good input.

/// SplitMix64: small, seeded, good enough to choose damage.
pub(crate) struct Dice(u64);

/// Numbers at which arithmetic breaks.
const EDGES: [i64; 14] =
    [0, 1, -1, 2, 127, 128, 255, 65_535, 65_536, 2_147_483_647, -2_147_483_648, i64::MAX, i64::MIN, i64::MAX - 1];
/// Pieces that mean something to text formats.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ",",
    ";",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "é",
    "9223372036854775807",
    "-9223372036854775808",
    "1e309",
    "NaN",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "+99:99",
    "../",
    "%00",
];
const MUTATIONS_MAX: u64 = 6;

impl Dice {
    pub fn new(seed: u64, name: &str) -> Self {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`; 0 when there are none.
    pub fn below(&mut self, sides: usize) -> usize {
        if sides == 0 { 0 } else { (self.next() % sides as u64) as usize }
    }
}

/// One input of the corpus with one to a few damages.
pub(crate) fn mutate(corpus: &[Vec<u8>], dice: &mut Dice, max_bytes: usize) -> Vec<u8> {
    let mut input = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.next() % MUTATIONS_MAX {
        damage(&mut input, corpus, dice);
        input.truncate(max_bytes);
    }
    input
}

fn damage(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    match dice.below(13) {
        0 | 1 => flip(input, dice),
        2 => overwrite(input, at, &[dice.next() as u8]),
        3 => insert(input, at, &[dice.next() as u8]),
        4 => drop(input.drain(at..(at + 1 + dice.below(8)).min(input.len()).max(at))),
        5 => input.truncate(at),
        6 => repeat(input, at, dice),
        7 => splice(input, at, corpus, dice),
        8 => overwrite(input, at, &EDGES[dice.below(EDGES.len())].to_le_bytes()[..[1, 2, 4, 8][dice.below(4)]]),
        9 => overwrite(input, at, &varint(EDGES[dice.below(EDGES.len())].cast_unsigned())),
        10 => insert(input, at, &varint(EDGES[dice.below(EDGES.len())].cast_unsigned())),
        11 => insert(input, at, WORDS[dice.below(WORDS.len())].as_bytes()),
        _ => number(input, at, dice),
    }
}

fn flip(input: &mut [u8], dice: &mut Dice) {
    let at = dice.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

fn overwrite(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = (at + bytes.len()).min(input.len());
    input.splice(at..end, bytes.iter().copied());
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

/// A piece again and again: mostly a few times, now and then until it is large.
fn repeat(input: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let end = (at + 1 + dice.below(64)).min(input.len());
    let times = if dice.below(16) == 0 { 1 + dice.below(4_096) } else { 1 + dice.below(4) };
    let piece = input.get(at..end).unwrap_or_default().repeat(times);
    insert(input, at, &piece);
}

/// The head of this input and the tail of another, or a piece of another put in.
fn splice(input: &mut Vec<u8>, at: usize, corpus: &[Vec<u8>], dice: &mut Dice) {
    let other = &corpus[dice.below(corpus.len())];
    let from = dice.below(other.len() + 1);
    if dice.below(2) == 0 {
        input.truncate(at);
        input.extend_from_slice(&other[from..]);
    } else {
        let until = (from + 1 + dice.below(64)).min(other.len());
        insert(input, at, &other[from..until]);
    }
}

/// The digits at or after a place, as another number.
fn number(input: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let Some(start) = (at..input.len()).find(|place| input[*place].is_ascii_digit()) else { return };
    let end = (start..input.len()).find(|place| !input[*place].is_ascii_digit()).unwrap_or(input.len());
    let text = EDGES[dice.below(EDGES.len())].to_string();
    input.splice(start..end, text.into_bytes());
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
