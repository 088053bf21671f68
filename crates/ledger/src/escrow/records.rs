//! The records of escrow, and the indexes over them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{
    AccountId, ChannelId, Hash, Height, NodeId, OrderId, PublicKey, TimestampMs, Tokens,
};
use serde::{Deserialize, Serialize};

use crate::math::Period;
use crate::money::Denomination;
use crate::query::record;
use crate::state::{Row, link};

/// An escrow account: the digest of its owner and nonce.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct EscrowId(pub Hash);

impl EscrowId {
    /// The name of the account that `owner` opens with `nonce`.
    #[must_use]
    pub fn derive(owner: &AccountId, nonce: &[u8; 32]) -> Self {
        Self(Hash::derive("remuda/escrow-id/1", &[owner.0.0, *nonce].concat()))
    }
}

impl fmt::Display for EscrowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EscrowId {
    type Err = <Hash as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The name of the order that `buyer` opens with `nonce`.
#[must_use]
pub fn order_id(buyer: &AccountId, nonce: &[u8; 32]) -> OrderId {
    OrderId(Hash::derive("remuda/escrow-order-id/1", &[buyer.0.0, *nonce].concat()))
}

/// What a payment is for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Behind {
    /// Vouchers on a channel.
    Channel(ChannelId),
    /// A lease of an escrow account, by its position.
    Lease(EscrowId, u32),
    /// A part of an order.
    Part(OrderId, u16),
}

/// The name of a held payout; the order of names is that of release.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct HeldKey {
    /// When it is released, in block time.
    pub release_at: TimestampMs,
    /// What it is for.
    pub behind: Behind,
}

record! {
    /// A payout that waits until the dispute window has passed.
    HeldPayout {
        /// When it is released, and what it is for.
        key: HeldKey,
        /// Who will be paid.
        provider: NodeId,
        /// Who gets it back if it is clawed back.
        payer: AccountId,
        /// How much, before fees.
        amount: u128,
        /// In what.
        denomination: Denomination,
    }
}

/// What became of an escrow account.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum EscrowState {
    /// It pays its leases.
    Open,
    /// It ran out: what was left was split by rate, and its leases ended.
    Overdrawn,
    /// Its owner closed it.
    Closed,
}

/// What became of a lease.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// It is paid every tick.
    Active,
    /// The escrow ran out.
    Overdrawn,
    /// One side closed it.
    Closed,
}

record! {
    /// A provider's offer to serve an escrow account.
    Bid {
        /// Who offers.
        provider: NodeId,
        /// What it asks per tick.
        rate: u128,
        /// What it deposited.
        deposit: Tokens,
    }
}

record! {
    /// An accepted bid.
    Lease {
        /// Who is paid.
        provider: NodeId,
        /// How much per tick.
        rate: u128,
        /// What its bid deposited; it comes back when the lease ends.
        deposit: Tokens,
        /// The tick at which it began.
        started_at: u64,
        /// What became of it.
        state: LeaseState,
        /// Settled, and not withdrawn.
        accrued: u128,
        /// All that was withdrawn, before fees.
        withdrawn: u128,
    }
}

record! {
    /// An escrow account: one owner's deposit, from which leases are paid by the tick.
    EscrowAccount {
        /// Its name.
        id: EscrowId,
        /// Who pays, and gets the rest back.
        owner: AccountId,
        /// In what.
        denomination: Denomination,
        /// What no lease has earned yet, as of `settled_at`.
        balance: u128,
        /// The most that one bid may ask per tick.
        rate_max: u128,
        /// The digest of what is to be run.
        spec: Hash,
        /// The length of a tick; zero means one block. Fixed when the account was opened.
        tick: Period,
        /// The tick up to which all leases are settled.
        settled_at: u64,
        /// What became of it.
        state: EscrowState,
        /// When it ended.
        ended_at: Option<TimestampMs>,
        /// Open bids, in the order in which they came.
        bids: Vec<Bid>,
        /// Leases, in the order in which they were accepted.
        leases: Vec<Lease>,
    }
}

impl EscrowAccount {
    /// The tick of a block.
    #[must_use]
    pub const fn tick_of(&self, height: Height, now: TimestampMs) -> u64 {
        match now.checked_div(self.tick.ms()) {
            Some(tick) => tick,
            None => height,
        }
    }
}

/// What became of an order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Its parts can be taken.
    Open,
    /// The buyer took back what nobody had taken; the rest goes on.
    Cancelled,
    /// Every part is approved or refunded.
    Ended,
}

record! {
    /// A job in parts of one price, each paid when the buyer confirms it.
    Order {
        /// Its name.
        id: OrderId,
        /// Who pays.
        buyer: AccountId,
        /// In what.
        denomination: Denomination,
        /// How many parts there are, counted from 0.
        parts: u16,
        /// What each costs, before fees.
        part_price: u128,
        /// How long a provider has to deliver a part that it took.
        part_time: Period,
        /// Who alone may take parts that have not failed; anyone if none is named.
        provider: Option<NodeId>,
        /// The digest of the work.
        work: Hash,
        /// Parts that nobody has taken and nobody has settled.
        offered: u16,
        /// Parts that are approved or refunded.
        settled: u16,
        /// What became of it.
        state: OrderState,
        /// When it ended.
        ended_at: Option<TimestampMs>,
    }
}

/// What became of a part.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// Nobody has it: it is new, or was rejected.
    Offered,
    /// A provider works on it.
    Taken,
    /// The buyer looks at it.
    Delivered,
    /// Paid.
    Approved,
    /// Given back to the buyer.
    Refunded,
}

/// A part of an order, by its position.
pub type PartKey = (OrderId, u16);

record! {
    /// A part that was taken at least once.
    Part {
        /// Of which order, and which.
        key: PartKey,
        /// What became of it.
        state: PartState,
        /// Who has it, or had it last.
        provider: NodeId,
        /// What that provider deposited against not delivering.
        bond: u128,
        /// The digest of what it delivered.
        output: Option<Hash>,
        /// Until when it must be delivered, or looked at.
        due_at: Option<TimestampMs>,
        /// Who had it before and failed: they do not get it again.
        failed: Vec<NodeId>,
    }
}

record! {
    /// How a buyer stands that rejects much.
    Standing {
        /// Rejections since `since`.
        rejections: u32,
        /// When the count began.
        since: TimestampMs,
        /// Until when it can neither reject nor open orders.
        quarantined_until: TimestampMs,
    }
}

/// What escrow finds without a scan.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct EscrowIndex {
    pub(crate) held_of: BTreeMap<NodeId, BTreeSet<HeldKey>>,
    pub(crate) held_behind: BTreeMap<Behind, BTreeSet<HeldKey>>,
    pub(crate) open_escrows: BTreeMap<AccountId, BTreeSet<EscrowId>>,
    pub(crate) escrows_of_provider: BTreeMap<NodeId, BTreeSet<EscrowId>>,
    pub(crate) ended_escrows: BTreeSet<(TimestampMs, EscrowId)>,
    pub(crate) open_orders: BTreeMap<AccountId, BTreeSet<OrderId>>,
    pub(crate) ended_orders: BTreeSet<(TimestampMs, OrderId)>,
    pub(crate) parts_of_provider: BTreeMap<NodeId, BTreeSet<PartKey>>,
    pub(crate) parts_due: BTreeSet<(TimestampMs, PartKey)>,
}

impl EscrowIndex {
    /// Enters (`present`) or takes out a record of this room.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        match row {
            Row::Held(key, Some(held)) => {
                link(&mut self.held_of, held.provider, *key, present);
                link(&mut self.held_behind, key.behind, *key, present);
            }
            Row::Escrow(id, Some(escrow)) => self.note_escrow(*id, escrow, present),
            Row::Order(id, Some(order)) => match order.ended_at {
                Some(at) => mark(&mut self.ended_orders, (at, *id), present),
                None => link(&mut self.open_orders, order.buyer, *id, present),
            },
            Row::OrderPart(key, Some(part)) => {
                if let Some(due_at) = part.due_at {
                    mark(&mut self.parts_due, (due_at, *key), present);
                    link(&mut self.parts_of_provider, part.provider, *key, present);
                }
            }
            _ => {}
        }
    }

    fn note_escrow(&mut self, id: EscrowId, escrow: &EscrowAccount, present: bool) {
        if let Some(at) = escrow.ended_at {
            return mark(&mut self.ended_escrows, (at, id), present);
        }
        link(&mut self.open_escrows, escrow.owner, id, present);
        let bidders = escrow.bids.iter().map(|bid| bid.provider);
        let lessors = escrow.leases.iter().map(|lease| lease.provider);
        for provider in bidders.chain(lessors).collect::<BTreeSet<PublicKey>>() {
            link(&mut self.escrows_of_provider, provider, id, present);
        }
    }
}

fn mark<T: Ord>(set: &mut BTreeSet<T>, item: T, present: bool) {
    if present {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}
