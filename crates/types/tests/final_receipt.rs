//! A receipt that anybody can check offline, and nobody can bend.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod support;

use proptest::prelude::*;
use remuda_types::{
    Canonical, ChannelId, Credits, FinalReceipt, Hash, Receipt, ReceiptError, SecretKey, Signed,
};
use support::*;

fn bent(change: impl FnOnce(&mut Receipt)) -> Result<(), ReceiptError> {
    let mut receipt = receipt();
    change(&mut receipt);
    signed_by_both(receipt).verify()
}

#[test]
fn an_honest_receipt_holds() {
    assert_eq!(final_receipt().verify(), Ok(()));
}

#[test]
fn the_amount_must_follow_from_price_and_units() {
    assert_eq!(bent(|receipt| receipt.amount = Credits(3)), Err(ReceiptError::Amount));
    assert_eq!(bent(|receipt| receipt.usage.units_out += 40), Err(ReceiptError::Amount));
    let overflow = |receipt: &mut Receipt| {
        (receipt.usage.units_in, receipt.price.input) = (u64::MAX, u64::MAX);
    };
    assert_eq!(bent(overflow), Err(ReceiptError::Amount));
}

#[test]
fn the_cumulative_sum_covers_the_amount() {
    assert_eq!(bent(|receipt| receipt.cumulative = Credits(1)), Err(ReceiptError::Cumulative));
}

#[test]
fn both_sides_must_have_signed() {
    let stranger = SecretKey::from_seed([9; 32]);
    let mut foreign = final_receipt();
    foreign.receipt = Signed::sign(foreign.receipt.body, &stranger);
    assert_eq!(foreign.verify(), Err(ReceiptError::ProviderSignature));
    let mut foreign = final_receipt();
    foreign.voucher = Signed::sign(foreign.voucher.body, &stranger);
    assert_eq!(foreign.verify(), Err(ReceiptError::PayerSignature));
}

#[test]
fn the_voucher_must_be_for_this_receipt_and_pay_it() {
    let with = |change: fn(&mut remuda_types::Voucher)| {
        let mut receipt = final_receipt();
        change(&mut receipt.voucher.body);
        receipt.voucher = Signed::sign(receipt.voucher.body, &payer());
        receipt.verify()
    };
    assert_eq!(with(|v| v.receipt = None), Err(ReceiptError::OtherReceipt));
    assert_eq!(with(|v| v.channel = ChannelId(Hash([0; 32]))), Err(ReceiptError::OtherReceipt));
    assert_eq!(with(|v| v.cumulative = Credits(1)), Err(ReceiptError::Unpaid));
    assert_eq!(with(|v| v.cumulative = Credits(2)), Ok(()));
}

/// Every single byte, in the binary form: all 255 other values of a few, one other of each.
#[test]
fn every_flipped_byte_is_found() {
    let bytes = final_receipt().to_canonical();
    for at in 0..bytes.len() {
        for flip in [1, 0x20, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            assert!(!holds_binary(&bytes), "byte {at} ^ {flip:#x}");
        }
    }
}

/// The same in the JSON form, in which receipts are handed to people.
#[test]
fn every_flipped_character_is_found() {
    let text = serde_json::to_vec(&final_receipt()).unwrap();
    assert!(holds_json(&text));
    for at in 0..text.len() {
        for flip in [1, 2, 0x10, 0x20, 0x80] {
            let mut text = text.clone();
            text[at] ^= flip;
            assert!(!holds_json(&text), "character {at} ^ {flip:#x}: {}", text.escape_ascii());
        }
    }
}

fn holds_binary(bytes: &[u8]) -> bool {
    FinalReceipt::from_canonical(bytes).is_ok_and(|receipt| receipt.verify().is_ok())
}

fn holds_json(text: &[u8]) -> bool {
    serde_json::from_slice::<FinalReceipt>(text).is_ok_and(|receipt| receipt.verify().is_ok())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_flip_in_any_receipt_is_found(
        receipt in any_receipt(),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let receipt = signed_by_both(receipt);
        prop_assert_eq!(receipt.verify(), Ok(()));
        let mut bytes = receipt.to_canonical();
        let index = at.index(bytes.len());
        bytes[index] ^= flip;
        prop_assert!(!holds_binary(&bytes));
        let mut text = serde_json::to_vec(&receipt).unwrap();
        prop_assert!(holds_json(&text));
        let index = at.index(text.len());
        text[index] ^= flip;
        prop_assert!(!holds_json(&text), "{}", text.escape_ascii());
    }

    #[test]
    fn json_and_binary_carry_the_same_receipt(receipt in any_receipt()) {
        let receipt = signed_by_both(receipt);
        let text = serde_json::to_string(&receipt).unwrap();
        prop_assert_eq!(serde_json::from_str::<FinalReceipt>(&text).unwrap(), receipt);
    }
}

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases: 128, ..config },
    }
}
