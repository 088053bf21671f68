//! What can be done with devices, certificates and licences.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Hash, NodeId, TimestampMs};
use serde::{Deserialize, Serialize};

use super::{BenchmarkResults, DevicesError, Statement, Subject};
use super::{certificates, fleet, licences, rewards};
use crate::context::{Context, Verdict, check_text};
use crate::error::TransactionError;
use crate::money::Denomination;
use crate::state::State;

/// The longest name of a region, in bytes.
pub const REGION_BYTES_MAX: u32 = 64;
/// The most attributes of a device, or of an audit.
pub const ATTRIBUTES_MAX: u32 = 32;
/// The longest attribute, its name and its value each, in bytes.
pub const ATTRIBUTE_BYTES_MAX: u32 = 128;
/// The most licences in one purchase.
pub const BUY_LICENCES_MAX: u32 = 64;

/// One action of this room.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DevicesAction {
    /// A registered provider (by node key) enters a device.
    Register {
        /// The digest over what the hardware says of itself.
        fingerprint: Hash,
        /// Its class.
        class: String,
        /// Where it stands, 1 to [`REGION_BYTES_MAX`] bytes.
        region: String,
        /// The memory of its accelerator, in MiB.
        vram_mib: u32,
        /// What else there is to say, at most [`ATTRIBUTES_MAX`].
        attributes: BTreeMap<String, String>,
    },
    /// The provider (by node key) says anew where a device stands, and what else there is to
    /// say. Another class or memory is another registration.
    Describe {
        /// Which.
        fingerprint: Hash,
        /// Where it stands.
        region: String,
        /// What else there is to say.
        attributes: BTreeMap<String, String>,
    },
    /// The provider (by node key) offers a device on standby for hire.
    Activate {
        /// Which.
        fingerprint: Hash,
    },
    /// The provider (by node key) takes an active device back to standby.
    Pause {
        /// Which.
        fingerprint: Hash,
    },
    /// The provider (by node key) takes a device out.
    Retire {
        /// Which.
        fingerprint: Hash,
    },
    /// A reporter (where the rules name none: the provider, by node key) says what it measured.
    /// An active device that falls below its class goes back to standby.
    Report {
        /// Which device.
        fingerprint: Hash,
        /// What was measured.
        results: BenchmarkResults,
    },
    /// An account states something about a subject, for a time.
    Certify {
        /// The issuer's number for it; each once.
        serial: u64,
        /// About whom.
        subject: Subject,
        /// What.
        statement: Statement,
        /// Until when.
        valid_until: TimestampMs,
    },
    /// The issuer takes a certificate back, for good.
    Revoke {
        /// Which.
        serial: u64,
    },
    /// An account locks the auditor's bond, and may audit.
    BecomeAuditor,
    /// An auditor leaves: it audits no more, and its bond is free after the cooldown.
    LeaveAuditors,
    /// A former auditor takes its bond back.
    TakeBond,
    /// An account buys licences, from its tokens or its credits to spend.
    BuyLicences {
        /// How many, at most [`BUY_LICENCES_MAX`].
        count: u32,
        /// What it pays in.
        denomination: Denomination,
        /// The most that it would pay, in base units.
        most: u128,
        /// Whether it buys as a whitelisted one.
        whitelisted: bool,
        /// Who brought it here: an account that owns a licence.
        referrer: Option<AccountId>,
    },
    /// An owner says which key works with a licence.
    Delegate {
        /// Which.
        number: u32,
        /// The key; none: nobody's.
        operator: Option<NodeId>,
    },
    /// An owner gives a licence to another account. Its delegation ends.
    TransferLicence {
        /// Which.
        number: u32,
        /// To whom.
        to: AccountId,
    },
    /// An owner gives a licence back for its price less the fee.
    GiveBack {
        /// Which.
        number: u32,
    },
    /// The whitelister puts an account into a tier, or out of all.
    Whitelist {
        /// Whom.
        account: AccountId,
        /// The tier, from 0.
        tier: Option<u8>,
    },
    /// A reward account names another one for a node's rewards.
    RotateReward {
        /// Whose rewards.
        node: NodeId,
        /// The new account.
        reward: AccountId,
    },
}

/// Runs one action of this room.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &DevicesAction) -> Verdict {
    match action {
        DevicesAction::Register { fingerprint, class, region, vram_mib, attributes } => {
            let described = fleet::Described { region, attributes };
            fleet::register(state, context, *fingerprint, class, *vram_mib, &described)
        }
        DevicesAction::Describe { fingerprint, region, attributes } => {
            let described = fleet::Described { region, attributes };
            fleet::describe(state, context, *fingerprint, &described)
        }
        DevicesAction::Activate { fingerprint } => fleet::activate(state, context, *fingerprint),
        DevicesAction::Pause { fingerprint } => fleet::pause(state, context, *fingerprint),
        DevicesAction::Retire { fingerprint } => fleet::retire(state, context, *fingerprint),
        DevicesAction::Report { fingerprint, results } => {
            fleet::report(state, context, *fingerprint, results)
        }
        DevicesAction::Certify { serial, subject, statement, valid_until } => {
            certificates::certify(state, context, *serial, (*subject, statement), *valid_until)
        }
        DevicesAction::Revoke { serial } => certificates::revoke(state, context, *serial),
        DevicesAction::BecomeAuditor => certificates::become_auditor(state, context),
        DevicesAction::LeaveAuditors => certificates::leave_auditors(state, context),
        DevicesAction::TakeBond => certificates::take_bond(state, context),
        DevicesAction::RotateReward { node, reward } => {
            rewards::rotate(state, context, *node, *reward)
        }
        other => execute_licence(state, context, other),
    }
}

fn execute_licence(state: &mut State, context: &Context<'_>, action: &DevicesAction) -> Verdict {
    match *action {
        DevicesAction::BuyLicences { count, denomination, most, whitelisted, referrer } => {
            let order = licences::Order { count, denomination, most, whitelisted, referrer };
            licences::buy(state, context, &order)
        }
        DevicesAction::Delegate { number, operator } => {
            licences::delegate(state, context, number, operator)
        }
        DevicesAction::TransferLicence { number, to } => {
            licences::transfer(state, context, number, to)
        }
        DevicesAction::GiveBack { number } => licences::give_back(state, context, number),
        DevicesAction::Whitelist { account, tier } => {
            licences::whitelist(state, context, account, tier)
        }
        _ => Err(DevicesError::Disabled.into()),
    }
}

/// Checks what a transaction says of a device.
pub(super) fn check_attributes(
    attributes: &BTreeMap<String, String>,
) -> Result<(), TransactionError> {
    if attributes.len() > ATTRIBUTES_MAX as usize {
        return Err(DevicesError::AttributeLimit { most: ATTRIBUTES_MAX }.into());
    }
    for (name, value) in attributes {
        check_text("attribute", name, ATTRIBUTE_BYTES_MAX)?;
        check_text("attribute", value, ATTRIBUTE_BYTES_MAX)?;
    }
    Ok(())
}
