//! The one rule by which signatures hold: ZIP-215.
//!
//! A signature `(R, s)` of a key `A` holds when `s` is a canonical scalar, `A` and `R` decode to
//! points in whatever encoding, and `[8][s]B = [8]R + [8][k]A`. The cofactor makes one check and
//! a batch of checks agree on every input, which the stricter rules of other libraries do not.
//! The points and scalars are curve25519-dalek's, which computes with the vectors of the machine.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use sha2::{Digest as _, Sha512};

use crate::{Hash, PublicKey, Signature};

/// What a signature claims, decoded: its terms of the equation.
struct Claim {
    key: EdwardsPoint,
    commitment: EdwardsPoint,
    response: Scalar,
    challenge: Scalar,
}

impl Claim {
    /// `None` when a part does not decode: the signature does not hold then.
    fn decode(key: &PublicKey, digest: &Hash, signature: &Signature) -> Option<Self> {
        let (commitment, response) = signature.0.split_first_chunk::<32>()?;
        let response = Scalar::from_canonical_bytes(*response.first_chunk()?).into_option()?;
        let hash = Sha512::new().chain_update(commitment).chain_update(key.0);
        let hash: [u8; 64] = hash.chain_update(digest.0).finalize().into();
        Some(Self {
            key: point(&key.0)?,
            commitment: point(commitment)?,
            response,
            challenge: Scalar::from_bytes_mod_order_wide(&hash),
        })
    }
}

/// Whether these bytes are a point of the curve, in whatever encoding.
pub(crate) fn is_point(bytes: &[u8; 32]) -> bool {
    point(bytes).is_some()
}

fn point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    CompressedEdwardsY(*bytes).decompress()
}

/// Checks one signature.
pub(crate) fn holds(key: &PublicKey, digest: &Hash, signature: &Signature) -> bool {
    let Some(Claim { key, commitment, response, challenge }) =
        Claim::decode(key, digest, signature)
    else {
        return false;
    };
    let sum = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &-key, &response);
    (commitment - sum).mul_by_cofactor().is_identity()
}

/// Checks several signatures with one equation, each weighted by the next of `coefficients`,
/// which must not be foreseeable by whoever made the signatures. False when any does not hold.
pub(crate) fn all_hold<'a>(
    checks: impl Iterator<Item = (&'a PublicKey, &'a Hash, &'a Signature)>,
    mut coefficients: impl FnMut() -> u128,
) -> bool {
    let (mut scalars, mut points) = (vec![Scalar::ZERO], vec![ED25519_BASEPOINT_POINT]);
    for (key, digest, signature) in checks {
        let Some(claim) = Claim::decode(key, digest, signature) else { return false };
        let weight = Scalar::from(coefficients());
        scalars[0] -= weight * claim.response;
        scalars.extend([weight, weight * claim.challenge]);
        points.extend([claim.commitment, claim.key]);
    }
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).mul_by_cofactor().is_identity()
}
