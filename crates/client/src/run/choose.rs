//! Who serves the next attempt, and what to do while nobody can.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng as _;
use remuda_market::{Candidate, Explanation, Match, Reason, Terms, match_order};
use remuda_types::{Announcement, ModelOffer, NodeAddress, NodeId};

use super::driver::{Driver, Halt, Obstacle};
use crate::RunError;
use crate::listings::Snapshot;

/// How long to wait before looking again for somebody who can serve.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// While waiting, a list older than this is refreshed.
const LIST_AGE: Duration = Duration::from_millis(100);

/// A provider and the offer that was taken.
#[derive(Clone, Debug)]
pub(super) struct Target {
    announcement: Arc<Announcement>,
    offer: usize,
}

impl Target {
    pub(super) fn node(&self) -> NodeId {
        self.announcement.address.node
    }

    pub(super) fn address(&self) -> &NodeAddress {
        &self.announcement.address
    }

    pub(super) fn offer(&self) -> &ModelOffer {
        &self.announcement.models[self.offer]
    }
}

impl Driver {
    /// The next provider to try.
    pub(super) async fn choose(&mut self) -> Result<Target, Halt> {
        if let Some(target) = self.take_standby() {
            return Ok(target);
        }
        let mut snapshot = self.shared.listings.get().await;
        loop {
            let (target, explanation) = self.matched(&snapshot);
            if let Some(target) = target {
                self.explain_first(explanation);
                return Ok(target);
            }
            self.nobody(&explanation)?;
            self.explain_first(explanation);
            if self.idle_since.replace(self.idle_since.unwrap_or_else(Instant::now)).is_some() {
                self.pause(LOOK_AGAIN).await?;
                self.tried.retain(|it| !it.later);
            }
            snapshot = self.shared.listings.refreshed(LIST_AGE).await;
        }
    }

    pub(super) fn matched(&self, snapshot: &Snapshot) -> (Option<Target>, Explanation) {
        let nodes = || snapshot.iter().map(|entry| entry.node());
        let standings = self.shared.providers.standings(nodes(), Instant::now());
        let open = self.shared.channels.open_toward(self.job.payer.public(), nodes());
        let views = snapshot.iter().zip(standings).zip(open);
        let candidates: Vec<Candidate<'_>> = views
            .map(|((entry, standing), channel_open)| Candidate {
                announcement: &entry.announcement,
                liveness: entry.liveness,
                resting: standing.resting,
                in_flight: standing.in_flight,
                channel_open,
            })
            .collect();
        let tried: Vec<NodeId> = self.tried.iter().map(|it| it.node).collect();
        let numerics = self.numerics.as_deref().filter(|_| !self.transcript.is_fresh());
        let terms = Terms { order: &self.job.order, tried: &tried, numerics };
        let mut draw = |below: usize| rand::rng().random_range(0..below.max(1));
        let Match { ranked, explanation } = match_order(&terms, &candidates, &mut draw);
        let target = ranked.first().map(|first| Target {
            announcement: Arc::clone(&snapshot[first.candidate].announcement),
            offer: first.offer,
        });
        (target, explanation)
    }

    /// Keeps the explanation of the first match: it is the one that the caller asks about.
    fn explain_first(&mut self, explanation: Explanation) {
        if self.explanation.is_none() {
            self.shared.explanations.put(self.job.order.id, explanation.clone());
            self.explanation = Some(explanation);
        }
    }

    /// Whether to go on looking although nobody fits.
    fn nobody(&mut self, explanation: &Explanation) -> Result<(), Halt> {
        let Some(since) = self.idle_since else {
            // The list may be a little old: look once more before saying no.
            return Ok(());
        };
        if since.elapsed() < self.patience(explanation) {
            return Ok(());
        }
        let error = if self.obstacle.is_some() {
            self.given_up()
        } else if explanation.considered > 0 && !explanation.model_is_served() {
            RunError::UnknownModel { model: self.job.order.model.clone() }
        } else {
            RunError::NoProvider(Box::new(explanation.clone()))
        };
        self.shared.explanations.put(self.job.order.id, explanation.clone());
        Err(error.into())
    }

    fn patience(&self, explanation: &Explanation) -> Duration {
        let config = &self.shared.config;
        if matches!(self.obstacle, Some(Obstacle::Context(_))) {
            return Duration::ZERO;
        }
        if self.announced {
            return config.patience;
        }
        // Somebody who would serve it rests or was just tried: a moment may do.
        let soon = [Reason::Resting, Reason::Tried];
        let worth = soon.iter().any(|reason| explanation.reasons.contains_key(reason));
        if worth { config.overload_patience } else { Duration::ZERO }
    }
}
