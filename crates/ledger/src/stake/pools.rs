//! Subjects: who is enrolled, on which terms, and where it stands.

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::{
    Done, NextBribe, Role, Rules, StakeError, StakeNumbers, StakePool, StakePosition, Standing,
    Subject, Terms,
};
use crate::context::{Context, is_full};
use crate::error::TransactionError;
use crate::math::Share;
use crate::money::{Holder, Vault};
use crate::state::{Row, State};

/// Bonded and unbonding tokens.
pub(super) const STAKE: Holder = Holder::Vault(Vault::Stake);
/// Rewards that nobody has taken.
pub(super) const REWARDS: Holder = Holder::Vault(Vault::StakeRewards);

/// The time `period_ms` later; a time that does not fit never comes.
pub(super) const fn later(now: TimestampMs, period_ms: u64) -> TimestampMs {
    now.saturating_add(period_ms)
}

impl State {
    /// All stake behind a subject.
    pub(super) fn pool(&self, subject: &Subject) -> Result<StakePool, StakeError> {
        self.tables.stake_pools.get(subject).cloned().ok_or(StakeError::UnknownSubject)
    }

    pub(super) fn put_pool(&mut self, pool: StakePool) {
        self.write(Row::StakePool(pool.subject, Some(pool)));
    }

    /// What `account` has staked on the pool's subject; shares of an earlier era are gone.
    pub(super) fn position(&self, pool: &StakePool, account: AccountId) -> Option<StakePosition> {
        let position = self.tables.stake_positions.get(&(pool.subject, account))?;
        (position.era == pool.era).then(|| position.clone())
    }

    /// Keeps a position while it has shares.
    pub(super) fn put_position(&mut self, position: StakePosition) {
        let key = (position.subject, position.account);
        let record = (position.shares > 0).then_some(position);
        self.write(Row::StakePosition(key, record));
    }

    /// The next number that `pick` counts.
    pub(super) fn next_number(&mut self, pick: fn(&mut StakeNumbers) -> &mut u64) -> u64 {
        let mut numbers = self.tables.stake_numbers.get(&()).cloned().unwrap_or_default();
        let next = pick(&mut numbers);
        let number = *next;
        // 2^64 records are never written.
        *next = number.wrapping_add(1);
        self.write(Row::StakeNumbers((), Some(numbers)));
        number
    }
}

/// The pool, if the signer owns the subject.
pub(super) fn owned(
    state: &State,
    context: &Context<'_>,
    subject: Subject,
) -> Result<StakePool, StakeError> {
    let pool = state.pool(&subject)?;
    if pool.owner == context.account() { Ok(pool) } else { Err(StakeError::NotOwner) }
}

pub(super) fn check_share(share: Share, most: Share) -> Result<(), StakeError> {
    if share <= most { Ok(()) } else { Err(StakeError::ShareBound { most }) }
}

/// The signer, a node, enters a role.
pub(super) fn enroll(
    state: &mut State,
    context: &Context<'_>,
    role: Role,
    owner: AccountId,
    commission: Share,
) -> Done {
    let rules = &context.economy.stake;
    if !rules.role(role).open {
        return Err(StakeError::RoleClosed.into());
    }
    check_share(commission, rules.commission.most)?;
    let subject = Subject { role, operator: context.signer };
    match state.tables.stake_pools.get(&subject) {
        Some(pool) if pool.is_forgettable() => {}
        Some(_) => return Err(StakeError::Enrolled.into()),
        None => make_room(state, rules)?,
    }
    let commission_at = context.now;
    let terms = Terms { commission, commission_at, bribe: Share::ZERO, next_bribe: None };
    state.put_pool(StakePool {
        subject,
        owner,
        standing: Standing::Active,
        enrolled_at: context.now,
        tokens: Tokens::ZERO,
        rewards: Tokens::ZERO,
        shares: 0,
        era: 0,
        owed: Tokens::ZERO,
        unbonding: Tokens::ZERO,
        unbonding_shares: 0,
        unbonding_era: 0,
        terms,
        co_stake: None,
    });
    Ok(())
}

/// At the limit, a subject on which nothing is staked leaves.
fn make_room(state: &mut State, rules: &Rules) -> Result<(), StakeError> {
    let most = rules.subjects_max;
    if !is_full(state.tables.stake_pools.len(), most) {
        return Ok(());
    }
    let empty = state.indexes.stake.empty.first().copied();
    let empty = empty.ok_or(StakeError::SubjectsFull { most })?;
    state.write(Row::StakePool(empty, None));
    Ok(())
}

/// The owner changes its commission, by a bounded step.
pub(super) fn set_commission(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    commission: Share,
) -> Done {
    let rules = &context.economy.stake.commission;
    let mut pool = owned(state, context, subject)?;
    check_share(commission, rules.most)?;
    let until = later(pool.terms.commission_at, rules.every.ms());
    if context.now < until {
        return Err(StakeError::CommissionTooSoon { until }.into());
    }
    let change = commission.billionths().abs_diff(pool.terms.commission.billionths());
    if change > rules.step.billionths() {
        return Err(StakeError::CommissionStep { most: rules.step }.into());
    }
    (pool.terms.commission, pool.terms.commission_at) = (commission, context.now);
    state.put_pool(pool);
    Ok(())
}

/// The owner announces a bribe. An announcement that does not hold yet is replaced.
pub(super) fn set_bribe(
    state: &mut State,
    context: &Context<'_>,
    subject: Subject,
    share: Share,
) -> Done {
    let rules = &context.economy.stake.bribe;
    let mut pool = owned(state, context, subject)?;
    check_share(share, rules.most)?;
    pool.terms.bribe = pool.terms.bribe_at(context.now);
    pool.terms.next_bribe = Some(NextBribe { share, from: later(context.now, rules.notice.ms()) });
    state.put_pool(pool);
    Ok(())
}

/// The owner, or the node itself, ends a jail term that is over, with enough stake.
pub(super) fn unjail(state: &mut State, context: &Context<'_>, subject: Subject) -> Done {
    let mut pool = state.pool(&subject)?;
    if pool.owner != context.account() && subject.operator != context.signer {
        return Err(StakeError::NotOwner.into());
    }
    match pool.standing {
        Standing::Active => return Err(StakeError::NotJailed.into()),
        Standing::Ejected => return Err(StakeError::Ejected.into()),
        Standing::Jailed(until) if context.now < until => {
            return Err(StakeError::JailedUntil { until }.into());
        }
        Standing::Jailed(_) => {}
    }
    let available = state.counted_stake(&pool, context.now)?;
    let needed = context.economy.stake.role(subject.role).minimum;
    if available < needed {
        return Err(StakeError::InsufficientStake { available, needed }.into());
    }
    pool.standing = Standing::Active;
    state.put_pool(pool);
    Ok(())
}

/// The owner of a subject without stakers sends the earnings that count as stake on their way
/// out, with the cooldown of all stake.
pub(super) fn retire(state: &mut State, context: &Context<'_>, subject: Subject) -> Done {
    let mut pool = owned(state, context, subject)?;
    if pool.shares > 0 || pool.co_stake.is_some() {
        return Err(StakeError::StillStaked.into());
    }
    let amount = std::mem::take(&mut pool.owed);
    if amount.is_zero() {
        return Err(TransactionError::from(StakeError::NothingToClaim));
    }
    state.move_tokens(REWARDS, STAKE, amount)?;
    let leave = super::unbonding::Leave {
        account: pool.owner,
        amount,
        cooldown_ms: context.economy.stake.cooldown.ms(),
        co_stake: false,
    };
    super::unbonding::begin(state, &mut pool, &leave, context.now)?;
    state.put_pool(pool);
    Ok(())
}
