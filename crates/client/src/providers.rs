//! What this client itself learnt of each provider: its breaker, its own jobs there, and
//! whether it just said that it is full.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_types::NodeId;

use crate::RestPolicy;
use crate::breaker::Breaker;

/// Beyond this many providers, those with nothing to remember are forgotten.
const PROVIDERS_MAX: usize = 8192;

/// How long a provider that refused for being full or not ready is passed over.
const PASS_OVER: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    breaker: Breaker,
    in_flight: u32,
    passed_over_until: Option<Instant>,
}

impl Known {
    fn is_idle(&self, now: Instant) -> bool {
        let passed_over = self.passed_over_until.is_some_and(|until| now < until);
        self.in_flight == 0 && self.breaker.is_clean() && !passed_over
    }
}

/// What matching needs to know of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) resting: bool,
    pub(crate) in_flight: u32,
}

#[derive(Debug)]
pub(crate) struct Providers {
    policy: RestPolicy,
    known: Mutex<HashMap<NodeId, Known>>,
}

impl Providers {
    pub(crate) fn new(policy: RestPolicy) -> Self {
        Self { policy, known: Mutex::default() }
    }

    /// The standing of several providers under one lock.
    pub(crate) fn standings(
        &self,
        nodes: impl Iterator<Item = NodeId>,
        now: Instant,
    ) -> Vec<Standing> {
        let known = self.known.lock();
        let standing = |node| {
            let Some(it) = known.get(&node) else { return Standing::default() };
            let passed_over = it.passed_over_until.is_some_and(|until| now < until);
            // One that is full counts as busier than any that is not, and stays eligible.
            let penalty = if passed_over { 1 << 20 } else { 0 };
            Standing { resting: it.breaker.rests(now), in_flight: it.in_flight + penalty }
        };
        nodes.map(standing).collect()
    }

    /// A job goes to `node`; the guard counts it until it is dropped.
    pub(crate) fn begin(self: &Arc<Self>, node: NodeId) -> InFlight {
        let now = Instant::now();
        let mut known = self.known.lock();
        if known.len() >= PROVIDERS_MAX {
            known.retain(|_, it| !it.is_idle(now));
        }
        let it = known.entry(node).or_default();
        it.in_flight += 1;
        it.breaker.begin(now);
        InFlight { providers: Arc::clone(self), node }
    }

    /// How many jobs of this client run at `node`.
    pub(crate) fn in_flight(&self, node: NodeId) -> u32 {
        self.known.lock().get(&node).map_or(0, |it| it.in_flight)
    }

    fn with(&self, node: NodeId, change: impl FnOnce(&mut Known)) {
        change(self.known.lock().entry(node).or_default());
    }
}

/// A job of this client at a provider.
#[derive(Debug)]
pub(crate) struct InFlight {
    providers: Arc<Providers>,
    node: NodeId,
}

impl InFlight {
    pub(crate) fn answered(&self) {
        self.providers.with(self.node, |it| it.breaker.answered());
    }

    pub(crate) fn succeeded(&self) {
        self.providers.with(self.node, |it| it.breaker.succeeded());
    }

    pub(crate) fn failed(&self) {
        let policy = self.providers.policy;
        self.providers.with(self.node, |it| it.breaker.failed(Instant::now(), &policy));
    }

    pub(crate) fn cheated(&self) {
        let policy = self.providers.policy;
        self.providers.with(self.node, |it| it.breaker.cheated(Instant::now(), &policy));
    }

    /// The provider said that it is full or not ready: no failure, but others come first.
    pub(crate) fn pass_over(&self) {
        let until = Instant::now() + PASS_OVER;
        self.providers.with(self.node, |it| {
            it.breaker.answered();
            it.passed_over_until = Some(until);
        });
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.providers.with(self.node, |it| it.in_flight = it.in_flight.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::PublicKey;

    #[test]
    fn jobs_are_counted_while_they_run() {
        let providers = Arc::new(Providers::new(RestPolicy::default()));
        let node = PublicKey([1; 32]);
        let in_flight = || providers.standings([node].into_iter(), Instant::now())[0].in_flight;
        let (first, second) = (providers.begin(node), providers.begin(node));
        assert_eq!(in_flight(), 2);
        drop(first);
        assert_eq!(in_flight(), 1);
        drop(second);
        assert_eq!(in_flight(), 0);
    }

    #[test]
    fn a_full_provider_stays_eligible_behind_the_others() {
        let providers = Arc::new(Providers::new(RestPolicy::default()));
        let node = PublicKey([1; 32]);
        providers.begin(node).pass_over();
        let standing = providers.standings([node].into_iter(), Instant::now())[0];
        assert!(!standing.resting && standing.in_flight > 1000);
    }
}
