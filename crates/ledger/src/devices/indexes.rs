//! What the room's records answer without a scan.

use std::collections::{BTreeMap, BTreeSet};

use remuda_types::{AccountId, Hash, NodeId, TimestampMs};

use super::{DeviceStatus, Subject};
use crate::state::{Row, link};

/// The room's indexes.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct DeviceIndexes {
    /// Devices that are not retired.
    pub(crate) of_provider: BTreeMap<NodeId, BTreeSet<Hash>>,
    /// When something happens to a device by time alone.
    pub(crate) timers: BTreeSet<(TimestampMs, Hash)>,
    pub(crate) certificates_about: BTreeMap<Subject, BTreeSet<(AccountId, u64)>>,
    pub(crate) certificates_by: BTreeMap<AccountId, BTreeSet<u64>>,
    pub(crate) certificates_until: BTreeSet<(TimestampMs, AccountId, u64)>,
    pub(crate) licences_of_owner: BTreeMap<AccountId, BTreeSet<u32>>,
    pub(crate) licences_of_operator: BTreeMap<NodeId, BTreeSet<u32>>,
}

/// Enters (`present`) or takes out an entry.
fn mark<T: Ord>(set: &mut BTreeSet<T>, entry: T, present: bool) {
    if present {
        set.insert(entry);
    } else {
        set.remove(&entry);
    }
}

impl DeviceIndexes {
    /// Enters (`present`) or takes out a record of this room.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        match row {
            Row::Device(id, Some(device)) => {
                if device.status != DeviceStatus::Retired {
                    link(&mut self.of_provider, device.provider, *id, present);
                }
                if let Some(due) = device.due_at {
                    mark(&mut self.timers, (due, *id), present);
                }
            }
            Row::Certificate((issuer, serial), Some(certificate)) => {
                let name = (*issuer, *serial);
                link(&mut self.certificates_about, certificate.subject, name, present);
                link(&mut self.certificates_by, *issuer, *serial, present);
                let until = (certificate.valid_until, *issuer, *serial);
                mark(&mut self.certificates_until, until, present);
            }
            Row::Licence(number, Some(licence)) => {
                link(&mut self.licences_of_owner, licence.owner, *number, present);
                if let Some(operator) = licence.operator {
                    link(&mut self.licences_of_operator, operator, *number, present);
                }
            }
            _ => {}
        }
    }
}
