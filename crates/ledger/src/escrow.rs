//! Escrow: what providers are paid out of, and when.
//!
//! - `payout`: the one way in which a provider is paid, by channels, leases and orders alike:
//!   fees are taken there, and a payout may be held until the dispute window has passed.
//! - `leases`: one account that pays several providers by the tick until it is empty.
//! - `orders`: parts that are paid when the buyer confirms them, or says nothing for long.

mod actions;
mod audit;
mod error;
mod leases;
mod orders;
mod parts;
mod payout;
mod queries;
mod records;
mod rules;
mod streaming;

pub use actions::{LeaseAction, OrderAction};
pub use error::EscrowError;
pub use queries::{EscrowAnswer, EscrowQuery};
pub use records::{
    Behind, Bid, EscrowAccount, EscrowId, EscrowState, HeldKey, HeldPayout, Lease, LeaseState,
    Order, OrderState, Part, PartKey, PartState, Standing, order_id,
};
pub use rules::{
    BIDS_MAX, EscrowRules, FeeRule, FeeRules, LEASES_MAX, LeaseRules, ORDER_PARTS_MAX, OrderRules,
};

pub(crate) use actions::{execute_lease, execute_order};
pub(crate) use audit::audit;
pub(crate) use orders::{next_due as next_part_due, sweep_parts};
pub(crate) use payout::{Payment, next_release, release_held};
pub(crate) use queries::answer;
pub(crate) use records::EscrowIndex;
pub(crate) use streaming::forget_ended;
