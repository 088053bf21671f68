//! Texts that people paste and programs exchange.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use remuda_ledger::Genesis;
use remuda_net::address;
use remuda_provider::control::{Command, Reply};
use remuda_types::{ChannelId, FinalReceipt, Hash, PublicKey, SecretKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A node's address in one line.
pub fn node_address(bytes: &[u8]) {
    let Ok(parsed) = address::parse(text(bytes)) else { return };
    assert!(parsed.direct.len() <= address::DIRECT_MAX);
    let again = address::format(&parsed);
    if again.len() <= address::TEXT_BYTES_MAX {
        assert_eq!(address::parse(&again).as_ref(), Ok(&parsed), "{again}");
    }
}

/// An API key: a key has one text.
pub fn api_key(bytes: &[u8]) {
    if let Ok(key) = SecretKey::from_api_key(text(bytes)) {
        assert!(key.to_api_key().as_bytes() == bytes, "another text of the same key");
    }
}

fn one_text<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text, "another text of the same name");
    }
}

/// Names and keys in hexadecimal digits.
pub fn names(bytes: &[u8]) {
    one_text::<Hash>(text(bytes));
    one_text::<ChannelId>(text(bytes));
    one_text::<PublicKey>(text(bytes));
}

fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_string(&value).expect("what was read can be written");
    let again: T = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(again, value, "{text}");
    Some(value)
}

/// A receipt as people hand it on.
pub fn receipt_json(bytes: &[u8]) {
    if let Some(receipt) = json::<FinalReceipt>(bytes) {
        let _ = receipt.verify();
    }
}

/// How a network begins, as people write it.
pub fn genesis_json(bytes: &[u8]) {
    if let Some(genesis) = json::<Genesis>(bytes) {
        let _ = genesis.validate();
    }
}

/// A line on a provider's control socket, in either direction.
pub fn control_line(bytes: &[u8]) {
    json::<Command>(bytes);
    json::<Reply>(bytes);
}
