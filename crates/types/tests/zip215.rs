//! The verdicts of ZIP-215 on what honest and other signers may produce, beside those of another
//! implementation of the same rule.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use remuda_types::{Hash, PublicKey, SecretKey, Signature, SignatureCheck, verify_each};
use sha2::{Digest as _, Sha512};

/// Every encoding of the eight points of small order: the canonical ones first.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The group's order, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn honest(seed: u8, message: &[u8]) -> SignatureCheck {
    let key = SecretKey::from_seed([seed; 32]);
    let digest = Hash::derive("test", message);
    SignatureCheck { signer: key.public(), digest, signature: key.sign(&digest) }
}

fn reference(check: &SignatureCheck) -> bool {
    let signature = ed25519_consensus::Signature::from(check.signature.0);
    ed25519_consensus::VerificationKey::try_from(check.signer.0)
        .is_ok_and(|key| key.verify(&signature, &check.digest.0).is_ok())
}

/// The verdict alone, which must be the reference's and that of a batch with good neighbours.
fn verdict(check: SignatureCheck) -> bool {
    let alone = check.holds();
    assert_eq!(alone, reference(&check), "{check:?}");
    let batch: Vec<_> = (1..6).map(|seed| honest(seed, b"neighbour")).chain([check]).collect();
    assert_eq!(verify_each(&batch), [true, true, true, true, true, alone], "{check:?}");
    alone
}

fn signature(commitment: [u8; 32], response: [u8; 32]) -> Signature {
    Signature([commitment, response].concat().try_into().unwrap())
}

#[test]
fn points_of_small_order_hold_in_every_encoding() {
    let points = SMALL_ORDER.map(|text| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap());
    let digest = Hash::derive("test", b"ZIP-215");
    for key in points {
        assert!(PublicKey(key).to_string().parse::<PublicKey>().is_ok());
        for commitment in points {
            let signature = signature(commitment, [0; 32]);
            assert!(verdict(SignatureCheck { signer: PublicKey(key), digest, signature }));
        }
    }
}

#[test]
fn keys_and_commitments_of_mixed_order_hold() {
    let (secret, nonce) = (Scalar::from(7_777_777_u64), Scalar::from(1_234_567_u64));
    let digest = Hash::derive("test", b"mixed");
    for torsion in EIGHT_TORSION {
        for other in EIGHT_TORSION {
            let key = (EdwardsPoint::mul_base(&secret) + torsion).compress().0;
            let commitment = (EdwardsPoint::mul_base(&nonce) + other).compress().0;
            let hash = Sha512::new().chain_update(commitment).chain_update(key);
            let hash: [u8; 64] = hash.chain_update(digest.0).finalize().into();
            let response = nonce + Scalar::from_bytes_mod_order_wide(&hash) * secret;
            let signature = signature(commitment, response.to_bytes());
            let check = SignatureCheck { signer: PublicKey(key), digest, signature };
            assert!(verdict(check));
            assert!(!verdict(SignatureCheck { digest: Hash::derive("test", b"x"), ..check }));
        }
    }
}

#[test]
fn a_response_that_is_not_reduced_does_not_hold() {
    let mut check = honest(3, b"malleated");
    let mut carry = 0;
    for (byte, order) in check.signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(!verdict(check));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_sign_alike_and_agree_on_damage(
        seed: [u8; 32],
        message: [u8; 32],
        part in 0_usize..3,
        bit in 0_usize..512,
    ) {
        let key = SecretKey::from_seed(seed);
        let other = ed25519_consensus::SigningKey::from(seed);
        let digest = Hash(message);
        let signature = key.sign(&digest);
        let mut check = SignatureCheck { signer: key.public(), digest, signature };
        prop_assert_eq!(check.signature.0, other.sign(&message).to_bytes());
        prop_assert_eq!(check.signer.0, other.verification_key().to_bytes());
        prop_assert!(verdict(check));
        let damaged = match part {
            0 => &mut check.signer.0[..],
            1 => &mut check.digest.0[..],
            _ => &mut check.signature.0[..],
        };
        let length = damaged.len();
        damaged[bit / 8 % length] ^= 1 << (bit % 8);
        prop_assert!(!verdict(check));
    }

    #[test]
    fn both_agree_on_noise(signer: [u8; 32], commitment: [u8; 32], response: [u8; 32]) {
        let signature = signature(commitment, response);
        let digest = Hash(commitment);
        verdict(SignatureCheck { signer: PublicKey(signer), digest, signature });
    }
}
