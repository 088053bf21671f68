//! What a payer signs to pay: cumulative, monotone promises over a channel.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Canonical, ChannelId, Credits, NodeId, ReceiptId};

/// "Of this channel, `cumulative` is yours." The largest voucher is the whole truth: a later
/// one replaces all before it, so there is never a second sum to reconcile.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voucher {
    /// The channel that pays.
    pub channel: ChannelId,
    /// Counts the payer's vouchers on this channel; never repeats.
    pub sequence: u64,
    /// All that the provider may take from the channel since it was opened.
    pub cumulative: Credits,
    /// The receipt that this voucher acknowledges, if it ends a job. With it the payer's
    /// signature stands under the receipt, too.
    pub receipt: Option<ReceiptId>,
}

impl Canonical for Voucher {
    const DOMAIN: &'static str = "remuda/voucher/1";
}

/// The payer's word that a node (a gateway, say) may use a channel toward its provider.
/// Signed once per connection: whoever merely knows a channel's name cannot run up its bill.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelUse {
    /// The channel.
    pub channel: ChannelId,
    /// The node that will open jobs on it.
    pub client: NodeId,
}

impl Canonical for ChannelUse {
    const DOMAIN: &'static str = "remuda/channel-use/1";
}
