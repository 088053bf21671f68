//! Co-staking: one account stakes beside the owner, at an agreed share of all rewards.

use remuda_types::{AccountId, Tokens};

use super::pools::{REWARDS, STAKE, check_share, owned};
use super::positions::check_takes_stake;
use super::unbonding::{Leave, begin};
use super::{CoStake, Done, StakeError, StakePool, Subject};
use crate::context::{Context, is_full};
use crate::error::TransactionError;
use crate::math::Share;
use crate::money::Holder;
use crate::state::State;

/// The owner makes an offer.
pub(super) fn offer(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    amount: Tokens,
    share: Share,
) -> Done {
    let rules = &context.economy.stake.co_stake;
    if rules.most == Share::ZERO {
        return Err(StakeError::CoStakeOff.into());
    }
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let mut pool = owned(state, context, subject)?;
    check_takes_stake(context, &pool)?;
    check_share(share, Share::ALL)?;
    if pool.co_stake.is_some() {
        return Err(StakeError::CoStakeExists.into());
    }
    let offers = state.indexes.stake.offers_of.get(&pool.owner);
    if is_full(offers.map_or(0, std::collections::BTreeSet::len), rules.offers) {
        return Err(StakeError::OfferLimit { most: rules.offers }.into());
    }
    within_bound(rules.most, pool.tokens, amount)?;
    let (tokens, rewards) = (Tokens::ZERO, Tokens::ZERO);
    pool.co_stake = Some(CoStake { asked: amount, share, holder: None, tokens, rewards });
    state.put_pool(pool);
    Ok(())
}

/// Whether `co_stake` is at most the share `most` of it and `own` together.
fn within_bound(most: Share, own: Tokens, co_stake: Tokens) -> Result<(), TransactionError> {
    let whole = own.add(co_stake)?;
    if co_stake.0 <= most.of(whole.0) {
        return Ok(());
    }
    Err(StakeError::CoStakeBound { most }.into())
}

/// While somebody co-stakes, the owner does not take its own part away from under it.
pub(super) fn check_bound(context: &Context<'_>, pool: &StakePool, account: AccountId) -> Done {
    let Some(co_stake) = &pool.co_stake else { return Ok(()) };
    if account != pool.owner || co_stake.holder.is_none() {
        return Ok(());
    }
    within_bound(context.economy.stake.co_stake.most, pool.tokens, co_stake.tokens)
}

/// The owner takes an offer back.
pub(super) fn withdraw(state: &mut State, context: &Context<'_>, subject: Subject) -> Done {
    let mut pool = owned(state, context, subject)?;
    let open = pool.co_stake.take().is_some_and(|offer| offer.holder.is_none());
    if !open {
        return Err(StakeError::NoCoStake.into());
    }
    state.put_pool(pool);
    Ok(())
}

/// An account takes an offer, if it is still the one that it read.
pub(super) fn accept(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    amount: Tokens,
    share: Share,
) -> Done {
    let mut pool = state.pool(&subject)?;
    check_takes_stake(context, &pool)?;
    let account = context.account();
    if account == pool.owner {
        return Err(StakeError::OwnSubject.into());
    }
    let mut offer = pool.co_stake.take().ok_or(StakeError::NoCoStake)?;
    if offer.holder.is_some() || offer.asked != amount || offer.share != share {
        return Err(StakeError::NoCoStake.into());
    }
    within_bound(context.economy.stake.co_stake.most, pool.tokens, amount)?;
    state.move_tokens(Holder::Account(account), STAKE, amount)?;
    (offer.holder, offer.tokens) = (Some(account), amount);
    pool.co_stake = Some(offer);
    state.put_pool(pool);
    Ok(())
}

/// Either side ends the co-stake: its rewards are paid, its tokens set out.
pub(super) fn end(state: &mut State, context: &Context<'_>, subject: Subject) -> Done {
    let mut pool = state.pool(&subject)?;
    let co_stake = pool.co_stake.take().ok_or(StakeError::NoCoStake)?;
    let holder = co_stake.holder.ok_or(StakeError::NoCoStake)?;
    let signer = context.account();
    if signer != holder && signer != pool.owner {
        return Err(StakeError::NotOwner.into());
    }
    state.move_tokens(REWARDS, Holder::Account(holder), co_stake.rewards)?;
    let leave = Leave {
        account: holder,
        amount: co_stake.tokens,
        cooldown_ms: context.economy.stake.co_stake.cooldown.ms(),
        co_stake: true,
    };
    begin(state, &mut pool, &leave, context.now)?;
    state.put_pool(pool);
    Ok(())
}
