//! How fast one node may ask: a token bucket a node.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_types::NodeId;

/// Requests a second that one node may make in the long run, unless configured.
pub const RATE_PER_SECOND_DEFAULT: u32 = 4_000;

/// Requests that one node may make at once, unless configured.
pub const RATE_BURST_DEFAULT: u32 = 8_000;

/// Nodes whose rate is watched at the same time. Beyond that, new ones wait.
pub const RATE_NODES_MAX: usize = 16_384;

/// How fast one node may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run; at least 1.
    pub per_second: u32,
    /// Requests at once; at least 1.
    pub burst: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_second: RATE_PER_SECOND_DEFAULT, burst: RATE_BURST_DEFAULT }
    }
}

impl Rate {
    /// The time in which one request's worth comes back.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }

    /// How far `Bucket::full_at` may lie ahead.
    fn depth(self) -> Duration {
        self.interval() * self.burst.max(1)
    }
}

/// The buckets of all nodes. A bucket is the moment at which it will be full again; one whose
/// moment has passed says nothing and can be forgotten.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Rate,
    full_at: Mutex<HashMap<NodeId, Instant>>,
}

impl RateLimit {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::default() }
    }

    /// Lets one request of `node` pass, or says after how long it may.
    pub(crate) fn pass(&self, node: NodeId, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.full_at.lock();
        if buckets.len() >= RATE_NODES_MAX && !buckets.contains_key(&node) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= RATE_NODES_MAX {
                return Err(self.rate.depth());
            }
        }
        let full_at = buckets.entry(node).or_insert(now);
        let next = (*full_at).max(now) + self.rate.interval();
        let excess = next.saturating_duration_since(now + self.rate.depth());
        if !excess.is_zero() {
            return Err(excess);
        }
        *full_at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use remuda_types::PublicKey;

    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    fn node(number: usize) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        PublicKey(bytes)
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds_for_each_node() {
        let (limit, start) = (RateLimit::new(RATE), Instant::now());
        for _ in 0..3 {
            assert_eq!(limit.pass(node(1), start), Ok(()));
        }
        assert_eq!(limit.pass(node(1), start), Err(Duration::from_millis(100)));
        assert_eq!(limit.pass(node(2), start), Ok(()), "others are not held up");
        let later = start + Duration::from_millis(100);
        assert_eq!(limit.pass(node(1), later), Ok(()));
        assert_eq!(limit.pass(node(1), later), Err(Duration::from_millis(100)));
    }

    #[test]
    fn nodes_are_bounded_and_idle_ones_forgotten() {
        let (limit, start) = (RateLimit::new(RATE), Instant::now());
        for number in 0..RATE_NODES_MAX {
            assert_eq!(limit.pass(node(number), start), Ok(()));
        }
        assert!(limit.pass(node(RATE_NODES_MAX), start).is_err());
        let later = start + Duration::from_millis(100);
        assert_eq!(limit.pass(node(RATE_NODES_MAX), later), Ok(()));
        assert_eq!(limit.full_at.lock().len(), 1);
    }
}
