//! Points become tokens, once: each account its part of the pool, some accounts in each
//! block, and what comes free does so evenly over the vesting time.

use std::ops::Bound;

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::amount::Points;
use super::error::PointsError;
use super::records::{Phase, PointsAccount};
use super::rules::{ConversionRules, Rules};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Rounding, mul_div};
use crate::money::{Flow, Holder, Vault};
use crate::state::State;

/// The most accounts that one block converts.
pub const CONVERSIONS_PER_BLOCK_MAX: usize = 256;

type Done = Result<(), TransactionError>;

/// Of `converted`, what is free `elapsed` milliseconds after it began to vest: by whole steps,
/// rounded down, and all of it at the end.
fn free(rules: &ConversionRules, converted: Tokens, elapsed: u64) -> Tokens {
    let elapsed = match rules.step.ms() {
        0 => elapsed,
        step => elapsed - elapsed % step,
    };
    let vesting = rules.vesting.ms();
    if elapsed >= vesting {
        return converted;
    }
    let part = mul_div(converted.0, elapsed.into(), vesting.into(), Rounding::Down);
    part.map_or(Tokens::ZERO, Tokens)
}

/// When the points' tokens began to vest.
const fn vests_since(phase: &Phase) -> Option<TimestampMs> {
    match phase {
        Phase::Converting { since, .. } | Phase::Converted { since } => Some(*since),
        Phase::Open | Phase::Ended => None,
    }
}

/// The signer takes what is free.
pub(super) fn claim(state: &mut State, context: &Context<'_>) -> Verdict {
    let since = vests_since(&state.points_book().phase).ok_or(PointsError::NothingDue)?;
    let id = context.account();
    let mut account = state.points_account(&id).ok_or(PointsError::NothingDue)?;
    let elapsed = context.now.saturating_sub(since);
    let free = free(&context.economy.points.conversion, account.converted, elapsed);
    // Later rules may free less than was taken: then nothing is due for a while.
    let due = free.excess_over(account.released);
    if due.is_zero() {
        return Err(PointsError::NothingDue.into());
    }
    account.released = account.released.add(due)?;
    state.put_points_account(id, account);
    state.move_tokens(Holder::Vault(Vault::Points), Holder::Account(id), due)?;
    Ok(Effects::default())
}

/// Every block, last: begins the conversion when all chests are drawn, and goes on with it.
pub(crate) fn convert(state: &mut State, cycle: &Cycle) -> Done {
    let rules = &cycle.economy.points;
    match state.points_book().phase {
        Phase::Ended if state.tables.chest_openings.is_empty() => start(state, rules, cycle.now),
        Phase::Converting { .. } => go_on(state, rules),
        _ => Ok(()),
    }
}

/// Mints the pool, as far as the cap allows.
fn start(state: &mut State, rules: &Rules, since: TimestampMs) -> Done {
    let pool = rules.conversion.pool.min(state.mintable());
    state.mint_tokens(Holder::Vault(Vault::Points), pool, Flow::Conversion)?;
    let mut book = state.points_book();
    let among = if rules.conversion.certified_only { book.certified } else { book.total };
    book.phase = Phase::Converting { since, pool, among, last: None, left: pool };
    state.put_points_book(book);
    Ok(())
}

fn takes_part(rules: &Rules, account: &PointsAccount) -> bool {
    !rules.conversion.certified_only || account.certificate.is_some()
}

/// Converts the next accounts. Parts round down; what they leave of the pool, and credits that
/// no chest gave, go to the treasury at the end.
fn go_on(state: &mut State, rules: &Rules) -> Done {
    let mut book = state.points_book();
    let Phase::Converting { since, pool, among, mut last, mut left } = book.phase else {
        return Ok(());
    };
    let from = last.map_or(Bound::Unbounded, Bound::Excluded);
    let batch: Vec<(AccountId, PointsAccount)> = state
        .tables
        .points_accounts
        .range((from, Bound::Unbounded))
        .take(CONVERSIONS_PER_BLOCK_MAX)
        .map(|(id, account)| (*id, account.clone()))
        .collect();
    let done = batch.len() < CONVERSIONS_PER_BLOCK_MAX;
    for (id, mut account) in batch {
        last = Some(id);
        if !takes_part(rules, &account) {
            continue;
        }
        let part = part_of(pool, account.total()?, among)?;
        left = left.sub(part)?;
        account.converted = part;
        state.put_points_account(id, account);
    }
    book.phase = Phase::Converting { since, pool, among, last, left };
    if done {
        book.phase = Phase::Converted { since };
        let (vault, treasury) = (Holder::Vault(Vault::Points), Holder::Vault(Vault::Treasury));
        state.move_tokens(vault, treasury, left)?;
        state.move_credits(vault, treasury, book.funded)?;
        book.funded = remuda_types::Credits::ZERO;
    }
    state.put_points_book(book);
    Ok(())
}

fn part_of(pool: Tokens, points: Points, among: Points) -> Result<Tokens, TransactionError> {
    if points.is_zero() {
        return Ok(Tokens::ZERO);
    }
    Ok(Tokens(mul_div(pool.0, points.0, among.0, Rounding::Down)?))
}

/// When points want a block: when they end; and at once while chests wait for their draw or
/// accounts for their tokens.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    let book = state.tables.points_book.get(&())?;
    // A height stands for a time long past. Each block's is another, so that the next block
    // is as urgent as the last.
    let at_once = state.tables.beacons.keys().next_back().copied();
    if !state.tables.chest_openings.is_empty() {
        return at_once;
    }
    let rules = &state.economy().points;
    match book.phase {
        Phase::Open if rules.on && !rules.conversion.pool.is_zero() => {
            Some(book.started_at.saturating_add(rules.conversion.after.ms()))
        }
        Phase::Ended | Phase::Converting { .. } => at_once,
        Phase::Open | Phase::Converted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Period;

    #[test]
    fn tokens_come_free_by_steps_and_whole() {
        let rules = ConversionRules {
            vesting: Period::DAY.times(12),
            step: Period::DAY,
            ..ConversionRules::default()
        };
        let at = |elapsed| free(&rules, Tokens(100), elapsed).0;
        let day = Period::DAY.ms();
        assert_eq!([at(0), at(day - 1), at(day), at(11 * day)], [0, 0, 8, 91]);
        assert_eq!([at(12 * day), at(u64::MAX)], [100, 100]);
        let smooth = ConversionRules { step: Period(0), ..rules };
        assert_eq!(free(&smooth, Tokens(100), day * 6 + day / 2).0, 54);
        assert_eq!(free(&ConversionRules::default(), Tokens(100), 0), Tokens(100));
    }
}
