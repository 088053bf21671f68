//! Where block time comes from.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use remuda_types::TimestampMs;

/// Tells the time that a producer puts into its blocks. A clock that runs backwards is
/// harmless: block time stands still until the clock has caught up.
pub trait Clock: Send + Sync + Debug {
    /// Now, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> TimestampMs;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> TimestampMs {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimestampMs::try_from(since_epoch.as_millis()).unwrap_or(TimestampMs::MAX)
    }
}

/// A clock that moves only when it is told to. For tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now_ms`.
    #[must_use]
    pub const fn at(now_ms: TimestampMs) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Shows `now_ms` from now on.
    pub fn set(&self, now_ms: TimestampMs) {
        self.0.store(now_ms, Ordering::Relaxed);
    }

    /// Moves on by `by_ms` milliseconds.
    pub fn advance(&self, by_ms: u64) {
        self.0.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> TimestampMs {
        self.0.load(Ordering::Relaxed)
    }
}
