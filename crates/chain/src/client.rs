//! The ledger as its users see it, wherever it runs.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use borsh::{BorshDeserialize, BorshSerialize};
use remuda_ledger::{
    Account, Answer, Block, Channel, Economy, Effects, Header, Model, Outcome, Provider, Query,
    Session, SignedTransaction, Supply,
};
use remuda_types::{AccountId, ChannelId, Hash, Height, NetworkId, NodeId, PublicKey, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::LedgerError;

/// A transaction that took effect and is on disk.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct Included {
    /// The block that holds it.
    pub height: Height,
    /// The transaction's digest: [`transaction_digest`](crate::transaction_digest).
    pub digest: Hash,
    /// What it did.
    pub effects: Effects,
}

/// What became of a transaction that is in a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Found {
    /// The block that holds it.
    pub height: Height,
    /// Whether it took effect, or why not.
    pub outcome: Outcome,
}

impl Found {
    /// The answer that the submitter of the transaction gets.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] when it is in a block but took no effect.
    pub fn into_included(self, digest: Hash) -> Result<Included, LedgerError> {
        let effects = self.outcome.result().map_err(LedgerError::Refused)?;
        Ok(Included { height: self.height, digest, effects })
    }
}

/// A way to the ledger: the embedded [`Validator`](crate::Validator), or a
/// [`RemoteLedger`](crate::RemoteLedger).
#[async_trait]
pub trait LedgerClient: Send + Sync + Debug {
    /// Submits a transaction and waits until it is in a block that is on disk.
    ///
    /// Submitting the same signed transaction again is harmless: the answer is what became
    /// of it the first time.
    ///
    /// # Errors
    /// [`LedgerError`]; see there which ones leave the outcome open.
    async fn submit(&self, transaction: SignedTransaction) -> Result<Included, LedgerError>;

    /// Asks for a part of the newest state.
    ///
    /// # Errors
    /// Remotely, whatever the way to the validator brings.
    async fn query(&self, query: Query) -> Result<Answer, LedgerError>;

    /// The network that this ledger serves.
    ///
    /// # Errors
    /// Remotely, whatever the way to the validator brings.
    async fn network(&self) -> Result<NetworkId, LedgerError>;

    /// Blocks from height `from` on, at most `limit` and at most
    /// [`BLOCKS_MAX`](crate::protocol::BLOCKS_MAX), oldest first. Empty when there is none
    /// yet. The genesis (height 0) is no block.
    ///
    /// # Errors
    /// [`StorageError::Pruned`](crate::StorageError::Pruned) when the first is no longer kept.
    async fn blocks(&self, from: Height, limit: usize) -> Result<Vec<Block>, LedgerError>;

    /// What became of the transaction with this digest, if a block that is still kept holds
    /// it.
    ///
    /// # Errors
    /// Storage, or whatever the way to the validator brings.
    async fn lookup(&self, digest: Hash) -> Result<Option<Found>, LedgerError>;

    /// The newest header, as soon as its height is above `after`, or when `wait` (at most
    /// [`HEAD_WAIT_MAX`](crate::protocol::HEAD_WAIT_MAX)) is over.
    ///
    /// # Errors
    /// Remotely, whatever the way to the validator brings.
    async fn next_head(&self, after: Height, wait: Duration) -> Result<Header, LedgerError>;

    /// Moves block time on to `until`, and waits until every rule that became due has run: the
    /// newest header. Only on a network whose economy says `virtual_clock`.
    ///
    /// # Errors
    /// [`LedgerError::Protocol`] where block time is real; [`LedgerError::Timeout`] while rules
    /// still run.
    async fn advance(&self, _until: TimestampMs) -> Result<Header, LedgerError> {
        Err(LedgerError::protocol("block time on this network is real: nobody can move it"))
    }
}

macro_rules! expect_answer {
    ($answer:expr, $variant:ident) => {
        match $answer {
            Answer::$variant(value) => Ok(value),
            other => Err(mismatch(stringify!($variant), &other)),
        }
    };
}

fn mismatch(expected: &str, answer: &Answer) -> LedgerError {
    LedgerError::protocol(format!("expected the answer {expected}, got {answer:?}"))
}

/// Typed questions. Each costs one [`LedgerClient::query`] and has its errors.
#[async_trait]
pub trait LedgerClientExt: LedgerClient {
    /// The newest header.
    async fn head(&self) -> Result<Header, LedgerError> {
        expect_answer!(self.query(Query::Head).await?, Head)
    }

    /// An account; an unknown one is empty.
    async fn account(&self, account: AccountId) -> Result<Account, LedgerError> {
        expect_answer!(self.query(Query::Account(account)).await?, Account)
    }

    /// The next nonce of a key.
    async fn nonce(&self, key: PublicKey) -> Result<u64, LedgerError> {
        expect_answer!(self.query(Query::Nonce(key)).await?, Nonce)
    }

    /// A session key.
    async fn session(&self, session: PublicKey) -> Result<Option<Session>, LedgerError> {
        expect_answer!(self.query(Query::Session(session)).await?, Session)
    }

    /// The session keys of an account.
    async fn sessions_of(&self, account: AccountId) -> Result<Vec<Session>, LedgerError> {
        expect_answer!(self.query(Query::SessionsOf(account)).await?, Sessions)
    }

    /// A channel that is open.
    async fn channel(&self, channel: ChannelId) -> Result<Option<Channel>, LedgerError> {
        expect_answer!(self.query(Query::Channel(channel)).await?, Channel)
    }

    /// The open channels that a key pays.
    async fn channels_of_payer(&self, payer: PublicKey) -> Result<Vec<Channel>, LedgerError> {
        expect_answer!(self.query(Query::ChannelsOfPayer(payer)).await?, Channels)
    }

    /// The open channels that pay a provider.
    async fn channels_of_provider(&self, provider: NodeId) -> Result<Vec<Channel>, LedgerError> {
        expect_answer!(self.query(Query::ChannelsOfProvider(provider)).await?, Channels)
    }

    /// A provider's registration.
    async fn provider(&self, provider: NodeId) -> Result<Option<Provider>, LedgerError> {
        expect_answer!(self.query(Query::Provider(provider)).await?, Provider)
    }

    /// All registered providers.
    async fn providers(&self) -> Result<Vec<Provider>, LedgerError> {
        expect_answer!(self.query(Query::Providers).await?, Providers)
    }

    /// All registered models.
    async fn models(&self) -> Result<Vec<Model>, LedgerError> {
        expect_answer!(self.query(Query::Models).await?, Models)
    }

    /// The rules of the economy.
    async fn economy(&self) -> Result<Box<Economy>, LedgerError> {
        expect_answer!(self.query(Query::Economy).await?, Economy)
    }

    /// All money there is.
    async fn supply(&self) -> Result<Supply, LedgerError> {
        expect_answer!(self.query(Query::Supply).await?, Supply)
    }
}

impl<T: LedgerClient + ?Sized> LedgerClientExt for T {}
