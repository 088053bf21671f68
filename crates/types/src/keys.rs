//! ed25519 keys under one verification rule (ZIP-215), for single and batch checks alike.

use std::fmt;
use std::str::FromStr;

use bech32::{Bech32m, Hrp};
use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::hash::decode_hex;
use crate::{Hash, zip215};

/// The readable prefix of an API key: a session key's seed with a checksum.
const API_KEY_PREFIX: &str = "sk-remuda-";

/// Why text or bytes are not a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 64 lowercase hexadecimal digits.
    #[error("a public key is 64 lowercase hexadecimal digits")]
    PublicKeyText,
    /// Not an API key, or one with a typing mistake (the checksum is wrong).
    #[error("this is not an API key: it must read {API_KEY_PREFIX}1…; copy it again, whole")]
    ApiKeyText,
    /// The bytes are not a point of the curve.
    #[error("these 32 bytes are not an ed25519 public key")]
    NotAPoint,
}

/// An ed25519 public key: the name of a node, a session or a single-key account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Checks `signature` over `digest`, by the ZIP-215 rule.
    #[must_use]
    pub fn verifies(&self, digest: &Hash, signature: &Signature) -> bool {
        zip215::holds(self, digest, signature)
    }

    /// The first ten hexadecimal digits, for people to tell nodes apart in logs.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..5])
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode_hex(text).map_err(|_| KeyError::PublicKeyText)?;
        if zip215::is_point(&bytes) { Ok(Self(bytes)) } else { Err(KeyError::NotAPoint) }
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", hex::encode(&self.0[..5]))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        decode_hex(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// An ed25519 secret key. Its memory is wiped when it is dropped, and it never prints itself.
#[derive(Clone)]
pub struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
    signer: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// The key of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let signer = SigningKey::from_bytes(&seed);
        let public = PublicKey(signer.verifying_key().to_bytes());
        Self { seed: Zeroizing::new(seed), signer, public }
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: no key may be made then.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        if let Err(error) = getrandom::fill(&mut seed) {
            panic!("the operating system gave no randomness: {error}");
        }
        Self::from_seed(seed)
    }

    /// The seed, to be stored where only its owner reads.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a digest.
    #[must_use]
    pub fn sign(&self, digest: &Hash) -> Signature {
        Signature(self.signer.sign(&digest.0).to_bytes())
    }

    /// The seed as an API key: text that any OpenAI client can carry, with a checksum.
    #[must_use]
    pub fn to_api_key(&self) -> String {
        match bech32::encode::<Bech32m>(Hrp::parse_unchecked(API_KEY_PREFIX), &self.seed[..]) {
            Ok(text) => text,
            Err(error) => unreachable!("32 bytes fit in bech32: {error}"),
        }
    }

    /// The key that an API key carries.
    ///
    /// # Errors
    /// [`KeyError::ApiKeyText`] when the text is not an API key or its checksum is wrong.
    pub fn from_api_key(text: &str) -> Result<Self, KeyError> {
        let (prefix, bytes) = bech32::decode(text).map_err(|_| KeyError::ApiKeyText)?;
        let bytes = Zeroizing::new(bytes);
        let seed = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| KeyError::ApiKeyText)?;
        if prefix.as_str() != API_KEY_PREFIX {
            return Err(KeyError::ApiKeyText);
        }
        let key = Self::from_seed(seed);
        // The decoder also takes the older, weaker checksum and other padding: a key has one text.
        if *Zeroizing::new(key.to_api_key()) == text { Ok(key) } else { Err(KeyError::ApiKeyText) }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_key_round_trips_and_detects_typing_mistakes() {
        let key = SecretKey::from_seed([9; 32]);
        let text = key.to_api_key();
        assert!(text.starts_with("sk-remuda-1"));
        let back = SecretKey::from_api_key(&text).map(|key| key.public());
        assert_eq!(back, Ok(key.public()));
        let swapped: String = text.chars().rev().collect();
        let first = text.len() - 8;
        let mistyped = if text[first..].starts_with('q') { "p" } else { "q" };
        let wrong = format!("{}{mistyped}{}", &text[..first], &text[first + 1..]);
        assert_eq!(SecretKey::from_api_key(&swapped).err(), Some(KeyError::ApiKeyText));
        assert_ne!(wrong, text);
        assert_eq!(SecretKey::from_api_key(&wrong).err(), Some(KeyError::ApiKeyText));
    }

    #[test]
    fn an_api_key_has_one_text() {
        let key = SecretKey::from_seed([9; 32]);
        let hrp = Hrp::parse_unchecked(API_KEY_PREFIX);
        let weaker = bech32::encode::<bech32::Bech32>(hrp, &key.seed[..]).unwrap();
        for other in [weaker, key.to_api_key().to_uppercase()] {
            assert_eq!(SecretKey::from_api_key(&other).err(), Some(KeyError::ApiKeyText));
        }
    }

    #[test]
    fn a_signature_holds_for_its_digest_and_key_only() {
        let key = SecretKey::from_seed([1; 32]);
        let digest = Hash::derive("test", b"message");
        let signature = key.sign(&digest);
        assert!(key.public().verifies(&digest, &signature));
        assert!(!key.public().verifies(&Hash::derive("test", b"other"), &signature));
        let other = SecretKey::from_seed([2; 32]).public();
        assert!(!other.verifies(&digest, &signature));
        assert!(!PublicKey([0xff; 32]).verifies(&digest, &signature));
    }

    #[test]
    fn a_public_key_has_one_text_and_is_a_point() {
        let key = SecretKey::from_seed([3; 32]).public();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        assert_eq!(text.to_uppercase().parse::<PublicKey>(), Err(KeyError::PublicKeyText));
        assert_eq!(text[1..].parse::<PublicKey>(), Err(KeyError::PublicKeyText));
        let no_point = hex::encode([0x02; 32]);
        assert_eq!(no_point.parse::<PublicKey>(), Err(KeyError::NotAPoint));
    }

    #[test]
    fn a_secret_key_does_not_print_its_seed() {
        let key = SecretKey::from_seed([0xab; 32]);
        assert!(!format!("{key:?}").contains("abab"));
    }
}
