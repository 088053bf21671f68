//! Stake on its way out: at risk until it matures, then paid by the first block that comes.

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::pools::{STAKE, later};
use super::positions::{Leaving, check_takes_stake, join, part_from};
use super::{
    Done, StakeError, StakePool, Subject, UNBONDINGS_PER_ACCOUNT_MAX, UNBONDINGS_PER_BLOCK_MAX,
    Unbonding, co_stake, rewards, shares,
};
use crate::context::{Context, is_full};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::Holder;
use crate::state::{Row, State};

/// What sets out, and for how long.
pub(super) struct Leave {
    pub(super) account: AccountId,
    pub(super) amount: Tokens,
    pub(super) cooldown_ms: u64,
    pub(super) co_stake: bool,
}

/// A staker wants stake back.
pub(super) fn unbond(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    amount: Option<Tokens>,
) -> Done {
    if amount == Some(Tokens::ZERO) {
        return Err(TransactionError::ZeroAmount);
    }
    let account = context.account();
    let mut pool = state.pool(&subject)?;
    if amount.is_none() && forget_lost(state, &pool, account) {
        return Ok(());
    }
    state.position(&pool, account).ok_or(StakeError::NoPosition)?;
    if amount.is_none() {
        rewards::take_earnings(state, context, &mut pool, account)?;
    }
    // Claiming may have left nothing.
    if state.position(&pool, account).is_some() {
        let leaving = part_from(state, &mut pool, account, amount)?;
        let cooldown_ms = context.economy.stake.cooldown.ms();
        let leave = Leave { account, amount: leaving.amount, cooldown_ms, co_stake: false };
        begin(state, &mut pool, &leave, context.now)?;
    }
    co_stake::check_bound(context, &pool, account)?;
    state.put_pool(pool);
    Ok(())
}

/// Drops a position of which everything was slashed; whether there was one.
fn forget_lost(state: &mut State, pool: &StakePool, account: AccountId) -> bool {
    let key = (pool.subject, account);
    let held = state.tables.stake_positions.get(&key);
    let lost = held.is_some_and(|position| position.era != pool.era);
    if lost {
        state.write(Row::StakePosition(key, None));
    }
    lost
}

/// Sets tokens of the stake vault on their way out; without a cooldown they are there at once.
pub(super) fn begin(
    state: &mut State,
    pool: &mut StakePool,
    leave: &Leave,
    now: TimestampMs,
) -> Done {
    let &Leave { account, amount, cooldown_ms, co_stake } = leave;
    if cooldown_ms == 0 || amount.is_zero() {
        return state.move_tokens(STAKE, Holder::Account(account), amount);
    }
    let most = UNBONDINGS_PER_ACCOUNT_MAX;
    let held = state.indexes.stake.unbondings_of.get(&account);
    if is_full(held.map_or(0, std::collections::BTreeSet::len), most) {
        return Err(StakeError::UnbondingLimit { most }.into());
    }
    let bought = shares::bought(amount.0, pool.unbonding.0, pool.unbonding_shares)?;
    if bought == 0 {
        let least = shares::worth(1, pool.unbonding.0, pool.unbonding_shares).saturating_add(1);
        return Err(StakeError::BelowMinimum { least: Tokens(least) }.into());
    }
    pool.unbonding = pool.unbonding.add(amount)?;
    pool.unbonding_shares =
        pool.unbonding_shares.checked_add(bought).ok_or(TransactionError::Overflow)?;
    let id = state.next_number(|numbers| &mut numbers.unbonding);
    let unbonding = Unbonding {
        id,
        subject: pool.subject,
        account,
        shares: bought,
        era: pool.unbonding_era,
        matures_at: later(now, cooldown_ms),
        co_stake,
    };
    state.write(Row::Unbonding(id, Some(unbonding)));
    Ok(())
}

/// Ends an unbonding: what it is worth leaves the pool's account of it, not yet the vault.
fn finish(
    state: &mut State,
    pool: &mut StakePool,
    unbonding: &Unbonding,
) -> Result<Tokens, TransactionError> {
    state.write(Row::Unbonding(unbonding.id, None));
    if unbonding.era != pool.unbonding_era {
        return Ok(Tokens::ZERO);
    }
    let worth = shares::worth(unbonding.shares, pool.unbonding.0, pool.unbonding_shares);
    let left = pool.unbonding_shares.checked_sub(unbonding.shares);
    pool.unbonding_shares = left.ok_or(TransactionError::Overflow)?;
    pool.unbonding = pool.unbonding.sub(Tokens(worth))?;
    Ok(Tokens(worth))
}

/// A staker lets stake that is on its way out work again.
pub(super) fn cancel(state: &mut State, context: &Context<'_>, id: u64) -> Done {
    let account = context.account();
    let unbonding = state.tables.unbondings.get(&id).cloned();
    let unbonding = unbonding.filter(|unbonding| unbonding.account == account);
    let unbonding = unbonding.ok_or(StakeError::UnknownUnbonding)?;
    if unbonding.co_stake {
        return Err(StakeError::UnbondingOfCoStake.into());
    }
    let mut pool = state.pool(&unbonding.subject)?;
    check_takes_stake(context, &pool)?;
    if pool.owner != account && !context.economy.stake.delegation {
        return Err(StakeError::DelegationOff.into());
    }
    let amount = finish(state, &mut pool, &unbonding)?;
    if !amount.is_zero() {
        let coming = Leaving { amount, principal: amount };
        join(state, &mut pool, account, &coming, None)?;
    }
    state.put_pool(pool);
    Ok(())
}

/// Pays what has matured, the earliest first, so many a block.
pub(crate) fn sweep(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let matured = state.indexes.stake.unbondings_by_time.iter();
    let matured = matured.take_while(|(matures_at, _)| *matures_at <= cycle.now);
    let ids: Vec<u64> = matured.take(UNBONDINGS_PER_BLOCK_MAX).map(|(_, id)| *id).collect();
    for id in ids {
        let Some(unbonding) = state.tables.unbondings.get(&id).cloned() else { continue };
        let mut pool = state.pool(&unbonding.subject)?;
        let amount = finish(state, &mut pool, &unbonding)?;
        state.put_pool(pool);
        state.move_tokens(STAKE, Holder::Account(unbonding.account), amount)?;
    }
    Ok(())
}

/// When the next unbonding matures.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    state.indexes.stake.unbondings_by_time.first().map(|(matures_at, _)| *matures_at)
}
