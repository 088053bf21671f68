//! What can be asked of disputes.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{FinalReceipt, Hash, SignatureCheck, Tokens};
use serde::{Deserialize, Serialize};

use super::{
    DisputeId, DisputeKind, Evidence, Inclusion, Verdict as Found, bisection, cases, checkers,
    checks, evidence, roots,
};
use crate::context::{Context, Verdict};
use crate::state::State;

/// An action on disputes. Gateways, checkers and the accused act by their node key, accusers
/// by their account's key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisputeAction {
    /// A gateway (by node key) posts the root over the receipts that it saw; once a block.
    PostReceiptRoot {
        /// The root: [`super::receipts_root`].
        root: Hash,
        /// How many receipts are under it.
        count: u32,
    },
    /// Anyone proves an offence.
    Accuse {
        /// The proof.
        evidence: Box<Evidence>,
    },
    /// Anyone challenges a receipt, with a bond of twice the referee's cost; without one when
    /// the beacon drew the receipt.
    Challenge {
        /// The receipt.
        receipt: Box<FinalReceipt>,
        /// How a mismatch is settled.
        kind: DisputeKind,
        /// Where it stands.
        place: Inclusion,
    },
    /// A node (by its key) becomes a checker, or adds to its deposit.
    EnrolChecker {
        /// How much.
        bond: Tokens,
    },
    /// A checker (by node key) leaves.
    RetireChecker,
    /// A drawn checker (by node key) commits to its verdict.
    CommitCheck {
        /// The dispute.
        dispute: DisputeId,
        /// [`super::check_commitment`].
        commitment: Hash,
    },
    /// A drawn checker (by node key) reveals its verdict.
    RevealCheck {
        /// The dispute.
        dispute: DisputeId,
        /// What it found.
        verdict: Found,
        /// The root of its own fingerprints.
        fingerprint: Hash,
        /// What hid its verdict until now.
        salt: [u8; 32],
    },
    /// The accused (by node key) names the states within the disputed interval.
    Split {
        /// The dispute.
        dispute: DisputeId,
        /// The states; the last one is that which is claimed.
        states: Vec<Hash>,
    },
    /// The challenger picks the first state that it disputes.
    Pick {
        /// The dispute.
        dispute: DisputeId,
        /// Its position.
        index: u32,
    },
    /// Anyone shows what the last step gives.
    ProveLeaf {
        /// The dispute.
        dispute: DisputeId,
        /// What decides it, at most 16 KiB.
        evidence: Vec<u8>,
    },
}

impl DisputeAction {
    /// The signatures that are to be checked with the transaction's own: two or none.
    pub(crate) fn signatures(&self) -> Vec<SignatureCheck> {
        let both = |receipt: &FinalReceipt| {
            vec![SignatureCheck::from(&receipt.receipt), SignatureCheck::from(&receipt.voucher)]
        };
        match self {
            Self::Challenge { receipt, .. } => both(receipt),
            Self::Accuse { evidence } => match &**evidence {
                Evidence::ForgedSignature { receipt, .. } => both(receipt),
                Evidence::Equivocation { first, second }
                | Evidence::DoubleBill { first, second } => vec![first.into(), second.into()],
            },
            _ => Vec::new(),
        }
    }
}

/// Runs one action of this room.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &DisputeAction) -> Verdict {
    match action {
        DisputeAction::PostReceiptRoot { root, count } => {
            roots::post(state, context, *root, *count)
        }
        DisputeAction::Accuse { evidence } => evidence::accuse(state, context, evidence),
        DisputeAction::Challenge { receipt, kind, place } => {
            cases::challenge(state, context, receipt, *kind, place)
        }
        DisputeAction::EnrolChecker { bond } => checkers::enrol(state, context, *bond),
        DisputeAction::RetireChecker => checkers::retire(state, context),
        DisputeAction::CommitCheck { dispute, commitment } => {
            checks::commit(state, context, *dispute, *commitment)
        }
        DisputeAction::RevealCheck { dispute, verdict, fingerprint, salt } => {
            checks::reveal(state, context, *dispute, (*verdict, *fingerprint, *salt))
        }
        DisputeAction::Split { dispute, states } => {
            bisection::split(state, context, *dispute, states)
        }
        DisputeAction::Pick { dispute, index } => bisection::pick(state, context, *dispute, *index),
        DisputeAction::ProveLeaf { dispute, evidence } => {
            bisection::prove_leaf(state, context, *dispute, evidence)
        }
    }
}
