//! Channels: one per payer and provider, opened and filled when a job needs it, found again in
//! the ledger after a restart.
//!
//! Of a payer only public things are kept: the key itself comes with each request and leaves
//! with it.

mod account;
mod cell;
mod funding;
mod purse;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use remuda_chain::{LedgerClient, LedgerClientExt as _, LedgerError, Signer};
use remuda_ledger::{Action, Channel, TransactionError};
use remuda_types::{ChannelId, Credits, NodeId, PublicKey, SecretKey};

pub(crate) use account::Adoption;
pub(crate) use cell::Lease;
pub(crate) use funding::worst_case;

use crate::time::{in_ms, now_ms};
use crate::{DepositPolicy, RunError};
use account::ChannelAccount;
use cell::Cell;
use purse::{Purse, Purses};

/// The most payer–provider pairs remembered; beyond it idle ones are forgotten, and found again
/// in the ledger when needed.
const PAIRS_MAX: usize = 65_536;
/// The most idle channels that are asked to close when a payer runs short.
const RECLAIM_MAX: usize = 8;

/// What became of a pair's channel.
#[derive(Debug, Default)]
struct Pair {
    /// Held while a channel is opened or filled.
    funding: tokio::sync::Mutex<()>,
    cell: Mutex<Option<Arc<Cell>>>,
}

#[derive(Debug)]
pub(crate) struct ChannelPool {
    ledger: Arc<dyn LedgerClient>,
    node: NodeId,
    policy: DepositPolicy,
    window: Credits,
    purses: Arc<Purses>,
    pairs: Mutex<HashMap<(PublicKey, NodeId), Arc<Pair>>>,
}

impl ChannelPool {
    pub(crate) fn new(
        ledger: Arc<dyn LedgerClient>,
        node: NodeId,
        policy: DepositPolicy,
        window: Credits,
    ) -> Self {
        let purses = Arc::new(Purses::new(Arc::clone(&ledger), policy.margin));
        Self { ledger, node, policy, window, purses, pairs: Mutex::default() }
    }

    /// Checks that `payer` may spend at all.
    ///
    /// # Errors
    /// [`RunError::SessionUnknown`], [`RunError::SessionExpired`],
    /// [`RunError::LedgerUnreachable`].
    pub(crate) async fn check_payer(&self, payer: PublicKey) -> Result<(), RunError> {
        self.purses.check(payer).await
    }

    /// For each of `nodes`: whether `payer` has a channel toward it that takes jobs.
    pub(crate) fn open_toward(
        &self,
        payer: PublicKey,
        nodes: impl Iterator<Item = NodeId>,
    ) -> Vec<bool> {
        let pairs = self.pairs.lock();
        let usable = |pair: &Arc<Pair>| pair.cell.lock().as_ref().is_some_and(|it| self.lives(it));
        nodes.map(|node| pairs.get(&(payer, node)).is_some_and(usable)).collect()
    }

    /// A place on a channel for a job that may cost `worst`.
    ///
    /// # Errors
    /// [`RunError::Exhausted`], the session's errors, [`RunError::LedgerRefused`] or
    /// [`RunError::LedgerUnreachable`].
    pub(crate) async fn lease(
        &self,
        payer: &SecretKey,
        provider: NodeId,
        worst: Credits,
    ) -> Result<Lease, RunError> {
        let pair = self.pair(payer.public(), provider);
        // A provider takes a job only on a channel that holds a whole window.
        let worst = worst.max(self.window);
        if let Some(lease) = self.lease_current(&pair, worst) {
            return Ok(lease);
        }
        let _alone = pair.funding.lock().await;
        if let Some(lease) = self.lease_current(&pair, worst) {
            return Ok(lease);
        }
        let cell = self.fund(&pair, payer, provider, worst).await?;
        Ok(Cell::lease_at_most(&cell, worst))
    }

    /// Locks more for a running job, so that it can go on.
    ///
    /// # Errors
    /// As [`ChannelPool::lease`].
    pub(crate) async fn extend(
        &self,
        payer: &SecretKey,
        lease: &Lease,
        more: Credits,
    ) -> Result<(), RunError> {
        let purse = self.purses.ask(payer.public()).await?;
        let amount = funding::deposit(&self.policy, purse.left, more)?;
        self.top_up(payer, lease.cell(), amount, more).await?;
        lease.reserve_more(more.min(amount));
        Ok(())
    }

    fn pair(&self, payer: PublicKey, provider: NodeId) -> Arc<Pair> {
        let mut pairs = self.pairs.lock();
        if pairs.len() >= PAIRS_MAX {
            // A pair that nobody holds and whose channel has no job can be found again.
            pairs.retain(|_, pair| {
                let idle = pair.cell.lock().as_ref().is_none_or(|cell| cell.is_idle());
                Arc::strong_count(pair) > 1 || !idle
            });
        }
        Arc::clone(pairs.entry((payer, provider)).or_default())
    }

    fn lives(&self, cell: &Cell) -> bool {
        !cell.is_retired() && cell.expires_at() > now_ms().saturating_add(in_ms(self.policy.margin))
    }

    fn current(&self, pair: &Pair) -> Option<Arc<Cell>> {
        let cell = pair.cell.lock();
        cell.as_ref().filter(|cell| self.lives(cell)).map(Arc::clone)
    }

    fn lease_current(&self, pair: &Pair, worst: Credits) -> Option<Lease> {
        self.current(pair).and_then(|cell| Cell::lease(&cell, worst))
    }

    /// Makes sure that the pair has a channel with room; alone.
    async fn fund(
        &self,
        pair: &Pair,
        payer: &SecretKey,
        provider: NodeId,
        worst: Credits,
    ) -> Result<Arc<Cell>, RunError> {
        let cell = match self.current(pair) {
            Some(cell) => Some(cell),
            None => self.find(payer.public(), provider).await?,
        };
        let funded = match cell {
            Some(cell) => self.fill(payer, cell, worst).await,
            None => self.open(payer, provider, worst).await,
        };
        if let Err(RunError::Exhausted { .. }) = &funded {
            self.reclaim(payer, provider).await;
        }
        let cell = funded?;
        *pair.cell.lock() = Some(Arc::clone(&cell));
        Ok(cell)
    }

    /// The channel of an earlier life that holds most.
    async fn find(
        &self,
        payer: PublicKey,
        provider: NodeId,
    ) -> Result<Option<Arc<Cell>>, RunError> {
        let soon = now_ms().saturating_add(in_ms(self.policy.margin));
        let ours = |it: &Channel| {
            it.provider == provider
                && it.client == self.node
                && it.closes_at.is_none()
                && it.expires_at > soon
        };
        let channels = self.ledger.channels_of_payer(payer).await.map_err(ledger_error)?;
        let retired = |it: &Channel| self.is_retired(payer, provider, it.id);
        let usable = channels.into_iter().filter(|it| ours(it) && !retired(it));
        let best = usable.max_by_key(|it| it.deposit.excess_over(it.redeemed));
        Ok(best.map(|it| {
            let (deposit, redeemed) = (it.deposit, it.redeemed);
            let account =
                ChannelAccount::recovered(it.id, deposit, redeemed, it.expires_at, now_ms());
            Arc::new(Cell::new(account, self.node, self.window))
        }))
    }

    fn is_retired(&self, payer: PublicKey, provider: NodeId, id: ChannelId) -> bool {
        let pair = self.pair(payer, provider);
        let cell = pair.cell.lock();
        cell.as_ref().is_some_and(|cell| cell.id() == id && cell.is_retired())
    }

    async fn fill(
        &self,
        payer: &SecretKey,
        cell: Arc<Cell>,
        worst: Credits,
    ) -> Result<Arc<Cell>, RunError> {
        let room = cell.room();
        let missing = worst.max(Credits(1)).excess_over(room);
        if missing.is_zero() {
            return Ok(cell);
        }
        let purse = self.purses.ask(payer.public()).await?;
        match funding::deposit(&self.policy, purse.left, missing) {
            Ok(amount) => self.top_up(payer, &cell, amount, worst).await.map(|()| cell),
            // What is in the channel may do for a job that does not come to its worst.
            Err(_) if funding::suffices(room, worst) => Ok(cell),
            Err(error) => Err(error),
        }
    }

    async fn top_up(
        &self,
        payer: &SecretKey,
        cell: &Cell,
        amount: Credits,
        needed: Credits,
    ) -> Result<(), RunError> {
        let action = Action::TopUpChannel { channel: cell.id(), amount };
        self.send(payer, action, needed).await?;
        cell.top_up(amount);
        Ok(())
    }

    async fn open(
        &self,
        payer: &SecretKey,
        provider: NodeId,
        worst: Credits,
    ) -> Result<Arc<Cell>, RunError> {
        let Purse { left, expires_at } = self.purses.ask(payer.public()).await?;
        let deposit = funding::deposit(&self.policy, left, worst)?;
        let expires_at = now_ms().saturating_add(in_ms(self.policy.life)).min(expires_at);
        let (client, nonce) = (self.node, rand::random());
        let action = Action::OpenChannel { nonce, provider, client, deposit, expires_at };
        self.send(payer, action, worst).await?;
        let id = ChannelId::derive(&payer.public(), &provider, &nonce);
        tracing::debug!(channel = %id, provider = provider.short(), %deposit, "channel opened");
        let account = ChannelAccount::opened(id, deposit, expires_at);
        Ok(Arc::new(Cell::new(account, self.node, self.window)))
    }

    /// Asks idle channels of this payer toward other providers to close, so that what they hold
    /// comes back after the ledger's grace. The job at hand does not wait for it.
    async fn reclaim(&self, payer: &SecretKey, except: NodeId) {
        let Ok(channels) = self.ledger.channels_of_payer(payer.public()).await else { return };
        let ours = channels.iter().filter(|it| it.client == self.node && it.provider != except);
        for channel in ours.take(RECLAIM_MAX) {
            let action = if channel.closes_at.unwrap_or(channel.expires_at) <= now_ms() {
                Action::ExpireChannel { channel: channel.id }
            } else if channel.closes_at.is_none() && self.retire_idle(payer.public(), channel) {
                Action::RequestClose { channel: channel.id }
            } else {
                continue;
            };
            if let Err(error) = self.send(payer, action, Credits::ZERO).await {
                tracing::debug!(channel = %channel.id, %error, "not reclaimed");
            }
        }
    }

    /// Takes a channel out of use; false when a job runs on it.
    fn retire_idle(&self, payer: PublicKey, channel: &Channel) -> bool {
        let pair = self.pair(payer, channel.provider);
        let cell = pair.cell.lock();
        match cell.as_ref().filter(|cell| cell.id() == channel.id) {
            Some(cell) if cell.is_idle() => {
                cell.retire();
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    async fn send(
        &self,
        payer: &SecretKey,
        action: Action,
        needed: Credits,
    ) -> Result<(), RunError> {
        let signer = Signer::new(Arc::clone(&self.ledger), payer.clone());
        match signer.send(action).await {
            Ok(_) => Ok(()),
            Err(LedgerError::Refused(refusal)) => Err(refused(refusal, needed)),
            Err(error) => Err(ledger_error(error)),
        }
    }
}

/// A failed question to the ledger, as a job's error.
#[expect(clippy::needless_pass_by_value, reason = "it is used as a function for map_err")]
pub(crate) fn ledger_error(error: LedgerError) -> RunError {
    RunError::LedgerUnreachable { reason: error.to_string() }
}

fn refused(refusal: TransactionError, needed: Credits) -> RunError {
    match refusal {
        TransactionError::SessionCap { left, .. } => RunError::Exhausted { needed, left },
        TransactionError::InsufficientCredits { available: left, .. } => {
            RunError::Exhausted { needed, left }
        }
        TransactionError::SessionExpired { .. } | TransactionError::SessionRevoked => {
            RunError::SessionExpired
        }
        TransactionError::UnknownSession => RunError::SessionUnknown,
        other => RunError::LedgerRefused { code: other.code().into(), reason: other.to_string() },
    }
}
