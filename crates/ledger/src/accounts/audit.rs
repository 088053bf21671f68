//! What must hold of grants, allocations and accounts of several keys.

use std::collections::BTreeMap;

use remuda_types::Tokens;

use super::records::MultisigProposal;
use crate::audit::require;
use crate::error::AuditError;
use crate::money::Vault;
use crate::state::State;

/// Checks every invariant of this room.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    grants(state)?;
    allocations(state)?;
    multisigs(state)
}

/// The vault holds exactly what the grants owe.
fn grants(state: &State) -> Result<(), AuditError> {
    let totals = state.vesting();
    let mut owed = Tokens::ZERO;
    for (id, grant) in &state.tables.grants {
        let counted = grant.id == *id && *id < totals.grants;
        require(counted, || format!("grant {id} was never counted"))?;
        require(grant.claimed < grant.amount, || format!("grant {id} has ended and is kept"))?;
        owed = owed.add(grant.owed()).unwrap_or(Tokens(u128::MAX));
    }
    let held = state.vault(Vault::Vesting);
    let exact = totals.owed == owed && held.tokens == owed && held.credits.is_zero();
    require(exact, || format!("grants owe {owed}, the totals {}, held {held:?}", totals.owed))
}

/// No allocation gives more than it has, nor to more accounts than may share it.
fn allocations(state: &State) -> Result<(), AuditError> {
    let economy = state.economy();
    let mut parts: BTreeMap<&str, (u32, Tokens)> = BTreeMap::new();
    for (id, part) in &state.tables.allocation_parts {
        let (count, sum) = parts.entry(&id.allocation).or_default();
        *count += 1;
        *sum = sum.add(*part).unwrap_or(Tokens(u128::MAX));
    }
    for (name, used) in &state.tables.allocation_uses {
        let (count, sum) = parts.remove(name.as_str()).unwrap_or_default();
        // What was minted at genesis has no parts.
        let dealt = count == 0 || (count, sum) == (used.participants, used.minted);
        require(dealt, || format!("allocation {name} says {used:?}, its parts {count}: {sum}"))?;
        let Some((allocation, whole)) = economy.token.allocation(name) else { continue };
        let most = allocation.participants_max.unwrap_or(u32::MAX);
        let within = used.minted <= whole && used.participants <= most;
        require(within, || format!("allocation {name} gave {used:?} of {whole}"))?;
    }
    require(parts.is_empty(), || format!("parts of unknown allocations: {parts:?}"))
}

/// Approvals are members', each once, and too few while the proposal is open.
fn multisigs(state: &State) -> Result<(), AuditError> {
    for (account, multisig) in &state.tables.multisigs {
        let named = *account == multisig.policy.account();
        require(named, || format!("{account} is not named by its policy"))?;
    }
    state.tables.multisig_proposals.values().try_for_each(|proposal| approvals(state, proposal))
}

fn approvals(state: &State, proposal: &MultisigProposal) -> Result<(), AuditError> {
    let id = proposal.id;
    let Some(multisig) = state.tables.multisigs.get(&id.account) else {
        return require(false, || format!("a proposal of {}, which is unknown", id.account));
    };
    let mut approvals = proposal.approvals.clone();
    approvals.sort_unstable();
    approvals.dedup();
    let once = approvals.len() == proposal.approvals.len();
    let members = &multisig.policy.members;
    let known = approvals.iter().all(|member| members.binary_search(member).is_ok());
    let waits =
        proposal.ended_at.is_some() || approvals.len() < usize::from(multisig.policy.threshold);
    let counted = id.number < multisig.proposals;
    require(once && known && waits && counted, || format!("proposal {id:?}: {proposal:?}"))
}
