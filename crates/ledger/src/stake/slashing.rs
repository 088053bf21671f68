//! Slashing: what an offence costs, whom it takes from, and where it goes.

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::pools::{REWARDS, STAKE, later};
use super::{
    AFFECTED_MAX, Done, Offence, OffenceRules, Offending, Risk, Rules, SLASHES_KEPT, SlashEntry,
    Slashed, StakeError, StakePool, Standing, Subject,
};
use crate::context::Context;
use crate::error::TransactionError;
use crate::math::split_by_weights;
use crate::money::{Flow, Holder, Vault};
use crate::state::{Row, State};

/// A proven offence.
#[derive(Clone, Debug)]
pub(crate) struct Charge<'a> {
    /// Whose.
    pub(crate) subject: Subject,
    /// What.
    pub(crate) offence: Offence,
    /// What it puts at risk.
    pub(crate) at_risk: Risk,
    /// Who reported it, if somebody is to be rewarded.
    pub(crate) reporter: Option<AccountId>,
    /// Who was harmed, each with a weight; at most [`AFFECTED_MAX`].
    pub(crate) affected: &'a [(AccountId, u128)],
    /// Block time.
    pub(crate) now: TimestampMs,
}

/// Only the grantor judges, and only where the rules say so.
pub(super) fn check_judge(context: &Context<'_>, affected: &[AccountId]) -> Done {
    if !context.economy.stake.grantor_judges || context.signer != context.grantor {
        return Err(StakeError::NotJudge.into());
    }
    if affected.len() > AFFECTED_MAX {
        let most = u32::try_from(AFFECTED_MAX).unwrap_or(u32::MAX);
        return Err(StakeError::AffectedCount { most }.into());
    }
    Ok(())
}

impl State {
    /// Takes what an offence costs: unclaimed rewards first, then stake, what unbonds and a
    /// co-stake, in proportion. It never takes more than there is. An offence that the rules
    /// do not name costs nothing.
    pub(crate) fn slash(&mut self, charge: &Charge<'_>) -> Result<Slashed, TransactionError> {
        let economy = self.economy();
        let Some(rules) = economy.stake.offence(charge.offence) else {
            return Ok(Slashed::default());
        };
        let mut pool = self.pool(&charge.subject)?;
        let time = self.count_offence(charge, rules);
        let ejects = rules.eject_at > 0 && time >= rules.eject_at;
        let due = self.due(charge, rules, &pool, time)?;
        let due = if ejects { due } else { due.min(bound(&economy.stake, &pool)?) };
        let from_rewards = self.take_rewards(&mut pool, due)?;
        let from_stake = take_stake(&mut pool, due.sub(from_rewards)?)?;
        let taken = from_rewards.add(from_stake)?;
        let mut slashed = self.share_out(&economy.stake, charge, taken)?;
        slashed.from_rewards = from_rewards;
        pool.standing = match (pool.standing, ejects, rules.jail.ms()) {
            (Standing::Ejected, ..) | (_, true, _) => Standing::Ejected,
            (standing, false, 0) => standing,
            (standing, false, jail) => standing.jailed_until(later(charge.now, jail)),
        };
        self.remember(charge, time, &slashed, pool.standing);
        self.put_pool(pool);
        Ok(slashed)
    }

    /// Which time it is: earlier ones count while no two are further apart than the window.
    fn count_offence(&mut self, charge: &Charge<'_>, rules: &OffenceRules) -> u32 {
        let key = (charge.subject, charge.offence);
        let before = self.tables.offendings.get(&key);
        let recent = |before: &&Offending| charge.now <= later(before.last_at, rules.window.ms());
        let count = before.filter(recent).map_or(0, |before| before.count);
        // At the last severity the exact number no longer matters.
        let count = count.saturating_add(1);
        self.write(Row::Offending(key, Some(Offending { count, last_at: charge.now })));
        count
    }

    /// What the offence costs, before what there is bounds it. Rounded up.
    fn due(
        &self,
        charge: &Charge<'_>,
        rules: &OffenceRules,
        pool: &StakePool,
        time: u32,
    ) -> Result<Tokens, TransactionError> {
        let at_risk = match &charge.at_risk {
            Risk::All => pending(pool)?.add(staked(pool)?)?,
            Risk::Tokens(tokens) => *tokens,
            Risk::Load(load) => self.required_stake(pool.subject.role, load)?,
        };
        let last = rules.parts.len().saturating_sub(1);
        let at = usize::try_from(time.saturating_sub(1)).unwrap_or(last).min(last);
        rules.parts.get(at).map_or(Ok(Tokens::ZERO), |part| Ok(part.of(at_risk)?))
    }

    /// Takes unclaimed rewards of owner, co-staker and stakers, in proportion; dust falls on
    /// them in this order. They come into the vault of stake.
    fn take_rewards(
        &mut self,
        pool: &mut StakePool,
        due: Tokens,
    ) -> Result<Tokens, TransactionError> {
        let taken = due.min(pending(pool)?);
        let co_stake = pool.co_stake.as_ref().map_or(Tokens::ZERO, |held| held.rewards);
        let parts = split_by_weights(taken.0, &[pool.owed.0, co_stake.0, pool.rewards.0])?;
        if let [owed, co_stake, rewards] = parts[..] {
            pool.owed = pool.owed.sub(Tokens(owed))?;
            pool.rewards = pool.rewards.sub(Tokens(rewards))?;
            if let Some(held) = &mut pool.co_stake {
                held.rewards = held.rewards.sub(Tokens(co_stake))?;
            }
        }
        self.move_tokens(REWARDS, STAKE, taken)?;
        renew_era(pool);
        Ok(taken)
    }

    /// Sends what was taken to reporter, harmed accounts and treasury; the rest, with all dust
    /// and the parts of who is not there, burns.
    fn share_out(
        &mut self,
        rules: &Rules,
        charge: &Charge<'_>,
        taken: Tokens,
    ) -> Result<Slashed, TransactionError> {
        let mut slashed = Slashed { taken, ..Slashed::default() };
        if let Some(reporter) = charge.reporter {
            slashed.reporter = Tokens(rules.split.reporter.of(taken.0));
            self.move_tokens(STAKE, Holder::Account(reporter), slashed.reporter)?;
        }
        let weights: Vec<u128> = charge.affected.iter().map(|(_, weight)| *weight).collect();
        let parts = split_by_weights(rules.split.affected.of(taken.0), &weights)?;
        for ((account, _), part) in charge.affected.iter().zip(parts) {
            slashed.affected = slashed.affected.add(Tokens(part))?;
            self.move_tokens(STAKE, Holder::Account(*account), Tokens(part))?;
        }
        slashed.treasury = Tokens(rules.split.treasury.of(taken.0));
        self.move_tokens(STAKE, Holder::Vault(Vault::Treasury), slashed.treasury)?;
        let given = slashed.reporter.add(slashed.affected)?.add(slashed.treasury)?;
        slashed.burned = taken.sub(given)?;
        self.burn_tokens(STAKE, slashed.burned, Flow::Slash)?;
        Ok(slashed)
    }

    /// Keeps the newest slashes.
    fn remember(&mut self, charge: &Charge<'_>, time: u32, slashed: &Slashed, standing: Standing) {
        let sequence = self.next_number(|numbers| &mut numbers.slash);
        let entry = SlashEntry {
            sequence,
            subject: charge.subject,
            offence: charge.offence,
            time,
            at: charge.now,
            slashed: slashed.clone(),
            standing,
        };
        self.write(Row::Slash(sequence, Some(entry)));
        if let Some(old) = sequence.checked_sub(SLASHES_KEPT) {
            self.write(Row::Slash(old, None));
        }
    }
}

impl Standing {
    /// Jailed at least until then.
    fn jailed_until(self, until: TimestampMs) -> Self {
        match self {
            Self::Jailed(longer) if longer > until => self,
            Self::Ejected => self,
            _ => Self::Jailed(until),
        }
    }
}

/// All rewards that nobody has claimed.
fn pending(pool: &StakePool) -> Result<Tokens, TransactionError> {
    let co_stake = pool.co_stake.as_ref().map_or(Tokens::ZERO, |held| held.rewards);
    Ok(pool.owed.add(pool.rewards)?.add(co_stake)?)
}

/// All stake that a slash reaches.
fn staked(pool: &StakePool) -> Result<Tokens, TransactionError> {
    Ok(pool.stake().add(pool.unbonding)?)
}

/// The most that one slash takes: all rewards, and the rules' share of the stake.
fn bound(rules: &Rules, pool: &StakePool) -> Result<Tokens, TransactionError> {
    let of_stake = Tokens(rules.slash_cap.of(staked(pool)?.0));
    Ok(pending(pool)?.add(of_stake)?)
}

/// Takes stake, what unbonds, and a co-stake, in proportion; dust falls on them in this order.
fn take_stake(pool: &mut StakePool, due: Tokens) -> Result<Tokens, TransactionError> {
    let taken = due.min(staked(pool)?);
    let co_stake = pool.co_stake.as_ref().map_or(Tokens::ZERO, |held| held.tokens);
    let parts = split_by_weights(taken.0, &[pool.tokens.0, pool.unbonding.0, co_stake.0])?;
    if let [tokens, unbonding, co_stake] = parts[..] {
        pool.tokens = pool.tokens.sub(Tokens(tokens))?;
        pool.unbonding = pool.unbonding.sub(Tokens(unbonding))?;
        if let Some(held) = &mut pool.co_stake {
            held.tokens = held.tokens.sub(Tokens(co_stake))?;
        }
    }
    renew_era(pool);
    Ok(taken)
}

/// Where all was taken, shares end: whoever comes later begins anew.
fn renew_era(pool: &mut StakePool) {
    if pool.value() == 0 && pool.shares > 0 {
        pool.shares = 0;
        pool.era = pool.era.wrapping_add(1);
    }
    if pool.unbonding.is_zero() && pool.unbonding_shares > 0 {
        pool.unbonding_shares = 0;
        pool.unbonding_era = pool.unbonding_era.wrapping_add(1);
    }
}
