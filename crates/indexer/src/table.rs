//! The providers, and the list that clients get: pure, the clock comes with each call.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use borsh::BorshSerialize;
use remuda_net::protocol::index::{FRAME_BYTES_MAX, Listing, Liveness, Response};
use remuda_types::{Announcement, NodeId, Signed};

use crate::{IndexerConfig, Refused};

/// The most providers known at once.
pub const PROVIDERS_MAX: usize = 8192;
/// What a list may take of a frame, in bytes. Providers that do not fit are left out, those
/// heard of least lately first.
const LIST_BYTES_MAX: usize = FRAME_BYTES_MAX - 1024;

/// A response that is encoded already: the same bytes serve all clients.
#[derive(Clone, Debug)]
pub(crate) struct Encoded(Arc<[u8]>);

impl Encoded {
    pub(crate) fn of(response: &Response) -> Self {
        match borsh::to_vec(response) {
            Ok(bytes) => Self(bytes.into()),
            // Writing to a vector fails for no response.
            Err(error) => unreachable!("a response did not encode: {error}"),
        }
    }
}

impl BorshSerialize for Encoded {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(&self.0)
    }
}

/// How many providers are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Heard of lately.
    pub connected: usize,
    /// Silent for a little while.
    pub unknown: usize,
    /// Silent for long.
    pub lost: usize,
}

#[derive(Debug)]
struct Known {
    announcement: Signed<Announcement>,
    heard_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Table {
    config: IndexerConfig,
    known: HashMap<NodeId, Known>,
    list: Option<(Instant, Encoded)>,
}

impl Table {
    pub(crate) fn new(config: IndexerConfig) -> Self {
        Self { config, known: HashMap::new(), list: None }
    }

    /// Takes in an announcement whose signature and sender were checked.
    pub(crate) fn announce(
        &mut self,
        announcement: Signed<Announcement>,
        now: Instant,
    ) -> Result<(), Refused> {
        let node = announcement.body.address.node;
        match self.known.get(&node) {
            Some(known) if self.replaces(&announcement, known, now) => {}
            Some(_) => return Err(Refused::Stale),
            None => self.make_room(now)?,
        }
        self.known.insert(node, Known { announcement, heard_at: now });
        Ok(())
    }

    /// A newer one replaces an older one; the very same one renews it. A node that was silent
    /// begins anew: its clock may have been set back.
    fn replaces(&self, it: &Signed<Announcement>, known: &Known, now: Instant) -> bool {
        it.body.sequence > known.announcement.body.sequence
            || *it == known.announcement
            || self.liveness(known, now) != Liveness::Connected
    }

    fn make_room(&mut self, now: Instant) -> Result<(), Refused> {
        if self.known.len() >= PROVIDERS_MAX {
            let unknown = self.config.unknown;
            self.known.retain(|_, known| now.duration_since(known.heard_at) <= unknown);
        }
        if self.known.len() >= PROVIDERS_MAX { Err(Refused::Full) } else { Ok(()) }
    }

    fn liveness(&self, known: &Known, now: Instant) -> Liveness {
        let age = now.duration_since(known.heard_at);
        if age <= self.config.connected {
            Liveness::Connected
        } else if age <= self.config.unknown {
            Liveness::Unknown
        } else {
            Liveness::Lost
        }
    }

    pub(crate) fn counts(&self, now: Instant) -> Counts {
        let mut counts = Counts::default();
        for known in self.known.values() {
            match self.liveness(known, now) {
                Liveness::Connected => counts.connected += 1,
                Liveness::Unknown => counts.unknown += 1,
                Liveness::Lost => counts.lost += 1,
            }
        }
        counts
    }

    /// The list, at most a little old.
    pub(crate) fn list(&mut self, now: Instant) -> Encoded {
        if let Some((made_at, list)) = &self.list
            && now.duration_since(*made_at) < self.config.list_age
        {
            return list.clone();
        }
        let forget = self.config.forget;
        self.known.retain(|_, known| now.duration_since(known.heard_at) <= forget);
        let list = Encoded::of(&Response::Listings(self.listings(now)));
        self.list = Some((now, list.clone()));
        list
    }

    fn listings(&self, now: Instant) -> Vec<Listing> {
        let mut known: Vec<&Known> = self.known.values().collect();
        known.sort_unstable_by_key(|known| std::cmp::Reverse(known.heard_at));
        let mut left = LIST_BYTES_MAX;
        let fits = |known: &&Known| {
            let bytes = borsh::object_length(&known.announcement).unwrap_or(usize::MAX);
            let rest = left.checked_sub(bytes.saturating_add(1));
            rest.inspect(|rest| left = *rest).is_some()
        };
        let listing = |known: &Known| Listing {
            announcement: known.announcement.clone(),
            liveness: self.liveness(known, now),
        };
        known.into_iter().take_while(fits).map(listing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::{
        DeviceClass, Load, ModelOffer, NodeAddress, Price, ProviderState, SecretKey,
    };
    use std::time::Duration;

    fn announcement(seed: u16, sequence: u64, models: usize) -> Signed<Announcement> {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&seed.to_le_bytes());
        let key = SecretKey::from_seed(bytes);
        let offer = ModelOffer {
            name: "m".repeat(400),
            manifest: remuda_types::ManifestHash::default(),
            kinds: Vec::new(),
            context: 1,
            price: Price::default(),
            numerics: None,
        };
        let body = Announcement {
            address: NodeAddress { node: key.public(), direct: Vec::new(), relay: None },
            sequence,
            announced_at: 0,
            models: vec![offer; models],
            load: Load::default(),
            state: ProviderState::Ready,
            device: DeviceClass(String::new()),
            software: String::new(),
        };
        Signed::sign(body, &key)
    }

    fn listed(table: &mut Table, now: Instant) -> Vec<Listing> {
        match borsh::from_slice(&table.list(now).0) {
            Ok(Response::Listings(listings)) => listings,
            other => panic!("not a list: {other:?}"),
        }
    }

    fn table() -> Table {
        Table::new(IndexerConfig::default())
    }

    #[test]
    fn silence_is_told_apart_from_loss_and_forgotten_at_last() {
        let (mut table, start) = (table(), Instant::now());
        table.announce(announcement(1, 1, 1), start).unwrap();
        for (age, expected) in [
            (6, Some(Liveness::Connected)),
            (7, Some(Liveness::Unknown)),
            (60, Some(Liveness::Unknown)),
            (61, Some(Liveness::Lost)),
            (600, Some(Liveness::Lost)),
            (601, None),
        ] {
            let list = listed(&mut table, start + Duration::from_secs(age));
            assert_eq!(list.first().map(|it| it.liveness), expected, "after {age} s");
        }
    }

    #[test]
    fn an_older_announcement_never_replaces_a_newer() {
        let (mut table, now) = (table(), Instant::now());
        table.announce(announcement(1, 5, 1), now).unwrap();
        assert_eq!(table.announce(announcement(1, 4, 1), now), Err(Refused::Stale));
        assert_eq!(table.announce(announcement(1, 5, 2), now), Err(Refused::Stale));
        table.announce(announcement(1, 5, 1), now).unwrap();
        table.announce(announcement(1, 6, 2), now).unwrap();
        assert_eq!(listed(&mut table, now)[0].announcement.body.sequence, 6);
        // Its clock was set back while it was away.
        let later = now + Duration::from_secs(10);
        table.announce(announcement(1, 2, 1), later).unwrap();
        assert_eq!(listed(&mut table, later)[0].announcement.body.sequence, 2);
    }

    #[test]
    fn a_list_always_fits_its_frame_and_leaves_out_the_silent_first() {
        let (mut table, start) = (table(), Instant::now());
        let quiet = announcement(9_999, 1, 60);
        table.announce(quiet.clone(), start).unwrap();
        let now = start + Duration::from_secs(1);
        for seed in 0..400 {
            table.announce(announcement(seed, 1, 60), now).unwrap();
        }
        let list = listed(&mut table, now);
        assert!(table.list(now).0.len() <= FRAME_BYTES_MAX);
        assert!(list.len() > 250 && list.len() < 401, "{}", list.len());
        assert!(list.iter().all(|it| it.announcement != quiet));
    }

    #[test]
    fn the_same_bytes_serve_everybody_for_a_little_while() {
        let (mut table, now) = (table(), Instant::now());
        let first = table.list(now);
        table.announce(announcement(1, 1, 1), now).unwrap();
        assert!(Arc::ptr_eq(&first.0, &table.list(now).0));
        let later = now + IndexerConfig::default().list_age;
        assert_eq!(listed(&mut table, later).len(), 1);
    }
}
