//! Proposals: how they are made, and how the vote on them ends.

use super::actions::{TEXT_BYTES_MAX, TITLE_BYTES_MAX};
use super::{Governance, GovernanceError, Proposal, ProposalKind, ProposalStatus, Rules, Tally};
use super::{changes, pool};
use crate::block::Effects;
use crate::context::{Context, Verdict, check_text};
use crate::economy::Economy;
use crate::error::TransactionError;
use crate::genesis::Parameters;
use crate::math::{Rounding, Share, mul_div};
use crate::money::{Denomination, Flow, Holder, Vault};
use crate::state::{Row, State};
use remuda_types::{Height, TimestampMs};

/// How many proposals the state remembers, the newest; blocks keep all.
pub(super) const PROPOSALS_KEPT: u64 = 4_096;

/// Where deposits and locked votes lie.
pub(super) const LOCKED: Holder = Holder::Vault(Vault::Proposals);

impl Tally {
    /// No votes.
    pub(super) const EMPTY: Self = Self { yes: 0, no: 0, abstain: 0, veto: 0, turnout: 0 };
}

impl State {
    pub(super) fn proposal(&self, id: u64) -> Result<Proposal, GovernanceError> {
        let found = self.tables.proposals.get(&id).cloned();
        found.ok_or(GovernanceError::UnknownProposal { id })
    }

    pub(super) fn keep_proposal(&mut self, proposal: Proposal) {
        self.write(Row::Proposal(proposal.id, Some(proposal)));
    }

    /// Where governance runs; an error where it is not enabled.
    pub(super) fn running(&self) -> Result<Governance, GovernanceError> {
        self.governance().cloned().ok_or(GovernanceError::Disabled)
    }
}

/// An account proposes something.
pub(super) fn propose(
    state: &mut State,
    context: &Context<'_>,
    title: &str,
    text: &str,
    kind: &ProposalKind,
) -> Verdict {
    let rules = &context.economy.governance;
    let mut governance = state.running()?;
    if !rules.enabled {
        return Err(GovernanceError::Disabled.into());
    }
    if governance.open >= rules.open_max {
        return Err(GovernanceError::OpenLimit { most: rules.open_max }.into());
    }
    check_text("title", title, TITLE_BYTES_MAX)?;
    check_text("text", text, TEXT_BYTES_MAX)?;
    check_kind(state, context.height, kind)?;
    let id = governance.next_proposal;
    governance.next_proposal = id.checked_add(1).ok_or(TransactionError::Overflow)?;
    governance.open = governance.open.checked_add(1).ok_or(TransactionError::Overflow)?;
    state.put_governance(governance);
    let proposer = context.account();
    state.move_tokens(Holder::Account(proposer), LOCKED, rules.deposit)?;
    let votes_until = context.now.saturating_add(rules.voting.ms());
    state.keep_proposal(Proposal {
        id,
        proposer,
        title: title.into(),
        text: text.into(),
        kind: kind.clone(),
        deposit: rules.deposit,
        proposed_at: context.now,
        votes_until,
        electorate: state.electorate(rules),
        tally: Tally::EMPTY,
        status: ProposalStatus::Voting,
        due_at: Some(votes_until),
    });
    forget_old(state, id);
    Ok(Effects::default())
}

/// The proposal that is now beyond memory goes, if it has ended.
fn forget_old(state: &mut State, newest: u64) {
    let Some(old) = newest.checked_sub(PROPOSALS_KEPT) else { return };
    if state.tables.proposals.get(&old).is_some_and(|proposal| !proposal.status.is_open()) {
        state.write(Row::Proposal(old, None));
    }
}

/// Whether a proposal could be executed as things stand, but for money that may still come in.
fn check_kind(state: &State, height: Height, kind: &ProposalKind) -> Result<(), TransactionError> {
    let is_nothing = match kind {
        ProposalKind::Text => false,
        ProposalKind::Change { changes } => {
            changed_rules(state, changes)?;
            false
        }
        ProposalKind::Spend { amount, denomination, .. } => {
            check_spend(state, *amount, *denomination)?;
            *amount == 0
        }
        ProposalKind::Burn { amount } => {
            check_spend(state, amount.0, Denomination::Token)?;
            amount.is_zero()
        }
        ProposalKind::SeedPool { tokens, credits } => {
            check_spend(state, tokens.0, Denomination::Token)?;
            check_spend(state, credits.0.into(), Denomination::Credit)?;
            pool::check_sides(state, *tokens, *credits)?;
            tokens.is_zero() && credits.is_zero()
        }
        ProposalKind::Upgrade { plan } => {
            check_text("name", &plan.name, TITLE_BYTES_MAX)?;
            if plan.height <= height {
                return Err(GovernanceError::UpgradeHeight.into());
            }
            false
        }
    };
    if is_nothing { Err(TransactionError::ZeroAmount) } else { Ok(()) }
}

/// The rules in force with some changes.
fn changed_rules(
    state: &State,
    changes: &[super::ParameterChange],
) -> Result<(Economy, Parameters), TransactionError> {
    let parameters = state.tables.parameters.get(&()).copied().unwrap_or_default();
    changes::apply(&state.economy(), &parameters, changes, state.supply().tokens)
}

/// One proposal spends at most its share of the treasury.
fn check_spend(state: &State, amount: u128, unit: Denomination) -> Result<(), GovernanceError> {
    let held = state.vault(Vault::Treasury);
    let held = match unit {
        Denomination::Token => held.tokens.0,
        Denomination::Credit => held.credits.0.into(),
    };
    let most = state.economy().governance.treasury.proposal_share.of(held);
    if amount > most { Err(GovernanceError::SpendLimit { most }) } else { Ok(()) }
}

/// What becomes of a proposal by its votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Passed,
    Rejected,
    Vetoed,
}

/// Decides: first whether enough took part, then veto, then yes.
fn decide(rules: &Rules, tally: &Tally, electorate: u128) -> Result<Decision, TransactionError> {
    let whole = u128::from(Share::ALL.billionths());
    let share = u128::from(rules.quorum.billionths());
    let quorum = mul_div(electorate, share, whole, Rounding::Up)?;
    if tally.turnout == 0 || tally.turnout < quorum {
        return Ok(Decision::Rejected);
    }
    let add = |a: u128, b: u128| a.checked_add(b).ok_or(TransactionError::Overflow);
    let decided = add(add(tally.yes, tally.no)?, tally.veto)?;
    if tally.veto > rules.veto.of(add(decided, tally.abstain)?) {
        return Ok(Decision::Vetoed);
    }
    let passed = tally.yes > rules.threshold.of(decided);
    Ok(if passed { Decision::Passed } else { Decision::Rejected })
}

/// The time of voting is over.
pub(super) fn close(
    state: &mut State,
    mut proposal: Proposal,
    now: TimestampMs,
) -> Result<(), TransactionError> {
    let economy = state.economy();
    let rules = &economy.governance;
    match decide(rules, &proposal.tally, proposal.electorate)? {
        Decision::Vetoed => {
            state.burn_tokens(LOCKED, proposal.deposit, Flow::Offering)?;
            proposal.status = ProposalStatus::Vetoed;
            end(state, proposal, now)
        }
        Decision::Rejected => {
            give_deposit_back(state, &proposal)?;
            proposal.status = ProposalStatus::Rejected;
            end(state, proposal, now)
        }
        Decision::Passed => queue(state, proposal, now),
    }
}

/// A proposal passed: its deposit goes back, its timelock begins.
pub(super) fn queue(
    state: &mut State,
    mut proposal: Proposal,
    now: TimestampMs,
) -> Result<(), TransactionError> {
    give_deposit_back(state, &proposal)?;
    state.write(Row::VoteSweep(proposal.id, Some(now)));
    let execute_at = now.saturating_add(state.economy().governance.timelock.ms());
    proposal.status = ProposalStatus::Queued { execute_at, failure: None };
    proposal.due_at = Some(execute_at);
    state.keep_proposal(proposal);
    Ok(())
}

/// The deposit of a proposal under vote goes back.
pub(super) fn give_deposit_back(
    state: &mut State,
    proposal: &Proposal,
) -> Result<(), TransactionError> {
    state.move_tokens(LOCKED, Holder::Account(proposal.proposer), proposal.deposit)
}

/// A proposal has ended, as its status says.
pub(super) fn end(
    state: &mut State,
    mut proposal: Proposal,
    now: TimestampMs,
) -> Result<(), TransactionError> {
    let mut governance = state.running()?;
    governance.open = governance.open.checked_sub(1).ok_or(TransactionError::Overflow)?;
    let forgotten = proposal.id.saturating_add(PROPOSALS_KEPT) < governance.next_proposal;
    state.put_governance(governance);
    state.write(Row::VoteSweep(proposal.id, Some(now)));
    proposal.due_at = None;
    let id = proposal.id;
    state.write(Row::Proposal(id, (!forgotten).then_some(proposal)));
    Ok(())
}

/// Does what a proposal says, under the rules of now.
pub(super) fn carry_out(
    state: &mut State,
    (now, height): (TimestampMs, Height),
    id: u64,
    kind: &ProposalKind,
) -> Result<(), TransactionError> {
    use super::OutflowReason::Proposal as Because;
    let cause = super::treasury::Cause { at: now, reason: Because(id) };
    check_kind(state, height, kind)?;
    match kind {
        ProposalKind::Text => Ok(()),
        ProposalKind::Change { changes } => {
            let (economy, parameters) = changed_rules(state, changes)?;
            state.write(Row::Economy((), Some(std::sync::Arc::new(economy))));
            state.write(Row::Parameters((), Some(parameters)));
            Ok(())
        }
        ProposalKind::Spend { to, amount, denomination } => {
            state.pay_from_treasury(*to, *amount, *denomination, cause)
        }
        ProposalKind::Burn { amount } => state.burn_from_treasury(*amount, cause),
        ProposalKind::SeedPool { tokens, credits } => pool::seed(state, *tokens, *credits, cause),
        ProposalKind::Upgrade { plan } => {
            let governance = state.running()?;
            state.put_governance(Governance { upgrade: Some(plan.clone()), ..governance });
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(yes: u128, no: u128, abstain: u128, veto: u128) -> Tally {
        Tally { yes, no, abstain, veto, turnout: yes + no + abstain + veto }
    }

    /// Quorum 10 % of 1,000, threshold 50 %, veto 33 %.
    #[test]
    fn votes_decide_in_their_order() {
        let rules = Rules::default();
        let decide = |tally: Tally| decide(&rules, &tally, 1_000).unwrap();
        assert_eq!(decide(tally(99, 0, 0, 0)), Decision::Rejected);
        assert_eq!(decide(tally(100, 0, 0, 0)), Decision::Passed);
        assert_eq!(decide(tally(1, 0, 99, 0)), Decision::Passed);
        assert_eq!(decide(tally(50, 50, 0, 0)), Decision::Rejected);
        assert_eq!(decide(tally(51, 50, 0, 0)), Decision::Passed);
        assert_eq!(decide(tally(67, 0, 0, 33)), Decision::Passed);
        assert_eq!(decide(tally(66, 0, 0, 34)), Decision::Vetoed);
        assert_eq!(decide(tally(66, 0, 1, 34)), Decision::Vetoed);
        assert_eq!(decide(tally(0, 0, 0, 99)), Decision::Rejected);
        let none = Rules { quorum: Share::ZERO, ..Rules::default() };
        assert_eq!(super::decide(&none, &Tally::EMPTY, 0), Ok(Decision::Rejected));
    }
}
