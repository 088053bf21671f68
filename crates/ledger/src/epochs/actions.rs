//! What accounts do: reporters report, everybody claims.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Hash, NodeId, Tokens};
use serde::{Deserialize, Serialize};

use super::error::EpochError;
use super::records::{Capacity, Density, DeviceKey, Facts};
use super::rules::Recipient;
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::error::TransactionError;
use crate::math::{Fixed, Share};
use crate::money::{Holder, Vault};
use crate::query::record;
use crate::state::{Row, State};

/// The most entries of one report.
pub const REPORT_ENTRIES_MAX: usize = 64;
/// The most processors of one device.
pub const PROCESSORS_MAX: u32 = 65_536;
/// The highest score and earlier work, in whole units.
pub const SCORE_MAX: u64 = 1_000_000_000;
/// The most hexagons in a device's density.
pub const DENSITY_LEVELS_MAX: usize = 8;

record! {
    /// What a device has.
    CapacityEntry {
        /// Whose it is.
        provider: NodeId,
        /// Which; zero for the provider as a whole.
        device: Hash,
        /// What it has. A score of 0 removes the device.
        facts: Facts,
    }
}

record! {
    /// How long a device stood ready.
    UptimeEntry {
        /// Whose it is.
        provider: NodeId,
        /// Which; zero for the provider as a whole.
        device: Hash,
        /// The share of the time.
        uptime: Share,
    }
}

record! {
    /// How crowded the places around a device are.
    CoverageEntry {
        /// Whose it is.
        provider: NodeId,
        /// Which; zero for the provider as a whole.
        device: Hash,
        /// The hexagons around it, at most 8; none for full coverage.
        density: Vec<Density>,
    }
}

record! {
    /// How much a node served in a duty.
    DutyEntry {
        /// Which node; its reward account earns.
        node: NodeId,
        /// How much more, in a unit that is the same for all: verdicts, signed blocks, hours.
        weight: u64,
    }
}

/// What an account does about epochs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EpochAction {
    /// A reporter says what devices have. It counts until it is said anew.
    ReportCapacity {
        /// 1 to 64 devices.
        entries: Vec<CapacityEntry>,
    },
    /// A reporter says how long devices stood ready. It counts for the rules' `report_life`.
    ReportUptime {
        /// 1 to 64 devices whose capacity is known.
        entries: Vec<UptimeEntry>,
    },
    /// A reporter says how crowded the places around devices are.
    ReportCoverage {
        /// 1 to 64 devices whose capacity is known.
        entries: Vec<CoverageEntry>,
    },
    /// A reporter adds to what checkers, validators, delegators or service nodes did in the
    /// running epoch of every stream that pays them.
    ReportDuty {
        /// As what.
        recipient: Recipient,
        /// 1 to 64 nodes.
        entries: Vec<DutyEntry>,
    },
    /// An account takes all rewards that it is owed.
    ClaimRewards,
}

/// Runs one action.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &EpochAction) -> Verdict {
    match action {
        EpochAction::ReportCapacity { entries } => {
            check_report(context, entries.len())?;
            for entry in entries {
                report_capacity(state, context, entry)?;
            }
        }
        EpochAction::ReportUptime { entries } => {
            check_report(context, entries.len())?;
            for entry in entries {
                report_uptime(state, context, entry)?;
            }
        }
        EpochAction::ReportCoverage { entries } => {
            check_report(context, entries.len())?;
            for entry in entries {
                report_coverage(state, entry)?;
            }
        }
        EpochAction::ReportDuty { recipient, entries } => {
            check_report(context, entries.len())?;
            report_duty(state, *recipient, entries)?;
        }
        EpochAction::ClaimRewards => claim(state, context)?,
    }
    Ok(Effects::default())
}

fn check_report(context: &Context<'_>, entries: usize) -> Result<(), EpochError> {
    if !context.economy.epochs.reporters.contains(&context.account()) {
        return Err(EpochError::NotReporter);
    }
    if entries == 0 || entries > REPORT_ENTRIES_MAX {
        let most = u32::try_from(REPORT_ENTRIES_MAX).unwrap_or(u32::MAX);
        return Err(EpochError::EntryCount { most });
    }
    Ok(())
}

fn require(holds: bool, field: &str, rule: &str) -> Result<(), EpochError> {
    let error = || EpochError::Fact { field: field.into(), rule: rule.into() };
    if holds { Ok(()) } else { Err(error()) }
}

fn check_facts(facts: &Facts) -> Result<(), TransactionError> {
    let most = Fixed::from_integer(SCORE_MAX)?;
    let fits = |value: Fixed| (Fixed::ZERO..=most).contains(&value);
    require(fits(facts.score), "score", "must be from 0 to 1000000000")?;
    require(fits(facts.earlier), "earlier", "must be from 0 to 1000000000")?;
    let fits = (1..=PROCESSORS_MAX).contains(&facts.count);
    Ok(require(fits, "count", "must be 1 to 65536")?)
}

fn report_capacity(
    state: &mut State,
    context: &Context<'_>,
    entry: &CapacityEntry,
) -> Result<(), TransactionError> {
    check_facts(&entry.facts)?;
    let key = (entry.provider, entry.device);
    let known = state.tables.capacities.get(&key).cloned();
    if entry.facts.score == Fixed::ZERO {
        known.ok_or(EpochError::UnknownDevice { device: entry.device })?;
        state.write(Row::Capacity(key, None));
        return Ok(());
    }
    let most = context.economy.epochs.devices_max;
    if known.is_none() && is_full(state.tables.capacities.len(), most) {
        return Err(EpochError::DeviceLimit { most }.into());
    }
    let account = state.reward_account(&entry.provider);
    let mut capacity = known.unwrap_or_else(|| Capacity {
        provider: entry.provider,
        device: entry.device,
        account,
        facts: Facts::default(),
        since: context.now,
        uptime: Share::ZERO,
        uptime_at: 0,
        density: Vec::new(),
        value: Fixed::ZERO,
        value_before: Fixed::ZERO,
        weight: 0,
    });
    capacity.account = account;
    capacity.facts = entry.facts.clone();
    state.write(Row::Capacity(key, Some(capacity)));
    Ok(())
}

fn known(state: &State, key: DeviceKey) -> Result<Capacity, EpochError> {
    let capacity = state.tables.capacities.get(&key).cloned();
    capacity.ok_or(EpochError::UnknownDevice { device: key.1 })
}

fn report_uptime(
    state: &mut State,
    context: &Context<'_>,
    entry: &UptimeEntry,
) -> Result<(), TransactionError> {
    let key = (entry.provider, entry.device);
    let mut capacity = known(state, key)?;
    capacity.account = state.reward_account(&entry.provider);
    (capacity.uptime, capacity.uptime_at) = (entry.uptime, context.now);
    state.write(Row::Capacity(key, Some(capacity)));
    Ok(())
}

fn report_coverage(state: &mut State, entry: &CoverageEntry) -> Result<(), TransactionError> {
    let key = (entry.provider, entry.device);
    let mut capacity = known(state, key)?;
    let fits = entry.density.len() <= DENSITY_LEVELS_MAX;
    require(fits, "density", "must have at most 8 hexagons")?;
    let fits = entry.density.iter().all(|level| level.limit > 0 && level.count > 0);
    require(fits, "density", "must have limits and counts of at least 1")?;
    capacity.density.clone_from(&entry.density);
    state.write(Row::Capacity(key, Some(capacity)));
    Ok(())
}

fn report_duty(
    state: &mut State,
    recipient: Recipient,
    entries: &[DutyEntry],
) -> Result<(), TransactionError> {
    if !recipient.is_reported() {
        return Err(EpochError::NotReported { recipient }.into());
    }
    for entry in entries {
        state.note_duty(recipient, entry.node, entry.weight.into())?;
    }
    Ok(())
}

fn claim(state: &mut State, context: &Context<'_>) -> Result<(), TransactionError> {
    let account = context.account();
    let owed = state.rewards_of(&account);
    if owed == Tokens::ZERO {
        return Err(EpochError::NothingToClaim.into());
    }
    state.write(Row::Reward(account, None));
    state.move_tokens(Holder::Vault(Vault::EpochRewards), Holder::Account(account), owed)
}
