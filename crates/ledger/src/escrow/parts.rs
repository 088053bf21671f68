//! The life of one part: offered, taken, delivered, then approved, refunded or offered again.

use std::collections::BTreeSet;

use remuda_types::{Credits, Hash, NodeId, OrderId, TimestampMs};

use super::streaming::earned_credits;
use super::{
    Behind, EscrowError, Order, OrderRules, OrderState, Part, PartKey, PartState, Payment,
};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::{Denomination, Holder, Vault};
use crate::state::{Row, State};

type Done = Result<(), TransactionError>;

/// From where a provider's deposit comes, and where it goes back: the node key's own account.
fn depositor(node: NodeId, denomination: Denomination) -> Holder {
    match denomination {
        Denomination::Token => Holder::Account(node.into()),
        Denomination::Credit => Holder::Earner(node.into()),
    }
}

/// The part in the state that an action takes.
fn part_in(state: &State, key: PartKey, needed: PartState) -> Result<Part, EscrowError> {
    let part = state.tables.order_parts.get(&key).cloned();
    let found = part.as_ref().map_or(PartState::Offered, |part| part.state);
    match part {
        Some(part) if found == needed => Ok(part),
        _ => Err(EscrowError::WrongPartState { part: key.1, state: found, needed }),
    }
}

fn check_parts(context: &Context<'_>, order: &Order, parts: &[u16]) -> Result<(), EscrowError> {
    let most = context.economy.escrow.orders.parts_max;
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    if !(1..=most).contains(&count) {
        return Err(EscrowError::PartCount { most });
    }
    match parts.iter().find(|part| **part >= order.parts) {
        Some(part) => Err(EscrowError::UnknownPart { part: *part }),
        None => Ok(()),
    }
}

/// A registered provider takes parts on, all or none.
pub(super) fn take(
    state: &mut State,
    context: &Context<'_>,
    id: OrderId,
    parts: &[u16],
) -> Verdict {
    state.check_seller(&context.signer)?;
    let mut order = state.order(id)?;
    if order.state != OrderState::Open {
        return Err(EscrowError::OrderEnded { order: id }.into());
    }
    check_parts(context, &order, parts)?;
    for part in parts {
        take_one(state, context, &mut order, *part)?;
    }
    state.put_order(order, context.now);
    Ok(Effects::default())
}

fn take_one(state: &mut State, context: &Context<'_>, order: &mut Order, part: u16) -> Done {
    let (provider, key) = (context.signer, (order.id, part));
    let found = state.tables.order_parts.get(&key);
    let failed = found.map(|found| found.failed.clone()).unwrap_or_default();
    match found {
        Some(found) if found.state != PartState::Offered => {
            let needed = PartState::Offered;
            let state = found.state;
            return Err(EscrowError::WrongPartState { part, state, needed }.into());
        }
        _ if failed.contains(&provider) => return Err(EscrowError::PartFailed { part }.into()),
        _ => {}
    }
    if failed.is_empty() && order.provider.is_some_and(|named| named != provider) {
        return Err(EscrowError::PartReserved.into());
    }
    let bond = context.economy.escrow.orders.penalty.of(order.part_price);
    let (from, to) = (depositor(provider, order.denomination), Holder::Vault(Vault::Escrow));
    state.move_amount(from, to, bond, order.denomination)?;
    order.offered -= 1;
    let due_at = Some(context.now.saturating_add(order.part_time.ms()));
    let state_now = PartState::Taken;
    state.put_part(Part { key, state: state_now, provider, bond, output: None, due_at, failed });
    Ok(())
}

/// A part's provider delivers it, within its time.
pub(super) fn deliver(
    state: &mut State,
    context: &Context<'_>,
    key: PartKey,
    output: Hash,
) -> Verdict {
    state.order(key.0)?;
    let part = part_in(state, key, PartState::Taken)?;
    if part.provider != context.signer {
        return Err(EscrowError::NotPartProvider.into());
    }
    check_time(&part, context.now)?;
    let due_at = Some(context.now.saturating_add(context.economy.escrow.orders.approval.ms()));
    let state_now = PartState::Delivered;
    state.put_part(Part { state: state_now, output: Some(output), due_at, ..part });
    Ok(Effects::default())
}

fn check_time(part: &Part, now: TimestampMs) -> Result<(), EscrowError> {
    match part.due_at {
        Some(due_at) if now >= due_at => Err(EscrowError::PartLate { part: part.key.1, due_at }),
        _ => Ok(()),
    }
}

/// The buyer approves delivered parts, all or none.
pub(super) fn approve(
    state: &mut State,
    context: &Context<'_>,
    id: OrderId,
    parts: &[u16],
) -> Verdict {
    let mut order = state.order(id)?;
    if order.buyer != context.account() {
        return Err(EscrowError::NotBuyer.into());
    }
    check_parts(context, &order, parts)?;
    for part in parts {
        let part = part_in(state, (id, *part), PartState::Delivered)?;
        pay_part(state, &context.economy.escrow.orders, &mut order, part, context.now)?;
    }
    let paid = order.part_price.checked_mul(parts.len() as u128);
    let paid = paid.ok_or(TransactionError::Overflow)?;
    let earned = earned_credits(paid, order.denomination);
    state.put_order(order, context.now);
    Ok(Effects { earned, returned: Credits::ZERO })
}

/// Pays a part's provider and gives its deposit back.
fn pay_part(
    state: &mut State,
    rules: &OrderRules,
    order: &mut Order,
    part: Part,
    now: TimestampMs,
) -> Done {
    state.pay_provider(&Payment {
        from: Holder::Vault(Vault::Escrow),
        provider: part.provider,
        payer: order.buyer,
        behind: Behind::Part(part.key.0, part.key.1),
        amount: order.part_price,
        denomination: order.denomination,
        hold: rules.hold,
        now,
    })?;
    let to = depositor(part.provider, order.denomination);
    state.move_amount(Holder::Vault(Vault::Escrow), to, part.bond, order.denomination)?;
    order.settled += 1;
    state.put_part(Part { state: PartState::Approved, bond: 0, due_at: None, ..part });
    Ok(())
}

/// The buyer rejects a delivered part while it may still look at it.
pub(super) fn reject(
    state: &mut State,
    context: &Context<'_>,
    key: PartKey,
    refund: bool,
) -> Verdict {
    let mut order = state.order(key.0)?;
    if order.buyer != context.account() {
        return Err(EscrowError::NotBuyer.into());
    }
    state.check_standing(&order.buyer, context.now)?;
    let part = part_in(state, key, PartState::Delivered)?;
    check_time(&part, context.now)?;
    count_rejection(state, context, &order);
    let to = depositor(part.provider, order.denomination);
    state.move_amount(Holder::Vault(Vault::Escrow), to, part.bond, order.denomination)?;
    let redo = !refund && may_redo(&context.economy.escrow.orders, &order, &part);
    let returned = fail_part(state, &mut order, part, redo)?;
    let returned = earned_credits(returned, order.denomination);
    state.put_order(order, context.now);
    Ok(Effects { earned: Credits::ZERO, returned })
}

fn may_redo(rules: &OrderRules, order: &Order, part: &Part) -> bool {
    let attempts = u32::try_from(part.failed.len()).unwrap_or(u32::MAX);
    order.state == OrderState::Open && attempts < rules.redo_max
}

/// Offers a part again (`redo`), or refunds it; how much the buyer got. Its deposit is gone.
fn fail_part(
    state: &mut State,
    order: &mut Order,
    mut part: Part,
    redo: bool,
) -> Result<u128, TransactionError> {
    let failed: BTreeSet<NodeId> = part.failed.iter().copied().chain([part.provider]).collect();
    (part.failed, part.bond, part.due_at) = (failed.into_iter().collect(), 0, None);
    part.state = if redo { PartState::Offered } else { PartState::Refunded };
    state.put_part(part);
    if redo {
        order.offered += 1;
        return Ok(0);
    }
    order.settled += 1;
    state.refund(order, 1)
}

/// Counts a rejection; one that reaches the cap quarantines its buyer.
fn count_rejection(state: &mut State, context: &Context<'_>, order: &Order) {
    let rules = &context.economy.escrow.orders;
    if rules.rejections_max == 0 {
        return;
    }
    let fresh =
        super::Standing { rejections: 0, since: context.now, quarantined_until: context.now };
    let mut standing = state
        .standing(&order.buyer)
        .filter(|standing| context.now < standing.since.saturating_add(rules.rejection_period.ms()))
        .unwrap_or(fresh);
    standing.rejections = standing.rejections.saturating_add(1);
    if standing.rejections >= rules.rejections_max {
        standing.quarantined_until = context.now.saturating_add(rules.quarantine.ms());
        (standing.rejections, standing.since) = (0, standing.quarantined_until);
    }
    state.write(Row::Standing(order.buyer, Some(standing)));
}

/// The time of a part is over: silence approves what was delivered; what was not is refunded
/// (or offered again), and its provider's deposit goes to the buyer.
pub(super) fn decide_by_time(state: &mut State, cycle: &Cycle, key: PartKey) -> Done {
    let part = state.tables.order_parts.get(&key).cloned();
    let (Some(part), Ok(mut order)) = (part, state.order(key.0)) else { return Ok(()) };
    let rules = &cycle.economy.escrow.orders;
    if part.state == PartState::Delivered {
        pay_part(state, rules, &mut order, part, cycle.now)?;
    } else {
        let (from, to) = (Holder::Vault(Vault::Escrow), Holder::Account(order.buyer));
        state.move_amount(from, to, part.bond, order.denomination)?;
        let redo = rules.reopen_undelivered && may_redo(rules, &order, &part);
        state.punish_undelivered(&part.provider, &order.buyer, cycle)?;
        fail_part(state, &mut order, part, redo)?;
    }
    state.put_order(order, cycle.now);
    Ok(())
}
