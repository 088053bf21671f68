//! What the room's records answer without a scan.

use std::collections::BTreeSet;

use remuda_types::TimestampMs;

use super::SpendStatus;
use crate::state::Row;

/// The room's indexes.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct GovernanceIndexes {
    /// When something becomes of a proposal by time alone.
    pub(crate) proposals: BTreeSet<(TimestampMs, u64)>,
    /// When a spend of the council is paid.
    pub(crate) spends: BTreeSet<(TimestampMs, u64)>,
}

impl GovernanceIndexes {
    /// Enters (`present`) or takes out a record of this room.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        let (timers, timer) = match row {
            Row::Proposal(id, Some(proposal)) => {
                let Some(due) = proposal.due_at else { return };
                (&mut self.proposals, (due, *id))
            }
            Row::CouncilSpend(id, Some(spend)) if spend.status == SpendStatus::Pending => {
                (&mut self.spends, (spend.execute_at, *id))
            }
            _ => return,
        };
        if present {
            timers.insert(timer);
        } else {
            timers.remove(&timer);
        }
    }
}
