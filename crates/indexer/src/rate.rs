//! How often each node may ask: so many at once, so many per second over time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use remuda_types::NodeId;

/// The most nodes remembered. Beyond it, those that may ask freely again are forgotten.
const NODES_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Rates {
    interval: Duration,
    tolerance: Duration,
    /// When each node's allowance is whole again.
    whole_at: HashMap<NodeId, Instant>,
}

impl Rates {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, tolerance: interval * burst.max(1), whole_at: HashMap::new() }
    }

    /// Counts a request of `node`; false when it comes too soon.
    pub(crate) fn allow(&mut self, node: NodeId, now: Instant) -> bool {
        if self.whole_at.len() >= NODES_MAX {
            self.whole_at.retain(|_, at| *at > now);
            if self.whole_at.len() >= NODES_MAX {
                return false;
            }
        }
        let at = self.whole_at.entry(node).or_insert(now);
        let next = (*at).max(now) + self.interval;
        let allowed = next <= now + self.tolerance;
        if allowed {
            *at = next;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::PublicKey;

    #[test]
    fn a_burst_is_allowed_and_then_a_steady_rate() {
        let (node, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut rates = Rates::new(10, 5);
        let now = Instant::now();
        assert_eq!((0..9).filter(|_| rates.allow(node, now)).count(), 5);
        assert!(rates.allow(other, now), "each node for itself");
        let later = now + Duration::from_millis(300);
        assert_eq!((0..9).filter(|_| rates.allow(node, later)).count(), 3);
    }
}
