//! Why an action on devices, certificates or licences is refused.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, NodeId, TimestampMs};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::DeviceStatus;

/// Why an action of this room takes no effect. Recorded in blocks: new variants go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DevicesError {
    /// This economy keeps no devices.
    #[error("this network keeps no devices; its rules would have to enable them")]
    Disabled,
    /// The rules name no such class.
    #[error("there is no device class {class}; choose one that `devices.classes` names")]
    UnknownClass {
        /// Which.
        class: String,
    },
    /// The fingerprint belongs to a device that is not retired.
    #[error("this device is registered by {provider}; it must be retired there first")]
    FingerprintTaken {
        /// Whose it is.
        provider: NodeId,
    },
    /// There is no such device of this provider.
    #[error("this provider has no such device; sign with the node key that registered it")]
    UnknownDevice,
    /// The provider, or the network, has as many devices as it may.
    #[error("at most {most} devices are allowed; retire one")]
    DeviceLimit {
        /// How many are allowed.
        most: u32,
    },
    /// The device has less memory than its class asks for.
    #[error("the class needs {needed} MiB of memory; choose another class")]
    DeviceMemory {
        /// What it asks for.
        needed: u32,
    },
    /// Not from where the device stands.
    #[error("the device is {status:?}; this needs another status")]
    DeviceState {
        /// Where it stands.
        status: DeviceStatus,
    },
    /// The device's measured score is missing or too low.
    #[error("the device's benchmark is missing or below its class; have it measured")]
    BenchmarkTooLow,
    /// A benchmark's result is negative or too large.
    #[error("a benchmark's results must be from 0 to 1,000,000 points")]
    BenchmarkRange,
    /// Only reporters report benchmarks.
    #[error("only the reporters that `devices.reporters` names may report this")]
    NotReporter,
    /// The audit tier is too low.
    #[error("this needs audit tier {needed}, and {found} is certified; have it audited")]
    TierTooLow {
        /// What is needed.
        needed: u8,
        /// What holds.
        found: u8,
    },
    /// Too many attributes.
    #[error("at most {most} attributes are allowed")]
    AttributeLimit {
        /// How many.
        most: u32,
    },
    /// The issuer used this serial before.
    #[error("serial {serial} is taken; choose another")]
    SerialTaken {
        /// Which.
        serial: u64,
    },
    /// There is no such certificate.
    #[error("there is no certificate {serial} of this issuer, or it has ended")]
    UnknownCertificate {
        /// Which.
        serial: u64,
    },
    /// The certificate would end too early or too late.
    #[error("a certificate of this kind must end after {now} and not after {latest}")]
    CertificateEnd {
        /// Block time.
        now: TimestampMs,
        /// The latest end.
        latest: TimestampMs,
    },
    /// The subject or the issuer has as many certificates as it may.
    #[error("at most {most} certificates are allowed here; wait until one ends")]
    CertificateLimit {
        /// How many.
        most: u32,
    },
    /// Not for this issuer to say about this subject.
    #[error("this issuer cannot certify this: transport is one's own, an audit a stranger's")]
    CertificateSubject,
    /// There is no such tier.
    #[error("an audit's tier must be 1 to {most}")]
    CertificateTier {
        /// The highest.
        most: u8,
    },
    /// The account has no bond as auditor, or is leaving.
    #[error("only bonded auditors may audit; become one first")]
    NotAuditor,
    /// The account is an auditor already.
    #[error("the account is an auditor already")]
    AuditorExists,
    /// The bond is not free yet.
    #[error("the auditor's bond is locked; leave first, and come back when it is free")]
    AuditorBonded,
    /// No licences are for sale to this account now.
    #[error("the sale of licences is not open to this account now")]
    LicenceSaleClosed,
    /// The series, the tier or the account has no more to buy.
    #[error("only {left} more licences can be bought here")]
    LicenceLimit {
        /// How many.
        left: u32,
    },
    /// The number of licences is zero or too large for one action.
    #[error("buy 1 to {most} licences at a time")]
    LicenceCount {
        /// How many.
        most: u32,
    },
    /// The denomination is not accepted.
    #[error("licences are not sold for this denomination; pay in the other one")]
    LicenceDenomination,
    /// The price rose above what the buyer would pay.
    #[error("the licences cost {cost} base units now; allow for that, or buy fewer")]
    LicencePrice {
        /// What they cost.
        cost: u128,
    },
    /// The referrer owns no licence, or is the buyer.
    #[error("a referrer must be another account that owns a licence")]
    LicenceReferrer,
    /// Not the owner of such a licence.
    #[error("licence {number} does not exist or belongs to another account")]
    UnknownLicence {
        /// Which.
        number: u32,
    },
    /// The licence cannot be moved or given back yet.
    #[error("licence {number} is bound until {until}; come back then")]
    LicenceBound {
        /// Which.
        number: u32,
        /// Until when.
        until: TimestampMs,
    },
    /// Licences are not bought back.
    #[error("this network does not buy licences back")]
    LicenceNoBuyBack,
    /// Only the whitelister whitelists, and only into tiers that the rules name.
    #[error("only `devices.licences.whitelister` may do this, for a tier that the rules name")]
    NotWhitelister,
    /// Only the reward account may change where a node's rewards go.
    #[error("rewards of this node go to {reward}; only that account may name another one")]
    RewardOwned {
        /// The account.
        reward: AccountId,
    },
}

impl DevicesError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "device_disabled",
            Self::UnknownClass { .. } => "device_class",
            Self::FingerprintTaken { .. } => "device_taken",
            Self::UnknownDevice => "device_unknown",
            Self::DeviceLimit { .. } => "device_limit",
            Self::DeviceMemory { .. } => "device_memory",
            Self::DeviceState { .. } => "device_state",
            Self::BenchmarkTooLow => "device_benchmark_low",
            Self::BenchmarkRange => "device_benchmark_range",
            Self::NotReporter => "device_not_reporter",
            Self::TierTooLow { .. } => "device_tier_low",
            Self::AttributeLimit { .. } => "device_attribute_limit",
            Self::SerialTaken { .. } => "certificate_serial_taken",
            Self::UnknownCertificate { .. } => "certificate_unknown",
            Self::CertificateEnd { .. } => "certificate_end",
            Self::CertificateLimit { .. } => "certificate_limit",
            Self::CertificateSubject => "certificate_subject",
            Self::CertificateTier { .. } => "certificate_tier",
            Self::NotAuditor => "auditor_unknown",
            Self::AuditorExists => "auditor_exists",
            Self::AuditorBonded => "auditor_bonded",
            Self::LicenceSaleClosed => "licence_sale_closed",
            Self::LicenceLimit { .. } => "licence_limit",
            Self::LicenceCount { .. } => "licence_count",
            Self::LicenceDenomination => "licence_denomination",
            Self::LicencePrice { .. } => "licence_price",
            Self::LicenceReferrer => "licence_referrer",
            Self::UnknownLicence { .. } => "licence_unknown",
            Self::LicenceBound { .. } => "licence_bound",
            Self::LicenceNoBuyBack => "licence_no_buy_back",
            Self::NotWhitelister => "licence_not_whitelister",
            Self::RewardOwned { .. } => "reward_owned",
        }
    }

    /// Whether the same action may succeed later without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::LicenceBound { .. } | Self::AuditorBonded)
    }
}
