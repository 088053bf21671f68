//! Names of things: each its own type, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Hash, PublicKey};

/// A node's key is its name and its address on the network.
pub type NodeId = PublicKey;

/// A block's position in the chain; the genesis state is height 0.
pub type Height = u64;

/// Milliseconds since the Unix epoch.
pub type TimestampMs = u64;

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Hash);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = hex::FromHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

hash_id! {
    /// An account of the ledger. A single-key account is named by its public key's bytes;
    /// an account with several keys will be named by a digest of its rule.
    AccountId
}
hash_id! {
    /// A channel: the digest of its payer, provider and nonce.
    ChannelId
}
hash_id! {
    /// What a buyer asked for, once, whatever it took to serve it.
    OrderId
}
hash_id! {
    /// One job: it keeps its name over all attempts and providers.
    JobId
}
hash_id! {
    /// The digest of a model manifest: exactly which weights, tokenizer and template.
    ManifestHash
}
hash_id! {
    /// The digest of a network's genesis: transactions of one network mean nothing on another.
    NetworkId
}
hash_id! {
    /// The digest of a receipt's body.
    ReceiptId
}

impl From<PublicKey> for AccountId {
    fn from(key: PublicKey) -> Self {
        Self(Hash(key.0))
    }
}

impl ChannelId {
    /// The name of the channel that `payer` opens toward `provider` with `nonce`.
    #[must_use]
    pub fn derive(payer: &PublicKey, provider: &NodeId, nonce: &[u8; 32]) -> Self {
        let bytes = [payer.0, provider.0, *nonce].concat();
        Self(Hash::derive("remuda/channel-id/1", &bytes))
    }
}

impl JobId {
    /// The name of the job that serves `order`.
    #[must_use]
    pub fn derive(order: &OrderId) -> Self {
        Self(Hash::derive("remuda/job-id/1", order.0.as_bytes()))
    }
}
