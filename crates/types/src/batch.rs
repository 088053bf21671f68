//! Many signatures checked at once, by the same rule as one at a time.

use crate::{Canonical, Hash, PublicKey, Signature, Signed, zip215};

/// The most signatures in one equation. One bad signature costs this many single checks.
const BATCH_MAX: usize = 256;
/// Below this a batch is no faster than single checks.
const BATCH_MIN: usize = 4;

/// A signature to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Who is said to have signed.
    pub signer: PublicKey,
    /// What is said to be signed.
    pub digest: Hash,
    /// The signature.
    pub signature: Signature,
}

impl SignatureCheck {
    /// Checks this signature alone.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.signer.verifies(&self.digest, &self.signature)
    }
}

impl<T: Canonical> From<&Signed<T>> for SignatureCheck {
    fn from(signed: &Signed<T>) -> Self {
        let digest = signed.body.digest();
        Self { signer: signed.signer, digest, signature: signed.signature }
    }
}

/// Whether each of `checks` holds, in order. The verdicts are those of
/// [`SignatureCheck::holds`], at a fraction of the cost.
///
/// The coefficients of the batch equation are drawn from a generator keyed by the digest of
/// all keys, messages and signatures of the batch, as BIP 340 recommends: whoever changes one
/// bit of the batch changes all coefficients, so finding a bad batch that passes takes about
/// 2^128 attempts, and the verdict is a function of the input alone.
#[must_use]
pub fn verify_each(checks: &[SignatureCheck]) -> Vec<bool> {
    checks.chunks(BATCH_MAX).flat_map(verify_chunk).collect()
}

fn verify_chunk(checks: &[SignatureCheck]) -> Vec<bool> {
    if checks.len() >= BATCH_MIN && batch_holds(checks) {
        return vec![true; checks.len()];
    }
    checks.iter().map(SignatureCheck::holds).collect()
}

fn batch_holds(checks: &[SignatureCheck]) -> bool {
    let mut seed = blake3::Hasher::new_derive_key("remuda/signature-batch/1");
    for check in checks {
        seed.update(&check.signer.0).update(&check.digest.0).update(&check.signature.0);
    }
    let mut output = seed.finalize_xof();
    let coefficients = || {
        let mut bytes = [0; 16];
        output.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    };
    let checks = checks.iter().map(|check| (&check.signer, &check.digest, &check.signature));
    zip215::all_hold(checks, coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    fn checks(count: usize) -> Vec<SignatureCheck> {
        (0..count)
            .map(|index| {
                let key = SecretKey::from_seed([u8::try_from(index % 7).unwrap(); 32]);
                let digest = Hash::derive("test", &index.to_le_bytes());
                SignatureCheck { signer: key.public(), digest, signature: key.sign(&digest) }
            })
            .collect()
    }

    #[test]
    fn good_batches_of_every_size_hold() {
        for count in [0, 1, BATCH_MIN, 40, BATCH_MAX + 3] {
            assert_eq!(verify_each(&checks(count)), vec![true; count]);
        }
    }

    #[test]
    fn one_bad_signature_is_found_and_spoils_no_other() {
        for bad in [0, 3, 9] {
            let mut checks = checks(10);
            checks[bad].signature.0[40] ^= 1;
            let verdicts = verify_each(&checks);
            assert!(verdicts.iter().enumerate().all(|(index, ok)| *ok == (index != bad)));
        }
    }

    #[test]
    fn swapped_messages_and_foreign_keys_do_not_cancel_out() {
        let mut swapped = checks(8);
        (swapped[1].digest, swapped[2].digest) = (swapped[2].digest, swapped[1].digest);
        let verdicts = verify_each(&swapped);
        assert_eq!(verdicts[..4], [true, false, false, true]);
        let mut foreign = checks(8);
        foreign[5].signer = PublicKey([0xff; 32]);
        assert!(!verify_each(&foreign)[5]);
    }
}
