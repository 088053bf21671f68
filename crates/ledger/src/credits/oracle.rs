//! The oracle: a weighted median of posts, sampled into an average over time. When too few
//! posts count there is no price, never an old one.

use remuda_types::{AccountId, AmountError, Credits, PublicKey, TimestampMs};

use super::error::CreditsError;
use super::records::{Post, Sample};
use super::rules::OracleRules;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::Share;
use crate::stake::{Role, Subject};
use crate::state::{Row, State};

/// The most posts that are kept.
pub const POSTS_MAX: u32 = 256;
/// The most samples that one block forgets, and the most posts.
const FORGET_PER_BLOCK_MAX: usize = 16;

/// A post that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    price: u64,
    weight: u128,
    /// When it stops counting.
    ends: TimestampMs,
}

/// What the posts of one moment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) median: Credits,
    /// Until when enough of them count.
    until: TimestampMs,
}

impl State {
    /// With what weight an account's posts count; 0 is not at all. Posters that the economy
    /// names weigh 1, a validator (by its node key) as much as its stake where it says so.
    pub(crate) fn oracle_weight(&self, account: &AccountId) -> u128 {
        let economy = self.economy();
        let rules = &economy.credits.oracle;
        let operator = PublicKey(account.0.0);
        let validator = Subject { role: Role::Validator, operator };
        let stake = if rules.validators { self.stake_weight(&validator) } else { 0 };
        stake.max(rules.posters.contains(account).into())
    }

    /// The price of one whole token, averaged over the window; none while too few posts
    /// count, or before the first block after enough do.
    pub(crate) fn price(&self, now: TimestampMs) -> Option<Credits> {
        let economy = self.economy();
        let rules = &economy.credits.oracle;
        let reading = self.reading(rules, now)?;
        if rules.window.ms() == 0 {
            return Some(reading.median);
        }
        let newest = self.tables.price_samples.values().next_back()?;
        if newest.until <= now {
            return None;
        }
        let begin = now.saturating_sub(rules.window.ms());
        Some(average(self.tables.price_samples.values(), begin, now).unwrap_or(newest.price))
    }

    /// What the posts that count at `now` say; none when they are too few.
    pub(super) fn reading(&self, rules: &OracleRules, now: TimestampMs) -> Option<Reading> {
        let mut votes: Vec<Vote> = self
            .tables
            .price_posts
            .values()
            .map(|post| Vote {
                price: post.price.0,
                weight: self.oracle_weight(&post.poster),
                ends: post.posted_at.saturating_add(rules.post_life.ms()),
            })
            .filter(|vote| vote.ends > now && vote.weight > 0)
            .collect();
        votes.sort_unstable();
        let middle = median(&votes)?;
        if rules.outlier > Share::ZERO {
            let reach = share_of(rules.outlier, middle);
            votes.retain(|vote| vote.price.abs_diff(middle) <= reach);
        }
        let needed = usize::try_from(rules.posts_min).ok().filter(|needed| *needed > 0)?;
        let mut ends: Vec<TimestampMs> = votes.iter().map(|vote| vote.ends).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let until = *ends.get(needed - 1)?;
        Some(Reading { median: Credits(median(&votes)?), until })
    }
}

fn share_of(share: Share, price: u64) -> u64 {
    // A part of it is never more than it.
    u64::try_from(share.of(price.into())).unwrap_or(price)
}

/// The price at which half of the weight lies on either side, of votes sorted by price; when
/// the halves meet between two prices, their mean rounded down.
fn median(votes: &[Vote]) -> Option<u64> {
    let whole = votes.iter().try_fold(0_u128, |sum, vote| sum.checked_add(vote.weight))?;
    let mut below = 0_u128;
    for (index, vote) in votes.iter().enumerate() {
        below += vote.weight;
        // `below` against the rest, so that nothing is doubled.
        match below.cmp(&(whole - below)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Greater => return Some(vote.price),
            std::cmp::Ordering::Equal => {
                let next = votes.get(index + 1).map_or(vote.price, |next| next.price);
                return Some(vote.price.midpoint(next));
            }
        }
    }
    None
}

/// The average of the samples' prices over `begin..end`, weighted by time and rounded down;
/// none when no sample has any time in it.
fn average<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    begin: TimestampMs,
    end: TimestampMs,
) -> Option<Credits> {
    let (mut sum, mut time) = (0_u128, 0_u128);
    for sample in samples {
        let length = sample.until.min(end).saturating_sub(sample.from.max(begin));
        // A window's length times the highest price fits.
        sum += u128::from(sample.price.0) * u128::from(length);
        time += u128::from(length);
    }
    let price = sum.checked_div(time)?;
    u64::try_from(price).ok().map(Credits)
}

/// `price`, but no farther from `last` than the bound on one step.
fn bounded(rules: &OracleRules, price: Credits, last: Credits) -> Credits {
    if rules.step == Share::ZERO {
        return price;
    }
    let reach = share_of(rules.step, last.0).max(1);
    Credits(price.0.clamp(last.0.saturating_sub(reach).max(1), last.0.saturating_add(reach)))
}

/// A poster says what a token costs.
pub(super) fn post(state: &mut State, context: &Context<'_>, price: Credits) -> Verdict {
    let poster = context.account();
    if state.oracle_weight(&poster) == 0 {
        return Err(CreditsError::NotPoster.into());
    }
    if price.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let known = state.tables.price_posts.contains_key(&poster);
    if !known && crate::context::is_full(state.tables.price_posts.len(), POSTS_MAX) {
        return Err(CreditsError::PostsFull { most: POSTS_MAX }.into());
    }
    let post = Post { poster, price, posted_at: context.now };
    state.write(Row::PricePost(poster, Some(post)));
    Ok(Effects::default())
}

/// Every block: takes a sample when there is something to take, and forgets what is old.
pub(crate) fn observe(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let rules = &cycle.economy.credits.oracle;
    forget(state, rules, cycle.now);
    let last = state.tables.price_samples.values().next_back().copied();
    let reading = state.reading(rules, cycle.now);
    match (last, reading) {
        (None, None) => {}
        (None, Some(reading)) => begin_sample(state, cycle.now, reading),
        (Some(last), None) => end_sample(state, last, cycle.now),
        (Some(last), Some(reading)) => renew(state, rules, cycle.now, last, reading)?,
    }
    Ok(())
}

fn put(state: &mut State, sample: Sample) {
    state.write(Row::PriceSample(sample.from, Some(sample)));
}

fn begin_sample(state: &mut State, now: TimestampMs, reading: Reading) {
    put(state, Sample { price: reading.median, from: now, until: reading.until });
}

/// The sample ends now at the latest.
fn end_sample(state: &mut State, last: Sample, now: TimestampMs) {
    if last.until > now {
        put(state, Sample { until: now, ..last });
    }
}

fn renew(
    state: &mut State,
    rules: &OracleRules,
    now: TimestampMs,
    last: Sample,
    reading: Reading,
) -> Result<(), TransactionError> {
    if last.until < now {
        // After a gap nothing binds the price to what it was.
        begin_sample(state, now, reading);
        return Ok(());
    }
    let median = bounded(rules, reading.median, last.price);
    let next = last.from.checked_add(rules.sample.ms()).ok_or(AmountError::Overflow)?;
    if median == last.price || now < next {
        if last.until != reading.until {
            put(state, Sample { until: reading.until, ..last });
        }
        return Ok(());
    }
    end_sample(state, last, now);
    begin_sample(state, now, Reading { median, ..reading });
    Ok(())
}

/// Forgets posts and samples that count no more, some in each block.
fn forget(state: &mut State, rules: &OracleRules, now: TimestampMs) {
    let ended = |post: &&Post| post.posted_at.saturating_add(rules.post_life.ms()) <= now;
    let posts: Vec<AccountId> = state
        .tables
        .price_posts
        .values()
        .filter(ended)
        .take(FORGET_PER_BLOCK_MAX)
        .map(|post| post.poster)
        .collect();
    for poster in posts {
        state.write(Row::PricePost(poster, None));
    }
    let begin = now.saturating_sub(rules.window.ms());
    let samples: Vec<TimestampMs> = state
        .tables
        .price_samples
        .values()
        .take_while(|sample| sample.until <= begin)
        .take(FORGET_PER_BLOCK_MAX)
        .map(|sample| sample.from)
        .collect();
    for from in samples {
        state.write(Row::PriceSample(from, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(votes: &[(u64, u128)]) -> Vec<Vote> {
        votes.iter().map(|&(price, weight)| Vote { price, weight, ends: 1 }).collect()
    }

    #[test]
    fn the_median_weighs() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&votes(&[(5, 1)])), Some(5));
        assert_eq!(median(&votes(&[(4, 1), (6, 1)])), Some(5));
        assert_eq!(median(&votes(&[(1, 1), (5, 1), (900, 1)])), Some(5));
        assert_eq!(median(&votes(&[(1, 1), (2, 1), (9, 3)])), Some(9));
        assert_eq!(median(&votes(&[(1, 1), (2, 1), (9, 2)])), Some(5));
        assert_eq!(median(&votes(&[(3, u128::MAX), (4, 1)])), None);
        assert_eq!(median(&votes(&[(u64::MAX - 2, 1), (u64::MAX, 1)])), Some(u64::MAX - 1));
    }

    #[test]
    fn the_average_weighs_by_time() {
        let sample = |price, from, until| Sample { price: Credits(price), from, until };
        let samples = [sample(100, 0, 10), sample(200, 20, 40)];
        let over = |begin, end| average(samples.iter(), begin, end).map(|price| price.0);
        assert_eq!(over(0, 40), Some(166));
        assert_eq!(over(5, 25), Some(150));
        assert_eq!(over(10, 20), None);
        assert_eq!(over(30, 35), Some(200));
    }

    #[test]
    fn a_step_is_bounded() {
        let rules = OracleRules { step: Share::percent(10), ..OracleRules::default() };
        let step = |price, last| bounded(&rules, Credits(price), Credits(last)).0;
        assert_eq!((step(200, 100), step(50, 100), step(105, 100)), (110, 90, 105));
        // A tiny price can still move.
        assert_eq!((step(9, 1), step(1, 2)), (2, 1));
        assert_eq!(bounded(&OracleRules::default(), Credits(9), Credits(1)), Credits(9));
    }
}
