//! Where block time comes from.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use remuda_types::TimestampMs;

/// Tells the time that a producer puts into its blocks. A clock that runs backwards is
/// harmless: block time stands still until the clock has caught up.
pub trait Clock: Send + Sync + Debug {
    /// Now, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> TimestampMs;

    /// How long it takes until this clock shows `at`; `None` when that does not depend on
    /// real time.
    fn until(&self, at: TimestampMs) -> Option<Duration> {
        Some(Duration::from_millis(at.saturating_sub(self.now_ms())))
    }
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
        let later = |now: u64| Some(now.saturating_add(by_ms));
        // The closure never declines, so this never fails.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> TimestampMs {
        self.0.load(Ordering::Relaxed)
    }

    fn until(&self, at: TimestampMs) -> Option<Duration> {
        (at <= self.now_ms()).then_some(Duration::ZERO)
    }
}
