//! Which signatures of a block hold: every one is checked once, in batches.

use remuda_types::{SignatureCheck, Signed, Voucher, verify_each};

use crate::SignedTransaction;
use crate::transaction::{Action, REDEEM_VOUCHERS_MAX};

/// The verdicts on one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Whether the transaction's own signature holds.
    pub(crate) transaction: bool,
    /// Whether each other one that it brings does, in their order.
    pub(crate) vouchers: Vec<bool>,
}

/// Checks all signatures of `transactions`.
pub(crate) fn verify_all(transactions: &[SignedTransaction]) -> Vec<Verified> {
    let checks: Vec<SignatureCheck> = transactions.iter().flat_map(checks_of).collect();
    let mut verdicts = verify_each(&checks).into_iter();
    transactions
        .iter()
        .map(|transaction| Verified {
            transaction: verdicts.next().unwrap_or(false),
            vouchers: verdicts.by_ref().take(count_of(transaction)).collect(),
        })
        .collect()
}

/// How many signatures are to be checked.
pub(crate) fn signatures_of(transaction: &SignedTransaction) -> usize {
    1 + vouchers_of(transaction).len()
}

fn checks_of(transaction: &SignedTransaction) -> Vec<SignatureCheck> {
    let vouchers = vouchers_of(transaction).iter().map(SignatureCheck::from);
    let own = std::iter::once(SignatureCheck::from(transaction));
    own.chain(vouchers).chain(evidence_of(transaction)).collect()
}

/// How many signatures a transaction brings beside its own.
fn count_of(transaction: &SignedTransaction) -> usize {
    vouchers_of(transaction).len() + evidence_of(transaction).len()
}

/// The signatures of receipts that a transaction brings as evidence.
fn evidence_of(transaction: &SignedTransaction) -> Vec<SignatureCheck> {
    match &transaction.body.action {
        Action::Dispute(action) => action.signatures(),
        _ => Vec::new(),
    }
}

/// The vouchers that a transaction brings; none when it brings more than it may.
fn vouchers_of(transaction: &SignedTransaction) -> &[Signed<Voucher>] {
    match &transaction.body.action {
        Action::Redeem { vouchers } if vouchers.len() <= REDEEM_VOUCHERS_MAX => vouchers,
        Action::CloseChannel { voucher: Some(voucher), .. } => std::slice::from_ref(voucher),
        _ => &[],
    }
}
