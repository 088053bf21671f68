//! What truncation keeps, and the draw among it.

use std::cmp::Ordering;

use remuda_types::job::TokenId;

use super::math::{exp, ln};
use super::noise::{CHUNK, Noise, bound_of, gumbel_max};

/// A token and its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: TokenId,
    pub(super) logit: f32,
}

impl Candidate {
    /// Likelier first; among equals the lower number first.
    fn order(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.token.cmp(&other.token))
    }
}

/// The likeliest token; `None` when none is possible.
///
/// Logits are free of NaN here, and impossible ones are minus infinity.
pub(super) fn likeliest(logits: &[f32]) -> Option<Candidate> {
    let (lanes, rest) = logits.as_chunks::<16>();
    let mut maxima = [f32::NEG_INFINITY; 16];
    for lane in lanes {
        for (maximum, &logit) in maxima.iter_mut().zip(lane) {
            *maximum = if logit > *maximum { logit } else { *maximum };
        }
    }
    let logit = maxima.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    if logit == f32::NEG_INFINITY {
        return None;
    }
    let token = logits.iter().position(|&other| other == logit)?;
    Some(Candidate { token: token_id(token), logit })
}

/// The `count` likeliest tokens, likeliest first. One pass, and no sort of the whole.
pub(super) fn top(logits: &[f32], count: usize) -> Vec<Candidate> {
    let count = count.clamp(1, logits.len().max(1));
    let capacity = 2 * count + 64;
    let mut best: Vec<Candidate> = Vec::with_capacity(capacity.min(logits.len()));
    let mut floor = f32::NEG_INFINITY;
    for (token, &logit) in logits.iter().enumerate() {
        // An equal one that comes later has a higher number, and loses.
        if logit > floor {
            best.push(Candidate { token: token_id(token), logit });
            if best.len() == capacity {
                best.select_nth_unstable_by(count - 1, Candidate::order);
                best.truncate(count);
                floor = best[count - 1].logit;
            }
        }
    }
    best.sort_unstable_by(Candidate::order);
    best.truncate(count);
    best
}

/// `Σ exp((logit − max) / temperature)`, summed in four lanes by `index % 4`.
pub(super) fn mass(logits: &[f32], max: f32, temperature: f64) -> f64 {
    let top = f64::from(max) / temperature;
    let weight = |logit: f32| exp(f64::from(logit) / temperature - top);
    let (quads, rest) = logits.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for quad in quads {
        for (sum, &logit) in sums.iter_mut().zip(quad) {
            *sum += weight(logit);
        }
    }
    for (sum, &logit) in sums.iter_mut().zip(rest) {
        *sum += weight(logit);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Which tokens a draw considers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truncation {
    pub(super) temperature: f64,
    /// 0 is off.
    pub(super) top_k: usize,
    /// 1 is off.
    pub(super) top_p: f64,
    /// 0 is off.
    pub(super) min_p: f64,
}

impl Truncation {
    /// The last token that is kept, in the order of likelihood. Each of the three rules keeps
    /// a head of that order, so all of them together keep the shortest.
    pub(super) fn last_kept(&self, logits: &[f32], likeliest: Candidate) -> Cut {
        let floor = self.min_p_floor(likeliest.logit);
        let limit = if self.top_k == 0 { logits.len() } else { self.top_k.min(logits.len()) };
        if self.top_p < 1.0 {
            return self.nucleus(logits, likeliest, limit, floor);
        }
        if limit == logits.len() {
            return Cut { floor, last: None };
        }
        Cut { floor, last: top(logits, limit).last().copied() }
    }

    /// The least `logit / temperature` that `min_p` keeps.
    fn min_p_floor(&self, max: f32) -> f64 {
        if self.min_p > 0.0 {
            f64::from(max) / self.temperature + ln(self.min_p)
        } else {
            f64::NEG_INFINITY
        }
    }

    /// The smallest head of the `limit` likeliest tokens with `top_p` of their mass.
    fn nucleus(&self, logits: &[f32], likeliest: Candidate, limit: usize, floor: f64) -> Cut {
        const FIRST_TRY: usize = 64;
        const GROWTH: usize = 8;
        let max = likeliest.logit;
        let mut tried = FIRST_TRY.min(limit);
        let mut total = None;
        if limit == logits.len() {
            total = Some(mass(logits, max, self.temperature));
        } else {
            tried = limit;
        }
        loop {
            let head = top(logits, tried);
            let total = total.unwrap_or_else(|| {
                let logits: Vec<f32> = head.iter().map(|candidate| candidate.logit).collect();
                mass(&logits, max, self.temperature)
            });
            let last = self.head_of_mass(&head, max, self.top_p * total);
            if let Some(last) = last {
                return Cut { floor, last: Some(last) };
            }
            if tried == limit {
                return Cut { floor, last: head.last().copied() };
            }
            tried = (tried * GROWTH).min(limit);
        }
    }

    /// Where the mass of a sorted head reaches `wanted`, if it does.
    fn head_of_mass(&self, head: &[Candidate], max: f32, wanted: f64) -> Option<Candidate> {
        let top = f64::from(max) / self.temperature;
        let mut sum = 0.0;
        head.iter().copied().find(|candidate| {
            sum += exp(f64::from(candidate.logit) / self.temperature - top);
            sum >= wanted
        })
    }
}

/// Where truncation cuts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The least `logit / temperature` that is kept.
    floor: f64,
    /// The last token that is kept; `None` keeps all.
    last: Option<Candidate>,
}

impl Cut {
    /// How far below the cut a token is, in nats; 0 when it is kept.
    pub(super) fn distance(&self, candidate: Candidate, temperature: f64) -> f64 {
        let scaled = f64::from(candidate.logit) / temperature;
        let mut distance = (self.floor - scaled).max(0.0);
        if let Some(last) = self.last {
            distance = distance.max(f64::from(last.logit) / temperature - scaled);
        }
        distance
    }

    /// Whether a token is kept. One that equals the last kept one but has a higher number
    /// is not, although its distance is 0.
    fn keeps(&self, candidate: Candidate, temperature: f64) -> bool {
        f64::from(candidate.logit) / temperature >= self.floor
            && self.last.is_none_or(|last| candidate.order(&last).is_le())
    }

    /// A logit such that all kept tokens have it or more.
    fn logit_floor(&self, temperature: f64) -> f32 {
        let last = self.last.map_or(f32::NEG_INFINITY, |last| last.logit);
        last.max(round_down(self.floor * temperature))
    }
}

/// A token and its `logit / temperature + noise`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drawn {
    pub(super) token: TokenId,
    pub(super) score: f64,
}

impl Drawn {
    fn beats(&self, other: &Self) -> bool {
        self.score > other.score || self.score == other.score && self.token < other.token
    }
}

/// The score of a token, of which the noise is known.
pub(super) fn score(logit: f32, temperature: f64, noise: f64) -> f64 {
    f64::from(logit) / temperature + noise
}

/// The kept token with the largest score.
///
/// Most tokens cannot win whatever their low bits are; [`Floors`] sorts them out by one
/// comparison. That changes the time it takes and nothing else.
pub(super) fn draw(
    logits: &[f32],
    likeliest: Candidate,
    temperature: f64,
    cut: &Cut,
    noise: &Noise,
) -> Drawn {
    let Candidate { token, logit } = likeliest;
    let mut best = Drawn { token, score: score(logit, temperature, noise.gumbel(token)) };
    let logit_floor = cut.logit_floor(temperature);
    let mut floors = Floors::new(best.score, temperature, logit_floor);
    for (chunk, logits) in logits.chunks(CHUNK).enumerate() {
        if !logits.iter().any(|&logit| logit >= floors.lowest()) {
            continue;
        }
        let first = token_id(chunk * CHUNK);
        let words = noise.high_words(token_id(chunk));
        for ((&logit, high), token) in logits.iter().zip(words).zip(first..) {
            if logit >= floors.of(high) && cut.keeps(Candidate { token, logit }, temperature) {
                let noise = noise.gumbel_after(high, token);
                let drawn = Drawn { token, score: score(logit, temperature, noise) };
                if drawn.beats(&best) {
                    best = drawn;
                    floors = Floors::new(best.score, temperature, logit_floor);
                }
            }
        }
    }
    best
}

/// For each bound on a token's noise, the least logit with which it can still win.
struct Floors([f32; 33]);

impl Floors {
    fn new(best: f64, temperature: f64, logit_floor: f32) -> Self {
        Self(std::array::from_fn(|zeros| {
            let most_noise = gumbel_max(token_id(zeros));
            round_down((best - most_noise) * temperature).max(logit_floor)
        }))
    }

    #[inline]
    fn of(&self, high: u32) -> f32 {
        self.0[bound_of(high) as usize]
    }

    /// The floor of a token with the most noise that there is.
    fn lowest(&self) -> f32 {
        self.0[32]
    }
}

/// A number in single precision that is certainly not larger, whatever was rounded before.
fn round_down(number: f64) -> f32 {
    let lowered = number - (number.abs() * 1e-9 + 1e-9);
    // The next line corrects what the conversion may round up.
    #[expect(clippy::cast_possible_truncation)]
    (lowered as f32).next_down()
}

/// A place in the vocabulary as a token number. Vocabularies are far below 2³².
#[expect(clippy::cast_possible_truncation)]
pub(super) const fn token_id(index: usize) -> TokenId {
    index as TokenId
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remuda_types::Seed;

    use super::*;

    fn sorted(logits: &[f32]) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = logits
            .iter()
            .enumerate()
            .filter(|(_, logit)| **logit > f32::NEG_INFINITY)
            .map(|(token, &logit)| Candidate { token: token_id(token), logit })
            .collect();
        all.sort_by(Candidate::order);
        all
    }

    fn some_logits() -> impl Strategy<Value = Vec<f32>> {
        let logit = prop_oneof![
            8 => (-12.0..12.0_f32).prop_map(|x| (x * 4.0).round() / 4.0),
            1 => Just(f32::NEG_INFINITY),
        ];
        proptest::collection::vec(logit, 1..700)
    }

    /// What is kept, by the book: sort all, then cut.
    fn kept_by_the_book(rule: &Truncation, logits: &[f32]) -> Vec<Candidate> {
        let mut kept = sorted(logits);
        if rule.top_k > 0 {
            kept.truncate(rule.top_k);
        }
        let scaled = |c: &Candidate| f64::from(c.logit) / rule.temperature;
        let max = kept.first().map_or(0.0, scaled);
        if rule.top_p < 1.0 {
            let total: f64 = kept.iter().map(|c| (scaled(c) - max).exp()).sum();
            let mut sum = 0.0;
            let before = |c: &Candidate| {
                let reached = sum >= rule.top_p * total;
                sum += (scaled(c) - max).exp();
                !reached
            };
            let count = kept.iter().copied().take_while(before).count().max(1);
            kept.truncate(count);
        }
        kept.retain(|c| rule.min_p == 0.0 || scaled(c) >= max + rule.min_p.ln());
        kept
    }

    proptest! {
        #[test]
        fn top_is_the_head_of_a_sort(logits in some_logits(), count in 1_usize..800) {
            let mut expected = sorted(&logits);
            expected.truncate(count);
            prop_assert_eq!(top(&logits, count), expected.clone());
            prop_assert_eq!(likeliest(&logits), expected.first().copied());
        }

        #[test]
        fn draw_is_the_largest_score_among_the_kept(
            logits in some_logits(),
            temperature in 0.05..2.0_f64,
            top_k in prop_oneof![Just(0_usize), 1_usize..100],
            top_p in prop_oneof![Just(1.0), 0.01..0.99_f64],
            min_p in prop_oneof![Just(0.0), 0.001..0.9_f64],
            seed in any::<i64>(),
        ) {
            let Some(first) = likeliest(&logits) else { return Ok(()) };
            let rule = Truncation { temperature, top_k, top_p, min_p };
            let noise = Noise::new(&Seed::from_caller(seed), 0, 5);
            let cut = rule.last_kept(&logits, first);
            let kept = kept_by_the_book(&rule, &logits);
            let all = sorted(&logits);
            let keeps: Vec<Candidate> =
                all.into_iter().filter(|c| cut.keeps(*c, temperature)).collect();
            prop_assert_eq!(&keeps, &kept);
            let expected = kept
                .iter()
                .map(|c| Drawn {
                    token: c.token,
                    score: score(c.logit, temperature, noise.gumbel(c.token)),
                })
                .reduce(|a, b| if b.beats(&a) { b } else { a });
            prop_assert_eq!(Some(draw(&logits, first, temperature, &cut, &noise)), expected);
        }
    }

    #[test]
    fn nothing_possible_has_no_likeliest() {
        assert_eq!(likeliest(&[]), None);
        assert_eq!(likeliest(&[f32::NEG_INFINITY; 40]), None);
        assert_eq!(top(&[], 3), []);
    }
}
