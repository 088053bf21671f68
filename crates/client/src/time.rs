//! The wall clock, as the ledger's records count.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use remuda_types::TimestampMs;

/// Milliseconds since the Unix epoch, by this machine's clock.
pub(crate) fn now_ms() -> TimestampMs {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, in_ms)
}

/// A length of time in milliseconds; one that does not fit is endless.
pub(crate) fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
