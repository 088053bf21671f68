//! Checks: drawn after the commitment, blind until everybody committed.

use remuda_types::{AccountId, Hash, Height, NodeId, ReceiptId};

use super::bisection;
use super::cases::{DRAW_BLOCKS, escalate, finish};
use super::{Check, Checker, Dispute, DisputeError, DisputeId, DisputeKind, Stage, Verdict};
use crate::block::Effects;
use crate::context::Context;
use crate::cycle::Cycle;
use crate::epochs::Recipient;
use crate::error::TransactionError;
use crate::math::Share;
use crate::money::{Holder, Vault};
use crate::points::Work;
use crate::stake::Offence;
use crate::state::{Row, State};

/// How often checkers are drawn for one dispute before nobody could check it.
const DRAWS_MAX: u32 = 4;

type Done = Result<(), TransactionError>;

/// Whether the beacon draws a receipt for a check. Anyone can recompute it.
#[must_use]
pub fn is_drawn(beacon: &Hash, receipt: &ReceiptId, share: Share) -> bool {
    let digest = Hash::derive("remuda/audit-draw/1", &[beacon.0, receipt.0.0].concat());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.0[..8]);
    // The digest's place within all of 2^64, in billionths rounded down.
    let place = (u128::from(u64::from_le_bytes(first)) * 1_000_000_000) >> 64;
    place < u128::from(share.billionths())
}

/// What a checker commits to before it reveals. It names the checker: a copy is worth nothing
/// to another one.
#[must_use]
pub fn check_commitment(
    dispute: &DisputeId,
    checker: &NodeId,
    verdict: Verdict,
    fingerprint: &Hash,
    salt: &[u8; 32],
) -> Hash {
    let verdict = [verdict as u8];
    let parts = [&dispute.0.0[..], &checker.0, &verdict, &fingerprint.0, salt];
    Hash::derive("remuda/check-commit/1", &parts.concat())
}

/// Draws the checkers of a dispute: those with the lowest digests over the beacon.
pub(super) fn draw(state: &mut State, cycle: &Cycle, mut dispute: Dispute) -> Done {
    let rules = &cycle.economy.disputes;
    let (wanted, needed) = match dispute.escalated {
        true => (rules.escalation, rules.escalation),
        false => (rules.checkers, 1),
    };
    let (wanted, needed) = (wanted as usize, needed as usize);
    let mut ranked: Vec<(Hash, NodeId)> = state
        .tables
        .checkers
        .iter()
        .filter(|(node, checker)| is_eligible(state, cycle, &dispute, node, checker))
        .map(|(node, _)| (rank(&cycle.beacon, &dispute.id, node), *node))
        .collect();
    if ranked.len() < needed || dispute.draws >= DRAWS_MAX {
        return finish(state, dispute, Stage::Unchecked, cycle.now);
    }
    ranked.sort_unstable();
    ranked.truncate(wanted);
    let fresh =
        |(_, checker)| Check { checker, commitment: None, verdict: None, fingerprint: None };
    dispute.checks = ranked.into_iter().map(fresh).collect();
    dispute.draws += 1;
    dispute.stage = Stage::Selected;
    let due_at = cycle.now.saturating_add(rules.commit.ms());
    (dispute.due_at, dispute.due_height) = (Some(due_at), None);
    state.put_dispute(dispute);
    Ok(())
}

fn rank(beacon: &Hash, dispute: &DisputeId, checker: &NodeId) -> Hash {
    Hash::derive("remuda/checker-draw/1", &[beacon.0, dispute.0.0, checker.0].concat())
}

/// A checker is drawn that was there before anyone knew the beacon, has its deposit, and is on
/// neither side.
fn is_eligible(
    state: &State,
    cycle: &Cycle,
    dispute: &Dispute,
    node: &NodeId,
    checker: &Checker,
) -> bool {
    let early = checker.enrolled_at.saturating_add(DRAW_BLOCKS) <= cycle.height;
    let bonded = checker.bond >= cycle.economy.disputes.checker_bond;
    let reward = state.reward_account(node);
    let sides = [
        dispute.payer,
        state.reward_account(&dispute.accused),
        state.reward_account(&dispute.gateway),
        dispute.accused.into(),
        dispute.gateway.into(),
    ];
    let stranger =
        |account: &AccountId| !sides.contains(account) && dispute.accuser.as_ref() != Some(account);
    early
        && bonded
        && checker.leaves_at.is_none()
        && !state.is_ejected(node)
        && stranger(&reward)
        && stranger(&(*node).into())
        && !dispute.earlier.contains(node)
}

fn drawn<'a>(dispute: &'a mut Dispute, node: &NodeId) -> Result<&'a mut Check, DisputeError> {
    let found = dispute.checks.iter_mut().find(|check| check.checker == *node);
    found.ok_or(DisputeError::NotDrawn)
}

fn check_stage(dispute: &Dispute, stage: Stage, context: &Context<'_>) -> Result<(), DisputeError> {
    if dispute.stage != stage {
        return Err(DisputeError::WrongStage { stage: dispute.stage });
    }
    match dispute.due_at {
        Some(due_at) if context.now >= due_at => Err(DisputeError::Late),
        _ => Ok(()),
    }
}

/// A drawn checker commits. With the last commitment the reveals begin.
pub(super) fn commit(
    state: &mut State,
    context: &Context<'_>,
    id: DisputeId,
    commitment: Hash,
) -> Result<Effects, TransactionError> {
    let mut dispute = state.dispute(id)?;
    check_stage(&dispute, Stage::Selected, context)?;
    let check = drawn(&mut dispute, &context.signer)?;
    if check.commitment.is_some() {
        return Err(DisputeError::AlreadyDone.into());
    }
    check.commitment = Some(commitment);
    if dispute.checks.iter().all(|check| check.commitment.is_some()) {
        begin_reveals(&mut dispute, context.now, context.economy.disputes.reveal.ms());
    }
    state.put_dispute(dispute);
    Ok(Effects::default())
}

fn begin_reveals(dispute: &mut Dispute, now: u64, reveal_ms: u64) {
    dispute.stage = Stage::CheckCommitted;
    dispute.due_at = Some(now.saturating_add(reveal_ms));
}

/// A drawn checker reveals what it committed to. With the last reveal the check is decided.
pub(super) fn reveal(
    state: &mut State,
    context: &Context<'_>,
    id: DisputeId,
    (verdict, fingerprint, salt): (Verdict, Hash, [u8; 32]),
) -> Result<Effects, TransactionError> {
    let mut dispute = state.dispute(id)?;
    check_stage(&dispute, Stage::CheckCommitted, context)?;
    let check = drawn(&mut dispute, &context.signer)?;
    if check.verdict.is_some() {
        return Err(DisputeError::AlreadyDone.into());
    }
    let said = check_commitment(&id, &context.signer, verdict, &fingerprint, &salt);
    if check.commitment != Some(said) {
        return Err(DisputeError::NotCommitted.into());
    }
    (check.verdict, check.fingerprint) = (Some(verdict), Some(fingerprint));
    if dispute.checks.iter().all(|check| check.verdict.is_some()) {
        decide(state, (context.height, context.now), dispute)?;
    } else {
        state.put_dispute(dispute);
    }
    Ok(Effects::default())
}

/// Takes out and punishes the checkers that owe something. It fails no job that they did.
fn drop_absent(
    state: &mut State,
    cycle: &Cycle,
    dispute: &mut Dispute,
    is_present: impl Fn(&Check) -> bool,
) -> Done {
    let checks = std::mem::take(&mut dispute.checks);
    let (present, absent): (Vec<Check>, Vec<Check>) = checks.into_iter().partition(is_present);
    dispute.checks = present;
    for check in absent {
        dispute.earlier.push(check.checker);
        state.slash_checker(&check.checker, Offence::MissedCheck, None, cycle.now)?;
    }
    Ok(())
}

/// The time to commit is over: who did not is replaced when nobody did, and left out else.
pub(super) fn close_commits(state: &mut State, cycle: &Cycle, mut dispute: Dispute) -> Done {
    drop_absent(state, cycle, &mut dispute, |check| check.commitment.is_some())?;
    if dispute.checks.is_empty() {
        return redraw(state, cycle, dispute);
    }
    begin_reveals(&mut dispute, cycle.now, cycle.economy.disputes.reveal.ms());
    state.put_dispute(dispute);
    Ok(())
}

/// The time to reveal is over: those who did decide.
pub(super) fn close_reveals(state: &mut State, cycle: &Cycle, mut dispute: Dispute) -> Done {
    drop_absent(state, cycle, &mut dispute, |check| check.verdict.is_some())?;
    if dispute.checks.is_empty() {
        return redraw(state, cycle, dispute);
    }
    decide(state, (cycle.height, cycle.now), dispute)
}

fn redraw(state: &mut State, cycle: &Cycle, mut dispute: Dispute) -> Done {
    dispute.stage = if dispute.escalated { Stage::Escalated } else { Stage::Delivered };
    let height = cycle.height.saturating_add(DRAW_BLOCKS);
    (dispute.due_at, dispute.due_height) = (None, Some(height));
    state.put_dispute(dispute);
    Ok(())
}

/// All verdicts are there. The first check passes or leads on; fresh checkers decide by two
/// thirds of those that were to be drawn; anything else is *could not check*.
fn decide(state: &mut State, (height, now): (Height, u64), dispute: Dispute) -> Done {
    pay_checkers(state, &dispute)?;
    let count = |verdict| dispute.checks.iter().filter(|c| c.verdict == Some(verdict)).count();
    let (passed, failed) = (count(Verdict::Passed), count(Verdict::Failed));
    if dispute.escalated {
        let fresh = state.economy().disputes.escalation as usize;
        let carries = |votes: usize| votes * 3 >= fresh * 2;
        let stage = match (carries(failed), carries(passed)) {
            (true, _) => Stage::Convicted,
            (_, true) => Stage::Cleared,
            _ => Stage::Unchecked,
        };
        return finish(state, dispute, stage, now);
    }
    match (failed, passed, dispute.kind) {
        (0, 0, _) => finish(state, dispute, Stage::Unchecked, now),
        (0, _, _) => finish(state, dispute, Stage::Final, now),
        (_, _, DisputeKind::Statistical) => escalate(state, height, dispute),
        (_, _, DisputeKind::Exact) => bisection::begin(state, height, dispute),
    }
}

/// Pays every verdict alike, whatever it says, while the treasury has tokens, and counts it
/// for the epoch; *could not check* is none.
fn pay_checkers(state: &mut State, dispute: &Dispute) -> Done {
    let reward = state.economy().disputes.checker_reward;
    for check in &dispute.checks {
        if !matches!(check.verdict, Some(Verdict::Passed | Verdict::Failed)) {
            continue;
        }
        state.note_duty(Recipient::Checkers, check.checker, 1)?;
        let paid = reward.min(state.vault(Vault::Treasury).tokens);
        let account = state.reward_account(&check.checker);
        state.award_points(account, Work::Verdicts(1));
        state.move_tokens(Holder::Vault(Vault::Treasury), Holder::Account(account), paid)?;
        if let Some(mut checker) = state.tables.checkers.get(&check.checker).cloned() {
            checker.verdicts = checker.verdicts.saturating_add(1);
            state.write(Row::Checker(check.checker, Some(checker)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_is_drawn_and_all_or_nothing_at_the_ends() {
        let beacon = Hash([7; 32]);
        let receipt = |n: u32| ReceiptId(Hash::derive("t", &n.to_le_bytes()));
        let drawn = |share| (0..2_000).filter(|n| is_drawn(&beacon, &receipt(*n), share)).count();
        assert_eq!(drawn(Share::ZERO), 0);
        assert_eq!(drawn(Share::ALL), 2_000);
        assert!((150..250).contains(&drawn(Share::percent(10))));
    }
}
