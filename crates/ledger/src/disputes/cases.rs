//! The life of a dispute: how it begins, what time does to it, and how it ends.

use remuda_types::{
    AccountId, ChannelId, Credits, FinalReceipt, PublicKey, Receipt, TimestampMs, Tokens,
};

use super::penalty::{Gainers, Offender};
use super::{
    Dispute, DisputeError, DisputeId, DisputeKind, Inclusion, Stage, bisection, checkers, checks,
    roots,
};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::escrow::Behind;
use crate::money::{Denomination, Holder, Vault};
use crate::stake::{Offence, Role};
use crate::state::{Row, State};

/// How many blocks lie between a commitment and the draw over it: nobody knew the beacon.
pub(super) const DRAW_BLOCKS: u64 = 2;
/// The most disputes that one block moves by height, and as many by time.
const MOVES_PER_BLOCK_MAX: usize = 16;
/// The most disputes that one block forgets.
const FORGET_PER_BLOCK_MAX: usize = 64;

type Done = Result<(), TransactionError>;

impl State {
    pub(super) fn dispute(&self, id: DisputeId) -> Result<Dispute, DisputeError> {
        let dispute = self.tables.disputes.get(&id).map(|dispute| (**dispute).clone());
        dispute.ok_or(DisputeError::Unknown { dispute: id })
    }

    pub(super) fn put_dispute(&mut self, dispute: Dispute) {
        self.write(Row::Dispute(dispute.id, Some(Box::new(dispute))));
    }

    /// Whose credits pay for a channel: as the channel says, or what it paid and is still
    /// held, or the payer's session; else the payer's own account.
    pub(super) fn payer_account(&self, channel: &ChannelId, payer: &PublicKey) -> AccountId {
        let open = self.tables.channels.get(channel).map(|channel| channel.account);
        let behind = Behind::Channel(*channel);
        let held = || {
            let keys = self.indexes.escrow.held_behind.get(&behind)?;
            self.tables.held.get(keys.first()?).map(|held| held.payer)
        };
        let session = || self.session(payer).map(|session| session.account);
        open.or_else(held).or_else(session).unwrap_or_else(|| (*payer).into())
    }
}

/// Anyone challenges a receipt that stands under a root, with a bond; none is needed for a
/// receipt that the beacon drew. What its channel paid for it is frozen while it is held.
pub(super) fn challenge(
    state: &mut State,
    context: &Context<'_>,
    receipt: &FinalReceipt,
    kind: DisputeKind,
    place: &Inclusion,
) -> Verdict {
    let body = &receipt.receipt.body;
    check_receipt(state, context, receipt, place)?;
    let id = DisputeId::of(&body.id());
    if state.tables.disputes.contains_key(&id) {
        return Err(DisputeError::Exists { dispute: id }.into());
    }
    let rules = &context.economy.disputes;
    let drawn = state
        .beacon(place.height.saturating_add(DRAW_BLOCKS))
        .is_some_and(|beacon| checks::is_drawn(&beacon, &body.id(), rules.audit));
    let (accuser, bond) = match drawn {
        true => (None, Tokens::ZERO),
        false => (Some(context.account()), rules.bond()),
    };
    let from = Holder::Account(context.account());
    state.move_tokens(from, Holder::Vault(Vault::Disputes), bond)?;
    let behind = Behind::Channel(body.channel);
    let frozen = state.freeze_held(&behind, Denomination::Credit, body.amount.0.into())?;
    let frozen = Credits(u64::try_from(frozen).map_err(|_| TransactionError::Overflow)?);
    let payer = state.payer_account(&body.channel, &body.payer);
    let mut dispute = opened(body, kind, context.height);
    (dispute.accuser, dispute.bond) = (accuser, bond);
    (dispute.payer, dispute.frozen, dispute.gateway) = (payer, frozen, place.gateway);
    state.put_dispute(dispute);
    Ok(Effects::default())
}

fn opened(receipt: &Receipt, kind: DisputeKind, height: u64) -> Dispute {
    let id = receipt.id();
    Dispute {
        id: DisputeId::of(&id),
        receipt: id,
        kind,
        stage: Stage::Delivered,
        accuser: None,
        accused: receipt.provider,
        payer: receipt.payer.into(),
        gateway: receipt.provider,
        channel: receipt.channel,
        input: receipt.input,
        output: receipt.output,
        bond: Tokens::ZERO,
        frozen: Credits::ZERO,
        opened_at: height,
        due_at: None,
        due_height: Some(height.saturating_add(DRAW_BLOCKS)),
        draws: 0,
        escalated: false,
        checks: Vec::new(),
        earlier: Vec::new(),
        bisection: None,
        ended_at: None,
    }
}

fn check_receipt(
    state: &State,
    context: &Context<'_>,
    receipt: &FinalReceipt,
    place: &Inclusion,
) -> Result<(), DisputeError> {
    if context.economy.disputes.window.ms() == 0 {
        return Err(DisputeError::Closed);
    }
    let body = &receipt.receipt.body;
    let named = receipt.receipt.signer == body.provider && receipt.voucher.signer == body.payer;
    let hold = context.voucher_holds.len() == 2 && context.voucher_holds.iter().all(|holds| *holds);
    if !named || !hold {
        return Err(DisputeError::ReceiptForged);
    }
    if body.network != context.network {
        return Err(DisputeError::WrongNetwork);
    }
    roots::check_included(state, context, receipt, place)
}

/// When time moves the next dispute, or lets the next checker go.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    let index = &state.indexes.disputes;
    let dispute = index.due_times.first().map(|(at, _)| *at);
    // What waits for a height wants the next block, whenever that may be.
    let waits = index.due_heights.first().map(|_| 0);
    let leaving = index.leaving.first().map(|(at, _)| *at);
    [dispute, waits, leaving].into_iter().flatten().min()
}

/// Draws, and decides what waited too long.
pub(crate) fn advance(state: &mut State, cycle: &Cycle) -> Done {
    let index = &state.indexes.disputes;
    let heights = index.due_heights.iter().take_while(|(height, _)| *height <= cycle.height);
    let times = index.due_times.iter().take_while(|(at, _)| *at <= cycle.now);
    let mut due: Vec<DisputeId> = heights.map(|(_, id)| *id).take(MOVES_PER_BLOCK_MAX).collect();
    due.extend(times.map(|(_, id)| *id).take(MOVES_PER_BLOCK_MAX));
    for id in due {
        let Ok(dispute) = state.dispute(id) else { continue };
        // One that cannot be decided must not keep the others.
        let mark = state.mark();
        if step(state, cycle, dispute).is_err() {
            state.roll_back(mark);
        }
    }
    checkers::let_go(state, cycle)
}

/// What time does to a dispute.
fn step(state: &mut State, cycle: &Cycle, dispute: Dispute) -> Done {
    match dispute.stage {
        Stage::Delivered | Stage::Escalated => checks::draw(state, cycle, dispute),
        Stage::Selected => checks::close_commits(state, cycle, dispute),
        Stage::CheckCommitted => checks::close_reveals(state, cycle, dispute),
        Stage::Bisecting => bisection::time_out(state, cycle.now, dispute),
        // Nobody decided the last step by evidence: checkers vote.
        Stage::Leaf => escalate(state, cycle.height, dispute),
        _ => Ok(()),
    }
}

/// Fresh checkers are to be drawn; those of before are not drawn again.
pub(super) fn escalate(state: &mut State, height: u64, mut dispute: Dispute) -> Done {
    dispute.escalated = true;
    dispute.stage = Stage::Escalated;
    let before = std::mem::take(&mut dispute.checks);
    dispute.earlier.extend(before.into_iter().map(|check| check.checker));
    (dispute.due_at, dispute.due_height) = (None, Some(height.saturating_add(DRAW_BLOCKS)));
    state.put_dispute(dispute);
    Ok(())
}

/// Ends a dispute: money goes where the outcome says.
pub(super) fn finish(
    state: &mut State,
    mut dispute: Dispute,
    stage: Stage,
    now: TimestampMs,
) -> Done {
    let frozen = std::mem::take(&mut dispute.frozen);
    let bond = std::mem::take(&mut dispute.bond);
    let accused = dispute.accused;
    let refund = (stage == Stage::Convicted).then_some(dispute.payer);
    state.release_frozen(frozen, &accused, refund)?;
    match (stage, dispute.accuser) {
        // The accused was right: the false challenge pays.
        (Stage::Final | Stage::Cleared | Stage::ChallengerSlashed, Some(_)) => {
            state.forfeit(bond, Some(state.reward_account(&accused)))?;
        }
        (_, Some(accuser)) => {
            state.move_tokens(Holder::Vault(Vault::Disputes), Holder::Account(accuser), bond)?;
        }
        (_, None) => {}
    }
    if stage == Stage::Convicted {
        let offence = match dispute.kind {
            DisputeKind::Exact => Offence::OutputMismatch,
            DisputeKind::Statistical => Offence::StatisticalFailure,
        };
        let reporter = dispute.accuser.or(dispute.bisection.as_ref().map(|game| game.challenger));
        let offender = Offender { node: accused, role: Role::Provider, offence };
        let gainers = Gainers { reporter, affected: Some(dispute.payer) };
        state.punish(offender, gainers, now)?;
    }
    dispute.stage = stage;
    (dispute.due_at, dispute.due_height, dispute.ended_at) = (None, None, Some(now));
    state.put_dispute(dispute);
    Ok(())
}

/// Forgets roots whose window is over and disputes that ended long ago.
pub(crate) fn forget(state: &mut State, cycle: &Cycle) -> Done {
    roots::forget(state, cycle);
    // A dispute is remembered longer than its receipt can be challenged again.
    let memory = cycle.parameters.closed_memory_ms.max(cycle.economy.disputes.window.ms());
    let ended = state.indexes.disputes.ended.iter().take(FORGET_PER_BLOCK_MAX);
    let old: Vec<DisputeId> = ended
        .take_while(|(at, _)| at.saturating_add(memory) < cycle.now)
        .map(|(_, id)| *id)
        .collect();
    for id in old {
        state.write(Row::Dispute(id, None));
    }
    Ok(())
}
