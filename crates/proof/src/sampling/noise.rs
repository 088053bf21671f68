//! The noise of a token: a pure function of (seed, choice, position, token).
//!
//! The bits come from the ChaCha block function with 8 rounds, keyed by the seed. The four
//! words that a cipher would use for counter and nonce are `token / 16`, the stream, the
//! position and the choice, so that any token's bits can be had alone. Stream 0 holds the
//! high 32 bits of a token's number, stream 1 the low ones: most tokens are out of the
//! question by their high bits, and the low ones of those are never computed.

use remuda_types::Seed;
use remuda_types::job::TokenId;

use super::math::ln;
use super::select::token_id;

/// Tokens that one run of the generator serves.
pub(super) const CHUNK: usize = BLOCK * LANES;
/// Words of a block, one a token.
const BLOCK: usize = 16;
/// Blocks computed side by side, for the sake of vector units.
const LANES: usize = 4;
const ROUNDS: usize = 8;
/// "expand 32-byte k", as the cipher has it.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The high bits of tokens' random numbers.
const HIGH: u32 = 0;
/// The low bits.
const LOW: u32 = 1;

/// The noise at one position of one choice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    key: [u32; 8],
    choice: u32,
    position: u32,
}

type State<const N: usize> = [[u32; N]; BLOCK];

impl Noise {
    pub(super) fn new(seed: &Seed, choice: u16, position: u32) -> Self {
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(seed.0.0.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { key, choice: choice.into(), position }
    }

    /// The high words of the tokens from `chunk · CHUNK` on.
    pub(super) fn high_words(&self, chunk: u32) -> [u32; CHUNK] {
        let first = chunk.wrapping_mul(token_id(LANES));
        let blocks = self.blocks::<LANES>(HIGH, std::array::from_fn(|lane| first + token_id(lane)));
        let mut words = [0; CHUNK];
        for (index, word) in words.iter_mut().enumerate() {
            *word = blocks[index % BLOCK][index / BLOCK];
        }
        words
    }

    /// The Gumbel noise of a token, of which the high word is known.
    pub(super) fn gumbel_after(&self, high: u32, token: TokenId) -> f64 {
        gumbel(high, self.word(LOW, token))
    }

    /// The Gumbel noise of a token.
    pub(super) fn gumbel(&self, token: TokenId) -> f64 {
        self.gumbel_after(self.word(HIGH, token), token)
    }

    fn word(&self, stream: u32, token: TokenId) -> u32 {
        let block = token_id(BLOCK);
        self.blocks::<1>(stream, [token / block])[(token % block) as usize][0]
    }

    fn blocks<const N: usize>(&self, stream: u32, counters: [u32; N]) -> State<N> {
        let mut input = [[0; N]; BLOCK];
        for (word, constant) in CONSTANTS.into_iter().chain(self.key).enumerate() {
            input[word] = [constant; N];
        }
        input[12] = counters;
        input[13] = [stream; N];
        input[14] = [self.position; N];
        input[15] = [self.choice; N];
        chacha::<N, ROUNDS>(&input)
    }
}

/// The ChaCha block function on `N` blocks at once.
///
/// The words are taken apart by name, so that the compiler keeps each word of all blocks in
/// one vector register.
fn chacha<const N: usize, const ROUNDS: usize>(input: &State<N>) -> State<N> {
    let mut state = *input;
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = &mut state;
    for _ in 0..ROUNDS / 2 {
        quarter(a0, b0, c0, d0);
        quarter(a1, b1, c1, d1);
        quarter(a2, b2, c2, d2);
        quarter(a3, b3, c3, d3);
        quarter(a0, b1, c2, d3);
        quarter(a1, b2, c3, d0);
        quarter(a2, b3, c0, d1);
        quarter(a3, b0, c1, d2);
    }
    for (words, starts) in state.iter_mut().zip(input) {
        for (word, start) in words.iter_mut().zip(starts) {
            *word = word.wrapping_add(*start);
        }
    }
    state
}

type Words<const N: usize> = [u32; N];

#[inline(always)]
fn quarter<const N: usize>(a: &mut Words<N>, b: &mut Words<N>, c: &mut Words<N>, d: &mut Words<N>) {
    mix(a, b, d, 16);
    mix(c, d, b, 12);
    mix(a, b, d, 8);
    mix(c, d, b, 7);
}

#[inline(always)]
fn mix<const N: usize>(sum: &mut Words<N>, addend: &Words<N>, mixed: &mut Words<N>, turn: u32) {
    for lane in 0..N {
        sum[lane] = sum[lane].wrapping_add(addend[lane]);
        mixed[lane] = (mixed[lane] ^ sum[lane]).rotate_left(turn);
    }
}

/// Standard Gumbel noise from 52 random bits: `−ln(−ln(u))` with `u` strictly between 0
/// and 1, in the middle of its interval.
fn gumbel(high: u32, low: u32) -> f64 {
    const HALF_STEP: f64 = f64::EPSILON / 2.0;
    let number = u64::from(high) << 20 | u64::from(low >> 12);
    // 53 bits: exact.
    let uniform = (2 * number + 1) as f64 * HALF_STEP;
    -ln(-ln(uniform))
}

/// The most noise that a token with this high word can have: since `−ln u ≥ 1 − u`, noise is
/// at most `−ln(1 − u)`, and the leading zeros of `1 − u` bound that.
pub(super) fn gumbel_max(leading_zeros: u32) -> f64 {
    const BITS: u32 = 53;
    let halvings = if leading_zeros >= 32 { BITS } else { leading_zeros + 1 };
    f64::from(halvings) * core::f64::consts::LN_2
}

/// Which bound of [`gumbel_max`] holds for a high word.
#[inline]
pub(super) const fn bound_of(high: u32) -> u32 {
    (!high).leading_zeros()
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use super::*;

    /// The test vector of RFC 8439, section 2.3.2, for the full cipher's 20 rounds.
    #[test]
    fn block_function_is_chacha() {
        let mut input = [[0]; 16];
        for (word, constant) in CONSTANTS.into_iter().enumerate() {
            input[word] = [constant];
        }
        for word in 0..8_u32 {
            let byte = |n: u32| (word * 4 + n) as u8;
            let bytes = [byte(0), byte(1), byte(2), byte(3)];
            input[4 + word as usize] = [u32::from_le_bytes(bytes)];
        }
        input[12] = [1];
        input[13] = [0x0900_0000];
        input[14] = [0x4a00_0000];
        let output = chacha::<1, 20>(&input).map(|[word]| word);
        assert_eq!(
            output,
            [
                0xe4e7_f110,
                0x1559_3bd1,
                0x1fdd_0f50,
                0xc471_20a3,
                0xc7f4_d1c7,
                0x0368_c033,
                0x9aaa_2204,
                0x4e6c_d4c3,
                0x4664_82d2,
                0x09aa_9f07,
                0x05d7_c214,
                0xa202_8bd9,
                0xd19c_12b5,
                0xb94e_16de,
                0xe883_d0cb,
                0x4e3c_50a2,
            ]
        );
    }

    #[test]
    fn chunks_and_single_tokens_agree() {
        let noise = Noise::new(&Seed::from_caller(3), 2, 77);
        for chunk in [0, 1, 767] {
            let words = noise.high_words(chunk);
            for (index, word) in words.into_iter().enumerate() {
                let token = chunk * CHUNK as u32 + index as u32;
                assert_eq!(word, noise.word(HIGH, token));
            }
        }
    }

    #[test]
    fn bounds_hold() {
        let words = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_fffe, 0xffff_ffff];
        for high in words.into_iter().chain((0..1000).map(|n: u32| n.wrapping_mul(0x9e37_79b9))) {
            for low in [0, 0x8000_0000, u32::MAX] {
                let noise = gumbel(high, low);
                assert!(noise.is_finite());
                assert!(noise <= gumbel_max(bound_of(high)) + 1e-12, "{high:x} {low:x}");
            }
        }
    }

    /// Mean and variance of the standard Gumbel distribution: Euler's constant and π²/6.
    #[test]
    fn noise_has_the_moments_of_gumbel() {
        let noise = Noise::new(&Seed::from_caller(1), 0, 0);
        let count = 100_000;
        let values: Vec<f64> = (0..count).map(|token| noise.gumbel(token)).collect();
        let mean = values.iter().sum::<f64>() / f64::from(count);
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        assert!((mean - 0.577_215_66).abs() < 0.02, "{mean}");
        assert!((squares / f64::from(count) - 1.644_934).abs() < 0.05);
    }

    /// The noise of neighbours in each of the four coordinates is uncorrelated.
    #[test]
    fn neighbours_are_independent() {
        let at = |seed: i64, choice: u16, position: u32, token: u32| {
            Noise::new(&Seed::from_caller(seed), choice, position).gumbel(token)
        };
        let count = 20_000_u32;
        let base: Vec<f64> = (0..count).map(|token| at(1, 0, 0, token)).collect();
        let others: [Vec<f64>; 4] = [
            (0..count).map(|token| at(2, 0, 0, token)).collect(),
            (0..count).map(|token| at(1, 1, 0, token)).collect(),
            (0..count).map(|token| at(1, 0, 1, token)).collect(),
            (0..count).map(|token| at(1, 0, 0, token + 1)).collect(),
        ];
        for other in others {
            let product: f64 =
                base.iter().zip(&other).map(|(a, b)| (a - 0.5772) * (b - 0.5772)).sum();
            let correlation = product / f64::from(count) / 1.6449;
            assert!(correlation.abs() < 0.04, "{correlation}");
        }
    }

    /// These bits must be the same on every platform, for ever: receipts depend on them.
    #[test]
    fn golden_bits() {
        let noise = Noise::new(&Seed(remuda_types::Hash([0x5a; 32])), 3, 1000);
        let words = [0, 1, 15, 16, 49_151].map(|token| noise.word(HIGH, token));
        assert_eq!(
            words,
            [3_214_870_208, 3_878_542_690, 1_896_026_744, 1_263_076_621, 2_827_760_088]
        );
        assert_eq!(noise.word(LOW, 0), 389_454_262);
        assert_eq!(noise.gumbel(0).to_bits(), 0x3ff3_d32e_7357_55ee);
        assert_eq!(noise.gumbel(49_151).to_bits(), 0x3feb_ea78_6611_0a00);
    }
}
