//! Proofs that a trusted root does, or does not, hold a record.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Canonical, Hash};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{EMPTY_ROOT, Path, branch_hash, goes_right, leaf_hash, path_of, value_hash};

/// A branch above the leaf.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct ProofStep {
    /// The bit in which the branch's sides differ.
    pub bit: u8,
    /// The hash of the side on which the key does not lie.
    pub sibling: Hash,
}

/// The leaf that lies where the key's would be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct OtherLeaf {
    /// Its path.
    pub path: Hash,
    /// The hash of its value.
    pub value: Hash,
}

/// The way from the root to a key's leaf; or, for a key without one, to the only leaf that a
/// walk along the key's path can reach.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct StateProof {
    /// The branches from the root down.
    pub steps: Vec<ProofStep>,
    /// For a proof of absence: the leaf that was reached; `None` in an empty state.
    pub other: Option<OtherLeaf>,
}

impl Canonical for StateProof {
    const DOMAIN: &'static str = "remuda/state-proof/1";
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The proof's form is not that of any proof of this statement.
    #[error("the proof is malformed")]
    Malformed,
    /// The proof leads to another root.
    #[error("the proof leads to another root: it is of another state, or tampered with")]
    Root,
}

impl StateProof {
    /// Checks that the state with `root` holds `value` under `key`, or with `None` that it
    /// holds nothing there. Root and key must come from who is trusted; the proof need not.
    ///
    /// # Errors
    /// [`ProofError`] when the proof does not show that.
    pub fn verify(&self, root: &Hash, key: &[u8], value: Option<&[u8]>) -> Result<(), ProofError> {
        let path = path_of(key);
        let leaf = match (value, &self.other) {
            (Some(value), None) => leaf_hash(&path, &value_hash(value)),
            (None, Some(other)) => self.other_leaf(&path, other)?,
            (None, None) if self.steps.is_empty() => EMPTY_ROOT,
            _ => return Err(ProofError::Malformed),
        };
        let falls = self.steps.windows(2).any(|pair| pair[0].bit >= pair[1].bit);
        if falls {
            return Err(ProofError::Malformed);
        }
        if self.fold(&path, leaf) == *root { Ok(()) } else { Err(ProofError::Root) }
    }

    /// The other leaf must lie on the walk along `path`, and not be the key's own.
    fn other_leaf(&self, path: &Path, other: &OtherLeaf) -> Result<Hash, ProofError> {
        let astray =
            |step: &ProofStep| goes_right(&other.path.0, step.bit) != goes_right(path, step.bit);
        if other.path.0 == *path || self.steps.iter().any(astray) {
            return Err(ProofError::Malformed);
        }
        Ok(leaf_hash(&other.path.0, &other.value))
    }

    fn fold(&self, path: &Path, leaf: Hash) -> Hash {
        self.steps.iter().rev().fold(leaf, |below, step| {
            if goes_right(path, step.bit) {
                branch_hash(step.bit, &step.sibling, &below)
            } else {
                branch_hash(step.bit, &below, &step.sibling)
            }
        })
    }
}
