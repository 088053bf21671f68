//! Positions: stake comes in by shares of the pool, and moves between pools.

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::pools::{REWARDS, STAKE, later, owned};
use super::{
    Done, POSITIONS_PER_ACCOUNT_MAX, StakeError, StakePool, StakePosition, Standing, Subject,
    shares,
};
use crate::context::{Context, is_full};
use crate::error::TransactionError;
use crate::money::Holder;
use crate::state::State;

/// What leaves a pool: so many tokens, of which so much was put in.
pub(super) struct Leaving {
    pub(super) amount: Tokens,
    pub(super) principal: Tokens,
}

/// The owner stakes on its subject.
pub(super) fn bond(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    amount: Tokens,
) -> Done {
    let pool = owned(state, context, subject)?;
    stake(state, context, pool, amount)
}

/// Somebody else does.
pub(super) fn delegate(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    amount: Tokens,
) -> Done {
    let pool = state.pool(&subject)?;
    if pool.owner == context.account() {
        return Err(StakeError::OwnSubject.into());
    }
    if !context.economy.stake.delegation {
        return Err(StakeError::DelegationOff.into());
    }
    stake(state, context, pool, amount)
}

fn stake(state: &mut State, context: &Context<'_>, mut pool: StakePool, amount: Tokens) -> Done {
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let rules = &context.economy.stake;
    if amount < rules.minimum_delegation {
        return Err(StakeError::BelowMinimum { least: rules.minimum_delegation }.into());
    }
    check_takes_stake(context, &pool)?;
    let account = context.account();
    state.move_tokens(Holder::Account(account), STAKE, amount)?;
    let coming = Leaving { amount, principal: amount };
    join(state, &mut pool, account, &coming, None)?;
    state.put_pool(pool);
    Ok(())
}

/// A jailed subject may be topped up; an ejected one takes nothing.
pub(super) fn check_takes_stake(context: &Context<'_>, pool: &StakePool) -> Result<(), StakeError> {
    if !context.economy.stake.role(pool.subject.role).open {
        return Err(StakeError::RoleClosed);
    }
    if pool.standing == Standing::Ejected { Err(StakeError::Ejected) } else { Ok(()) }
}

/// Adds to a position tokens that are in the vault already.
pub(super) fn join(
    state: &mut State,
    pool: &mut StakePool,
    account: AccountId,
    coming: &Leaving,
    moved_at: Option<TimestampMs>,
) -> Done {
    let bought = shares::bought(coming.amount.0, pool.value(), pool.shares)?;
    if bought == 0 {
        // A single share is worth more than that.
        let least = shares::worth(1, pool.value(), pool.shares).saturating_add(1);
        return Err(StakeError::BelowMinimum { least: Tokens(least) }.into());
    }
    let mut position = match state.position(pool, account) {
        Some(position) => position,
        None => open(state, pool, account)?,
    };
    position.shares = position.shares.checked_add(bought).ok_or(TransactionError::Overflow)?;
    position.principal = position.principal.add(coming.principal)?;
    position.moved_at = moved_at.unwrap_or(position.moved_at);
    pool.shares = pool.shares.checked_add(bought).ok_or(TransactionError::Overflow)?;
    pool.tokens = pool.tokens.add(coming.amount)?;
    state.put_position(position);
    Ok(())
}

fn open(state: &State, pool: &StakePool, account: AccountId) -> Result<StakePosition, StakeError> {
    let most = POSITIONS_PER_ACCOUNT_MAX;
    let held = state.indexes.stake.positions_of.get(&account);
    let known = held.is_some_and(|held| held.contains(&pool.subject));
    if !known && is_full(held.map_or(0, std::collections::BTreeSet::len), most) {
        return Err(StakeError::PositionLimit { most });
    }
    Ok(StakePosition {
        subject: pool.subject,
        account,
        shares: 0,
        era: pool.era,
        principal: Tokens::ZERO,
        moved_at: 0,
    })
}

/// Takes stake out of a position, to be moved on by the caller. A part comes out of what was
/// put in; all of it comes with its earnings.
pub(super) fn part_from(
    state: &mut State,
    pool: &mut StakePool,
    account: AccountId,
    amount: Option<Tokens>,
) -> Result<Leaving, TransactionError> {
    let mut position = state.position(pool, account).ok_or(StakeError::NoPosition)?;
    let worth = Tokens(shares::worth(position.shares, pool.value(), pool.shares));
    let leaving = match amount {
        None => Leaving { amount: worth, principal: position.principal },
        Some(amount) => Leaving { amount, principal: amount },
    };
    let burned = match amount {
        None => position.shares,
        Some(needed) => {
            let available = worth.min(position.principal);
            if needed > available {
                return Err(StakeError::InsufficientStake { available, needed }.into());
            }
            shares::cost(needed.0, pool.value(), pool.shares, position.shares)?
        }
    };
    position.shares -= burned;
    position.principal = position.principal.sub(leaving.principal)?;
    pool.shares = pool.shares.checked_sub(burned).ok_or(TransactionError::Overflow)?;
    state.put_position(position);
    let short = leaving.amount.excess_over(pool.tokens);
    compound(state, pool, short)?;
    pool.tokens = pool.tokens.sub(leaving.amount)?;
    Ok(leaving)
}

/// Turns unclaimed rewards of a pool into stake.
fn compound(state: &mut State, pool: &mut StakePool, amount: Tokens) -> Done {
    state.move_tokens(REWARDS, STAKE, amount)?;
    pool.rewards = pool.rewards.sub(amount)?;
    pool.tokens = pool.tokens.add(amount)?;
    Ok(())
}

/// Moves stake to another subject at once, where the rules let it.
pub(super) fn relocate(
    state: &mut State,
    context: &Context<'_>,
    from: Subject,
    to: Subject,
    amount: Option<Tokens>,
) -> Done {
    if amount == Some(Tokens::ZERO) {
        return Err(TransactionError::ZeroAmount);
    }
    let account = context.account();
    let (mut from, mut to) = movable(state, context, from, to)?;
    let leaving = part_from(state, &mut from, account, amount)?;
    if leaving.amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    super::co_stake::check_bound(context, &from, account)?;
    join(state, &mut to, account, &leaving, Some(context.now))?;
    state.put_pool(from);
    state.put_pool(to);
    Ok(())
}

/// The two pools, if the signer's stake may move between them now. Stake of a jailed subject
/// does not run from what may still come.
fn movable(
    state: &State,
    context: &Context<'_>,
    from: Subject,
    to: Subject,
) -> Result<(StakePool, StakePool), StakeError> {
    let rules = &context.economy.stake;
    if !rules.moves {
        return Err(StakeError::MovesOff);
    }
    let (from, to) = (state.pool(&from)?, state.pool(&to)?);
    let active = from.standing.is_active() && to.standing.is_active();
    if from.subject == to.subject || from.subject.role != to.subject.role || !active {
        return Err(StakeError::MoveBetween);
    }
    if to.owner != context.account() && !rules.delegation {
        return Err(StakeError::DelegationOff);
    }
    check_takes_stake(context, &to)?;
    let moved_at = state.position(&from, context.account()).map_or(0, |held| held.moved_at);
    let until = later(moved_at, rules.move_wait.ms());
    if moved_at > 0 && context.now < until {
        return Err(StakeError::MoveTooSoon { until });
    }
    Ok((from, to))
}
