//! Rates by the tick: the exact overdraw rule, and what follows when an escrow account ends.

use remuda_types::{AmountError, TimestampMs};

use super::{Behind, EscrowAccount, EscrowState, Lease, LeaseState, Payment};
use crate::context::Context;
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::split_by_weights;
use crate::money::{Denomination, Holder, Vault};
use crate::state::{Row, State};

/// The most escrow accounts and orders, each, that one block forgets.
const FORGET_PER_BLOCK_MAX: usize = 16;

/// What some ticks cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settlement {
    /// What each lease earned.
    pub(super) earned: Vec<u128>,
    /// What is left.
    pub(super) balance: u128,
    /// Whether it did not reach for all ticks.
    pub(super) overdrawn: bool,
}

/// Akash's rule: all rates are paid for as many whole ticks as the balance reaches for. If
/// that is less than passed, what is left is split by rate, each part rounded down, and the
/// dust goes one unit each to the leases in their order.
pub(super) fn settle(balance: u128, rates: &[u128], ticks: u64) -> Result<Settlement, AmountError> {
    let all = rates.iter().try_fold(0_u128, |sum, rate| sum.checked_add(*rate));
    let all = all.ok_or(AmountError::Overflow)?;
    let Some(reach) = balance.checked_div(all) else {
        let earned = vec![0; rates.len()];
        return Ok(Settlement { earned, balance, overdrawn: false });
    };
    let full = reach.min(u128::from(ticks));
    // `full` is at most `balance / all`, so no product exceeds the balance.
    let left = balance - all * full;
    let mut earned: Vec<u128> = rates.iter().map(|rate| rate * full).collect();
    let overdrawn = full < u128::from(ticks);
    if !overdrawn {
        return Ok(Settlement { earned, balance: left, overdrawn });
    }
    for (earned, part) in earned.iter_mut().zip(split_by_weights(left, rates)?) {
        *earned += part;
    }
    Ok(Settlement { earned, balance: 0, overdrawn })
}

impl EscrowAccount {
    /// What one tick of all active leases costs.
    pub(super) fn tick_cost(&self) -> Result<u128, TransactionError> {
        let active = self.leases.iter().filter(|lease| lease.state == LeaseState::Active);
        let cost = active.map(|lease| lease.rate).try_fold(0_u128, u128::checked_add);
        cost.ok_or(TransactionError::Overflow)
    }

    /// Credits every active lease with the ticks until `tick`; whether the balance ran out.
    fn accrue(&mut self, tick: u64) -> Result<bool, TransactionError> {
        let ticks = tick.saturating_sub(self.settled_at);
        self.settled_at = self.settled_at.max(tick);
        let rate = |lease: &Lease| if lease.state == LeaseState::Active { lease.rate } else { 0 };
        let rates: Vec<u128> = self.leases.iter().map(rate).collect();
        let settlement = settle(self.balance, &rates, ticks)?;
        self.balance = settlement.balance;
        for (lease, earned) in self.leases.iter_mut().zip(settlement.earned) {
            lease.accrued = lease.accrued.checked_add(earned).ok_or(TransactionError::Overflow)?;
        }
        Ok(settlement.overdrawn)
    }
}

impl State {
    /// Settles an open account up to this block. If it ran out, it ends here: all that its
    /// leases earned is paid, and deposits go back.
    pub(super) fn settle_escrow(
        &mut self,
        escrow: &mut EscrowAccount,
        context: &Context<'_>,
    ) -> Result<(), TransactionError> {
        if escrow.state != EscrowState::Open {
            return Ok(());
        }
        if escrow.accrue(escrow.tick_of(context.height, context.now))? {
            self.end_escrow(escrow, EscrowState::Overdrawn, context)?;
        }
        Ok(())
    }

    /// Ends an account: leases end and are paid, deposits go back, and so does the rest.
    pub(super) fn end_escrow(
        &mut self,
        escrow: &mut EscrowAccount,
        state: EscrowState,
        context: &Context<'_>,
    ) -> Result<(), TransactionError> {
        let lease_state = match state {
            EscrowState::Overdrawn => LeaseState::Overdrawn,
            _ => LeaseState::Closed,
        };
        for index in 0..escrow.leases.len() {
            if escrow.leases[index].state == LeaseState::Active {
                self.stop_lease(escrow, index, lease_state, context)?;
            }
        }
        for bid in std::mem::take(&mut escrow.bids) {
            let to = Holder::Account(bid.provider.into());
            self.move_tokens(Holder::Vault(Vault::Escrow), to, bid.deposit)?;
        }
        let (from, to) = (Holder::Vault(Vault::Escrow), Holder::Account(escrow.owner));
        self.move_amount(from, to, escrow.balance, escrow.denomination)?;
        escrow.balance = 0;
        escrow.state = state;
        escrow.ended_at = Some(context.now);
        Ok(())
    }

    /// Ends a lease: it is paid what it earned, and its deposit goes back.
    pub(super) fn stop_lease(
        &mut self,
        escrow: &mut EscrowAccount,
        index: usize,
        state: LeaseState,
        context: &Context<'_>,
    ) -> Result<(), TransactionError> {
        self.pay_lease(escrow, index, context)?;
        let lease = &mut escrow.leases[index];
        lease.state = state;
        let deposit = std::mem::take(&mut lease.deposit);
        let to = Holder::Account(lease.provider.into());
        self.move_tokens(Holder::Vault(Vault::Escrow), to, deposit)
    }

    /// Pays a lease what it earned.
    pub(super) fn pay_lease(
        &mut self,
        escrow: &mut EscrowAccount,
        index: usize,
        context: &Context<'_>,
    ) -> Result<u128, TransactionError> {
        let lease = &mut escrow.leases[index];
        let amount = std::mem::take(&mut lease.accrued);
        lease.withdrawn = lease.withdrawn.checked_add(amount).ok_or(TransactionError::Overflow)?;
        self.pay_provider(&Payment {
            from: Holder::Vault(Vault::Escrow),
            provider: lease.provider,
            payer: escrow.owner,
            behind: Behind::Lease(escrow.id, u32::try_from(index).unwrap_or(u32::MAX)),
            amount,
            denomination: escrow.denomination,
            hold: context.economy.escrow.leases.hold,
            now: context.now,
        })?;
        Ok(amount)
    }

    pub(super) fn put_escrow(&mut self, escrow: EscrowAccount) {
        self.write(Row::Escrow(escrow.id, Some(escrow)));
    }
}

/// Of an amount in `denomination`, what counts as earned credits.
pub(super) fn earned_credits(amount: u128, denomination: Denomination) -> remuda_types::Credits {
    match (denomination, u64::try_from(amount)) {
        (Denomination::Credit, Ok(amount)) => remuda_types::Credits(amount),
        _ => remuda_types::Credits::ZERO,
    }
}

/// Forgets escrow accounts and orders that ended long ago.
pub(crate) fn forget_ended(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let memory = cycle.parameters.closed_memory_ms;
    let old = |at: TimestampMs| at.saturating_add(memory) <= cycle.now;
    let index = &state.indexes.escrow;
    let escrows = index.ended_escrows.iter().take(FORGET_PER_BLOCK_MAX);
    let escrows: Vec<_> = escrows.take_while(|(at, _)| old(*at)).map(|(_, id)| *id).collect();
    let orders = index.ended_orders.iter().take(FORGET_PER_BLOCK_MAX);
    let orders: Vec<_> = orders.take_while(|(at, _)| old(*at)).map(|(_, id)| *id).collect();
    for id in escrows {
        state.write(Row::Escrow(id, None));
    }
    for id in orders {
        for key in state.part_keys(id) {
            state.write(Row::OrderPart(key, None));
        }
        state.write(Row::Order(id, None));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Part 3: balance 10, rates 3 and 1, 4 blocks: 2 whole ones paid, the rest 1.5 and 0.5.
    #[test]
    fn the_published_overdraw_comes_out_to_the_digit() {
        let micro = 1_000_000;
        let settled = settle(10 * micro, &[3 * micro, micro], 4);
        let earned = vec![7_500_000, 2_500_000];
        assert_eq!(settled, Ok(Settlement { earned, balance: 0, overdrawn: true }));
    }

    #[test]
    fn exactly_enough_is_not_overdrawn() {
        let settled = settle(8, &[3, 1], 2);
        assert_eq!(settled, Ok(Settlement { earned: vec![6, 2], balance: 0, overdrawn: false }));
        let settled = settle(10, &[], 1_000);
        assert_eq!(settled, Ok(Settlement { earned: vec![], balance: 10, overdrawn: false }));
        assert_eq!(settle(1, &[u128::MAX, 1], 1), Err(AmountError::Overflow));
    }

    #[test]
    fn dust_goes_to_the_leases_in_their_order() {
        let settled = settle(5, &[3, 3, 3], 1);
        let earned = vec![2, 2, 1];
        assert_eq!(settled, Ok(Settlement { earned, balance: 0, overdrawn: true }));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_laziness_changes_nothing(
            balance in 0..1_000_000_u128,
            rates in prop::collection::vec(0..1_000_u128, 0..6),
            (first, second) in (0..500_u64, 0..500_u64),
        ) {
            let whole = settle(balance, &rates, first + second)?;
            prop_assert_eq!(whole.earned.iter().sum::<u128>() + whole.balance, balance);
            let early = settle(balance, &rates, first)?;
            if !early.overdrawn {
                let late = settle(early.balance, &rates, second)?;
                prop_assert_eq!(late.balance, whole.balance);
                prop_assert_eq!(late.overdrawn, whole.overdrawn);
            }
        }
    }
}
