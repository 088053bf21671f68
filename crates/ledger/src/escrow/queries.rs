//! What can be asked about escrow.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, NodeId, OrderId};
use serde::{Deserialize, Serialize};

use super::{Behind, EscrowAccount, EscrowId, HeldPayout, Order, Part, Standing};
use crate::answers::select;
use crate::state::State;

/// A question about held payouts, escrow accounts and orders. Lists have at most
/// [`crate::ANSWER_RECORDS_MAX`] records.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EscrowQuery {
    /// The held payouts of a provider, the next to be released first.
    HeldOf(NodeId),
    /// What is held behind a channel, a lease or a part.
    HeldBehind(Behind),
    /// An escrow account with its bids and leases, as it was settled last.
    Escrow(EscrowId),
    /// The escrow accounts of an owner that have not ended.
    EscrowsOf(AccountId),
    /// The escrow accounts that have not ended and on which a provider bid or has a lease.
    EscrowsOfProvider(NodeId),
    /// An order.
    Order(OrderId),
    /// The parts of an order that were taken at least once.
    Parts(OrderId),
    /// The orders of a buyer that have not ended.
    OrdersOf(AccountId),
    /// The parts that a provider works on or has delivered.
    PartsOf(NodeId),
    /// How a buyer stands that rejected parts.
    Standing(AccountId),
}

/// The answer to an [`EscrowQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EscrowAnswer {
    /// To `HeldOf` and `HeldBehind`.
    Held(Vec<HeldPayout>),
    /// To `Escrow`.
    Escrow(Option<EscrowAccount>),
    /// To `EscrowsOf` and `EscrowsOfProvider`.
    Escrows(Vec<EscrowAccount>),
    /// To `Order`.
    Order(Option<Order>),
    /// To `Parts` and `PartsOf`.
    Parts(Vec<Part>),
    /// To `OrdersOf`.
    Orders(Vec<Order>),
    /// To `Standing`.
    Standing(Option<Standing>),
}

/// Answers a question of this room.
pub(crate) fn answer(state: &State, query: &EscrowQuery) -> EscrowAnswer {
    let (tables, index) = (&state.tables, &state.indexes.escrow);
    match query {
        EscrowQuery::HeldOf(node) => {
            EscrowAnswer::Held(select(&tables.held, index.held_of.get(node)))
        }
        EscrowQuery::HeldBehind(behind) => {
            EscrowAnswer::Held(select(&tables.held, index.held_behind.get(behind)))
        }
        EscrowQuery::Escrow(id) => EscrowAnswer::Escrow(tables.escrows.get(id).cloned()),
        EscrowQuery::EscrowsOf(owner) => {
            EscrowAnswer::Escrows(select(&tables.escrows, index.open_escrows.get(owner)))
        }
        EscrowQuery::EscrowsOfProvider(node) => {
            EscrowAnswer::Escrows(select(&tables.escrows, index.escrows_of_provider.get(node)))
        }
        EscrowQuery::Order(id) => EscrowAnswer::Order(tables.orders.get(id).cloned()),
        EscrowQuery::Parts(id) => {
            let parts = tables.order_parts.range((*id, 0)..=(*id, u16::MAX));
            EscrowAnswer::Parts(parts.map(|(_, part)| part.clone()).collect())
        }
        EscrowQuery::OrdersOf(buyer) => {
            EscrowAnswer::Orders(select(&tables.orders, index.open_orders.get(buyer)))
        }
        EscrowQuery::PartsOf(node) => {
            EscrowAnswer::Parts(select(&tables.order_parts, index.parts_of_provider.get(node)))
        }
        EscrowQuery::Standing(buyer) => EscrowAnswer::Standing(state.standing(buyer)),
    }
}
