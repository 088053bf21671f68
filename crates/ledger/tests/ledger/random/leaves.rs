//! What histories check of single leaves.

use remuda_ledger::{Flow, StateKey, StateProof, Vault};
use remuda_types::Hash;

use crate::world::{account_of, alice};

/// Whether a leaf is one that paying a fee changes.
pub(super) fn is_payment(key: &[u8]) -> bool {
    let kinds = [
        StateKey::Account(account_of(&alice())),
        StateKey::Supply(()),
        StateKey::Session(alice().public()),
        StateKey::Vault(Vault::Treasury),
        StateKey::Flow(Flow::BaseFee),
    ];
    kinds.iter().any(|kind| kind.to_bytes()[0] == key[0])
}

/// Whatever is bent in a proof, it no longer verifies.
pub(super) fn tamper(proof: &StateProof, root: &Hash, key: &[u8], value: Option<&[u8]>) {
    for step in 0..proof.steps.len() {
        let mut bent = proof.clone();
        bent.steps[step].sibling.0[step % 32] ^= 1;
        assert!(bent.verify(root, key, value).is_err());
        let mut turned = proof.clone();
        turned.steps[step].bit ^= 1;
        assert!(turned.verify(root, key, value).is_err());
        let mut shorter = proof.clone();
        shorter.steps.remove(step);
        assert!(shorter.verify(root, key, value).is_err());
    }
}
