//! What stake has to do with epochs: who is in good standing, at which efficiency a provider
//! earns, with whom it shares, and what an epoch measures for the formulas of stake.

use remuda_types::{Hash, NodeId, TimestampMs, Tokens};

use super::closing::reward_account;
use super::records::{Closing, Facts, StreamState};
use super::rules::{Recipient, Rules, Stream};
use super::schedule::Schedule;
use crate::error::TransactionError;
use crate::math::{Fixed, Period, Rounding, mul_div};
use crate::money::{Holder, Vault};
use crate::stake::{Load, Role, StakeMeasures, Subject};
use crate::state::State;

/// The most validators that weigh by their stake: those with most of it.
pub const STAKERS_MAX: usize = 256;

/// As what a recipient has stake.
const fn role(recipient: Recipient) -> Option<Role> {
    match recipient {
        Recipient::Capacity | Recipient::Work => Some(Role::Provider),
        Recipient::Checkers => Some(Role::Checker),
        Recipient::Validators | Recipient::Delegators => Some(Role::Validator),
        Recipient::ServiceNodes | Recipient::Treasury => None,
    }
}

/// Pays a part: where stake stands behind the node, as the rules of stake share it between
/// owner, co-staker and stakers; else the node's reward account has it.
pub(super) fn pay(
    state: &mut State,
    rules: &Rules,
    recipient: Recipient,
    node: NodeId,
    amount: Tokens,
    now: TimestampMs,
) -> Result<(), TransactionError> {
    if amount.is_zero() {
        return Ok(());
    }
    if let Some(role) = role(recipient) {
        let subject = Subject { role, operator: node };
        if state.tables.stake_pools.contains_key(&subject) {
            let mark = state.mark();
            let from = Holder::Vault(Vault::EpochRewards);
            let paid = match recipient {
                // That part is the stakers' alone: no commission.
                Recipient::Delegators => state.reward_stakers(&subject, amount, from),
                _ => state.reward_stake(&subject, amount, from, now),
            };
            if paid.is_ok() {
                return Ok(());
            }
            // What a pool cannot take, its node is owed: the epoch goes on.
            state.roll_back(mark);
        }
    }
    reward_account(state, rules, node, amount)
}

/// At which part of full efficiency a provider's work earns.
pub(super) fn efficiency(
    state: &State,
    provider: NodeId,
    now: TimestampMs,
) -> Result<Fixed, TransactionError> {
    state.efficiency(&Subject { role: Role::Provider, operator: provider }, now)
}

/// The same for its capacity: nothing unless it is in good standing, with the stake that all
/// its devices require together. They come provider by provider, so that the last answer is
/// enough.
pub(super) struct Standings {
    now: TimestampMs,
    last: Option<(NodeId, Fixed)>,
}

impl Standings {
    pub(super) const fn at(now: TimestampMs) -> Self {
        Self { now, last: None }
    }

    pub(super) fn of(&mut self, state: &State, provider: NodeId) -> Fixed {
        if let Some((last, standing)) = self.last
            && last == provider
        {
            return standing;
        }
        let standing = standing(state, provider, self.now);
        self.last = Some((provider, standing));
        standing
    }
}

fn standing(state: &State, provider: NodeId, now: TimestampMs) -> Fixed {
    if !state.economy().stake.provider.open {
        return Fixed::ONE;
    }
    let subject = Subject { role: Role::Provider, operator: provider };
    let devices = state.tables.capacities.range((provider, Hash([0; 32]))..);
    let devices = devices.take_while(|((of, _), _)| *of == provider);
    let load = |facts: &Facts| Load { count: facts.count.into(), weight: facts.score };
    let loads: Vec<Load> = devices.map(|(_, capacity)| load(&capacity.facts)).collect();
    match state.stake_ok(&subject, &loads, now) {
        Ok(true) => efficiency(state, provider, now).unwrap_or_default(),
        _ => Fixed::ZERO,
    }
}

/// Validators, and those who delegated to them, weigh by the stake.
pub(super) fn weigh(
    state: &mut State,
    rules: &Rules,
    stream: &Stream,
    closing: &Closing,
) -> Result<(), TransactionError> {
    if !rules.by_stake {
        return Ok(());
    }
    for recipient in [Recipient::Validators, Recipient::Delegators] {
        if stream.split.of(recipient).billionths() == 0 {
            continue;
        }
        for (node, weight) in state.stakers_of(Role::Validator, STAKERS_MAX) {
            state.contribute(&stream.name, closing.epoch, recipient, node, weight)?;
        }
    }
    Ok(())
}

/// Takes down what an epoch of providers measured: what they earn in a day, the pay of a month
/// by unit of score (Aethir's staking coefficient), their power, and the baseline beside it.
pub(super) fn measure(state: &mut State, stream: &Stream, held: &StreamState, closing: &Closing) {
    let pool = |recipient| closing.pools.get(&recipient).copied().unwrap_or_default();
    let Ok(earned) = pool(Recipient::Capacity).add(pool(Recipient::Work)) else { return };
    // What does not fit is not measured.
    let during = |period: Period, units: u128| {
        let part = mul_div(earned.0, period.ms().into(), stream.length.ms().into(), Rounding::Down);
        part.ok().and_then(|part| part.checked_div(units)).map(Tokens).unwrap_or_default()
    };
    let power = closing.statistics.scores;
    let scores = power.0.max(0).unsigned_abs() / Fixed::SCALE.unsigned_abs();
    let baseline = match &stream.schedule {
        Schedule::Baseline { base, doubling, .. } => {
            super::formulas::filecoin::baseline(*base, held.epoch, *doubling).unwrap_or(power)
        }
        _ => Fixed::ZERO,
    };
    state.put_stake_measures(StakeMeasures {
        coefficient: during(Period::DAY.times(30), scores),
        daily_reward: during(Period::DAY, 1),
        power,
        baseline,
    });
}
