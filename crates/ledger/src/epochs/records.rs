//! What the room keeps.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, Hash, NodeId, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::formulas::Statistics;
use super::rules::Recipient;
use super::schedule::Progress;
use crate::math::{Fixed, Share};
use crate::query::record;

/// A device: its provider's node key and the device's digest, or zero for the provider as a
/// whole.
pub type DeviceKey = (NodeId, Hash);
/// What a node contributed to an epoch: stream, epoch, as what, node.
pub type ContributionKey = (String, u64, Recipient, NodeId);

/// What is known of a device's hardware, as reporters measured it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// The score of one processor, in the unit of the economy's formula: benchmark points, a
    /// multiplier, iterations a second, witnesses.
    pub score: Fixed,
    /// How many processors alike it has.
    pub count: u32,
    /// Its memory, in MiB.
    pub memory_mib: u32,
    /// Its tier, or the confidence in it, from 0 to 1.
    pub tier: Share,
    /// The factor of its model, from 0 to 1.
    pub model: Share,
    /// Its earlier work, in the unit of the economy's formula.
    pub earlier: Fixed,
    /// What stands behind it.
    pub stake: Tokens,
    /// Whether it passed its proofs and its stake is in order.
    pub passed: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            score: Fixed::ZERO,
            count: 1,
            memory_mib: 0,
            tier: Share::ALL,
            model: Share::ALL,
            earlier: Fixed::ZERO,
            stake: Tokens::ZERO,
            passed: true,
        }
    }
}

record! {
    /// How crowded one hexagon around a device is.
    Density {
        /// How many devices it holds without loss; at least 1.
        limit: u32,
        /// How many it has.
        count: u32,
    }
}

record! {
    /// A device whose capacity is known.
    Capacity {
        /// Whose it is.
        provider: NodeId,
        /// Which.
        device: Hash,
        /// The account that it earned for at the last report: its nodes count together.
        account: AccountId,
        /// What it has.
        facts: Facts,
        /// Since when it is known.
        since: TimestampMs,
        /// The last report of its uptime.
        uptime: Share,
        /// When that was; 0 when there was none.
        uptime_at: TimestampMs,
        /// How crowded the places around it are.
        density: Vec<Density>,
        /// What a formula with a memory keeps: the value at the last epoch's end.
        value: Fixed,
        /// The value before it grew in that epoch.
        value_before: Fixed,
        /// The weight that it had in the last epoch, under such a formula.
        weight: u128,
    }
}

/// What an epoch's end is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Devices are counted.
    Count,
    /// Devices are weighed.
    Weigh,
    /// Contributions are added up.
    Sum,
    /// Contributions are paid.
    Pay,
}

record! {
    /// An epoch that has ended and is not yet paid in full.
    Closing {
        /// Its number.
        epoch: u64,
        /// When it ended.
        ended_at: TimestampMs,
        /// What its schedule gives, after the clip.
        scheduled: Tokens,
        /// What it gives again of what was burned.
        recycled: Tokens,
        /// What was burned for work while it ran, as far as it counts.
        burned: Tokens,
        /// What is being done.
        phase: Phase,
        /// The device after which counting or weighing goes on.
        device: Option<DeviceKey>,
        /// The contribution after which adding up or paying goes on.
        contribution: Option<(Recipient, NodeId)>,
        /// What all devices together have.
        statistics: Statistics,
        /// The sum of weights, by recipient.
        weights: BTreeMap<Recipient, u128>,
        /// What is paid, by recipient.
        pools: BTreeMap<Recipient, Tokens>,
        /// Of the weights of the recipient being paid, those that are paid.
        paid_weight: u128,
        /// Of the pools, what is not yet paid.
        unpaid: Tokens,
    }
}

record! {
    /// A stream: its running epoch, and the one being closed.
    StreamState {
        /// The running epoch's number, from 0.
        epoch: u64,
        /// When it began.
        started_at: TimestampMs,
        /// When it ends.
        ends_at: TimestampMs,
        /// How far the schedule has come.
        progress: Progress,
        /// All that the stream has minted.
        minted: Tokens,
        /// All that had been burned for work when the running epoch began.
        burned_for_work: Tokens,
        /// All that had been burned when the running epoch began.
        burned: Tokens,
        /// The last price of a token that a block knew, where κ needs it.
        price: Option<Credits>,
        /// Shares that nobody took and that the next epoch adds to its own.
        carried: BTreeMap<Recipient, Tokens>,
        /// The capacity of all devices at the last epoch's end.
        power: Fixed,
        /// What capacity was paid in the last epoch, and the sum of weights.
        last_capacity: (Tokens, u128),
        /// The epoch being closed.
        closing: Option<Box<Closing>>,
    }
}

record! {
    /// What one recipient's share of an epoch came to.
    Part {
        /// Whose.
        recipient: Recipient,
        /// What contributors share.
        paid: Tokens,
        /// What nobody could take: it went where the stream's rule says.
        unclaimed: Tokens,
        /// The sum of weights.
        weight: u128,
    }
}

record! {
    /// How an epoch was split. The parts come to what it had to give: `paid + unclaimed` over
    /// all parts is `scheduled + recycled + carried`.
    EpochSplit {
        /// The stream.
        stream: String,
        /// The epoch.
        epoch: u64,
        /// When it ended.
        ended_at: TimestampMs,
        /// What the schedule gave, after the clip.
        scheduled: Tokens,
        /// What it gave again of what was burned.
        recycled: Tokens,
        /// What was carried over from epochs before.
        carried: Tokens,
        /// What was burned for work, as far as it counts.
        burned: Tokens,
        /// What was minted.
        minted: Tokens,
        /// One part for each recipient with a share.
        parts: Vec<Part>,
    }
}

/// Enters a device in, or takes it out of, the index of how many devices an account has.
pub(crate) fn note(devices: &mut BTreeMap<AccountId, u32>, account: AccountId, present: bool) {
    let count = devices.get(&account).copied().unwrap_or(0);
    let count = if present { count.saturating_add(1) } else { count.saturating_sub(1) };
    if count == 0 {
        devices.remove(&account);
    } else {
        devices.insert(account, count);
    }
}
