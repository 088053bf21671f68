//! Mutations of corpus files: any number of them, the same in every run.

/// Numbers that break lengths, counts and signs.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fff8,
    u64::MAX,
];

/// Pieces of text that break readers of text.
const WORDS: [&[u8]; 16] = [
    b"\"",
    b"{",
    b"[",
    b"}",
    b"\\",
    b"null",
    b"-1",
    b"1e999",
    b"\n\n",
    b"\r",
    b"\0",
    b"{{",
    b"%}",
    b"\xc3",
    b"\xf0\x9f\x98\x80",
    b"</tool_call>",
];

/// Numbers from a seed: xorshift, the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that belong to `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        // FNV-1a; never zero.
        let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(digest | 1)
    }

    /// A number below `limit`; 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = limit.max(1) as u64;
        usize::try_from((self.0 >> 11) % limit).unwrap_or(0)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// One of `corpus` (which must not be empty), changed in one to four places.
pub fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        change(&mut bytes, corpus, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(8) {
        0 | 1 => flip(bytes, at, random),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..bytes.len().min(at + 1 + random.below(8)))),
        4 => insert(bytes, at, random.pick(&WORDS)),
        5 => overwrite(bytes, at, random),
        6 => splice(bytes, at, &corpus[random.below(corpus.len())], random),
        _ => set_length(bytes),
    }
}

fn flip(bytes: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, word: &[u8]) {
    bytes.splice(at..at, word.iter().copied());
}

/// Writes a number where a length, a count or a tag may be.
fn overwrite(bytes: &mut [u8], at: usize, random: &mut Random) {
    let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
    let width = [1, 2, 4, 8][random.below(4)];
    bytes.iter_mut().skip(at).zip(&number[..width]).for_each(|(byte, new)| *byte = *new);
}

/// Continues as another file does.
fn splice(bytes: &mut Vec<u8>, at: usize, other: &[u8], random: &mut Random) {
    bytes.truncate(at);
    bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
}

/// Makes the frame's length field right again, so that its body is read.
fn set_length(bytes: &mut [u8]) {
    let Some(length) = bytes.len().checked_sub(4) else { return };
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
}
