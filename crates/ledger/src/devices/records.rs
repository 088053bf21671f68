//! What the room keeps.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Hash, NodeId, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use crate::math::Fixed;
use crate::money::{Denomination, Purse};
use crate::query::record;

/// Where a device stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum DeviceStatus {
    /// Entered, and waiting.
    New,
    /// Known, and not for hire.
    Standby,
    /// For hire.
    Active,
    /// Gone; its fingerprint is remembered for a while, and may be entered anew by anyone.
    Retired,
}

record! {
    /// A device of a provider.
    Device {
        /// The digest over what its hardware says of itself: its name.
        fingerprint: Hash,
        /// Whose it is.
        provider: NodeId,
        /// Its class, of those that the rules name.
        class: String,
        /// Where it stands, as its provider says.
        region: String,
        /// The memory of its accelerator, in MiB, as its provider says.
        vram_mib: u32,
        /// The newest measurement.
        benchmark: Option<Benchmark>,
        /// What else its provider says of it.
        attributes: BTreeMap<String, String>,
        /// Where it stands.
        status: DeviceStatus,
        /// When it was entered.
        registered_at: TimestampMs,
        /// When a new one comes on standby, and when a retired one is forgotten.
        due_at: Option<TimestampMs>,
    }
}

record! {
    /// The three parts of a benchmark, in its own points.
    BenchmarkResults {
        /// The info channels kernel.
        info: Fixed,
        /// The direct lighting kernel.
        direct_light: Fixed,
        /// The path tracing kernel.
        path_trace: Fixed,
    }
}

record! {
    /// A measurement of a device.
    Benchmark {
        /// The score by the rules' weights, in OctaneBench points, rounded toward zero.
        score: Fixed,
        /// Who reported it.
        reporter: AccountId,
        /// When.
        reported_at: TimestampMs,
    }
}

/// About whom or what a certificate speaks.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An account.
    Account(AccountId),
    /// A node.
    Node(NodeId),
    /// A device, by its fingerprint.
    Device(Hash),
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statement {
    /// The subject speaks mutual TLS with this certificate. Only the subject says so itself.
    Transport {
        /// The digest over the DER bytes of the X.509 certificate.
        digest: Hash,
    },
    /// A trusted environment runs exactly this.
    Attestation {
        /// The digest over what was measured.
        measurement: Hash,
    },
    /// An auditor looked, and vouches for attributes.
    Audit {
        /// How closely it looked: 1 to 4.
        tier: u8,
        /// The digest over what it saw.
        evidence: Hash,
        /// What it vouches for.
        attributes: BTreeMap<String, String>,
    },
}

record! {
    /// A statement of one account about a subject, for a time.
    Certificate {
        /// Who says so.
        issuer: AccountId,
        /// The issuer's number for it.
        serial: u64,
        /// About whom.
        subject: Subject,
        /// What.
        statement: Statement,
        /// Since when.
        issued_at: TimestampMs,
        /// Until when.
        valid_until: TimestampMs,
        /// When the issuer took it back.
        revoked_at: Option<TimestampMs>,
        /// Whether another auditor's judgement was too different: both are void.
        is_void: bool,
    }
}

impl Certificate {
    /// Whether it counts at a time.
    #[must_use]
    pub fn holds(&self, now: TimestampMs) -> bool {
        self.revoked_at.is_none() && !self.is_void && now < self.valid_until
    }

    /// The tier, of an audit.
    #[must_use]
    pub const fn tier(&self) -> Option<u8> {
        match self.statement {
            Statement::Audit { tier, .. } => Some(tier),
            _ => None,
        }
    }
}

record! {
    /// One who may audit, and what it locked for that.
    Auditor {
        /// The bond.
        bond: Tokens,
        /// Set when it left: the bond is free from then on.
        free_at: Option<TimestampMs>,
    }
}

record! {
    /// A node licence.
    Licence {
        /// Its number in the series, from 0.
        number: u32,
        /// Whose it is.
        owner: AccountId,
        /// The key that works with it.
        operator: Option<NodeId>,
        /// What its first owner paid, in base units.
        paid: u128,
        /// In what.
        denomination: Denomination,
        /// What of that backs its buy-back.
        reserve: u128,
        /// When it was sold.
        bought_at: TimestampMs,
    }
}

record! {
    /// The sale of licences so far.
    LicenceSale {
        /// When the network began to sell: the times of the rules count from then.
        began_at: TimestampMs,
        /// How many were ever sold; the number of the next one.
        sold: u32,
        /// How many were given back. They do not come back on sale.
        given_back: u32,
        /// How many each tier of the whitelist bought.
        whitelisted: Vec<u32>,
        /// What backs the buy-back of all: what `Vault::Licences` holds.
        reserve: Purse,
    }
}

record! {
    /// What one account bought in the sale.
    LicenceBuyer {
        /// Its tier of the whitelist, from 0.
        tier: Option<u8>,
        /// How many it bought in the open sale.
        open: u32,
        /// How many it bought as a whitelisted one.
        whitelisted: u32,
    }
}
