//! The providers that the indexers list: merged, checked, and kept while they are away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use remuda_market::Liveness;
use remuda_net::protocol::index;
use remuda_net::{Endpoint, request};
use remuda_types::{Announcement, NodeAddress, NodeId, Signature, Signed};

/// How long one indexer may take to answer.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);
/// The most providers that are taken from one list.
pub(crate) const LISTINGS_MAX: usize = 10_000;
/// The most models that are taken from one provider.
const MODELS_MAX: usize = 256;
/// An announcement longer than this in its texts is not taken, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// A provider, with an announcement that it signed itself.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) announcement: Arc<Announcement>,
    pub(crate) liveness: Liveness,
    signature: Signature,
}

impl Entry {
    pub(crate) fn node(&self) -> NodeId {
        self.announcement.address.node
    }
}

/// All providers known at one time.
pub(crate) type Snapshot = Arc<Vec<Entry>>;

#[derive(Debug, Default)]
struct Kept {
    snapshot: Snapshot,
    refreshed_at: Option<Instant>,
    refreshing: bool,
}

#[derive(Debug)]
pub(crate) struct Listings {
    endpoint: Endpoint,
    indexers: Vec<NodeAddress>,
    fresh: Duration,
    usable: Duration,
    kept: Mutex<Kept>,
    refresh: tokio::sync::Mutex<()>,
}

impl Listings {
    pub(crate) fn new(
        endpoint: Endpoint,
        indexers: Vec<NodeAddress>,
        fresh: Duration,
        usable: Duration,
    ) -> Self {
        let (kept, refresh) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { endpoint, indexers, fresh, usable, kept, refresh }
    }

    /// The providers known now, without asking anybody.
    pub(crate) fn known(&self) -> Snapshot {
        Arc::clone(&self.kept.lock().snapshot)
    }

    /// The providers, from a list that is young enough, or the best there is.
    pub(crate) async fn get(self: &Arc<Self>) -> Snapshot {
        let (snapshot, age) = {
            let kept = self.kept.lock();
            (Arc::clone(&kept.snapshot), kept.refreshed_at.map(|at| at.elapsed()))
        };
        match age {
            Some(age) if age < self.fresh => snapshot,
            // An empty list is worth waiting for: somebody may just have come.
            Some(age) if age < self.usable && !snapshot.is_empty() => {
                self.refresh_behind();
                snapshot
            }
            _ => self.refreshed(self.fresh).await,
        }
    }

    /// The providers, from a list no older than `age` if an indexer answers.
    pub(crate) async fn refreshed(&self, age: Duration) -> Snapshot {
        let _alone = self.refresh.lock().await;
        let young = |kept: &Kept| kept.refreshed_at.is_some_and(|at| at.elapsed() < age);
        if !young(&self.kept.lock()) {
            self.ask_all().await;
        }
        self.known()
    }

    fn refresh_behind(self: &Arc<Self>) {
        if std::mem::replace(&mut self.kept.lock().refreshing, true) {
            return;
        }
        let listings = Arc::clone(self);
        tokio::spawn(async move {
            listings.refreshed(listings.fresh).await;
            listings.kept.lock().refreshing = false;
        });
    }

    async fn ask_all(&self) {
        let lists = join_all(self.indexers.iter().map(|indexer| self.ask(indexer))).await;
        let lists: Vec<_> = lists.into_iter().flatten().collect();
        if lists.is_empty() && !self.indexers.is_empty() {
            // Nobody answered: what is known stays, and is asked for again soon.
            return;
        }
        let known = self.known();
        let merged = merge(&known, lists);
        let mut kept = self.kept.lock();
        kept.snapshot = Arc::new(merged);
        kept.refreshed_at = Some(Instant::now());
    }

    async fn ask(&self, indexer: &NodeAddress) -> Option<Vec<index::Listing>> {
        let asking = async {
            let connection = self.endpoint.connect(indexer, index::ALPN).await.ok()?;
            let question = index::Request::List;
            request(&connection, index::FRAME_BYTES_MAX, &question, LIST_TIMEOUT).await.ok()
        };
        match tokio::time::timeout(LIST_TIMEOUT, asking).await {
            Ok(Some(index::Response::Listings(list))) => Some(list),
            Ok(Some(index::Response::Refused { code, .. })) => {
                tracing::warn!(indexer = indexer.node.short(), code, "the indexer refused");
                None
            }
            _ => {
                tracing::debug!(indexer = indexer.node.short(), "no list from the indexer");
                None
            }
        }
    }
}

/// One list out of several: of each provider the newest announcement, and the best sign of
/// life. Signatures that were checked before are not checked again.
fn merge(known: &[Entry], lists: Vec<Vec<index::Listing>>) -> Vec<Entry> {
    let known: HashMap<NodeId, &Entry> = known.iter().map(|entry| (entry.node(), entry)).collect();
    let mut merged: HashMap<NodeId, Entry> = HashMap::new();
    for listing in lists.into_iter().flat_map(|list| list.into_iter().take(LISTINGS_MAX)) {
        let node = listing.announcement.body.address.node;
        let liveness = liveness(listing.liveness);
        match merged.get_mut(&node) {
            Some(entry) if entry.announcement.sequence >= listing.announcement.body.sequence => {
                entry.liveness = entry.liveness.min(liveness);
            }
            before => {
                let liveness = before.map_or(liveness, |entry| entry.liveness.min(liveness));
                if let Some(entry) = check(listing.announcement, liveness, known.get(&node)) {
                    merged.insert(node, entry);
                }
            }
        }
    }
    let mut entries: Vec<Entry> = merged.into_values().collect();
    entries.sort_unstable_by_key(Entry::node);
    entries
}

fn check(
    signed: Signed<Announcement>,
    liveness: Liveness,
    known: Option<&&Entry>,
) -> Option<Entry> {
    let seen = known
        .filter(|entry| entry.signature == signed.signature && *entry.announcement == signed.body);
    if let Some(entry) = seen {
        return Some(Entry { liveness, ..(*entry).clone() });
    }
    let node = signed.body.address.node;
    if !in_bounds(&signed.body) || signed.verify_by(&node).is_err() {
        tracing::warn!(provider = node.short(), "a listed announcement is not the provider's");
        return None;
    }
    let signature = signed.signature;
    Some(Entry { announcement: Arc::new(signed.body), liveness, signature })
}

fn in_bounds(it: &Announcement) -> bool {
    let short = |text: &str| text.len() <= TEXT_BYTES_MAX;
    it.models.len() <= MODELS_MAX
        && it
            .models
            .iter()
            .all(|offer| short(&offer.name) && offer.numerics.as_deref().is_none_or(short))
}

const fn liveness(it: index::Liveness) -> Liveness {
    match it {
        index::Liveness::Connected => Liveness::Connected,
        index::Liveness::Unknown => Liveness::Unknown,
        index::Liveness::Lost => Liveness::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::{DeviceClass, Load, ProviderState, SecretKey};

    fn listing(key: &SecretKey, sequence: u64, liveness: index::Liveness) -> index::Listing {
        let address = NodeAddress { node: key.public(), direct: Vec::new(), relay: None };
        let announcement = Announcement {
            address,
            sequence,
            announced_at: 0,
            models: Vec::new(),
            load: Load::default(),
            state: ProviderState::Ready,
            device: DeviceClass("test".into()),
            software: String::new(),
        };
        index::Listing { announcement: Signed::sign(announcement, key), liveness }
    }

    #[test]
    fn the_newest_announcement_and_the_best_sign_of_life_win() {
        let key = SecretKey::from_seed([1; 32]);
        let old = listing(&key, 1, index::Liveness::Connected);
        let new = listing(&key, 2, index::Liveness::Unknown);
        for lists in [vec![vec![old.clone()], vec![new.clone()]], vec![vec![new], vec![old]]] {
            let merged = merge(&[], lists);
            assert_eq!(merged.len(), 1);
            assert_eq!(merged[0].announcement.sequence, 2);
            assert_eq!(merged[0].liveness, Liveness::Connected);
        }
    }

    #[test]
    fn a_forged_announcement_is_left_out_even_if_its_sequence_is_known() {
        let key = SecretKey::from_seed([1; 32]);
        let honest = listing(&key, 1, index::Liveness::Connected);
        let known = merge(&[], vec![vec![honest.clone()]]);
        let mut forged = honest.clone();
        forged.announcement.body.load.slots = 99;
        assert!(merge(&known, vec![vec![forged.clone()]]).is_empty());
        // Shown beside the honest one, it does not push it out.
        assert_eq!(merge(&known, vec![vec![forged], vec![honest]]).len(), 1);
    }

    #[test]
    fn an_announcement_in_anothers_name_is_left_out() {
        let (key, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let mut it = listing(&key, 1, index::Liveness::Connected);
        it.announcement = Signed::sign(it.announcement.body, &other);
        assert!(merge(&[], vec![vec![it]]).is_empty());
    }
}
