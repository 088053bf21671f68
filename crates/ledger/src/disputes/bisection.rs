//! Bisection of an exact mismatch: the accused names the states within the interval, the
//! challenger picks the first that it disputes, until one step is left. Who does not move in
//! time loses.

use remuda_types::{AccountId, Hash, Height, TimestampMs};

use super::cases::{escalate, finish};
use super::{Bisection, Dispute, DisputeError, DisputeId, Stage, Verdict};
use crate::block::Effects;
use crate::context::Context;
use crate::error::TransactionError;
use crate::stake::Offence;
use crate::state::State;

/// The longest evidence about one step, in bytes.
pub(super) const LEAF_BYTES_MAX: usize = 16 << 10;

type Done = Result<(), TransactionError>;
type Moved = Result<Effects, TransactionError>;

/// A first check found an exact mismatch: the challenger, or else the checker that found it,
/// plays against the accused.
pub(super) fn begin(state: &mut State, height: Height, mut dispute: Dispute) -> Done {
    let failed = dispute.checks.iter().find(|check| check.verdict == Some(Verdict::Failed));
    let checker = failed.map(|check| AccountId::from(check.checker));
    let Some(challenger) = dispute.accuser.or(checker) else {
        return escalate(state, height, dispute);
    };
    let before = std::mem::take(&mut dispute.checks);
    dispute.earlier.extend(before.into_iter().map(|check| check.checker));
    let (agreed, claimed) = (dispute.input, dispute.output);
    let split = Vec::new();
    dispute.bisection = Some(Bisection { round: 0, challenger, agreed, claimed, split });
    dispute.stage = Stage::Bisecting;
    wait(state, height, &mut dispute);
    state.put_dispute(dispute);
    Ok(())
}

/// Gives the next mover its blocks.
fn wait(state: &State, height: Height, dispute: &mut Dispute) {
    let blocks = state.economy().disputes.move_blocks;
    (dispute.due_at, dispute.due_height) = (None, Some(height.saturating_add(blocks)));
}

/// The game of a dispute in which a move can be made.
fn game(dispute: &Dispute, height: Height) -> Result<Bisection, DisputeError> {
    match (&dispute.bisection, dispute.stage) {
        (Some(game), Stage::Bisecting) if dispute.due_height.is_some_and(|due| height < due) => {
            Ok(game.clone())
        }
        (Some(_), Stage::Bisecting) => Err(DisputeError::Late),
        _ => Err(DisputeError::WrongStage { stage: dispute.stage }),
    }
}

/// The accused names the states within the interval, the last being the one it claimed.
pub(super) fn split(
    state: &mut State,
    context: &Context<'_>,
    id: DisputeId,
    states: &[Hash],
) -> Moved {
    let mut dispute = state.dispute(id)?;
    let mut game = game(&dispute, context.height)?;
    if dispute.accused != context.signer || !game.split.is_empty() {
        return Err(DisputeError::NotMover.into());
    }
    let arity = context.economy.disputes.arity;
    if states.len() != arity as usize || states.last() != Some(&game.claimed) {
        return Err(DisputeError::WrongSplit { arity }.into());
    }
    game.split = states.to_vec();
    dispute.bisection = Some(game);
    wait(state, context.height, &mut dispute);
    state.put_dispute(dispute);
    Ok(Effects::default())
}

/// The challenger picks the first state that it disputes. After the last round one step is
/// left.
pub(super) fn pick(state: &mut State, context: &Context<'_>, id: DisputeId, index: u32) -> Moved {
    let mut dispute = state.dispute(id)?;
    let mut game = game(&dispute, context.height)?;
    if game.challenger != context.account() || game.split.is_empty() {
        return Err(DisputeError::NotMover.into());
    }
    let rules = &context.economy.disputes;
    let states = std::mem::take(&mut game.split);
    let place = index as usize;
    let claimed = states.get(place).copied();
    game.claimed = claimed.ok_or(DisputeError::WrongPick { arity: rules.arity })?;
    if let Some(before) = place.checked_sub(1).and_then(|before| states.get(before)) {
        game.agreed = *before;
    }
    game.round += 1;
    if game.round >= rules.rounds {
        dispute.stage = Stage::Leaf;
    }
    dispute.bisection = Some(game);
    wait(state, context.height, &mut dispute);
    state.put_dispute(dispute);
    Ok(Effects::default())
}

/// Anyone shows what the last step gives.
pub(super) fn prove_leaf(
    state: &mut State,
    context: &Context<'_>,
    id: DisputeId,
    evidence: &[u8],
) -> Moved {
    let dispute = state.dispute(id)?;
    let (Stage::Leaf, Some(game)) = (dispute.stage, &dispute.bisection) else {
        return Err(DisputeError::WrongStage { stage: dispute.stage }.into());
    };
    if evidence.len() > LEAF_BYTES_MAX {
        return Err(DisputeError::Undecided.into());
    }
    match judge_step(&game.agreed, &game.claimed, evidence) {
        Verdict::Passed => lose(state, dispute, Stage::ChallengerSlashed, context.now)?,
        Verdict::Failed => lose(state, dispute, Stage::Convicted, context.now)?,
        Verdict::CouldNotCheck => return Err(DisputeError::Undecided.into()),
    }
    Ok(Effects::default())
}

/// Whether one step leads from `agreed` to `claimed`, by evidence that a pure function can
/// check. The proofs of single steps belong to the kinds of work, none of which is known here
/// yet: every step is left to the checkers' vote.
const fn judge_step(_agreed: &Hash, _claimed: &Hash, _evidence: &[u8]) -> Verdict {
    Verdict::CouldNotCheck
}

/// The side that had to move did not: it loses.
pub(super) fn time_out(state: &mut State, now: TimestampMs, dispute: Dispute) -> Done {
    let accused_sleeps = dispute.bisection.as_ref().is_none_or(|game| game.split.is_empty());
    let stage = if accused_sleeps { Stage::Convicted } else { Stage::ChallengerSlashed };
    lose(state, dispute, stage, now)
}

/// Ends the game. A checker that challenged without a bond pays with its deposit.
fn lose(state: &mut State, dispute: Dispute, stage: Stage, now: TimestampMs) -> Done {
    let checker = match (&dispute.bisection, dispute.accuser) {
        (Some(game), None) => Some(remuda_types::PublicKey(game.challenger.0.0)),
        _ => None,
    };
    if let Some(checker) = checker.filter(|_| stage == Stage::ChallengerSlashed) {
        let winner = state.reward_account(&dispute.accused);
        state.slash_checker(&checker, Offence::FalseChallenge, Some(winner), now)?;
    }
    finish(state, dispute, stage, now)
}
