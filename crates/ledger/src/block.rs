//! Blocks: what was asked, what came of it, and the header that binds both to the state.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Canonical, Credits, Hash, NetworkId, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::error::{BlockError, TransactionError};
use crate::{Header, SignedTransaction, light};

const TRANSACTIONS_DOMAIN: &str = "remuda/block-transactions/1";
const OUTCOMES_DOMAIN: &str = "remuda/block-outcomes/1";
const BEACON_DOMAIN: &str = "remuda/beacon/embedded/1";

/// What a transaction did.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct Effects {
    /// Credits that a provider took by it, before fees and whether or not they are held for a
    /// while: `Redeem`, `CloseChannel`, a lease's `Withdraw`, an order's `Approve`.
    pub earned: Credits,
    /// Credits that went back to an account: `CloseChannel`, `ExpireChannel`, and the ends of
    /// leases and orders.
    pub returned: Credits,
}

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It took effect, whole.
    Applied(Effects),
    /// It took no effect. Unless it was inadmissible ([`TransactionError::is_inadmissible`])
    /// its nonce is consumed all the same, so that nobody can submit it again later.
    Refused(TransactionError),
}

impl Outcome {
    /// The outcome as a result.
    ///
    /// # Errors
    /// Why the transaction took no effect.
    pub fn result(&self) -> Result<Effects, TransactionError> {
        match self {
            Self::Applied(effects) => Ok(*effects),
            Self::Refused(error) => Err(error.clone()),
        }
    }

    /// Whether the transaction took effect.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        matches!(self, Self::Applied(_))
    }
}

impl From<Result<Effects, TransactionError>> for Outcome {
    fn from(result: Result<Effects, TransactionError>) -> Self {
        match result {
            Ok(effects) => Self::Applied(effects),
            Err(error) => Self::Refused(error),
        }
    }
}

/// A block: a header and what it binds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions in the order in which they were applied.
    pub transactions: Vec<SignedTransaction>,
    /// What became of each.
    pub outcomes: Vec<Outcome>,
}

impl Canonical for Block {
    const DOMAIN: &'static str = "remuda/block/1";
}

impl Block {
    /// Checks, without any state, that this block follows `parent` and that its header binds
    /// its own transactions and outcomes. It does not check what the transactions do: that
    /// takes [`crate::Ledger::replay`].
    ///
    /// # Errors
    /// The first [`BlockError`] found.
    pub fn verify_links(&self, parent: &Header) -> Result<(), BlockError> {
        light::verify_successor(parent, &self.header)?;
        self.verify_body(parent)
    }

    fn verify_body(&self, parent: &Header) -> Result<(), BlockError> {
        let parts = [
            ("transactions", self.header.transactions == transactions_digest(&self.transactions)),
            ("outcomes", self.header.outcomes == outcomes_digest(&self.outcomes)),
            ("number of outcomes", self.outcomes.len() == self.transactions.len()),
            ("beacon", self.header.beacon == next_beacon(parent)),
        ];
        match parts.iter().find(|(_, holds)| !holds) {
            Some((part, _)) => Err(BlockError::Diverged { part }),
            None => Ok(()),
        }
    }
}

/// The header of height 0.
pub(crate) fn genesis_header(network: NetworkId, time: TimestampMs, state: Hash) -> Header {
    Header {
        network,
        height: 0,
        time,
        parent: Hash::default(),
        transactions: transactions_digest(&[]),
        state,
        outcomes: outcomes_digest(&[]),
        beacon: Hash::derive(BEACON_DOMAIN, network.0.as_bytes()),
    }
}

/// The header after `parent`.
pub(crate) fn next_header(
    parent: &Header,
    time: TimestampMs,
    transactions: &[SignedTransaction],
    outcomes: &[Outcome],
    state: Hash,
) -> Header {
    Header {
        network: parent.network,
        height: parent.height + 1,
        time,
        parent: parent.digest(),
        transactions: transactions_digest(transactions),
        state,
        outcomes: outcomes_digest(outcomes),
        beacon: next_beacon(parent),
    }
}

/// The beacon of the block after `parent`: the embedded validator's hash chain. It depends on
/// nothing that the next block's maker chooses, but on what earlier ones chose: their single
/// maker can predict and steer it. A replicated ledger must bring its own beacon.
fn next_beacon(parent: &Header) -> Hash {
    let height = (parent.height + 1).to_le_bytes();
    let bytes = [&parent.beacon.0[..], &parent.digest().0, &height].concat();
    Hash::derive(BEACON_DOMAIN, &bytes)
}

fn transactions_digest(transactions: &[SignedTransaction]) -> Hash {
    digest_of_list(TRANSACTIONS_DOMAIN, transactions)
}

fn outcomes_digest(outcomes: &[Outcome]) -> Hash {
    digest_of_list(OUTCOMES_DOMAIN, outcomes)
}

fn digest_of_list<T: BorshSerialize>(domain: &str, items: &[T]) -> Hash {
    let mut bytes = Vec::new();
    // Writing to a vector fails only for a NaN, and there are no floats here.
    if let Err(error) = items.serialize(&mut bytes) {
        unreachable!("a list of records did not encode: {error}");
    }
    Hash::derive(domain, &bytes)
}
