//! The invariants of escrow: its vaults hold exactly what its records owe.

use super::{EscrowAccount, EscrowState, LeaseState, Order, OrderState, PartState};
use crate::audit::require;
use crate::error::AuditError;
use crate::money::{Denomination, Purse, Vault};
use crate::state::State;

/// Sums by denomination.
#[derive(Default)]
struct Sums {
    tokens: u128,
    credits: u128,
}

impl Sums {
    fn add(&mut self, denomination: Denomination, amount: Option<u128>) -> Result<(), AuditError> {
        let sum = match denomination {
            Denomination::Token => &mut self.tokens,
            Denomination::Credit => &mut self.credits,
        };
        let total = amount.and_then(|amount| sum.checked_add(amount));
        *sum = total.ok_or_else(|| AuditError { invariant: "escrow sums overflow".into() })?;
        Ok(())
    }

    fn are(&self, purse: Purse) -> bool {
        self.tokens == purse.tokens.0 && self.credits == u128::from(purse.credits.0)
    }
}

/// Checks every invariant of the room.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    let mut held = Sums::default();
    for payout in state.tables.held.values() {
        require(payout.amount > 0, || format!("an empty held payout: {payout:?}"))?;
        held.add(payout.denomination, Some(payout.amount))?;
    }
    let purse = state.vault(Vault::Held);
    require(held.are(purse), || format!("held payouts do not come to {purse:?}"))?;
    let mut owed = Sums::default();
    for escrow in state.tables.escrows.values() {
        audit_escrow(escrow, &mut owed)?;
    }
    for order in state.tables.orders.values() {
        audit_order(state, order, &mut owed)?;
    }
    let purse = state.vault(Vault::Escrow);
    require(owed.are(purse), || format!("escrow does not come to {purse:?}"))
}

fn audit_escrow(escrow: &EscrowAccount, owed: &mut Sums) -> Result<(), AuditError> {
    let id = escrow.id;
    let ended = escrow.state != EscrowState::Open;
    require(ended == escrow.ended_at.is_some(), || format!("escrow {id} has a wrong end"))?;
    owed.add(escrow.denomination, Some(escrow.balance))?;
    for bid in &escrow.bids {
        owed.add(Denomination::Token, Some(bid.deposit.0))?;
    }
    for lease in &escrow.leases {
        owed.add(escrow.denomination, Some(lease.accrued))?;
        owed.add(Denomination::Token, Some(lease.deposit.0))?;
        let over = lease.state != LeaseState::Active;
        let empty = lease.accrued == 0 && lease.deposit.is_zero();
        require(!over || empty, || format!("an ended lease of escrow {id} is owed something"))?;
        require(!ended || over, || format!("ended escrow {id} has an active lease"))?;
    }
    let empty = escrow.balance == 0 && escrow.bids.is_empty();
    require(!ended || empty, || format!("ended escrow {id} holds something"))
}

fn audit_order(state: &State, order: &Order, owed: &mut Sums) -> Result<(), AuditError> {
    let id = order.id;
    owed.add(order.denomination, order.held())?;
    let (mut busy, mut settled, mut offered) = (0_u32, 0_u32, 0_u32);
    for key in state.part_keys(id) {
        let Some(part) = state.tables.order_parts.get(&key) else { continue };
        owed.add(order.denomination, Some(part.bond))?;
        match part.state {
            PartState::Offered => offered += 1,
            PartState::Taken | PartState::Delivered => busy += 1,
            PartState::Approved | PartState::Refunded => settled += 1,
        }
        let waits = matches!(part.state, PartState::Taken | PartState::Delivered);
        require(waits == part.due_at.is_some(), || format!("part {key:?} has a wrong time"))?;
        require(waits || part.bond == 0, || format!("part {key:?} keeps a deposit"))?;
    }
    let parts = u32::from(order.offered) + u32::from(order.settled) + busy;
    require(parts == u32::from(order.parts), || format!("order {id} miscounts its parts"))?;
    require(offered <= u32::from(order.offered), || format!("order {id} miscounts its offers"))?;
    require(settled <= u32::from(order.settled), || format!("order {id} miscounts its ends"))?;
    let over = order.settled == order.parts;
    require(over == (order.state == OrderState::Ended), || format!("order {id} has a wrong end"))?;
    require(over == order.ended_at.is_some(), || format!("order {id} has a wrong time"))
}
