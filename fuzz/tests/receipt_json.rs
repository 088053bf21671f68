//! A receipt as people hand it on, in pretty JSON: whoever changes one byte of it is found out.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used)]

use remuda_types::{Canonical, FinalReceipt};

fn receipt() -> FinalReceipt {
    let bytes = include_bytes!("../corpus/final_receipt/valid-00");
    FinalReceipt::from_canonical(bytes).unwrap()
}

fn read(text: &[u8]) -> Option<FinalReceipt> {
    serde_json::from_slice(text).ok()
}

/// Where JSON's white space is: outside of strings.
fn is_blank(text: &str) -> Vec<bool> {
    let (mut quoted, mut escaped) = (false, false);
    let blank = |byte: u8| {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            _ => {}
        }
        !quoted && byte.is_ascii_whitespace()
    };
    text.bytes().map(blank).collect()
}

/// All 255 other values of every byte that says something.
#[test]
fn every_changed_byte_is_refused_or_says_the_same() {
    let receipt = receipt();
    assert_eq!(receipt.verify(), Ok(()));
    let text = serde_json::to_string_pretty(&receipt).unwrap();
    let (mut refused, mut same) = (0, 0);
    for (at, _) in is_blank(&text).into_iter().enumerate().filter(|(_, blank)| !blank) {
        let mut changed = text.clone().into_bytes();
        for value in (0..=u8::MAX).filter(|value| *value != text.as_bytes()[at]) {
            changed[at] = value;
            match read(&changed) {
                Some(other) if other == receipt => same += 1,
                Some(other) => {
                    let text = changed.escape_ascii();
                    assert!(other.verify().is_err(), "byte {at} as {value:#x}: {text}");
                    refused += 1;
                }
                None => refused += 1,
            }
        }
    }
    // The seed's texts are plain: there is no second spelling of them by one byte.
    assert_eq!(same, 0);
    assert!(refused > 100_000, "{refused}");
}

#[test]
fn white_space_is_harmless() {
    let receipt = receipt();
    let text = serde_json::to_string_pretty(&receipt).unwrap();
    let blank = is_blank(&text);
    let compact: String =
        text.chars().zip(&blank).filter(|(_, blank)| !**blank).map(|(c, _)| c).collect();
    assert_eq!(compact, serde_json::to_string(&receipt).unwrap());
    let other: String = text
        .chars()
        .zip(&blank)
        .map(|(c, blank)| if *blank { "\r\n\t ".to_owned() } else { c.to_string() })
        .collect();
    for text in [compact, other] {
        assert_eq!(read(text.as_bytes()).as_ref(), Some(&receipt));
    }
}
