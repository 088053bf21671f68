//! The canonical encoding of everything that is hashed or signed.
//!
//! One version byte, then strict borsh. Decoding refuses trailing bytes, unsorted maps and
//! anything that would not encode back to the same bytes.

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::Hash;

/// Why bytes are not a canonical value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// There was not even a version byte.
    #[error("the message is empty")]
    Empty,
    /// The version byte names a format that this build does not read.
    #[error(
        "format version {found} is not the supported version {supported}; upgrade the older side"
    )]
    Version {
        /// The version in the message.
        found: u8,
        /// The version that this build reads.
        supported: u8,
    },
    /// The body is truncated, has trailing bytes, or breaks a rule of its type.
    #[error("the body is malformed: {0}")]
    Malformed(String),
    /// The body decodes but is not the one encoding of its value.
    #[error("the body is not in canonical form")]
    NotCanonical,
}

/// A value with exactly one encoding, bound to a domain and a format version.
pub trait Canonical: BorshSerialize + BorshDeserialize + Sized {
    /// The domain, unique among all canonical types. It enters every digest and signature.
    const DOMAIN: &'static str;
    /// The format version: the first byte of every encoding.
    const VERSION: u8 = 1;

    /// The canonical bytes.
    fn to_canonical(&self) -> Vec<u8> {
        let mut bytes = vec![Self::VERSION];
        // Writing to a vector fails only for a NaN, which no canonical type may hold.
        if let Err(error) = self.serialize(&mut bytes) {
            unreachable!("a canonical value did not encode: {error}");
        }
        bytes
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// Any byte string that [`Canonical::to_canonical`] would not have produced.
    fn from_canonical(bytes: &[u8]) -> Result<Self, CodecError> {
        let (&found, body) = bytes.split_first().ok_or(CodecError::Empty)?;
        if found != Self::VERSION {
            return Err(CodecError::Version { found, supported: Self::VERSION });
        }
        let value: Self =
            borsh::from_slice(body).map_err(|error| CodecError::Malformed(error.to_string()))?;
        if value.to_canonical() != bytes {
            return Err(CodecError::NotCanonical);
        }
        Ok(value)
    }

    /// The domain-separated digest of the canonical bytes: what is signed and referred to.
    fn digest(&self) -> Hash {
        Hash::derive(Self::DOMAIN, &self.to_canonical())
    }
}
