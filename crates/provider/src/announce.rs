//! Tells indexers what is served and how busy it is: regularly, and at once when something
//! changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use remuda_net::protocol::index;
use remuda_types::{Announcement, NodeAddress, ProviderState, Signed};
use tokio::time::{Instant, timeout};

use crate::shared::{Shared, now_ms};

/// The shortest time between two announcements of changes.
const CHANGE_GAP: Duration = Duration::from_millis(200);
/// The shortest and the longest time between renewals, whatever an indexer asks for.
const RENEW_MIN: Duration = Duration::from_millis(500);
const RENEW_MAX: Duration = Duration::from_secs(60);
/// When to announce again after nobody took the last one; doubles up to [`RENEW_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long one announcement may take, dialling included.
const ANNOUNCE_WAIT: Duration = Duration::from_secs(10);
/// How long the farewell may take.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// Announces until the provider stops, then says that it leaves.
pub(crate) async fn run(shared: Arc<Shared>) {
    let pace = Arc::new(Mutex::new(Pace::default()));
    let indexers = shared.indexers.iter().cloned();
    let announcers: Vec<_> = indexers
        .map(|indexer| tokio::spawn(one(Arc::clone(&shared), indexer, Arc::clone(&pace))))
        .collect();
    for announcer in announcers {
        let _ = announcer.await;
    }
}

/// The number of the last announcement. Clock-based, so that it grows over restarts.
#[derive(Default)]
struct Pace {
    sequence: u64,
}

/// Announces to one indexer.
async fn one(shared: Arc<Shared>, indexer: NodeAddress, pace: Arc<Mutex<Pace>>) {
    let mut changes = shared.changes.subscribe();
    let mut retry = RETRY_FIRST;
    let mut heard = false;
    while !shared.stop.is_cancelled() {
        changes.mark_unchanged();
        let began = Instant::now();
        let announced = announce(&shared, &indexer, &pace, ANNOUNCE_WAIT).await;
        count(&shared, &mut heard, announced.is_some());
        let wait = match announced {
            Some(renew) => {
                retry = RETRY_FIRST;
                renew.clamp(RENEW_MIN, RENEW_MAX)
            }
            None => {
                let wait = retry;
                retry = (retry * 2).min(RETRY_MAX);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = changes.changed(), if announced.is_some() => {
                tokio::time::sleep_until(began + CHANGE_GAP).await;
            }
            () = shared.stop.cancelled() => {}
        }
    }
    announce(&shared, &indexer, &pace, FAREWELL_WAIT).await;
}

/// Counts the indexers that took the last announcement.
fn count(shared: &Shared, heard: &mut bool, now: bool) {
    match (*heard, now) {
        (false, true) => drop(shared.heard_by.fetch_add(1, Ordering::Relaxed)),
        (true, false) => drop(shared.heard_by.fetch_sub(1, Ordering::Relaxed)),
        _ => {}
    }
    *heard = now;
}

/// Announces once; returns when to announce again, or `None` when it was not taken.
async fn announce(
    shared: &Shared,
    indexer: &NodeAddress,
    pace: &Mutex<Pace>,
    wait: Duration,
) -> Option<Duration> {
    let announcement = Signed::sign(compose(shared, pace), &shared.key);
    let announcing = index::announce(&shared.endpoint, indexer, announcement);
    match timeout(wait, announcing).await {
        Ok(Ok(renew)) => Some(renew),
        Ok(Err(error)) => {
            tracing::debug!(indexer = indexer.node.short(), %error, "not announced");
            None
        }
        Err(_) => None,
    }
}

fn compose(shared: &Shared, pace: &Mutex<Pace>) -> Announcement {
    let mut pace = pace.lock();
    let now = now_ms();
    pace.sequence = now.max(pace.sequence + 1);
    let sequence = pace.sequence;
    drop(pace);
    let leaving = shared.stop.is_cancelled();
    Announcement {
        address: shared.endpoint.address(),
        sequence,
        announced_at: now,
        models: shared.catalogue.models().into_iter().map(|model| model.offer).collect(),
        load: shared.catalogue.load(),
        state: if leaving { ProviderState::Draining } else { shared.state() },
        device: shared.device.clone(),
        software: shared.software.clone(),
    }
}
