//! What is found of accounts without a scan.

use std::collections::{BTreeMap, BTreeSet};

use remuda_types::{AccountId, PublicKey, TimestampMs};

use super::records::{Beneficiary, GrantSource, MultisigProposalId};
use crate::state::{Row, link};

/// The secondary indexes of this room.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct AccountIndexes {
    pub(crate) multisigs_of: BTreeMap<PublicKey, BTreeSet<AccountId>>,
    /// Open proposals by their end.
    pub(crate) proposals_by_end: BTreeSet<(TimestampMs, MultisigProposalId)>,
    pub(crate) grants_of: BTreeMap<Beneficiary, BTreeSet<u64>>,
    pub(crate) grants_by: BTreeMap<AccountId, BTreeSet<u64>>,
}

impl AccountIndexes {
    /// Enters (`present`) or takes out a record.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        match row {
            Row::Multisig(account, Some(multisig)) => {
                for member in &multisig.policy.members {
                    link(&mut self.multisigs_of, *member, *account, present);
                }
            }
            Row::MultisigProposal(id, Some(proposal)) if proposal.ended_at.is_none() => {
                let entry = (proposal.expires_at, *id);
                if present {
                    self.proposals_by_end.insert(entry);
                } else {
                    self.proposals_by_end.remove(&entry);
                }
            }
            Row::Grant(id, Some(grant)) => {
                link(&mut self.grants_of, grant.beneficiary, *id, present);
                if let GrantSource::Account(grantor) = grant.source {
                    link(&mut self.grants_by, grantor, *id, present);
                }
            }
            _ => {}
        }
    }
}
