//! What somebody who keeps no state can still check: that one record stands in it, or that it
//! does not.
//!
//! It takes a header that is trusted, and from anyone at all the record's bytes and their proof
//! ([`Proven`]). That a header is to be trusted is for the chain to show (who finalised it);
//! from one trusted header on, [`verify_successor`] binds the next.
//!
//! ```
//! use remuda_ledger::light::{self, Record};
//! # use remuda_ledger::*;
//! # use remuda_types::*;
//! # let alice = SecretKey::from_seed([2; 32]);
//! # let genesis = Genesis {
//! #     name: "example".into(),
//! #     time: 1_000,
//! #     grantor: alice.public(),
//! #     accounts: vec![GenesisAccount {
//! #         account: alice.public().into(),
//! #         tokens: Tokens(500),
//! #         credits: Credits::DOLLAR,
//! #     }],
//! #     roles: std::collections::BTreeMap::new(),
//! #     parameters: Parameters::default(),
//! #     economy: Economy::default(),
//! # };
//! # let ledger = Ledger::new(&genesis)?;
//! let trusted = ledger.head().clone();
//! let key = StateKey::Account(alice.public().into());
//! let proven = ledger.prove(&key);
//! match light::verify(&trusted, &key, &proven)? {
//!     Some(Record::Account(account)) => assert_eq!(account.tokens, Tokens(500)),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use remuda_types::{AccountId, Canonical, ChannelId};
use thiserror::Error;

use crate::error::BlockError;
use crate::ledger::Proven;
use crate::merkle::ProofError;
pub use crate::state::Record;
use crate::state::StateKey;
use crate::{Account, Channel, Header};

/// Why a record is not shown to stand in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LightError {
    /// The proof does not lead from the record to the header's state.
    #[error("{0}; ask another node, or for the proof at this header's height")]
    Proof(#[from] ProofError),
    /// The proven bytes are no record that this build reads.
    #[error("the record is of a format that this build does not read; upgrade it")]
    Record,
}

impl LightError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proof(ProofError::Malformed) => "light_proof_malformed",
            Self::Proof(ProofError::Root) => "light_proof_root",
            Self::Record => "light_record",
        }
    }
}

/// The record that the state of `trusted` holds under `key`; `None` when it is proven that
/// there is none. Whoever sent `proven` need not be trusted.
///
/// # Errors
/// [`LightError`] when the proof does not show that, whatever was changed in it.
pub fn verify(
    trusted: &Header,
    key: &StateKey,
    proven: &Proven,
) -> Result<Option<Record>, LightError> {
    let name = key.to_bytes();
    let value = proven.value.as_deref();
    proven.proof.verify(&trusted.state, &name, value)?;
    value.map(|value| Record::decode(&name, value).ok_or(LightError::Record)).transpose()
}

/// An account's balances; proven absence is an empty account.
///
/// # Errors
/// As [`verify`].
pub fn verify_account(
    trusted: &Header,
    account: AccountId,
    proven: &Proven,
) -> Result<Account, LightError> {
    match verify(trusted, &StateKey::Account(account), proven)? {
        Some(Record::Account(account)) => Ok(account),
        Some(_) => Err(LightError::Record),
        None => Ok(Account::EMPTY),
    }
}

/// A channel; `None` when it is proven that none is open under that name.
///
/// # Errors
/// As [`verify`].
pub fn verify_channel(
    trusted: &Header,
    channel: ChannelId,
    proven: &Proven,
) -> Result<Option<Channel>, LightError> {
    match verify(trusted, &StateKey::Channel(channel), proven)? {
        Some(Record::Channel(channel)) => Ok(Some(channel)),
        Some(_) => Err(LightError::Record),
        None => Ok(None),
    }
}

/// Checks that `next` is a header right after `trusted`: of its network, naming its digest, at
/// the next height and not before its time. It does not say that `next` was ever finalised.
///
/// # Errors
/// The first [`BlockError`] found.
pub fn verify_successor(trusted: &Header, next: &Header) -> Result<(), BlockError> {
    if next.network != trusted.network {
        return Err(BlockError::WrongNetwork);
    }
    let found = next.height;
    let no_next = BlockError::WrongHeight { expected: u64::MAX, found };
    let expected = trusted.height.checked_add(1).ok_or(no_next)?;
    if found != expected {
        return Err(BlockError::WrongHeight { expected, found });
    }
    let head = trusted.digest();
    if next.parent != head {
        return Err(BlockError::WrongParent { head });
    }
    if next.time < trusted.time {
        return Err(BlockError::TimeBackwards { head: trusted.time, found: next.time });
    }
    Ok(())
}
