//! BLAKE3 digests with domain separation.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 32-byte BLAKE3 digest. Shown and parsed as 64 lowercase hexadecimal digits.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The digest of `bytes` within `domain`. Digests of two domains never collide: BLAKE3's
    /// key derivation mode keys the function with the domain's text.
    #[must_use]
    pub fn derive(domain: &str, bytes: &[u8]) -> Self {
        Self(blake3::derive_key(domain, bytes))
    }

    /// The plain BLAKE3 digest of a file's or blob's content.
    #[must_use]
    pub fn of_content(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decode_hex(text).map(Self)
    }
}

/// Decodes lowercase hexadecimal digits: each value has one text, so that no byte of a stored
/// record can change without the record changing.
pub(crate) fn decode_hex<const N: usize>(text: &str) -> Result<[u8; N], hex::FromHexError> {
    if let Some(index) = text.bytes().position(|byte| byte.is_ascii_uppercase()) {
        let c = char::from(text.as_bytes()[index]);
        return Err(hex::FromHexError::InvalidHexCharacter { c, index });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)?;
    Ok(bytes)
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Hash;

    #[test]
    fn domains_separate() {
        assert_ne!(Hash::derive("a", b"x"), Hash::derive("b", b"x"));
    }

    #[test]
    fn text_round_trips_and_rejects_other_lengths() {
        let hash = Hash::derive("remuda test", b"x");
        assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        assert!("abcd".parse::<Hash>().is_err());
        assert!(hash.to_string().to_uppercase().parse::<Hash>().is_err());
    }
}
