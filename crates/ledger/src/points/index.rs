//! What the room answers without a scan.

use std::collections::{BTreeMap, BTreeSet};

use remuda_types::{AccountId, Height};

use super::records::TeamNumber;
use crate::state::{Row, link};

/// The room's secondary indexes.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct PointsIndexes {
    /// Who is in a team.
    pub(crate) members_of: BTreeMap<TeamNumber, BTreeSet<AccountId>>,
    /// In which blocks an account committed to opening chests that are not all drawn.
    pub(crate) openings_of: BTreeMap<AccountId, BTreeSet<Height>>,
}

impl PointsIndexes {
    /// Enters (`present`) or takes out a record.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        match row {
            Row::PointsAccount(id, Some(account)) => {
                if let Some(team) = account.team {
                    link(&mut self.members_of, team, *id, present);
                }
            }
            Row::ChestOpening((height, id), Some(_)) => {
                link(&mut self.openings_of, *id, *height, present);
            }
            _ => {}
        }
    }
}
