//! What can be asked about devices, certificates and licences.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Hash, NodeId, TimestampMs};
use serde::{Deserialize, Serialize};

use super::{Auditor, Certificate, Device, Licence, LicenceBuyer, LicenceSale, Subject};
use crate::answers::{ANSWER_RECORDS_MAX, select};
use crate::state::State;

/// A question to this room.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DevicesQuery {
    /// A device, by its fingerprint.
    Device(Hash),
    /// The devices of a provider that are not retired.
    DevicesOf(NodeId),
    /// All devices, in the order of their fingerprints, after one; by pages.
    Devices {
        /// After which; none: from the first.
        after: Option<Hash>,
    },
    /// A certificate.
    Certificate {
        /// Whose.
        issuer: AccountId,
        /// Its number.
        serial: u64,
    },
    /// The certificates about a subject, ended ones that are still remembered included.
    CertificatesAbout(Subject),
    /// The audit tier that counts for a subject, at the newest block's time.
    AuditTier(Subject),
    /// An auditor and its bond.
    Auditor(AccountId),
    /// A licence.
    Licence(u32),
    /// The licences of an account.
    LicencesOf(AccountId),
    /// The licences that a key works with.
    LicencesOfOperator(NodeId),
    /// The sale so far.
    LicenceSale,
    /// What an account bought in the sale.
    LicenceBuyer(AccountId),
}

/// The answer to a [`DevicesQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DevicesAnswer {
    /// To `Device`.
    Device(Option<Device>),
    /// To `DevicesOf` and `Devices`.
    Devices(Vec<Device>),
    /// To `Certificate`.
    Certificate(Option<Certificate>),
    /// To `CertificatesAbout`.
    Certificates(Vec<Certificate>),
    /// To `AuditTier`.
    AuditTier(u8),
    /// To `Auditor`.
    Auditor(Option<Auditor>),
    /// To `Licence`.
    Licence(Option<Licence>),
    /// To `LicencesOf` and `LicencesOfOperator`.
    Licences(Vec<Licence>),
    /// To `LicenceSale`.
    LicenceSale(Option<LicenceSale>),
    /// To `LicenceBuyer`.
    LicenceBuyer(LicenceBuyer),
}

/// Answers at the newest block's time.
pub(crate) fn answer(state: &State, now: TimestampMs, query: &DevicesQuery) -> DevicesAnswer {
    let (tables, indexes) = (&state.tables, &state.indexes.devices);
    match query {
        DevicesQuery::Device(id) => DevicesAnswer::Device(tables.devices.get(id).cloned()),
        DevicesQuery::DevicesOf(node) => {
            let devices = state.devices_of(node).take(ANSWER_RECORDS_MAX);
            DevicesAnswer::Devices(devices.cloned().collect())
        }
        DevicesQuery::Devices { after } => DevicesAnswer::Devices(page(state, *after)),
        DevicesQuery::Certificate { issuer, serial } => {
            DevicesAnswer::Certificate(tables.certificates.get(&(*issuer, *serial)).cloned())
        }
        DevicesQuery::CertificatesAbout(subject) => {
            DevicesAnswer::Certificates(state.certificates_about(subject).cloned().collect())
        }
        DevicesQuery::AuditTier(subject) => {
            let rules = &state.economy().devices.certificates;
            DevicesAnswer::AuditTier(tier(state, subject, now, rules))
        }
        DevicesQuery::Auditor(id) => DevicesAnswer::Auditor(tables.auditors.get(id).cloned()),
        DevicesQuery::Licence(number) => {
            DevicesAnswer::Licence(tables.licences.get(number).cloned())
        }
        DevicesQuery::LicencesOf(owner) => {
            let numbers = indexes.licences_of_owner.get(owner);
            DevicesAnswer::Licences(select(&tables.licences, numbers))
        }
        DevicesQuery::LicencesOfOperator(operator) => {
            let numbers = indexes.licences_of_operator.get(operator);
            DevicesAnswer::Licences(select(&tables.licences, numbers))
        }
        DevicesQuery::LicenceSale => DevicesAnswer::LicenceSale(state.licence_sale().cloned()),
        DevicesQuery::LicenceBuyer(id) => DevicesAnswer::LicenceBuyer(state.licence_buyer(id)),
    }
}

/// A device has its provider's tier if that is higher than its own.
fn tier(state: &State, subject: &Subject, now: TimestampMs, rules: &super::CertificateRules) -> u8 {
    let device = match subject {
        Subject::Device(fingerprint) => state.tables.devices.get(fingerprint),
        _ => None,
    };
    match device {
        Some(device) => state.tier_of_device(device, now, rules),
        None => state.audit_tier(subject, now, rules),
    }
}

fn page(state: &State, after: Option<Hash>) -> Vec<Device> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = after.map_or(Unbounded, Excluded);
    let devices = state.tables.devices.range((from, Unbounded)).take(ANSWER_RECORDS_MAX);
    devices.map(|(_, device)| device.clone()).collect()
}
