//! Why escrow refuses.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{OrderId, TimestampMs};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{EscrowId, PartState};

/// Why an action on an escrow account or an order takes no effect. Its encoding is part of the
/// chain: new variants go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EscrowError {
    /// There is no such escrow account, or it was forgotten.
    #[error("escrow account {escrow} is not known")]
    Unknown {
        /// Which.
        escrow: EscrowId,
    },
    /// The name is taken.
    #[error("escrow account {escrow} exists or existed; choose another nonce")]
    Exists {
        /// Which.
        escrow: EscrowId,
    },
    /// It is closed or overdrawn.
    #[error("escrow account {escrow} has ended; open another")]
    Ended {
        /// Which.
        escrow: EscrowId,
    },
    /// The owner has as many as it may.
    #[error("the account has {most} open escrow accounts, the most allowed; close one")]
    Limit {
        /// How many it may have.
        most: u32,
    },
    /// Only the owner may do this.
    #[error("only the owner of the escrow account may do this")]
    NotOwner,
    /// The first deposit is too small.
    #[error("the first deposit must be at least {least} units")]
    DepositTooLow {
        /// The least, in base units or micro-dollars.
        least: u128,
    },
    /// The balance does not pay one tick of all leases.
    #[error("the escrow holds {available} units, and one tick costs {needed}; top it up")]
    TooLittle {
        /// What it holds.
        available: u128,
        /// What one tick of all leases costs.
        needed: u128,
    },
    /// The bid asks more than the owner pays.
    #[error("the rate is above the {most} units per tick that the owner pays; bid less")]
    RateTooHigh {
        /// The most.
        most: u128,
    },
    /// The provider has bid already.
    #[error("the provider has an open bid here; withdraw it first")]
    BidExists,
    /// There is no such bid.
    #[error("there is no open bid of this provider here")]
    UnknownBid,
    /// As many bids as there may be.
    #[error("there are {most} open bids, the most allowed; wait until one is taken or withdrawn")]
    BidLimit {
        /// How many there may be.
        most: u32,
    },
    /// As many leases as there may be.
    #[error("the escrow account has had {most} leases, the most allowed; open another account")]
    LeaseLimit {
        /// How many there may be.
        most: u32,
    },
    /// There is no such lease.
    #[error("the escrow account has no lease {lease}")]
    UnknownLease {
        /// Which.
        lease: u32,
    },
    /// The lease has ended.
    #[error("lease {lease} has ended; what it earned has been paid")]
    LeaseEnded {
        /// Which.
        lease: u32,
    },
    /// Only the lease's two sides may do this.
    #[error("only the lease's provider (by node key) or the owner may do this")]
    NotLeaseSide,
    /// There is no such order, or it was forgotten.
    #[error("order {order} is not known")]
    UnknownOrder {
        /// Which.
        order: OrderId,
    },
    /// The name is taken.
    #[error("order {order} exists or existed; choose another nonce")]
    OrderExists {
        /// Which.
        order: OrderId,
    },
    /// Nothing of it can be taken any more.
    #[error("order {order} is cancelled or has ended")]
    OrderEnded {
        /// Which.
        order: OrderId,
    },
    /// The buyer has as many as it may.
    #[error("the account has {most} open orders, the most allowed; cancel one")]
    OrderLimit {
        /// How many it may have.
        most: u32,
    },
    /// Only the buyer may do this.
    #[error("only the buyer of the order may do this")]
    NotBuyer,
    /// No parts, or too many.
    #[error("give 1 to {most} parts")]
    PartCount {
        /// How many are allowed.
        most: u32,
    },
    /// The order has no such part.
    #[error("the order has no part {part}")]
    UnknownPart {
        /// Which.
        part: u16,
    },
    /// The part is not in the state that this takes.
    #[error("part {part} is {state:?}; it must be {needed:?}")]
    WrongPartState {
        /// Which.
        part: u16,
        /// As it is.
        state: PartState,
        /// As it must be.
        needed: PartState,
    },
    /// Only the part's provider may do this.
    #[error("only the provider that took the part may do this, with its node key")]
    NotPartProvider,
    /// The order names another provider.
    #[error("the order is for another provider, until that one fails")]
    PartReserved,
    /// The provider failed this part before.
    #[error("this provider had part {part} before and failed; another one must do it")]
    PartFailed {
        /// Which.
        part: u16,
    },
    /// The time for it is over.
    #[error("the time for part {part} ended at {due_at}")]
    PartLate {
        /// Which.
        part: u16,
        /// When.
        due_at: TimestampMs,
    },
    /// The time to deliver is zero or too long.
    #[error("the time for a part must be from 1 ms to ten years")]
    PartTime,
    /// The buyer rejected too much.
    #[error("the account rejected too many parts and is quarantined until {until}")]
    Quarantined {
        /// Until when.
        until: TimestampMs,
    },
    /// The provider was ejected.
    #[error("this provider was ejected for a proven offence")]
    Ejected,
}

impl EscrowError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "escrow_unknown",
            Self::Exists { .. } => "escrow_exists",
            Self::Ended { .. } => "escrow_ended",
            Self::Limit { .. } => "escrow_limit",
            Self::NotOwner => "escrow_not_owner",
            Self::DepositTooLow { .. } => "escrow_deposit_too_low",
            Self::TooLittle { .. } => "escrow_too_little",
            Self::RateTooHigh { .. } => "escrow_rate_too_high",
            Self::BidExists => "escrow_bid_exists",
            Self::UnknownBid => "escrow_unknown_bid",
            Self::BidLimit { .. } => "escrow_bid_limit",
            Self::LeaseLimit { .. } => "escrow_lease_limit",
            Self::UnknownLease { .. } => "escrow_unknown_lease",
            Self::LeaseEnded { .. } => "escrow_lease_ended",
            Self::NotLeaseSide => "escrow_not_lease_side",
            Self::UnknownOrder { .. } => "order_unknown",
            Self::OrderExists { .. } => "order_exists",
            Self::OrderEnded { .. } => "order_ended",
            Self::OrderLimit { .. } => "order_limit",
            Self::NotBuyer => "order_not_buyer",
            Self::PartCount { .. } => "order_part_count",
            Self::UnknownPart { .. } => "order_unknown_part",
            Self::WrongPartState { .. } => "order_part_state",
            Self::NotPartProvider => "order_not_part_provider",
            Self::PartReserved => "order_part_reserved",
            Self::PartFailed { .. } => "order_part_failed",
            Self::PartLate { .. } => "order_part_late",
            Self::PartTime => "order_part_time",
            Self::Quarantined { .. } => "order_quarantined",
            Self::Ejected => "escrow_ejected",
        }
    }
}
