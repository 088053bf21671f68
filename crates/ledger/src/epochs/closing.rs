//! How an epoch that has ended is closed, piece by piece: devices are counted, then weighed;
//! contributions are added up; what nobody may take goes where the rule says; the rest is
//! minted and paid by weight.
//!
//! A share of a pool is the difference of two prefix sums, each rounded down: so the parts
//! come to the pool exactly, and each is within one base unit of its proportion, in whatever
//! pieces the work is done.

use std::ops::Bound;

use remuda_types::{AmountError, NodeId, PublicKey, TimestampMs, Tokens};

use super::clock::Budget;
use super::formulas::{Formula, Standing, Statistics, helium, share, total_score};
use super::records::{Capacity, Closing, DeviceKey, Phase, StreamState};
use super::rules::{Recipient, Rules, Stream};
use super::{mint, records, stakes};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Fixed, Period, Rounding, Share, mul_div};
use crate::money::{Holder, Vault};
use crate::state::{Row, State};

/// Steps of a [`Fixed`] in one unit of weight: twelve decimal places remain.
const STEPS_PER_WEIGHT: i128 = 100_000_000;
/// Steps of a [`Fixed`] in one base unit of tokens.
const STEPS_PER_UNIT: i128 = 100_000_000_000;

type Done = Result<(), TransactionError>;

/// Does one piece of the work; it uses up at least one item.
pub(super) fn go_on(
    state: &mut State,
    cycle: &Cycle,
    stream: &Stream,
    held: &mut StreamState,
    budget: &mut Budget,
) -> Done {
    let Some(mut closing) = held.closing.take() else { return Ok(()) };
    let rules = &cycle.economy.epochs;
    match closing.phase {
        Phase::Count => count(state, &mut closing, budget),
        Phase::Weigh => weigh(state, rules, stream, held, &mut closing, budget)?,
        Phase::Sum => {
            sum(state, stream, &mut closing, budget, cycle.now)?;
            if closing.phase == Phase::Pay {
                mint::mint(state, rules, stream, held, &mut closing)?;
            }
        }
        Phase::Pay => {
            if pay(state, rules, stream, &mut closing, budget, cycle.now)? {
                return Ok(());
            }
        }
    }
    held.closing = Some(closing);
    Ok(())
}

/// The next devices, as many as there is budget for, and whether they are the last.
fn devices(
    state: &State,
    after: Option<DeviceKey>,
    budget: &mut Budget,
) -> (Vec<(DeviceKey, Capacity)>, bool) {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let found = state.tables.capacities.range((from, Bound::Unbounded));
    let found: Vec<_> = found.take(budget.items).map(|(key, c)| (*key, c.clone())).collect();
    let last = found.len() < budget.items;
    budget.items -= found.len().max(1);
    (found, last)
}

fn count(state: &State, closing: &mut Closing, budget: &mut Budget) {
    let (found, last) = devices(state, closing.device, budget);
    closing.device = found.last().map(|(key, _)| *key).or(closing.device);
    for (_, capacity) in &found {
        let all = counted(&closing.statistics, capacity, closing.ended_at);
        // A sum that does not fit leaves the device out.
        closing.statistics = all.unwrap_or(closing.statistics);
    }
    if last {
        (closing.phase, closing.device) = (Phase::Weigh, None);
    }
}

fn counted(
    all: &Statistics,
    capacity: &Capacity,
    now: TimestampMs,
) -> Result<Statistics, AmountError> {
    let facts = &capacity.facts;
    Ok(Statistics {
        devices: all.devices + 1,
        scores: all.scores.add(total_score(facts)?)?,
        memories: all.memories.add(Fixed::from_integer(facts.memory_mib)?)?,
        ages: all.ages.add(age_days(capacity, now)?)?,
        most_work: all.most_work.max(facts.earlier),
    })
}

fn age_days(capacity: &Capacity, now: TimestampMs) -> Result<Fixed, AmountError> {
    let age = now.saturating_sub(capacity.since);
    Fixed::ratio(age.into(), Period::DAY.ms().into())
}

/// The uptime that counts at the end of an epoch.
fn uptime(capacity: &Capacity, rules: &Rules, now: TimestampMs) -> Share {
    let until = capacity.uptime_at.saturating_add(rules.report_life.ms());
    if capacity.uptime_at > 0 && now <= until { capacity.uptime } else { rules.uptime_default }
}

fn weigh(
    state: &mut State,
    rules: &Rules,
    stream: &Stream,
    held: &mut StreamState,
    closing: &mut Closing,
    budget: &mut Budget,
) -> Done {
    let (found, last) = devices(state, closing.device, budget);
    closing.device = found.last().map(|(key, _)| *key).or(closing.device);
    let mut standings = stakes::Standings::at(closing.ended_at);
    for (key, mut capacity) in found {
        // Facts that give no weight leave the device without, and nobody else.
        let standing = standing(state, rules, stream, held, &mut capacity, closing.ended_at);
        let weight = standing.and_then(|own| rules.capacity.weight(&own, &closing.statistics));
        let good = standings.of(state, capacity.provider);
        let weight = weight.and_then(|weight| weight.mul(good)).unwrap_or_default();
        let weight = weight.0.max(0).unsigned_abs();
        let weight = weight / STEPS_PER_WEIGHT.unsigned_abs();
        if weight > 0 {
            let (epoch, provider) = (closing.epoch, capacity.provider);
            state.contribute(&stream.name, epoch, Recipient::Capacity, provider, weight)?;
        }
        if rules.capacity.has_memory() {
            capacity.weight = weight;
            state.write(Row::Capacity(key, Some(capacity)));
        }
    }
    if last {
        held.power = closing.statistics.scores;
        (closing.phase, closing.device) = (Phase::Sum, None);
    }
    Ok(())
}

/// A device as its formula sees it; under a formula with a memory its value grows.
fn standing(
    state: &State,
    rules: &Rules,
    stream: &Stream,
    held: &StreamState,
    capacity: &mut Capacity,
    now: TimestampMs,
) -> Result<Standing, AmountError> {
    let uptime = uptime(capacity, rules, now);
    let levels: Vec<_> = capacity.density.iter().map(|at| (at.limit, at.count)).collect();
    if let Formula::Phala(parameters) = &rules.capacity {
        let hours = Fixed::ratio(stream.length.ms().into(), Period::HOUR.ms().into())?;
        grow(parameters, held, capacity, uptime, hours)?;
    }
    Ok(Standing {
        facts: capacity.facts.clone(),
        uptime,
        coverage: helium::density_scale(&levels)?,
        age_days: age_days(capacity, now)?,
        nodes: state.indexes.devices_of_account.get(&capacity.account).copied().unwrap_or(1),
        value: capacity.value,
    })
}

/// Phala's value: what the last payout took, then the epoch's growth.
fn grow(
    parameters: &super::formulas::phala::Parameters,
    held: &StreamState,
    capacity: &mut Capacity,
    uptime: Share,
    hours: Fixed,
) -> Result<(), AmountError> {
    let (facts, score) = (&capacity.facts, total_score(&capacity.facts)?);
    if capacity.value == Fixed::ZERO {
        let stake = in_tokens(facts.stake.0)?;
        capacity.value = parameters.first_value(score, stake, share(facts.tier))?;
        capacity.value_before = capacity.value;
        return Ok(());
    }
    let (pool, all) = held.last_capacity;
    let paid = match all {
        0 => 0,
        _ => mul_div(pool.0, capacity.weight.min(all), all, Rounding::Down)?,
    };
    let paid = in_tokens(paid)?;
    let left = super::formulas::phala::after_payout(capacity.value, capacity.value_before, paid)?;
    let grown = parameters.growth_of(left, score.mul(share(uptime))?, score)?.mul(hours)?;
    (capacity.value_before, capacity.value) = (left, left.add(grown)?);
    Ok(())
}

/// Base units as tokens.
fn in_tokens(units: u128) -> Result<Fixed, AmountError> {
    let units = i128::try_from(units).map_err(|_| AmountError::Overflow)?;
    units.checked_mul(STEPS_PER_UNIT).map(Fixed).ok_or(AmountError::Overflow)
}

/// The next contributions, as many as there is budget for, and whether they are the last.
fn contributions(
    state: &State,
    stream: &Stream,
    closing: &Closing,
    budget: &mut Budget,
) -> (Vec<(Recipient, NodeId, u128)>, bool) {
    let key = |recipient, node| (stream.name.clone(), closing.epoch, recipient, node);
    let from = match closing.contribution {
        Some((recipient, node)) => Bound::Excluded(key(recipient, node)),
        None => Bound::Included(key(Recipient::ALL[0], PublicKey([0; 32]))),
    };
    let of_epoch = |(key, _): &(&records::ContributionKey, &u128)| {
        key.0 == stream.name && key.1 == closing.epoch
    };
    let found = state.tables.contributions.range((from, Bound::Unbounded));
    let found = found.take_while(of_epoch).take(budget.items);
    let found: Vec<_> = found.map(|(key, weight)| (key.2, key.3, *weight)).collect();
    let last = found.len() < budget.items;
    budget.items -= found.len().max(1);
    (found, last)
}

/// Adds contributions up; work counts by the efficiency at which its provider earns.
fn sum(
    state: &mut State,
    stream: &Stream,
    closing: &mut Closing,
    budget: &mut Budget,
    now: TimestampMs,
) -> Done {
    let (found, last) = contributions(state, stream, closing, budget);
    for (recipient, node, mut weight) in found {
        if recipient == Recipient::Work {
            let credits = weight;
            let efficiency = stakes::efficiency(state, node, now).unwrap_or_default();
            weight = efficiency.of(credits)?;
            if weight != credits {
                let key = (stream.name.clone(), closing.epoch, recipient, node);
                state.write(Row::Contribution(key, Some(weight)));
            }
        }
        let sum = closing.weights.entry(recipient).or_default();
        *sum = sum.checked_add(weight).ok_or(TransactionError::Overflow)?;
        closing.contribution = Some((recipient, node));
    }
    if last {
        (closing.phase, closing.contribution) = (Phase::Pay, None);
    }
    Ok(())
}

/// Pays the next contributions; whether all are paid.
fn pay(
    state: &mut State,
    rules: &Rules,
    stream: &Stream,
    closing: &mut Closing,
    budget: &mut Budget,
    now: TimestampMs,
) -> Result<bool, TransactionError> {
    let (found, last) = contributions(state, stream, closing, budget);
    for (recipient, node, weight) in found {
        if closing.contribution.is_none_or(|(before, _)| before != recipient) {
            closing.paid_weight = 0;
        }
        closing.contribution = Some((recipient, node));
        let amount = next_part(closing, recipient, weight)?;
        closing.unpaid = closing.unpaid.sub(amount)?;
        state.write(Row::Contribution((stream.name.clone(), closing.epoch, recipient, node), None));
        stakes::pay(state, rules, recipient, node, amount, now)?;
    }
    Ok(last)
}

/// The difference of two prefix sums.
fn next_part(
    closing: &mut Closing,
    recipient: Recipient,
    weight: u128,
) -> Result<Tokens, TransactionError> {
    let pool = closing.pools.get(&recipient).copied().unwrap_or_default();
    let all = closing.weights.get(&recipient).copied().unwrap_or_default();
    let before = closing.paid_weight;
    closing.paid_weight = before.checked_add(weight).ok_or(TransactionError::Overflow)?;
    if all == 0 {
        return Ok(Tokens::ZERO);
    }
    let up_to = |weight| mul_div(pool.0, weight, all, Rounding::Down).map(Tokens);
    Ok(up_to(closing.paid_weight)?.sub(up_to(before)?)?)
}

/// A node's part goes to its reward account, or is owed to it.
pub(super) fn reward_account(
    state: &mut State,
    rules: &Rules,
    node: NodeId,
    amount: Tokens,
) -> Done {
    let account = state.reward_account(&node);
    if rules.auto_pay {
        let from = Holder::Vault(Vault::EpochRewards);
        return state.move_tokens(from, Holder::Account(account), amount);
    }
    let owed = state.rewards_of(&account).add(amount)?;
    state.write(Row::Reward(account, Some(owed)));
    Ok(())
}
