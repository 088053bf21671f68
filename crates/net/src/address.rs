//! The text form of a node's address: `<64 hex digits>@ip:port,ip:port?relay=url`.
//!
//! Addresses and relay are both optional: `<64 hex digits>` alone names a node whose address is
//! known from elsewhere.

use std::fmt::Write as _;
use std::net::SocketAddr;

use iroh::{EndpointAddr, PublicKey as IrohKey, RelayUrl};
use remuda_types::{KeyError, NodeAddress, NodeId};
use thiserror::Error;

/// The most direct addresses of one node that are kept or tried.
pub const DIRECT_MAX: usize = 8;

/// The longest text that is read as an address, in bytes.
pub const TEXT_BYTES_MAX: usize = 2048;

const RELAY_MARK: &str = "?relay=";

/// Why text is not a node's address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is absurdly long.
    #[error("an address has at most {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The part before `@` is not a node's key.
    #[error("the part before '@' must be the node's key: {0}")]
    Node(#[from] KeyError),
    /// A part after `@` is not `ip:port`.
    #[error("'{0}' is not ip:port (for IPv6, [ip]:port)")]
    Direct(String),
    /// More addresses than a node may have.
    #[error("a node has at most {DIRECT_MAX} addresses")]
    TooMany,
    /// The relay is not an http or https URL.
    #[error("'{0}' is not the http or https URL of a relay")]
    Relay(String),
}

impl AddressError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "address_too_long",
            Self::Node(_) => "address_node",
            Self::Direct(_) => "address_direct",
            Self::TooMany => "address_too_many",
            Self::Relay(_) => "address_relay",
        }
    }
}

/// The text form of `address`.
#[must_use]
pub fn format(address: &NodeAddress) -> String {
    let mut text = address.node.to_string();
    for (index, direct) in address.direct.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{direct}", if index == 0 { '@' } else { ',' });
    }
    if let Some(relay) = &address.relay {
        text.push_str(RELAY_MARK);
        text.push_str(relay);
    }
    text
}

/// Reads the text form.
///
/// # Errors
/// [`AddressError`] names the part that is wrong.
pub fn parse(text: &str) -> Result<NodeAddress, AddressError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    let (place, relay) = match text.split_once(RELAY_MARK) {
        Some((place, relay)) => (place, Some(relay)),
        None => (text, None),
    };
    let (node, direct) = match place.split_once('@') {
        Some((node, direct)) => (node, direct.split(',').map(parse_direct).collect()),
        None => (place, Ok(Vec::new())),
    };
    let (node, direct): (NodeId, Vec<SocketAddr>) = (node.parse()?, direct?);
    if direct.len() > DIRECT_MAX {
        return Err(AddressError::TooMany);
    }
    let relay = relay.map(|url| parse_relay(url).map(|_| url.to_owned())).transpose()?;
    Ok(NodeAddress { node, direct, relay })
}

fn parse_direct(text: &str) -> Result<SocketAddr, AddressError> {
    text.parse().map_err(|_| AddressError::Direct(text.to_owned()))
}

/// Reads a relay's URL.
pub(crate) fn parse_relay(text: &str) -> Result<RelayUrl, AddressError> {
    let url: RelayUrl = text.parse().map_err(|_| AddressError::Relay(text.to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(AddressError::Relay(text.to_owned()));
    }
    Ok(url)
}

/// The address as iroh takes it. Addresses beyond [`DIRECT_MAX`] are not tried.
pub(crate) fn to_iroh(address: &NodeAddress) -> Result<EndpointAddr, AddressError> {
    let node = IrohKey::from_bytes(&address.node.0)
        .map_err(|_| AddressError::Node(KeyError::NotAPoint))?;
    let mut to = EndpointAddr::new(node);
    for direct in address.direct.iter().take(DIRECT_MAX) {
        to = to.with_ip_addr(*direct);
    }
    match &address.relay {
        Some(relay) => Ok(to.with_relay_url(parse_relay(relay)?)),
        None => Ok(to),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remuda_types::SecretKey;

    use super::*;

    fn node(seed: u8) -> NodeId {
        SecretKey::from_seed([seed; 32]).public()
    }

    #[test]
    fn a_whole_address_reads_as_written() {
        let address = NodeAddress {
            node: node(1),
            direct: vec!["10.0.0.1:4000".parse().unwrap(), "[::1]:4001".parse().unwrap()],
            relay: Some("https://relay.example.org:444/?a=b@c,d".to_owned()),
        };
        let text = format(&address);
        let tail = "@10.0.0.1:4000,[::1]:4001?relay=https://relay.example.org:444/?a=b@c,d";
        assert_eq!(text, format!("{}{tail}", node(1)));
        assert_eq!(parse(&text), Ok(address));
    }

    #[test]
    fn each_flaw_has_its_error() {
        let key = node(2);
        let code = |text: String| parse(&text).unwrap_err().code();
        assert_eq!(code("nonsense".to_owned()), "address_node");
        assert_eq!(code(format!("{key}@")), "address_direct");
        assert_eq!(code(format!("{key}@localhost:1")), "address_direct");
        assert_eq!(code(format!("{key}@{}", ["1.2.3.4:5"; 9].join(","))), "address_too_many");
        assert_eq!(code(format!("{key}?relay=ftp://relay")), "address_relay");
        assert_eq!(code(format!("{key}?relay=")), "address_relay");
        assert_eq!(code("0".repeat(TEXT_BYTES_MAX + 1)), "address_too_long");
    }

    proptest! {
        #[test]
        fn text_round_trips(
            seed: u8,
            direct in prop::collection::vec(any::<SocketAddr>(), 0..=DIRECT_MAX),
            relay in prop::option::of("https?://[a-z]{1,20}(:[1-9][0-9]{0,3})?/[a-z]{0,9}"),
        ) {
            // A flow label has no place in the text of an IPv6 address.
            let direct: Vec<SocketAddr> =
                direct.iter().map(|addr| SocketAddr::new(addr.ip(), addr.port())).collect();
            let address = NodeAddress { node: node(seed), direct, relay };
            prop_assert_eq!(parse(&format(&address)), Ok(address));
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
