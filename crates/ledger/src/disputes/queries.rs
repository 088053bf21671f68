//! What can be asked about disputes.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Height, NodeId, PublicKey};
use serde::{Deserialize, Serialize};

use super::{Checker, Conviction, Dispute, DisputeId, ReceiptRoot};
use crate::ANSWER_RECORDS_MAX;
use crate::answers::select;
use crate::state::State;

/// A question about disputes. Lists have at most [`crate::ANSWER_RECORDS_MAX`] records.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisputeQuery {
    /// The roots that were posted in a block.
    Roots(Height),
    /// A dispute.
    Dispute(DisputeId),
    /// The disputes against a provider.
    DisputesOf(NodeId),
    /// The disputes in which a checker, or who plays against the accused, must still act.
    DutiesOf(NodeId),
    /// What a node was convicted of.
    Conviction(NodeId),
    /// A checker.
    Checker(NodeId),
    /// All checkers.
    Checkers,
}

/// The answer to a [`DisputeQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisputeAnswer {
    /// To `Roots`: who posted, and what.
    Roots(Vec<(NodeId, ReceiptRoot)>),
    /// To `Dispute`.
    Dispute(Option<Box<Dispute>>),
    /// To `DisputesOf` and `DutiesOf`.
    Disputes(Vec<Box<Dispute>>),
    /// To `Conviction`.
    Conviction(Option<Conviction>),
    /// To `Checker`.
    Checker(Option<Checker>),
    /// To `Checkers`.
    Checkers(Vec<(NodeId, Checker)>),
}

/// Answers a question of this room.
pub(crate) fn answer(state: &State, query: &DisputeQuery) -> DisputeAnswer {
    let (tables, index) = (&state.tables, &state.indexes.disputes);
    match query {
        DisputeQuery::Roots(height) => {
            let (first, last) = (PublicKey([0; 32]), PublicKey([255; 32]));
            let roots = tables.receipt_roots.range((*height, first)..=(*height, last));
            let roots = roots.take(ANSWER_RECORDS_MAX);
            DisputeAnswer::Roots(roots.map(|((_, node), root)| (*node, root.clone())).collect())
        }
        DisputeQuery::Dispute(id) => DisputeAnswer::Dispute(tables.disputes.get(id).cloned()),
        DisputeQuery::DisputesOf(node) => {
            DisputeAnswer::Disputes(select(&tables.disputes, index.of_accused.get(node)))
        }
        DisputeQuery::DutiesOf(node) => {
            DisputeAnswer::Disputes(select(&tables.disputes, index.duties.get(node)))
        }
        DisputeQuery::Conviction(node) => {
            DisputeAnswer::Conviction(tables.convictions.get(node).cloned())
        }
        DisputeQuery::Checker(node) => DisputeAnswer::Checker(tables.checkers.get(node).cloned()),
        DisputeQuery::Checkers => {
            let checkers = tables.checkers.iter().take(ANSWER_RECORDS_MAX);
            DisputeAnswer::Checkers(checkers.map(|(node, c)| (*node, c.clone())).collect())
        }
    }
}
