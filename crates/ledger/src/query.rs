//! What can be read from the ledger, and the records it keeps.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::job::JobKind;
use remuda_types::{
    AccountId, ChannelId, Credits, Hash, Height, ManifestHash, NetworkId, NodeId, PublicKey,
    TimestampMs, Tokens,
};
use serde::{Deserialize, Serialize};

use crate::accounts::{AccountsAnswer, AccountsQuery};
use crate::economy::Economy;
use crate::ledger::Proven;
use crate::money::{Flow, Purse, Vault};

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}
pub(crate) use record;

record! {
    /// An account.
    Account {
        /// Transferable tokens.
        tokens: Tokens,
        /// Credits to spend. They do not move between accounts.
        credits: Credits,
        /// Credits earned as a provider; not spendable as such.
        earned: Credits,
    }
}

record! {
    /// A session key.
    Session {
        /// The session key.
        session: PublicKey,
        /// Whose credits it spends.
        account: AccountId,
        /// All that it may ever spend.
        cap: Credits,
        /// What it has spent: what its channels paid out.
        spent: Credits,
        /// What its open channels hold.
        locked: Credits,
        /// When it ends.
        expires_at: TimestampMs,
        /// Whether its account ended it.
        revoked: bool,
    }
}

record! {
    /// A channel. It exists from opening until it is closed or expired.
    Channel {
        /// Its name.
        id: ChannelId,
        /// Who signs its vouchers.
        payer: PublicKey,
        /// Whose credits it holds.
        account: AccountId,
        /// Who is paid.
        provider: NodeId,
        /// The node that uses it.
        client: NodeId,
        /// All that was locked.
        deposit: Credits,
        /// What the provider has taken.
        redeemed: Credits,
        /// When the rest goes back.
        expires_at: TimestampMs,
        /// Set when the payer asked to close: from this time anyone may expire it.
        closes_at: Option<TimestampMs>,
    }
}

record! {
    /// A provider's registration.
    Provider {
        /// Its node key.
        node: NodeId,
        /// The account that earns.
        reward: AccountId,
        /// A name for people.
        name: String,
        /// Since which block.
        registered_at: Height,
    }
}

record! {
    /// A model's registration.
    Model {
        /// The public name.
        name: String,
        /// Exactly which model.
        manifest: ManifestHash,
        /// The kinds of jobs it serves.
        kinds: Vec<JobKind>,
        /// The licence's SPDX name.
        licence: String,
        /// Who registered it.
        owner: AccountId,
    }
}

record! {
    /// A block's header.
    Header {
        /// The network.
        network: NetworkId,
        /// Its position; the genesis is 0.
        height: Height,
        /// Block time. It never runs backwards.
        time: TimestampMs,
        /// The digest of the header before.
        parent: Hash,
        /// The digest over the transactions.
        transactions: Hash,
        /// The Merkle root of the state after this block.
        state: Hash,
        /// The digest over the outcomes.
        outcomes: Hash,
        /// The beacon value of this block. The embedded validator's is a hash chain, which
        /// its operator could predict: good for tests and one's own network only.
        beacon: Hash,
    }
}

impl remuda_types::Canonical for Header {
    const DOMAIN: &'static str = "remuda/header/1";
}

record! {
    /// All money there is. The invariants of the ledger are sums over it.
    Supply {
        /// Tokens of all accounts and vaults.
        tokens: Tokens,
        /// All tokens ever minted; equals `tokens + burned`.
        minted: Tokens,
        /// All tokens ever burned.
        burned: Tokens,
        /// Credits to spend of all accounts.
        credits: Credits,
        /// Credits held by open channels and not yet taken.
        locked: Credits,
        /// Credits in vaults.
        vaulted: Credits,
        /// Credits earned by providers.
        earned: Credits,
        /// All credits that ended: settled in tokens, or paid out.
        retired: Credits,
        /// All credits ever made; equals `credits + locked + vaulted + earned + retired`.
        granted: Credits,
    }
}

record! {
    /// A record, or its absence, proven against the state of a header.
    Proof {
        /// The header.
        header: Header,
        /// The record's bytes and the proof.
        proven: Proven,
    }
}

/// A question to the ledger's current state.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Query {
    /// The newest block.
    Head,
    /// An account; an unknown one is empty.
    Account(AccountId),
    /// The next nonce of a key.
    Nonce(PublicKey),
    /// A session key.
    Session(PublicKey),
    /// The sessions of an account.
    SessionsOf(AccountId),
    /// A channel.
    Channel(ChannelId),
    /// The channels that a key pays.
    ChannelsOfPayer(PublicKey),
    /// The channels that pay a provider.
    ChannelsOfProvider(NodeId),
    /// A provider's registration.
    Provider(NodeId),
    /// All registered providers.
    Providers,
    /// All registered models.
    Models,
    /// All money there is.
    Supply,
    /// The rules of the economy.
    Economy,
    /// What a vault holds.
    Vault(Vault),
    /// All that was minted or burned, by reason.
    Flows,
    /// The record whose leaf is named by these bytes ([`StateKey::to_bytes`]), or its absence,
    /// with the proof.
    ///
    /// [`StateKey::to_bytes`]: crate::StateKey::to_bytes
    Prove(Vec<u8>),
    /// About accounts of several keys, grants, allocations and fees.
    Accounts(AccountsQuery),
    /// Of credits and the oracle.
    Credits(crate::credits::CreditsQuery),
    /// Held payouts, escrow accounts and orders.
    Escrow(crate::escrow::EscrowQuery),

    /// About devices, certificates and licences.
    Devices(crate::devices::DevicesQuery),

    /// Something about stake.
    Stake(crate::stake::StakeQuery),
    /// About epochs.
    Epochs(crate::epochs::EpochQuery),

    /// Of points, teams, chests and certificates.
    Points(crate::points::PointsQuery),
    /// About governance, treasury and pool.
    Governance(crate::governance::GovernanceQuery),
    /// Disputes, checkers and convictions.
    Disputes(crate::disputes::DisputeQuery),
}

/// The answer to a [`Query`], variant by variant.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// To `Head`.
    Head(Header),
    /// To `Account`.
    Account(Account),
    /// To `Nonce`.
    Nonce(u64),
    /// To `Session`.
    Session(Option<Session>),
    /// To `SessionsOf`.
    Sessions(Vec<Session>),
    /// To `Channel`.
    Channel(Option<Channel>),
    /// To `ChannelsOfPayer` and `ChannelsOfProvider`.
    Channels(Vec<Channel>),
    /// To `Provider`.
    Provider(Option<Provider>),
    /// To `Providers`.
    Providers(Vec<Provider>),
    /// To `Models`.
    Models(Vec<Model>),
    /// To `Supply`.
    Supply(Supply),
    /// To `Economy`.
    Economy(Box<Economy>),
    /// To `Vault`.
    Vault(Purse),
    /// To `Prove`.
    Proof(Box<Proof>),
    /// To `Flows`.
    Flows(Vec<(Flow, Tokens)>),
    /// To `Accounts`.
    Accounts(AccountsAnswer),
    /// To `Credits`.
    Credits(crate::credits::CreditsAnswer),
    /// To `Escrow`.
    Escrow(crate::escrow::EscrowAnswer),

    /// To `Devices`.
    Devices(Box<crate::devices::DevicesAnswer>),

    /// To `Stake`.
    Stake(Box<crate::stake::StakeAnswer>),
    /// To `Epochs`.
    Epochs(Box<crate::epochs::EpochAnswer>),

    /// To `Points`.
    Points(crate::points::PointsAnswer),
    /// To `Governance`.
    Governance(Box<crate::governance::GovernanceAnswer>),
    /// To `Disputes`.
    Disputes(crate::disputes::DisputeAnswer),
}
