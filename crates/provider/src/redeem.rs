//! Keeps the ledger and the till in step: registration, channels, vouchers.
//!
//! Redeeming is idempotent: a voucher pays what it promises beyond what was taken before. So
//! after any doubt it is simply done again.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use remuda_chain::LedgerError;
use remuda_ledger::{Action, REDEEM_VOUCHERS_MAX};
use remuda_types::{AccountId, ChannelId, Credits};
use tokio::time::{Instant, timeout};

use crate::shared::{Shared, now_ms};
use crate::till::Account;

/// How often the registration is looked at once it stands.
const REGISTRATION_LOOK: Duration = Duration::from_secs(60);
/// The first wait after a failure; doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The shortest time between two rounds.
const ROUND_GAP: Duration = Duration::from_millis(100);
/// How long one transaction may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the last round may take.
const LAST_ROUND_WAIT: Duration = Duration::from_secs(4);
/// The most channels closed, or looked up because they vanished, in one round.
const CHANNELS_PER_ROUND_MAX: usize = 16;

/// Waits that double.
struct Backoff(Duration);

impl Backoff {
    const fn new() -> Self {
        Self(RETRY_FIRST)
    }

    const fn reset(&mut self) {
        self.0 = RETRY_FIRST;
    }

    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(RETRY_MAX);
        wait
    }
}

/// Registers this provider when its registration is missing or differs, and keeps it so.
pub(crate) async fn register(shared: Arc<Shared>, reward: AccountId) {
    let mut backoff = Backoff::new();
    while !shared.stop.is_cancelled() {
        let wait = match registered(&shared, reward).await {
            Ok(()) => {
                backoff.reset();
                REGISTRATION_LOOK
            }
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "not registered yet; trying again");
                backoff.next()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.stop.cancelled() => {}
        }
    }
}

async fn registered(shared: &Shared, reward: AccountId) -> Result<(), LedgerError> {
    learn_network(shared).await?;
    let known = shared.ledger.provider(shared.node).await?;
    let name = shared.name.clone();
    if known.is_none_or(|known| known.reward != reward || known.name != name) {
        send(shared, Action::RegisterProvider { reward, name }).await?;
    }
    shared.registered.store(true, Ordering::Relaxed);
    Ok(())
}

/// Learns the network if it was unknown at the start.
async fn learn_network(shared: &Shared) -> Result<(), LedgerError> {
    if shared.network.get().is_some() {
        return Ok(());
    }
    let network = shared.ledger.network().await?;
    match shared.till.bind_network(network).await {
        Ok(()) => drop(shared.network.set(network)),
        Err(error) => tracing::error!(%error, "no job can be served"),
    }
    Ok(())
}

async fn send(shared: &Shared, action: Action) -> Result<(), LedgerError> {
    let sending = shared.signer.send(action);
    match timeout(SEND_TIMEOUT, sending).await {
        Ok(sent) => sent.map(drop),
        Err(_) => Err(LedgerError::Timeout { after: SEND_TIMEOUT }),
    }
}

/// Redeems and closes until the provider stops, and once more then.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut redeemer = Redeemer::new(&shared);
    let mut backoff = Backoff::new();
    let mut wait = ROUND_GAP;
    while !shared.stop.is_cancelled() {
        redeemer.pause(wait).await;
        match redeemer.round().await {
            Ok(()) => {
                backoff.reset();
                wait = ROUND_GAP;
            }
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "not redeemed; trying again");
                wait = backoff.next();
            }
        }
    }
    if timeout(LAST_ROUND_WAIT, redeemer.last_round()).await.is_err() {
        tracing::warn!("the ledger did not take the last vouchers in time; they are kept");
    }
}

struct Redeemer<'a> {
    shared: &'a Shared,
    redeemed_at: Instant,
    /// When the channels were last looked at.
    watched_at: Option<Instant>,
}

impl<'a> Redeemer<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, redeemed_at: Instant::now(), watched_at: None }
    }

    /// Waits at least `least`, then for vouchers or the next regular look.
    async fn pause(&self, least: Duration) {
        let rest = async {
            tokio::time::sleep(least).await;
            tokio::select! {
                () = self.shared.redeem_due.notified() => {}
                () = tokio::time::sleep(self.shared.limits.watch_every) => {}
            }
        };
        tokio::select! {
            () = rest => {}
            () = self.shared.stop.cancelled() => {}
        }
    }

    /// Redeems what is due. When it is time, all channels are looked at before.
    async fn round(&mut self) -> Result<(), LedgerError> {
        let every = self.shared.limits.watch_every;
        let regular = self.watched_at.is_none_or(|at| at.elapsed() >= every);
        if regular {
            self.watch().await?;
            self.watched_at = Some(Instant::now());
        }
        let due = self.due();
        if !due.is_empty() {
            self.redeem(&due).await?;
            self.redeemed_at = Instant::now();
        }
        if regular {
            self.close_idle().await?;
        }
        Ok(())
    }

    /// Everything that is vouchered, whatever its amount.
    async fn last_round(&mut self) {
        let open = self.unredeemed();
        if let Err(error) = self.redeem(&open).await {
            tracing::warn!(%error, "the last vouchers were not redeemed; they are kept");
        }
    }

    /// Takes in what the ledger says about all channels toward this provider.
    async fn watch(&self) -> Result<(), LedgerError> {
        let before: Vec<_> = self.shared.till.all();
        let channels = self.shared.ledger.channels(self.shared.node).await?;
        let listed: HashSet<ChannelId> = channels.iter().map(|channel| channel.id).collect();
        for channel in channels {
            // A full till takes no more channels; admission says so to their users.
            self.shared.till.update(channel).ok();
        }
        let gone = before.iter().filter(|account| !listed.contains(&account.id));
        for account in gone.take(CHANNELS_PER_ROUND_MAX) {
            self.forget_if_gone(account).await?;
        }
        Ok(())
    }

    async fn forget_if_gone(&self, account: &Account) -> Result<(), LedgerError> {
        if account.jobs() > 0 || self.shared.ledger.channel(account.id).await?.is_some() {
            return Ok(());
        }
        let lost = account.balance().unredeemed();
        if !lost.is_zero() {
            tracing::warn!(channel = %account.id, %lost, "a channel ended before it was redeemed");
        }
        self.shared.till.remove(&account.id);
        Ok(())
    }

    /// The accounts with something to redeem.
    fn unredeemed(&self) -> Vec<Arc<Account>> {
        let all = self.shared.till.all().into_iter();
        all.filter(|account| !account.balance().unredeemed().is_zero()).collect()
    }

    /// Those whose turn it is: all when enough has gathered or the time has come, else those
    /// whose channel ends.
    fn due(&self) -> Vec<Arc<Account>> {
        let limits = &self.shared.limits;
        let mut open = self.unredeemed();
        let sums = open.iter().map(|account| u128::from(account.balance().unredeemed().0));
        let enough = sums.sum::<u128>() >= u128::from(limits.redeem_threshold.0);
        if !enough && self.redeemed_at.elapsed() < limits.redeem_every {
            open.retain(|account| self.ends(account));
        }
        open
    }

    fn ends(&self, account: &Account) -> bool {
        let channel = account.channel();
        let margin = self.shared.limits.channel_margin;
        let margin = u64::try_from(margin.as_millis()).unwrap_or(u64::MAX);
        channel.closes_at.is_some() || channel.expires_at <= now_ms().saturating_add(margin)
    }

    async fn redeem(&self, accounts: &[Arc<Account>]) -> Result<(), LedgerError> {
        for batch in accounts.chunks(REDEEM_VOUCHERS_MAX) {
            self.redeem_batch(batch).await?;
        }
        self.shared.till.flush().await;
        Ok(())
    }

    /// Redeems one batch. When the ledger refuses it whole, its halves are tried, down to the
    /// one voucher that does not hold.
    async fn redeem_batch(&self, batch: &[Arc<Account>]) -> Result<(), LedgerError> {
        let mut pending = vec![batch];
        while let Some(part) = pending.pop() {
            match self.redeem_once(part).await {
                Err(LedgerError::Refused(error)) if !error.is_retryable() => match part {
                    [] => {}
                    [account] => {
                        tracing::warn!(channel = %account.id, %error, "a voucher was refused");
                        self.forget_if_gone(account).await?;
                    }
                    _ => {
                        let (left, right) = part.split_at(part.len() / 2);
                        pending.extend([left, right]);
                    }
                },
                other => other?,
            }
        }
        Ok(())
    }

    async fn redeem_once(&self, accounts: &[Arc<Account>]) -> Result<(), LedgerError> {
        let held = accounts.iter().filter_map(|account| Some((account, account.voucher()?)));
        let (holders, vouchers): (Vec<_>, Vec<_>) = held.unzip();
        if vouchers.is_empty() {
            return Ok(());
        }
        let sums: Vec<Credits> = vouchers.iter().map(|voucher| voucher.body.cumulative).collect();
        send(self.shared, Action::Redeem { vouchers }).await?;
        for (account, sum) in holders.into_iter().zip(sums) {
            account.note_redeemed(sum);
            self.shared.till.mark(account.id);
        }
        Ok(())
    }

    /// Closes channels that nobody uses, so that their payers have the rest back.
    async fn close_idle(&self) -> Result<(), LedgerError> {
        let all = self.shared.till.all();
        let idle = all.iter().filter(|account| self.is_idle(account));
        for account in idle.take(CHANNELS_PER_ROUND_MAX) {
            if account.begin_closing() {
                let closed = self.close(account).await;
                if closed.is_err() {
                    account.stop_closing();
                }
                closed?;
            }
        }
        Ok(())
    }

    fn is_idle(&self, account: &Account) -> bool {
        let asked = account.channel().closes_at.is_some();
        let unpaid = !account.balance().unpaid().is_zero();
        account.idle() >= self.shared.limits.idle_close || (asked && !unpaid && account.jobs() == 0)
    }

    async fn close(&self, account: &Account) -> Result<(), LedgerError> {
        let owing = !account.balance().unredeemed().is_zero();
        let voucher = account.voucher().filter(|_| owing);
        let sum = voucher.as_ref().map_or(Credits::ZERO, |voucher| voucher.body.cumulative);
        let closing = send(self.shared, Action::CloseChannel { channel: account.id, voucher });
        match closing.await {
            Ok(()) => {
                account.note_redeemed(sum);
                self.shared.till.remove(&account.id);
                Ok(())
            }
            // Closed or expired by another hand meanwhile.
            Err(LedgerError::Refused(error)) if !error.is_retryable() => {
                tracing::debug!(channel = %account.id, %error, "a channel was not closed");
                self.forget_if_gone(account).await
            }
            Err(error) => Err(error),
        }
    }
}
