//! What other rooms ask: whether stake suffices, what it weighs, and who has most of it.

use remuda_types::{PublicKey, TimestampMs, Tokens};

use super::formulas::{self, Surroundings};
use super::{Load, Role, StakeError, StakeMeasures, StakePool, Subject};
use crate::answers::ANSWER_RECORDS_MAX;
use crate::error::TransactionError;
use crate::math::{Fixed, Rounding, mul_div};
use crate::state::{Row, State};

/// The base units of one token.
const TOKEN: u128 = 1_000_000_000;

impl State {
    /// What the last epoch measured.
    pub(crate) fn stake_measures(&self) -> StakeMeasures {
        self.tables.stake_measures.get(&()).cloned().unwrap_or_default()
    }

    /// Takes down what an epoch measured, for formulas of required stake.
    pub(crate) fn put_stake_measures(&mut self, measures: StakeMeasures) {
        self.write(Row::StakeMeasures((), Some(measures)));
    }

    /// What formulas know beside the devices. Tokens in vaults do not circulate.
    fn surroundings(&self) -> Surroundings {
        let held = self.tables.vaults.values().fold(0_u128, |sum, purse| {
            // All of it is part of the supply, which fits.
            sum.saturating_add(purse.tokens.0)
        });
        let circulating = self.supply().tokens.excess_over(Tokens(held));
        Surroundings { measures: self.stake_measures(), circulating }
    }

    /// The stake that devices require of a role.
    pub(crate) fn required_stake(
        &self,
        role: Role,
        load: &Load,
    ) -> Result<Tokens, TransactionError> {
        let economy = self.economy();
        let rules = &economy.stake.role(role).required;
        Ok(formulas::required(rules, load, &self.surroundings())?)
    }

    /// Unclaimed earnings of the owner that count as stake, and stay: up to the role's bound,
    /// while the price of a token is known.
    pub(super) fn implicit_stake(
        &self,
        pool: &StakePool,
        now: TimestampMs,
    ) -> Result<Tokens, TransactionError> {
        let economy = self.economy();
        let dollars = economy.stake.role(pool.subject.role).implicit;
        if dollars.is_zero() || pool.owed.is_zero() {
            return Ok(Tokens::ZERO);
        }
        let price = self.price(now).filter(|price| !price.is_zero());
        let Some(price) = price else { return Ok(Tokens::ZERO) };
        let bound = mul_div(dollars.0.into(), TOKEN, price.0.into(), Rounding::Down)?;
        Ok(pool.owed.min(Tokens(bound)))
    }

    /// All stake that counts for a subject: bonded, co-staked, and implicit.
    pub(super) fn counted_stake(
        &self,
        pool: &StakePool,
        now: TimestampMs,
    ) -> Result<Tokens, TransactionError> {
        Ok(pool.stake().add(self.implicit_stake(pool, now)?)?)
    }

    /// Whether a subject may work with these devices: active, and with the stake that they
    /// require, at least its role's minimum. Where the role does not stake, everybody may.
    pub(crate) fn stake_ok(
        &self,
        subject: &Subject,
        loads: &[Load],
        now: TimestampMs,
    ) -> Result<bool, TransactionError> {
        let economy = self.economy();
        let rules = economy.stake.role(subject.role);
        if !rules.open {
            return Ok(true);
        }
        let mut needed = Tokens::ZERO;
        for load in loads {
            needed = needed.add(self.required_stake(subject.role, load)?)?;
        }
        let needed = needed.max(rules.minimum);
        match self.pool(subject) {
            Ok(pool) => Ok(pool.standing.is_active() && self.counted_stake(&pool, now)? >= needed),
            Err(StakeError::UnknownSubject) => Ok(needed.is_zero()),
            Err(error) => Err(error.into()),
        }
    }

    /// At which part of full efficiency a subject works.
    pub(crate) fn efficiency(
        &self,
        subject: &Subject,
        now: TimestampMs,
    ) -> Result<Fixed, TransactionError> {
        let stake = match self.pool(subject) {
            Ok(pool) => self.counted_stake(&pool, now)?,
            Err(_) => Tokens::ZERO,
        };
        Ok(formulas::efficiency(&self.economy().stake.ramp, stake)?)
    }

    /// How much a subject weighs in draws and votes; nothing unless it is active and has
    /// bonded its role's minimum.
    pub(crate) fn stake_weight(&self, subject: &Subject) -> u128 {
        let economy = self.economy();
        let minimum = economy.stake.role(subject.role).minimum;
        match self.pool(subject) {
            Ok(pool) if pool.standing.is_active() && pool.stake() >= minimum => {
                formulas::weight(&economy.stake.weight, pool.stake())
            }
            _ => 0,
        }
    }

    /// The active subjects of a role that have at least its minimum, those with most stake
    /// first, at most `most`, each with its weight.
    pub(crate) fn stakers_of(&self, role: Role, most: usize) -> Vec<(PublicKey, u128)> {
        let economy = self.economy();
        let minimum = economy.stake.role(role).minimum.max(Tokens(1));
        let ranked = self.indexes.stake.ranked(role);
        let enough = ranked.take_while(|(stake, _)| *stake >= minimum);
        let weighted =
            |(stake, operator)| (operator, formulas::weight(&economy.stake.weight, stake));
        enough.take(most.min(ANSWER_RECORDS_MAX)).map(weighted).collect()
    }

    /// The validators with their weights, those with most stake first.
    // Who draws a committee asks.
    #[allow(dead_code)]
    pub(crate) fn validators(&self) -> Vec<(PublicKey, u128)> {
        self.stakers_of(Role::Validator, ANSWER_RECORDS_MAX)
    }

    /// All bonded stake of a role, jailed or not.
    pub(crate) fn total_stake(&self, role: Role) -> Tokens {
        self.indexes.stake.total(role)
    }
}
