//! The invariants of devices, certificates and licences.

use remuda_types::{Credits, Tokens};

use super::DeviceStatus;
use crate::audit::require;
use crate::error::AuditError;
use crate::money::{Denomination, Purse, Vault};
use crate::state::State;

/// Checks every invariant of the room.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    devices(state)?;
    bonds(state)?;
    licences(state)
}

/// A device's timer runs exactly while its status waits for one.
fn devices(state: &State) -> Result<(), AuditError> {
    for (id, device) in &state.tables.devices {
        let waits = matches!(device.status, DeviceStatus::New | DeviceStatus::Retired);
        require(*id == device.fingerprint, || format!("device {id} has another name"))?;
        require(device.due_at.is_some() == waits, || format!("device {id} has a wrong timer"))?;
        let gone = device.status == DeviceStatus::Retired;
        let known = state.tables.providers.contains_key(&device.provider);
        require(gone || known, || format!("device {id} has no provider"))?;
    }
    Ok(())
}

/// The vault holds exactly the auditors' bonds.
fn bonds(state: &State) -> Result<(), AuditError> {
    let bonds = state.tables.auditors.values();
    let sum = bonds.map(|auditor| auditor.bond.0).try_fold(0, u128::checked_add);
    let held = state.vault(Vault::Auditors);
    let owed = Purse { tokens: Tokens(sum.unwrap_or(u128::MAX)), credits: Credits::ZERO };
    require(held == owed, || format!("auditors are owed {owed:?}, their vault holds {held:?}"))
}

/// The vault holds exactly what backs the licences, and no series is passed.
fn licences(state: &State) -> Result<(), AuditError> {
    let mut owed = Purse::default();
    for (number, licence) in &state.tables.licences {
        require(licence.reserve <= licence.paid, || format!("licence {number} backed too well"))?;
        let sum = match licence.denomination {
            Denomination::Token => {
                let sum = owed.tokens.add(Tokens(licence.reserve));
                sum.map(|tokens| Purse { tokens, ..owed })
            }
            Denomination::Credit => {
                let part = Credits(u64::try_from(licence.reserve).unwrap_or(u64::MAX));
                owed.credits.add(part).map(|credits| Purse { credits, ..owed })
            }
        };
        owed = sum.map_err(|_| AuditError { invariant: "licences overflow".into() })?;
    }
    let held = state.vault(Vault::Licences);
    require(held == owed, || format!("licences are owed {owed:?}, their vault holds {held:?}"))?;
    let Some(sale) = state.licence_sale() else {
        return require(owed == Purse::default(), || "licences without a sale".into());
    };
    require(sale.reserve == owed, || format!("the sale says {:?}, not {owed:?}", sale.reserve))?;
    let live = u32::try_from(state.tables.licences.len()).unwrap_or(u32::MAX);
    let counted = sale.sold.checked_sub(sale.given_back) == Some(live);
    require(counted, || format!("{live} licences, but the sale says {sale:?}"))
}
