//! What can be asked about epochs.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Hash, NodeId, Tokens};
use serde::{Deserialize, Serialize};

use super::records::{Capacity, EpochSplit, StreamState};
use super::rules::Stream;
use crate::answers::ANSWER_RECORDS_MAX;
use crate::query::record;
use crate::state::State;

/// The most epochs of one forecast.
pub const FORECAST_MAX: u32 = 1_024;

/// A question about epochs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EpochQuery {
    /// All streams, each with its running epoch.
    Streams,
    /// What the next epochs of a stream have to give.
    Forecast {
        /// Which stream.
        stream: String,
        /// How many epochs, at most 1,024.
        count: u32,
    },
    /// What a stream's schedule gives in all until an epoch ends, after the clip.
    Scheduled {
        /// Which stream.
        stream: String,
        /// How many epochs.
        epochs: u64,
    },
    /// What an account is owed.
    Rewards(AccountId),
    /// The last epochs of a stream, the newest first.
    Splits {
        /// Which stream.
        stream: String,
        /// How many, at most those kept.
        count: u32,
    },
    /// A device whose capacity is known.
    Device {
        /// Whose it is.
        provider: NodeId,
        /// Which.
        device: Hash,
    },
    /// The devices of a provider.
    DevicesOf(NodeId),
}

record! {
    /// What the next epochs have to give. A schedule that depends on demand or capacity is
    /// continued as if nothing were burned and the capacity stayed.
    Forecast {
        /// The first of these epochs: the running one.
        epoch: u64,
        /// What each has to give, after the clip.
        amounts: Vec<Tokens>,
        /// The supply after the last of them, when all of it is minted and nothing burned.
        supply: Tokens,
    }
}

/// The answer to an [`EpochQuery`], variant by variant.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EpochAnswer {
    /// To `Streams`, by name.
    Streams(Vec<(String, StreamState)>),
    /// To `Forecast`; none for an unknown stream, or one that has not begun.
    Forecast(Option<Forecast>),
    /// To `Scheduled`; none for an unknown stream, or when it depends on what happens.
    Scheduled(Option<Tokens>),
    /// To `Rewards`.
    Rewards(Tokens),
    /// To `Splits`.
    Splits(Vec<EpochSplit>),
    /// To `Device`.
    Device(Option<Box<Capacity>>),
    /// To `DevicesOf`.
    Devices(Vec<Capacity>),
}

/// Answers a question.
pub(crate) fn answer(state: &State, query: &EpochQuery) -> EpochAnswer {
    let tables = &state.tables;
    match query {
        EpochQuery::Streams => {
            let streams = tables.streams.iter().take(ANSWER_RECORDS_MAX);
            EpochAnswer::Streams(streams.map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        EpochQuery::Forecast { stream, count } => {
            EpochAnswer::Forecast(forecast(state, stream, *count))
        }
        EpochQuery::Scheduled { stream, epochs } => {
            let economy = state.economy();
            let rules = economy.epochs.streams.iter().find(|rules| rules.name == *stream);
            let sum = rules.and_then(|rules| {
                rules.schedule.sum(*epochs).ok().flatten().map(|sum| clip(rules, sum))
            });
            EpochAnswer::Scheduled(sum)
        }
        EpochQuery::Rewards(account) => EpochAnswer::Rewards(state.rewards_of(account)),
        EpochQuery::Splits { stream, count } => {
            let of_stream = (stream.clone(), 0)..=(stream.clone(), u64::MAX);
            let splits = tables.epoch_splits.range(of_stream).rev().map(|(_, split)| split);
            let most = usize::try_from(*count).unwrap_or(ANSWER_RECORDS_MAX);
            EpochAnswer::Splits(splits.take(most.min(ANSWER_RECORDS_MAX)).cloned().collect())
        }
        EpochQuery::Device { provider, device } => {
            EpochAnswer::Device(tables.capacities.get(&(*provider, *device)).cloned().map(Box::new))
        }
        EpochQuery::DevicesOf(provider) => {
            let all = (*provider, Hash([0; 32]))..=(*provider, Hash([u8::MAX; 32]));
            let devices = tables.capacities.range(all).take(ANSWER_RECORDS_MAX);
            EpochAnswer::Devices(devices.map(|(_, device)| device.clone()).collect())
        }
    }
}

fn clip(rules: &Stream, sum: Tokens) -> Tokens {
    if rules.cap.is_zero() { sum } else { sum.min(rules.cap) }
}

fn forecast(state: &State, stream: &str, count: u32) -> Option<Forecast> {
    let economy = state.economy();
    let rules = economy.epochs.streams.iter().find(|rules| rules.name == stream)?;
    let held = state.tables.streams.get(stream)?;
    let (mut progress, mut supply) = (held.progress, state.supply().tokens);
    let mut amounts = Vec::new();
    for _ in 0..count.min(FORECAST_MAX) {
        let next = rules.schedule.advance(&progress, Tokens::ZERO, held.power).ok()?;
        let amount = clip(rules, next.scheduled).excess_over(clip(rules, progress.scheduled));
        supply = supply.add(amount).ok()?;
        amounts.push(amount);
        progress = next;
    }
    let most = economy.token.cap.unwrap_or(supply);
    Some(Forecast { epoch: held.epoch, amounts, supply: supply.min(most) })
}
