//! Delivers vouchers whose stream broke, once the provider can be reached again. What was
//! received is paid, even to a provider that died.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_net::protocol::job::{self, ClientFrame, ProviderFrame};
use remuda_net::{Endpoint, request};
use remuda_types::{ChannelId, NodeAddress, Signed, Voucher};
use tokio_util::sync::CancellationToken;

/// The most channels with an undelivered voucher. Beyond it the oldest is given up.
const PENDING_MAX: usize = 4096;
/// The first wait between two tries, doubled up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// After this time a voucher is given up: its channel is over then.
const KEEP: Duration = Duration::from_secs(3_600);
/// How long one delivery may take.
const DELIVERY: Duration = Duration::from_secs(3);
/// How long the last tries at closing may take in all.
const LAST_CHANCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
struct Pending {
    provider: NodeAddress,
    voucher: Signed<Voucher>,
    since: Instant,
    due: Instant,
    wait: Duration,
}

#[derive(Debug)]
pub(crate) struct Settler {
    endpoint: Endpoint,
    pending: Mutex<HashMap<ChannelId, Pending>>,
    running: Mutex<bool>,
    stop: CancellationToken,
}

impl Settler {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let stop = CancellationToken::new();
        Self { endpoint, pending: Mutex::default(), running: Mutex::new(false), stop }
    }

    /// Takes over a voucher. Of one channel only the largest is kept: it is the whole truth.
    pub(crate) fn deliver(self: &Arc<Self>, provider: NodeAddress, voucher: Signed<Voucher>) {
        let now = Instant::now();
        {
            let mut pending = self.pending.lock();
            make_room(&mut pending);
            let known = pending.get(&voucher.body.channel);
            if known.is_some_and(|it| it.voucher.body.cumulative > voucher.body.cumulative) {
                return;
            }
            let channel = voucher.body.channel;
            let due = now + RETRY_FIRST;
            let it = Pending { provider, voucher, since: now, due, wait: RETRY_FIRST };
            pending.insert(channel, it);
        }
        self.start();
    }

    /// How many channels have an undelivered voucher.
    pub(crate) fn len(&self) -> usize {
        self.pending.lock().len()
    }

    /// Tries everything once more, and stops.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        let all: Vec<Pending> = self.pending.lock().values().cloned().collect();
        let last = futures_util::future::join_all(all.iter().map(|it| self.attempt(it)));
        let _ = tokio::time::timeout(LAST_CHANCE, last).await;
    }

    fn start(self: &Arc<Self>) {
        if std::mem::replace(&mut *self.running.lock(), true) {
            return;
        }
        let settler = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(due) = settler.next_due() {
                tokio::select! {
                    () = settler.stop.cancelled() => return,
                    () = tokio::time::sleep_until(due.into()) => settler.run_due().await,
                }
            }
        });
    }

    /// When to try next; `None` ends the task, which the next voucher starts again.
    fn next_due(&self) -> Option<Instant> {
        let mut running = self.running.lock();
        let due = self.pending.lock().values().map(|it| it.due).min();
        *running = due.is_some();
        due
    }

    async fn run_due(&self) {
        let now = Instant::now();
        let due: Vec<Pending> =
            self.pending.lock().values().filter(|it| it.due <= now).cloned().collect();
        futures_util::future::join_all(due.iter().map(|it| self.one(it))).await;
    }

    async fn one(&self, it: &Pending) {
        let delivered = self.attempt(it).await;
        let mut pending = self.pending.lock();
        let channel = it.voucher.body.channel;
        let Some(entry) = pending.get_mut(&channel) else { return };
        if entry.voucher.body.sequence != it.voucher.body.sequence {
            return;
        }
        if delivered || entry.since.elapsed() >= KEEP {
            pending.remove(&channel);
        } else {
            entry.wait = (entry.wait * 2).min(RETRY_MAX);
            entry.due = Instant::now() + entry.wait;
        }
    }

    async fn attempt(&self, it: &Pending) -> bool {
        let exchange = async {
            let connection = self.endpoint.connect(&it.provider, job::ALPN).await.ok()?;
            let frame = ClientFrame::Settle(it.voucher.clone());
            request(&connection, job::FRAME_BYTES_MAX, &frame, DELIVERY).await.ok()
        };
        match tokio::time::timeout(DELIVERY, exchange).await {
            Ok(Some(ProviderFrame::Settled(best))) => {
                best.body.cumulative >= it.voucher.body.cumulative
            }
            // It will not take it, now or later: the channel may be closed already.
            Ok(Some(ProviderFrame::Refused(refusal))) => !refusal.code.is_retryable(),
            _ => false,
        }
    }
}

fn make_room(pending: &mut HashMap<ChannelId, Pending>) {
    if pending.len() < PENDING_MAX {
        return;
    }
    let oldest = pending.iter().min_by_key(|(_, it)| it.since).map(|(channel, _)| *channel);
    if let Some(channel) = oldest {
        tracing::warn!(%channel, "an undelivered voucher is given up: too many are waiting");
        pending.remove(&channel);
    }
}
