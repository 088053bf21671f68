//! Orders: a buyer locks the price of all parts; each part is paid when the buyer confirms it,
//! and given back when nobody delivers it. Silence confirms.

use remuda_types::{AccountId, Credits, Hash, NodeId, OrderId, TimestampMs};

use super::streaming::earned_credits;
use super::{EscrowError, Order, OrderState, Part, PartKey, PartState, Standing, order_id};
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::Period;
use crate::money::{Denomination, Holder, Vault};
use crate::state::{Row, State};

/// The most parts whose time is over that one block decides; the rest waits for the next.
const PARTS_PER_BLOCK_MAX: usize = 1_000;

/// What a buyer orders.
#[derive(Debug)]
pub(super) struct NewOrder {
    pub(super) nonce: [u8; 32],
    pub(super) denomination: Denomination,
    pub(super) parts: u16,
    pub(super) part_price: u128,
    pub(super) part_time: Period,
    pub(super) provider: Option<NodeId>,
    pub(super) work: Hash,
}

impl Order {
    /// What the escrow holds for parts that are not settled, deposits aside.
    pub(super) fn held(&self) -> Option<u128> {
        self.part_price.checked_mul(u128::from(self.parts.checked_sub(self.settled)?))
    }
}

impl State {
    pub(super) fn order(&self, id: OrderId) -> Result<Order, EscrowError> {
        let order = self.tables.orders.get(&id).cloned();
        order.ok_or(EscrowError::UnknownOrder { order: id })
    }

    /// Writes an order; with its last part settled it ends.
    pub(super) fn put_order(&mut self, mut order: Order, now: TimestampMs) {
        if order.settled == order.parts && order.ended_at.is_none() {
            order.state = OrderState::Ended;
            order.ended_at = Some(now);
        }
        self.write(Row::Order(order.id, Some(order)));
    }

    /// The parts of an order that have a record.
    pub(super) fn part_keys(&self, order: OrderId) -> Vec<PartKey> {
        self.tables.order_parts.range((order, 0)..=(order, u16::MAX)).map(|(key, _)| *key).collect()
    }

    pub(super) fn put_part(&mut self, part: Part) {
        self.write(Row::OrderPart(part.key, Some(part)));
    }

    /// Gives a part's price back.
    pub(super) fn refund(&mut self, order: &Order, parts: u16) -> Result<u128, TransactionError> {
        let amount = order.part_price.checked_mul(u128::from(parts));
        let amount = amount.ok_or(TransactionError::Overflow)?;
        let (from, to) = (Holder::Vault(Vault::Escrow), Holder::Account(order.buyer));
        self.move_amount(from, to, amount, order.denomination)?;
        Ok(amount)
    }

    pub(super) fn standing(&self, buyer: &AccountId) -> Option<Standing> {
        self.tables.standings.get(buyer).cloned()
    }

    pub(super) fn check_standing(
        &self,
        buyer: &AccountId,
        now: TimestampMs,
    ) -> Result<(), EscrowError> {
        match self.standing(buyer) {
            Some(standing) if now < standing.quarantined_until => {
                Err(EscrowError::Quarantined { until: standing.quarantined_until })
            }
            _ => Ok(()),
        }
    }
}

/// The signer's account orders a job.
pub(super) fn open(state: &mut State, context: &Context<'_>, new: &NewOrder) -> Verdict {
    let buyer = context.account();
    let id = order_id(&buyer, &new.nonce);
    if state.tables.orders.contains_key(&id) {
        return Err(EscrowError::OrderExists { order: id }.into());
    }
    state.check_standing(&buyer, context.now)?;
    check_terms(context, new)?;
    let most = context.economy.escrow.orders.open_max;
    let open = state.indexes.escrow.open_orders.get(&buyer).map_or(0, |open| open.len());
    if is_full(open, most) {
        return Err(EscrowError::OrderLimit { most }.into());
    }
    let order = Order {
        id,
        buyer,
        denomination: new.denomination,
        parts: new.parts,
        part_price: new.part_price,
        part_time: new.part_time,
        provider: new.provider,
        work: new.work,
        offered: new.parts,
        settled: 0,
        state: OrderState::Open,
        ended_at: None,
    };
    let price = order.held().ok_or(TransactionError::Overflow)?;
    let (from, to) = (Holder::Account(buyer), Holder::Vault(Vault::Escrow));
    state.move_amount(from, to, price, new.denomination)?;
    state.put_order(order, context.now);
    Ok(Effects::default())
}

fn check_terms(context: &Context<'_>, new: &NewOrder) -> Result<(), TransactionError> {
    let most = context.economy.escrow.orders.parts_max;
    if !(1..=most).contains(&u32::from(new.parts)) {
        return Err(EscrowError::PartCount { most }.into());
    }
    if new.part_price == 0 {
        return Err(TransactionError::ZeroAmount);
    }
    if !(1..=PERIOD_MS_MAX).contains(&new.part_time.ms()) {
        return Err(EscrowError::PartTime.into());
    }
    Ok(())
}

/// The buyer takes back what nobody has taken. Parts that are with a provider go on; if they
/// fail, they are refunded.
pub(super) fn cancel(state: &mut State, context: &Context<'_>, id: OrderId) -> Verdict {
    let mut order = state.order(id)?;
    if order.buyer != context.account() {
        return Err(EscrowError::NotBuyer.into());
    }
    if order.state != OrderState::Open {
        return Err(EscrowError::OrderEnded { order: id }.into());
    }
    let returned = state.refund(&order, order.offered)?;
    for key in state.part_keys(id) {
        let part = state.tables.order_parts.get(&key).cloned();
        if let Some(part) = part.filter(|part| part.state == PartState::Offered) {
            state.put_part(Part { state: PartState::Refunded, ..part });
        }
    }
    order.settled += std::mem::take(&mut order.offered);
    order.state = OrderState::Cancelled;
    let returned = earned_credits(returned, order.denomination);
    state.put_order(order, context.now);
    Ok(Effects { earned: Credits::ZERO, returned })
}

/// When the time of the next part is over.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    state.indexes.escrow.parts_due.first().map(|(due_at, _)| *due_at)
}

/// Decides the parts whose time is over: a delivered one is approved, another one refunded.
pub(crate) fn sweep_parts(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let due = state.indexes.escrow.parts_due.iter().take(PARTS_PER_BLOCK_MAX);
    let due: Vec<PartKey> =
        due.take_while(|(due_at, _)| *due_at <= cycle.now).map(|(_, key)| *key).collect();
    for key in due {
        // One that cannot be decided must not keep the others.
        let mark = state.mark();
        if super::parts::decide_by_time(state, cycle, key).is_err() {
            state.roll_back(mark);
        }
    }
    Ok(())
}
