//! What can be asked of escrow.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Hash, NodeId, OrderId};
use serde::{Deserialize, Serialize};

use super::leases::Opening;
use super::orders::NewOrder;
use super::{EscrowId, leases, orders, parts};
use crate::context::{Context, Verdict};
use crate::math::Period;
use crate::money::Denomination;
use crate::state::State;

/// An action on escrow accounts and their leases. Owners act by their account's key, providers
/// by their node key. Amounts are in base units of tokens or in micro-dollars, as the
/// denomination says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeaseAction {
    /// An owner opens an escrow account that asks for bids.
    Open {
        /// Makes the account's name unique: [`EscrowId::derive`].
        nonce: [u8; 32],
        /// In what its leases are paid.
        denomination: Denomination,
        /// The first deposit.
        deposit: u128,
        /// The most that one bid may ask per tick.
        rate_max: u128,
        /// The digest of what is to be run.
        spec: Hash,
    },
    /// The owner deposits more.
    TopUp {
        /// The account.
        escrow: EscrowId,
        /// How much more.
        amount: u128,
    },
    /// A registered provider (by node key) offers to serve; the bid deposit comes from the
    /// node key's own account.
    PlaceBid {
        /// The account.
        escrow: EscrowId,
        /// What it asks per tick.
        rate: u128,
    },
    /// A provider (by node key) takes its open bid back, with its deposit.
    WithdrawBid {
        /// The account.
        escrow: EscrowId,
    },
    /// The owner accepts a bid: a lease begins.
    AcceptBid {
        /// The account.
        escrow: EscrowId,
        /// Whose bid.
        provider: NodeId,
    },
    /// A provider (by node key) takes what its lease has earned.
    Withdraw {
        /// The account.
        escrow: EscrowId,
        /// The lease's position.
        lease: u32,
    },
    /// The owner, or the provider by node key, ends a lease.
    EndLease {
        /// The account.
        escrow: EscrowId,
        /// The lease's position.
        lease: u32,
    },
    /// The owner ends all leases and takes the rest back.
    Close {
        /// The account.
        escrow: EscrowId,
    },
    /// Anyone settles an account, so that an empty one ends.
    Settle {
        /// The account.
        escrow: EscrowId,
    },
}

/// An action on orders. Buyers act by their account's key, providers by their node key.
/// Amounts are in base units of tokens or in micro-dollars, as the denomination says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OrderAction {
    /// A buyer orders a job in parts and locks the price of all.
    Open {
        /// Makes the order's name unique: [`super::order_id`].
        nonce: [u8; 32],
        /// In what it is paid.
        denomination: Denomination,
        /// How many parts.
        parts: u16,
        /// What each costs.
        part_price: u128,
        /// How long a provider has to deliver a part that it took.
        part_time: Period,
        /// Who alone may take parts that have not failed.
        provider: Option<NodeId>,
        /// The digest of the work.
        work: Hash,
    },
    /// A registered provider (by node key) takes parts on; the deposit against not delivering
    /// comes from the node key's own account: tokens, or earned credits.
    Take {
        /// The order.
        order: OrderId,
        /// Which parts.
        parts: Vec<u16>,
    },
    /// A provider (by node key) delivers a part.
    Deliver {
        /// The order.
        order: OrderId,
        /// Which part.
        part: u16,
        /// The digest of the result.
        output: Hash,
    },
    /// The buyer approves delivered parts: their providers are paid.
    Approve {
        /// The order.
        order: OrderId,
        /// Which parts.
        parts: Vec<u16>,
    },
    /// The buyer rejects a delivered part: another provider does it again, or it is refunded.
    Reject {
        /// The order.
        order: OrderId,
        /// Which part.
        part: u16,
        /// Whether the buyer wants its money back rather than another attempt.
        refund: bool,
    },
    /// The buyer takes back what nobody has taken.
    Cancel {
        /// The order.
        order: OrderId,
    },
}

/// Runs one action on leases.
pub(crate) fn execute_lease(
    state: &mut State,
    context: &Context<'_>,
    action: &LeaseAction,
) -> Verdict {
    match action {
        LeaseAction::Open { nonce, denomination, deposit, rate_max, spec } => {
            let (nonce, denomination, spec) = (*nonce, *denomination, *spec);
            let (deposit, rate_max) = (*deposit, *rate_max);
            let opening = Opening { nonce, denomination, deposit, rate_max, spec };
            leases::open(state, context, &opening)
        }
        LeaseAction::TopUp { escrow, amount } => leases::top_up(state, context, *escrow, *amount),
        LeaseAction::PlaceBid { escrow, rate } => leases::bid(state, context, *escrow, *rate),
        LeaseAction::WithdrawBid { escrow } => leases::withdraw_bid(state, context, *escrow),
        LeaseAction::AcceptBid { escrow, provider } => {
            leases::accept(state, context, *escrow, *provider)
        }
        LeaseAction::Withdraw { escrow, lease } => {
            leases::withdraw(state, context, *escrow, *lease)
        }
        LeaseAction::EndLease { escrow, lease } => {
            leases::end_lease(state, context, *escrow, *lease)
        }
        LeaseAction::Close { escrow } => leases::close(state, context, *escrow),
        LeaseAction::Settle { escrow } => leases::settle(state, context, *escrow),
    }
}

/// Runs one action on orders.
pub(crate) fn execute_order(
    state: &mut State,
    context: &Context<'_>,
    action: &OrderAction,
) -> Verdict {
    match action {
        OrderAction::Open { nonce, denomination, parts, part_price, part_time, provider, work } => {
            let order = NewOrder {
                nonce: *nonce,
                denomination: *denomination,
                parts: *parts,
                part_price: *part_price,
                part_time: *part_time,
                provider: *provider,
                work: *work,
            };
            orders::open(state, context, &order)
        }
        OrderAction::Take { order, parts } => parts::take(state, context, *order, parts),
        OrderAction::Deliver { order, part, output } => {
            parts::deliver(state, context, (*order, *part), *output)
        }
        OrderAction::Approve { order, parts } => parts::approve(state, context, *order, parts),
        OrderAction::Reject { order, part, refund } => {
            parts::reject(state, context, (*order, *part), *refund)
        }
        OrderAction::Cancel { order } => orders::cancel(state, context, *order),
    }
}
