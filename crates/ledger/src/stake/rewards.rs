//! Rewards: how they are shared, and how they are taken.

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::pools::{REWARDS, STAKE};
use super::{Done, Sharing, StakeError, StakePool, Subject, shares};
use crate::accounts::VestingTerms;
use crate::context::Context;
use crate::error::TransactionError;
use crate::money::Holder;
use crate::state::State;

impl State {
    /// Pays a reward of `subject`: first a co-staker's share, then the owner and the stakers
    /// share the rest as the role does. Shares are rounded down: the dust of a co-stake
    /// belongs to the rest, that of the owner's or bribed share to the other side. Without
    /// stakers the owner has it all; a node that is not enrolled is paid directly.
    pub(crate) fn reward_stake(
        &mut self,
        subject: &Subject,
        amount: Tokens,
        from: Holder,
        now: TimestampMs,
    ) -> Result<(), TransactionError> {
        let Ok(mut pool) = self.pool(subject) else {
            let account = self.reward_account(&subject.operator);
            return self.move_tokens(from, Holder::Account(account), amount);
        };
        let economy = self.economy();
        let mut rest = amount;
        if let Some(co_stake) = pool.co_stake.as_mut().filter(|held| held.holder.is_some()) {
            let part = Tokens(co_stake.share.of(amount.0));
            co_stake.rewards = co_stake.rewards.add(part)?;
            self.move_tokens(from, REWARDS, part)?;
            rest = rest.sub(part)?;
        }
        let stakers = stakers_part(&pool, economy.stake.role(subject.role).sharing, rest, now)?;
        let owner = rest.sub(stakers)?;
        pool.owed = pool.owed.add(owner)?;
        self.move_tokens(from, REWARDS, owner)?;
        self.add_rewards(&mut pool, stakers, from)?;
        self.put_pool(pool);
        Ok(())
    }

    /// Pays a reward that is the stakers' alone; without stakers the owner has it.
    pub(crate) fn reward_stakers(
        &mut self,
        subject: &Subject,
        amount: Tokens,
        from: Holder,
    ) -> Result<(), TransactionError> {
        let mut pool = self.pool(subject)?;
        if pool.shares == 0 {
            pool.owed = pool.owed.add(amount)?;
            self.move_tokens(from, REWARDS, amount)?;
        } else {
            self.add_rewards(&mut pool, amount, from)?;
        }
        self.put_pool(pool);
        Ok(())
    }

    /// Adds to what all shares of a pool are worth.
    fn add_rewards(&mut self, pool: &mut StakePool, amount: Tokens, from: Holder) -> Done {
        if self.economy().stake.compound {
            pool.tokens = pool.tokens.add(amount)?;
            return self.move_tokens(from, STAKE, amount);
        }
        pool.rewards = pool.rewards.add(amount)?;
        self.move_tokens(from, REWARDS, amount)
    }
}

/// What the stakers have of `amount`.
fn stakers_part(
    pool: &StakePool,
    sharing: Sharing,
    amount: Tokens,
    now: TimestampMs,
) -> Result<Tokens, TransactionError> {
    if pool.shares == 0 {
        return Ok(Tokens::ZERO);
    }
    match sharing {
        Sharing::Commission => Ok(amount.sub(Tokens(pool.terms.commission.of(amount.0)))?),
        Sharing::Bribe => Ok(Tokens(pool.terms.bribe_at(now).of(amount.0))),
    }
}

/// Anyone adds to a subject's rewards.
pub(super) fn fund(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    amount: Tokens,
) -> Done {
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    state.pool(&subject)?;
    let from = Holder::Account(context.account());
    state.reward_stake(&subject, amount, from, context.now)
}

/// Staker, owner or co-staker takes what it earned.
pub(super) fn claim(state: &mut State, context: &Context<'_>, subject: Subject) -> Done {
    let account = context.account();
    let mut pool = state.pool(&subject)?;
    let pay = take_pay(state, &mut pool, account, context.now)?;
    let earned = take_earnings(state, context, &mut pool, account)?;
    if pay.is_zero() && earned.is_zero() {
        return Err(StakeError::NothingToClaim.into());
    }
    state.put_pool(pool);
    Ok(())
}

/// What an owner and a co-staker have earned; what counts as stake stays.
fn take_pay(
    state: &mut State,
    pool: &mut StakePool,
    account: AccountId,
    now: TimestampMs,
) -> Result<Tokens, TransactionError> {
    let mut pay = Tokens::ZERO;
    if account == pool.owner {
        let stays = state.implicit_stake(pool, now)?;
        pay = pool.owed.sub(stays)?;
        pool.owed = stays;
    }
    if let Some(co_stake) = pool.co_stake.as_mut().filter(|held| held.holder == Some(account)) {
        pay = pay.add(std::mem::take(&mut co_stake.rewards))?;
    }
    state.move_tokens(REWARDS, Holder::Account(account), pay)?;
    Ok(pay)
}

/// Takes what a position has earned beyond what was put in: out of the pool's unclaimed
/// rewards, and where rewards compound, out of its tokens too.
pub(super) fn take_earnings(
    state: &mut State,
    context: &Context<'_>,
    pool: &mut StakePool,
    account: AccountId,
) -> Result<Tokens, TransactionError> {
    let Some(mut position) = state.position(pool, account) else { return Ok(Tokens::ZERO) };
    let worth = Tokens(shares::worth(position.shares, pool.value(), pool.shares));
    let earned = worth.excess_over(position.principal);
    let earned = if context.economy.stake.compound { earned } else { earned.min(pool.rewards) };
    if earned.is_zero() {
        return Ok(earned);
    }
    let burned = shares::cost(earned.0, pool.value(), pool.shares, position.shares)?;
    position.shares -= burned;
    pool.shares = pool.shares.checked_sub(burned).ok_or(TransactionError::Overflow)?;
    state.put_position(position);
    let waiting = earned.min(pool.rewards);
    let compounded = earned.sub(waiting)?;
    pool.rewards = pool.rewards.sub(waiting)?;
    pool.tokens = pool.tokens.sub(compounded)?;
    state.move_tokens(STAKE, REWARDS, compounded)?;
    let terms = VestingTerms::linear(context.economy.stake.reward_vesting);
    state.vest(account, earned, terms, context.now, REWARDS)?;
    Ok(earned)
}
