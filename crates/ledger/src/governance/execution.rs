//! What becomes of proposals and spends when their time has come.

use remuda_types::{Height, TimestampMs};

use super::proposals::{carry_out, close, end};
use super::treasury::Cause;
use super::{
    CouncilSpend, GovernanceError, OutflowReason, Proposal, ProposalStatus, SpendStatus, pool,
};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::Denomination;
use crate::state::{Row, State};

/// The most proposals, and the most spends, that one block sees to; the others come next.
const DUE_PER_BLOCK_MAX: usize = 16;

/// Anyone executes a proposal whose timelock is over.
pub(super) fn execute(state: &mut State, context: &Context<'_>, id: u64) -> Verdict {
    let proposal = state.proposal(id)?;
    let ProposalStatus::Queued { execute_at, .. } = proposal.status else {
        return Err(GovernanceError::ProposalState { id }.into());
    };
    if context.now < execute_at {
        return Err(GovernanceError::Timelock { id, execute_at }.into());
    }
    carry_out(state, (context.now, context.height), id, &proposal.kind)?;
    end(state, Proposal { status: ProposalStatus::Executed, ..proposal }, context.now)?;
    Ok(Effects::default())
}

/// Every block: votes end, proposals are executed, spends are paid.
pub(crate) fn run_proposals(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let timers = &state.indexes.governance;
    let due = |(due, _): &&(TimestampMs, u64)| *due <= cycle.now;
    let proposals = timers.proposals.iter().take_while(due).take(DUE_PER_BLOCK_MAX);
    let proposals: Vec<u64> = proposals.map(|(_, id)| *id).collect();
    let spends = timers.spends.iter().take_while(due).take(DUE_PER_BLOCK_MAX);
    let spends: Vec<u64> = spends.map(|(_, id)| *id).collect();
    for id in proposals {
        let proposal = state.proposal(id)?;
        see_to(state, cycle, proposal)?;
    }
    for id in spends {
        pay(state, cycle.now, id)?;
    }
    Ok(())
}

fn see_to(state: &mut State, cycle: &Cycle, proposal: Proposal) -> Result<(), TransactionError> {
    match proposal.status.clone() {
        ProposalStatus::Voting => close(state, proposal, cycle.now),
        ProposalStatus::Queued { execute_at, failure: None } => {
            attempt(state, proposal, execute_at, (cycle.now, cycle.height))
        }
        ProposalStatus::Queued { .. } => {
            end(state, Proposal { status: ProposalStatus::Lapsed, ..proposal }, cycle.now)
        }
        _ => Ok(()),
    }
}

/// Executes a proposal; what fails leaves no trace but the reason, and may be tried by hand.
fn attempt(
    state: &mut State,
    proposal: Proposal,
    execute_at: TimestampMs,
    (now, height): (TimestampMs, Height),
) -> Result<(), TransactionError> {
    let mark = state.mark();
    let Err(error) = carry_out(state, (now, height), proposal.id, &proposal.kind) else {
        return end(state, Proposal { status: ProposalStatus::Executed, ..proposal }, now);
    };
    state.roll_back(mark);
    let failure = Some(error.code().into());
    let grace = state.economy().governance.grace.ms();
    state.keep_proposal(Proposal {
        status: ProposalStatus::Queued { execute_at, failure },
        due_at: Some(now.saturating_add(grace)),
        ..proposal
    });
    Ok(())
}

/// Pays a spend of the council whose time has come, if the treasury can.
fn pay(state: &mut State, now: TimestampMs, id: u64) -> Result<(), TransactionError> {
    let Some(spend) = state.tables.council_spends.get(&id).cloned() else { return Ok(()) };
    let cause = Cause { at: now, reason: OutflowReason::Council(id) };
    let mark = state.mark();
    let paid = state.pay_from_treasury(spend.to, spend.amount.0, Denomination::Token, cause);
    let status = match paid {
        Ok(()) => SpendStatus::Paid,
        Err(_) => {
            state.roll_back(mark);
            SpendStatus::Failed
        }
    };
    settle_spend(state, CouncilSpend { status, ..spend })
}

/// A spend of the council no longer waits.
pub(super) fn settle_spend(state: &mut State, spend: CouncilSpend) -> Result<(), TransactionError> {
    let mut governance = state.running()?;
    let open = governance.spends_open.checked_sub(1);
    governance.spends_open = open.ok_or(TransactionError::Overflow)?;
    state.put_governance(governance);
    state.write(Row::CouncilSpend(spend.id, Some(spend)));
    Ok(())
}

/// When something of this room is due.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    let timers = &state.indexes.governance;
    let first = |timer: Option<&(TimestampMs, u64)>| timer.map(|(due, _)| *due);
    let due = [first(timers.proposals.first()), first(timers.spends.first()), pool::due(state)];
    due.into_iter().flatten().min()
}
