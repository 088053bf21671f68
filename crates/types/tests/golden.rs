//! The wire formats, byte for byte. A failure here means that signatures and digests made by
//! earlier builds no longer hold: raise the type's format version and domain instead.
//!
//! `UPDATE_GOLDEN=1` writes the files of `tests/golden/` anew: for new records only.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Debug;
use std::path::PathBuf;

use borsh::{BorshDeserialize, BorshSerialize};
use proptest::prelude::*;
use remuda_types::{Canonical, CodecError, Signed, Voucher};
use support::*;

/// Checks `bytes` and `digest` against the file, or writes it when asked to.
fn check_golden(name: &str, bytes: &[u8], digest: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let digits = hex::encode(bytes);
    let lines = digits.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line));
    let text = format!("{digest}\n\n{}\n", lines.collect::<Vec<_>>().join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, golden, "{name}: the wire format changed");
}

fn check_canonical<T: Canonical + PartialEq + Debug>(name: &str, value: &T) {
    let bytes = value.to_canonical();
    check_golden(name, &bytes, &value.digest().to_string());
    assert_eq!(T::from_canonical(&bytes).as_ref(), Ok(value));
    for end in 0..bytes.len() {
        assert!(T::from_canonical(&bytes[..end]).is_err(), "{name} cut at {end}");
    }
    assert!(T::from_canonical(&[&bytes[..], &[0]].concat()).is_err());
    for version in (0..=u8::MAX).filter(|version| *version != T::VERSION) {
        let other = [&[version], &bytes[1..]].concat();
        let expected = CodecError::Version { found: version, supported: T::VERSION };
        assert_eq!(T::from_canonical(&other), Err(expected));
    }
}

fn check_borsh<T>(name: &str, value: &T, digest: &str)
where
    T: BorshSerialize + BorshDeserialize + PartialEq + Debug,
{
    let bytes = borsh::to_vec(value).unwrap();
    check_golden(name, &bytes, digest);
    assert_eq!(&borsh::from_slice::<T>(&bytes).unwrap(), value);
    for end in 0..bytes.len() {
        assert!(borsh::from_slice::<T>(&bytes[..end]).is_err(), "{name} cut at {end}");
    }
    assert!(borsh::from_slice::<T>(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn voucher_bytes() {
    check_canonical("voucher.hex", &voucher());
}

#[test]
fn signed_voucher_bytes() {
    let signed = Signed::sign(voucher(), &payer());
    check_borsh("signed_voucher.hex", &signed, &voucher().digest().to_string());
    assert_eq!(signed.verify(), Ok(()));
}

#[test]
fn receipt_bytes() {
    check_canonical("receipt.hex", &receipt());
}

#[test]
fn final_receipt_bytes() {
    check_canonical("final_receipt.hex", &final_receipt());
    assert_eq!(final_receipt().verify(), Ok(()));
}

#[test]
fn channel_use_bytes() {
    check_canonical("channel_use.hex", &channel_use());
}

#[test]
fn announcement_bytes() {
    check_canonical("announcement.hex", &announcement());
}

#[test]
fn job_input_bytes() {
    check_canonical("job_input.hex", &job_input());
    assert_eq!(job_input().validate(), Ok(()));
}

/// Two types with equal bytes have different digests: the domain is part of them.
#[test]
fn domains_are_unique() {
    let domains = [
        Voucher::DOMAIN,
        remuda_types::Receipt::DOMAIN,
        remuda_types::FinalReceipt::DOMAIN,
        remuda_types::ChannelUse::DOMAIN,
        remuda_types::Announcement::DOMAIN,
        remuda_types::job::JobInput::DOMAIN,
    ];
    let unique: std::collections::BTreeSet<_> = domains.iter().collect();
    assert_eq!(unique.len(), domains.len());
}

/// A map whose keys are out of order would be a second encoding of the same value.
#[test]
fn unsorted_maps_are_refused() {
    let remuda_types::job::JobInput::Generate(mut generate) = job_input() else { unreachable!() };
    generate.sampling.logit_bias =
        [(1, remuda_types::job::Millionths(1)), (2, remuda_types::job::Millionths(2))].into();
    let sorted = remuda_types::job::JobInput::Generate(generate).to_canonical();
    let entry = |token: u32, bias: i32| [token.to_le_bytes(), bias.to_le_bytes()].concat();
    let in_order = [entry(1, 1), entry(2, 2)].concat();
    let at = sorted.windows(16).position(|window| window == in_order).unwrap();
    for wrong in [[entry(2, 2), entry(1, 1)].concat(), [entry(1, 1), entry(1, 1)].concat()] {
        let mut bytes = sorted.clone();
        bytes[at..at + 16].copy_from_slice(&wrong);
        assert!(remuda_types::job::JobInput::from_canonical(&bytes).is_err());
    }
}

fn round_trip<T: Canonical + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let bytes = value.to_canonical();
    prop_assert_eq!(&T::from_canonical(&bytes).unwrap(), value);
    Ok(())
}

/// Whatever decodes encodes back to the same bytes.
fn one_encoding<T: Canonical>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::from_canonical(bytes) {
        prop_assert_eq!(value.to_canonical(), bytes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn records_round_trip(
        voucher in any_voucher(),
        receipt in any_receipt(),
        channel_use in any_channel_use(),
        announcement in any_announcement(),
        input in any_job_input(),
    ) {
        round_trip(&voucher)?;
        round_trip(&receipt)?;
        round_trip(&channel_use)?;
        round_trip(&announcement)?;
        round_trip(&input)?;
    }

    #[test]
    fn any_bytes_decode_to_one_value_or_none(
        mut bytes in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        bytes[0] = 1;
        one_encoding::<Voucher>(&bytes)?;
        one_encoding::<remuda_types::ChannelUse>(&bytes)?;
        one_encoding::<remuda_types::Announcement>(&bytes)?;
        one_encoding::<remuda_types::job::JobInput>(&bytes)?;
    }

    #[test]
    fn a_damaged_record_decodes_to_another_value_or_none(
        input in any_job_input(),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = input.to_canonical();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        one_encoding::<remuda_types::job::JobInput>(&bytes)?;
        if let Ok(other) = remuda_types::job::JobInput::from_canonical(&bytes) {
            prop_assert_ne!(other.digest(), input.digest());
        }
    }
}
