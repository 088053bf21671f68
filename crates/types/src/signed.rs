//! A canonical value with its signer and signature.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Canonical, PublicKey, SecretKey, Signature};

/// The signature does not belong to this value and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not belong to this record and key")]
pub struct SignatureError;

/// A value and the signature of `signer` over its digest.
///
/// Decoding does not check the signature: call [`Signed::verify`] before trusting it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// What was signed.
    pub body: T,
    /// Who signed.
    pub signer: PublicKey,
    /// The signature over the body's digest.
    pub signature: Signature,
}

impl<T: Canonical> Signed<T> {
    /// Signs `body` with `key`.
    #[must_use]
    pub fn sign(body: T, key: &SecretKey) -> Self {
        let signature = key.sign(&body.digest());
        Self { body, signer: key.public(), signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`SignatureError`] when it does not hold.
    pub fn verify(&self) -> Result<(), SignatureError> {
        if self.signer.verifies(&self.body.digest(), &self.signature) {
            Ok(())
        } else {
            Err(SignatureError)
        }
    }

    /// Checks the signature and that `signer` made it.
    ///
    /// # Errors
    /// [`SignatureError`] when it does not hold or another key made it.
    pub fn verify_by(&self, signer: &PublicKey) -> Result<(), SignatureError> {
        if self.signer == *signer { self.verify() } else { Err(SignatureError) }
    }
}
