//! Epochs: what is minted on the clock of block time, and for whom.
//!
//! An economy has streams, each with a clock, a schedule and a split of its own. While an
//! epoch runs, the ledger notes who contributed: work by the credits that channels paid,
//! other duties by reports. When its time is over the next one begins at once, and it is
//! closed within the next blocks, as much at a time as the rules allow: `closing`, `mint`.
//! The vault of rewards holds exactly what accounts are owed.
//!
//! Where stake stands behind a node, its part is shared as the rules of stake say: `stakes`.
//! Others have theirs on their reward account.
//!
//! What bounds self-payment is κ: an epoch mints for work at most κ times what was burned for
//! work while it ran. Whoever burns `b` to pay itself gets back at most `κ·b` and the fees
//! are lost.

mod actions;
mod audit;
mod clock;
mod closing;
mod error;
pub mod formulas;
mod mint;
mod queries;
mod records;
mod rules;
mod schedule;
mod stakes;
#[cfg(test)]
mod tests;

pub(crate) use actions::execute;
pub use actions::{
    CapacityEntry, CoverageEntry, DENSITY_LEVELS_MAX, DutyEntry, EpochAction, PROCESSORS_MAX,
    REPORT_ENTRIES_MAX, SCORE_MAX, UptimeEntry,
};
pub(crate) use audit::audit;
pub(crate) use clock::{next_due, run};
pub use error::EpochError;
pub use mint::SPLITS_KEPT;
pub(crate) use queries::answer;
pub use queries::{EpochAnswer, EpochQuery, FORECAST_MAX, Forecast};
pub(crate) use records::note;
pub use records::{
    Capacity, Closing, ContributionKey, Density, DeviceKey, EpochSplit, Facts, Part, Phase,
    StreamState,
};
pub use rules::{
    EPOCHS_PER_BLOCK_MAX, ITEMS_PER_BLOCK_MAX, REPORTERS_MAX, Recipient, Rules,
    STREAM_NAME_BYTES_MAX, STREAMS_MAX, Split, Stream, Unclaimed, WorkRules,
};
pub use schedule::{Progress, STAGES_MAX, Schedule};
pub use stakes::STAKERS_MAX;
