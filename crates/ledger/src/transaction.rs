//! What can be asked of the ledger.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::job::JobKind;
use remuda_types::{
    AccountId, Canonical, ChannelId, Credits, ManifestHash, NetworkId, NodeId, PublicKey, Signed,
    TimestampMs, Tokens, Voucher,
};
use serde::{Deserialize, Serialize};

use crate::accounts::AccountsAction;

/// A signed transaction, as it travels and as it is kept in a block.
pub type SignedTransaction = Signed<Transaction>;

/// The most vouchers in one [`Action::Redeem`].
pub const REDEEM_VOUCHERS_MAX: usize = 64;

/// One request to the ledger. It takes effect whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Transaction {
    /// The network it is for; on any other it is refused.
    pub network: NetworkId,
    /// The signer's next number. Each signing key counts for itself, from 0. A transaction
    /// that a block holds consumes it even when it is refused, unless its size, signature,
    /// network or nonce was wrong.
    pub nonce: u64,
    /// What is to happen.
    pub action: Action,
}

impl Canonical for Transaction {
    const DOMAIN: &'static str = "remuda/transaction/1";
}

/// What a transaction does. The signer is the actor: an account's key, a session key or a
/// node key, as each action says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// An account sends tokens.
    Transfer {
        /// To whom.
        to: AccountId,
        /// How much.
        amount: Tokens,
    },
    /// The genesis grantor creates credits for an account: the named mint of credits.
    GrantCredits {
        /// To whom.
        to: AccountId,
        /// How much.
        amount: Credits,
    },
    /// An account lets a session key spend up to a cap until a time.
    CreateSession {
        /// The session key's public half.
        session: PublicKey,
        /// All that it may ever spend.
        cap: Credits,
        /// When it ends.
        expires_at: TimestampMs,
    },
    /// An account ends a session key. Open channels run on until they close or expire.
    RevokeSession {
        /// The session key.
        session: PublicKey,
    },
    /// A payer (a session key, or an account's own key) locks credits toward one provider.
    OpenChannel {
        /// Makes the channel's name unique: [`ChannelId::derive`].
        nonce: [u8; 32],
        /// Who will be paid.
        provider: NodeId,
        /// The node that uses the channel: a gateway finds its own channels again by this.
        client: NodeId,
        /// How much is locked.
        deposit: Credits,
        /// When what is left goes back. A channel of a session key ends with its session at
        /// the latest.
        expires_at: TimestampMs,
    },
    /// The payer locks more.
    TopUpChannel {
        /// The channel.
        channel: ChannelId,
        /// How much more.
        amount: Credits,
    },
    /// The payer, or its account's key, wants the rest back: the provider has the grace period
    /// to redeem, then anyone may expire the channel.
    RequestClose {
        /// The channel.
        channel: ChannelId,
    },
    /// A provider (by node key) takes what vouchers promise beyond what it took before.
    Redeem {
        /// The vouchers, each of another channel toward this provider.
        vouchers: Vec<Signed<Voucher>>,
    },
    /// A provider (by node key) takes its last voucher and gives the rest back at once.
    CloseChannel {
        /// The channel.
        channel: ChannelId,
        /// The last voucher, if it says more than was redeemed.
        voucher: Option<Signed<Voucher>>,
    },
    /// Anyone ends a channel whose time, or grace after `RequestClose`, has passed.
    ExpireChannel {
        /// The channel.
        channel: ChannelId,
    },
    /// A provider (by node key) enters, or renews, its registration.
    RegisterProvider {
        /// The account that earns. Losing the node key loses no earnings.
        reward: AccountId,
        /// A name for people, at most 64 bytes.
        name: String,
    },
    /// A provider (by node key) leaves the registry. Its channels run on.
    DeregisterProvider,
    /// An account enters a model, so that its name means one manifest.
    RegisterModel {
        /// The public name, at most 128 bytes.
        name: String,
        /// Exactly which model.
        manifest: ManifestHash,
        /// The kinds of jobs it serves.
        kinds: Vec<JobKind>,
        /// The licence's SPDX name, at most 64 bytes.
        licence: String,
    },
    /// Accounts of several keys, and grants.
    Accounts(AccountsAction),
    /// Credits for tokens, tokens for credits, and prices.
    Credits(crate::credits::CreditsAction),
    /// Escrow accounts and leases.
    Lease(crate::escrow::LeaseAction),
    /// Orders in parts.
    Order(crate::escrow::OrderAction),

    /// An action on devices, certificates or licences.
    Devices(Box<crate::devices::DevicesAction>),

    /// Something about stake.
    Stake(Box<crate::stake::StakeAction>),
    /// Epochs: reports, and claims of rewards.
    Epochs(crate::epochs::EpochAction),

    /// Teams, invitations, chests, certificates, and what points become.
    Points(crate::points::PointsAction),
    /// An action of governance.
    Governance(Box<crate::governance::GovernanceAction>),
    /// Receipts' roots, evidence, challenges and checks.
    Dispute(crate::disputes::DisputeAction),
}
