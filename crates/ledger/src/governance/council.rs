//! The council: an account that the rules name, bounded by phase, period and timelock. It is
//! meant to be a multisig of the founders.

use remuda_types::{AccountId, TimestampMs, Tokens};

use super::actions::MEMO_BYTES_MAX;
use super::execution::settle_spend;
use super::phases::MATURE;
use super::proposals::{end, give_deposit_back, queue};
use super::{
    CouncilSpend, Governance, GovernanceError, Proposal, ProposalKind, ProposalStatus, SpendStatus,
};
use crate::block::Effects;
use crate::context::{Context, Verdict, check_text};
use crate::error::TransactionError;
use crate::state::{Row, State};

/// The most spends of the council that wait at a time.
const SPENDS_OPEN_MAX: u32 = 64;
/// How many spends of the council the state remembers, the newest; blocks keep all.
const SPENDS_KEPT: u64 = 4_096;

/// Governance with the council's period brought up to now, for the council only.
fn admit(state: &State, context: &Context<'_>) -> Result<Governance, GovernanceError> {
    let rules = &context.economy.governance.treasury;
    let mut governance = state.running()?;
    if rules.council != Some(context.account()) {
        return Err(GovernanceError::NotCouncil);
    }
    let period = rules.council_period.ms().max(1);
    let periods = context.now.saturating_sub(governance.council_since) / period;
    if periods > 0 {
        let passed = periods.saturating_mul(period);
        governance.council_since = governance.council_since.saturating_add(passed);
        governance.council_spent = Tokens::ZERO;
        governance.council_acts = 0;
    }
    Ok(governance)
}

fn period_end(governance: &Governance, context: &Context<'_>) -> TimestampMs {
    let period = context.economy.governance.treasury.council_period.ms();
    governance.council_since.saturating_add(period)
}

/// Counts one act of the first phase against the council's period.
fn act(state: &mut State, context: &Context<'_>) -> Result<(), GovernanceError> {
    let mut governance = admit(state, context)?;
    let phase = governance.phase;
    if phase > 1 {
        return Err(GovernanceError::CouncilPhase { phase });
    }
    if governance.council_acts >= context.economy.governance.treasury.council_acts {
        return Err(GovernanceError::CouncilCap { until: period_end(&governance, context) });
    }
    governance.council_acts = governance.council_acts.saturating_add(1);
    state.put_governance(governance);
    Ok(())
}

/// The council vetoes an open proposal. Its deposit goes back.
pub(super) fn veto(state: &mut State, context: &Context<'_>, id: u64) -> Verdict {
    act(state, context)?;
    let proposal = state.proposal(id)?;
    match proposal.status {
        ProposalStatus::Voting => give_deposit_back(state, &proposal)?,
        ProposalStatus::Queued { .. } => {}
        _ => return Err(GovernanceError::ProposalState { id }.into()),
    }
    end(state, Proposal { status: ProposalStatus::CouncilVetoed, ..proposal }, context.now)?;
    Ok(Effects::default())
}

/// The council passes a proposal. What spends, and what changes governance itself, takes votes.
pub(super) fn pass(state: &mut State, context: &Context<'_>, id: u64) -> Verdict {
    act(state, context)?;
    let proposal = state.proposal(id)?;
    if proposal.status != ProposalStatus::Voting {
        return Err(GovernanceError::ProposalState { id }.into());
    }
    let of_governance =
        |path: &str| path.split('.').next().is_some_and(|section| section == "governance");
    let allowed = match &proposal.kind {
        ProposalKind::Text | ProposalKind::Upgrade { .. } => true,
        ProposalKind::Change { changes } => {
            !changes.iter().any(|change| of_governance(&change.path))
        }
        _ => false,
    };
    if !allowed {
        return Err(GovernanceError::CouncilPhase { phase: 1 }.into());
    }
    queue(state, proposal, context.now)?;
    Ok(Effects::default())
}

/// The council spends, within its cap and after its timelock.
pub(super) fn spend(
    state: &mut State,
    context: &Context<'_>,
    to: AccountId,
    amount: Tokens,
    memo: &str,
) -> Verdict {
    let rules = &context.economy.governance.treasury;
    let mut governance = admit(state, context)?;
    let phase = governance.phase;
    if phase >= MATURE {
        return Err(GovernanceError::CouncilPhase { phase }.into());
    }
    check_text("memo", memo, MEMO_BYTES_MAX)?;
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    if governance.spends_open >= SPENDS_OPEN_MAX {
        return Err(GovernanceError::OpenLimit { most: SPENDS_OPEN_MAX }.into());
    }
    governance.council_spent = governance.council_spent.add(amount)?;
    if governance.council_spent > rules.council_cap {
        return Err(GovernanceError::CouncilCap { until: period_end(&governance, context) }.into());
    }
    let id = governance.next_spend;
    governance.next_spend = id.checked_add(1).ok_or(TransactionError::Overflow)?;
    governance.spends_open += 1;
    state.put_governance(governance);
    let execute_at = context.now.saturating_add(rules.council_timelock.ms());
    let (memo, status) = (memo.into(), SpendStatus::Pending);
    let spend = CouncilSpend { id, to, amount, memo, execute_at, status };
    state.write(Row::CouncilSpend(id, Some(spend)));
    forget_old(state, id);
    Ok(Effects::default())
}

fn forget_old(state: &mut State, newest: u64) {
    let Some(old) = newest.checked_sub(SPENDS_KEPT) else { return };
    let found = state.tables.council_spends.get(&old);
    if found.is_some_and(|spend| spend.status != SpendStatus::Pending) {
        state.write(Row::CouncilSpend(old, None));
    }
}

/// The council takes a waiting spend back.
pub(super) fn cancel(state: &mut State, context: &Context<'_>, id: u64) -> Verdict {
    admit(state, context)?;
    let spend = state.tables.council_spends.get(&id);
    let spend = spend.filter(|spend| spend.status == SpendStatus::Pending).cloned();
    let spend = spend.ok_or(GovernanceError::UnknownSpend { id })?;
    settle_spend(state, CouncilSpend { status: SpendStatus::Cancelled, ..spend })?;
    Ok(Effects::default())
}
