//! What all tasks and sessions of one provider share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use remuda_chain::Signer;
use remuda_net::{Connection, Endpoint, PathKind};
use remuda_types::{
    DeviceClass, NetworkId, NodeAddress, NodeId, ProviderState, SecretKey, TimestampMs,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::config::Limits;
use crate::ledger_view::LedgerView;
use crate::status::{ConnectionCounts, JobCounts};
use crate::till::Till;

/// The most connections remembered for the status.
const PEERS_MAX: usize = 1024;

/// One provider.
pub(crate) struct Shared {
    pub(crate) key: Arc<SecretKey>,
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) device: DeviceClass,
    pub(crate) software: String,
    pub(crate) limits: Limits,
    pub(crate) endpoint: Endpoint,
    pub(crate) indexers: Vec<NodeAddress>,
    pub(crate) catalogue: Catalogue,
    pub(crate) till: Till,
    pub(crate) ledger: LedgerView,
    pub(crate) signer: Signer,
    /// Learnt from the ledger or from an earlier life.
    pub(crate) network: OnceLock<NetworkId>,
    pub(crate) state: watch::Sender<ProviderState>,
    /// Load or offers changed: worth an announcement.
    pub(crate) changes: watch::Sender<u64>,
    /// Enough is vouchered to redeem.
    pub(crate) redeem_due: Notify,
    /// Ends running jobs.
    pub(crate) cut: CancellationToken,
    /// Ends the background tasks.
    pub(crate) stop: CancellationToken,
    /// A `stop` came through the control socket.
    pub(crate) stop_requested: CancellationToken,
    pub(crate) registered: AtomicBool,
    /// Indexers that took the last announcement.
    pub(crate) heard_by: AtomicU32,
    pub(crate) counters: Counters,
    pub(crate) peers: Peers,
    pub(crate) started: Instant,
}

impl Shared {
    pub(crate) fn state(&self) -> ProviderState {
        *self.state.borrow()
    }

    /// A better voucher came: perhaps enough is gathered to redeem.
    pub(crate) fn note_vouchered(&self) {
        self.redeem_due.notify_one();
    }

    /// Something that is announced changed.
    pub(crate) fn note_change(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

/// Milliseconds since the Unix epoch, by this machine's clock.
pub(crate) fn now_ms() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Jobs since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) finished: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> JobCounts {
        JobCounts {
            finished: self.finished.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// The clients that are connected, one connection a node.
#[derive(Default)]
pub(crate) struct Peers(Mutex<HashMap<NodeId, Connection>>);

impl Peers {
    /// Remembers a connection, until there are too many: the status then counts fewer.
    pub(crate) fn seen(&self, connection: &Connection) {
        let mut peers = self.0.lock();
        let known = peers.get(&connection.remote());
        if known.is_some_and(|known| known.stable_id() == connection.stable_id()) {
            return;
        }
        if peers.len() >= PEERS_MAX {
            peers.retain(|_, peer| !peer.is_closed());
        }
        if peers.len() < PEERS_MAX {
            peers.insert(connection.remote(), connection.clone());
        }
    }

    /// Forgets closed connections and counts the others.
    pub(crate) fn count(&self) -> ConnectionCounts {
        let mut peers = self.0.lock();
        peers.retain(|_, peer| !peer.is_closed());
        let mut counts = ConnectionCounts::default();
        for peer in peers.values() {
            match peer.path() {
                PathKind::Direct(_) => counts.direct += 1,
                PathKind::Relayed(_) => counts.relayed += 1,
                PathKind::Unknown => counts.unknown += 1,
            }
        }
        counts
    }
}
