//! How a provider is paid: the only place where fees are taken and payouts are held.

use remuda_types::{AccountId, Credits, NodeId, TimestampMs, Tokens};

use super::{Behind, HeldKey, HeldPayout};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Period, split_by_shares};
use crate::money::{Denomination, Flow, Holder, Vault};
use crate::points::Work;
use crate::state::{Row, State};

/// The most held payouts that one block releases; the rest waits for the next block.
const RELEASES_PER_BLOCK_MAX: usize = 1_000;
/// Into how many steps a hold is divided. Payouts of one source that are released in the same
/// step are one record, so that no source has more records than steps (and one).
const HOLD_STEPS: u64 = 64;
/// The most held payouts of one provider that one penalty reaches.
const SLASHED_PAYOUTS_MAX: usize = 4_096;

/// One payment toward a provider, before fees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payment {
    /// Where the money lies.
    pub(crate) from: Holder,
    /// Who is paid.
    pub(crate) provider: NodeId,
    /// Who pays, and gets it back if it is clawed back.
    pub(crate) payer: AccountId,
    /// What for.
    pub(crate) behind: Behind,
    /// How much.
    pub(crate) amount: u128,
    /// In what.
    pub(crate) denomination: Denomination,
    /// How long it is held.
    pub(crate) hold: Period,
    /// Block time.
    pub(crate) now: TimestampMs,
}

type Done = Result<(), TransactionError>;

impl State {
    /// Pays a provider: at once and less fees, or after the hold. Nothing is no error.
    pub(crate) fn pay_provider(&mut self, payment: &Payment) -> Done {
        let Payment { from, provider, amount, denomination, .. } = *payment;
        if amount == 0 {
            return Ok(());
        }
        if payment.hold.ms() == 0 {
            return self.pay_earner(from, &provider, amount, denomination);
        }
        self.move_amount(from, Holder::Vault(Vault::Held), amount, denomination)?;
        let release_at = release_time(payment.now, payment.hold);
        let key = HeldKey { release_at, behind: payment.behind };
        let before = self.tables.held.get(&key).map_or(0, |held| held.amount);
        let amount = before.checked_add(amount).ok_or(TransactionError::Overflow)?;
        self.put_held(HeldPayout { key, provider, payer: payment.payer, amount, denomination });
        Ok(())
    }

    /// Pays a provider's account less fees: what is to end ends, the treasury gets its share,
    /// the provider the rest and all dust. Only now, past every window, it counts as work, and
    /// in points: what was paid, before fees.
    pub(crate) fn pay_earner(
        &mut self,
        from: Holder,
        provider: &NodeId,
        amount: u128,
        denomination: Denomination,
    ) -> Done {
        let fee = self.economy().escrow.fees.of(denomination);
        let (parts, rest) = split_by_shares(amount, &[fee.burn, fee.treasury])?;
        let (burn, treasury) = (parts[0], parts[1]);
        self.end_amount(from, burn, denomination, Flow::JobFee)?;
        self.move_amount(from, Holder::Vault(Vault::Treasury), treasury, denomination)?;
        let account = self.reward_account(provider);
        self.move_amount(from, Holder::Earner(account), rest, denomination)?;
        if denomination == Denomination::Token {
            return Ok(());
        }
        self.award_points(account, Work::Earned(amount));
        self.note_work(*provider, credits_of(amount)?)
    }

    /// Ends an amount: burns tokens for `flow`, retires credits.
    pub(crate) fn end_amount(
        &mut self,
        from: Holder,
        amount: u128,
        denomination: Denomination,
        flow: Flow,
    ) -> Done {
        match denomination {
            Denomination::Token => self.burn_tokens(from, Tokens(amount), flow),
            Denomination::Credit if amount == 0 => Ok(()),
            Denomination::Credit => self.retire_credits(from, credits_of(amount)?),
        }
    }

    fn put_held(&mut self, held: HeldPayout) {
        self.write(Row::Held(held.key, (held.amount > 0).then_some(held)));
    }

    /// Takes up to `amount` of what is held behind one source into the vault of disputes, the
    /// latest payouts first; how much it was. The caller owes it from then on.
    pub(crate) fn freeze_held(
        &mut self,
        behind: &Behind,
        denomination: Denomination,
        amount: u128,
    ) -> Result<u128, TransactionError> {
        // No source has more records than a hold has steps.
        let keys = self.indexes.escrow.held_behind.get(behind);
        let keys: Vec<HeldKey> = keys.into_iter().flatten().rev().copied().collect();
        let mut left = amount;
        for key in keys {
            let Some(mut held) = self.tables.held.get(&key).cloned() else { continue };
            if held.denomination != denomination {
                continue;
            }
            let taken = held.amount.min(left);
            (held.amount, left) = (held.amount - taken, left - taken);
            self.put_held(held);
        }
        let (from, to) = (Holder::Vault(Vault::Held), Holder::Vault(Vault::Disputes));
        self.move_amount(from, to, amount - left, denomination)?;
        Ok(amount - left)
    }

    /// Takes from every held payout of a provider what `part` says of its amount, and leaves
    /// it in the vault of held payouts, owed by the caller: credits, then tokens.
    pub(crate) fn cut_held(
        &mut self,
        provider: &NodeId,
        part: impl Fn(u128) -> u128,
    ) -> Result<(Credits, Tokens), TransactionError> {
        let keys = self.indexes.escrow.held_of.get(provider);
        let keys: Vec<HeldKey> =
            keys.into_iter().flatten().take(SLASHED_PAYOUTS_MAX).copied().collect();
        let (mut credits, mut tokens) = (0_u128, 0_u128);
        for key in keys {
            let Some(mut held) = self.tables.held.get(&key).cloned() else { continue };
            let cut = part(held.amount).min(held.amount);
            held.amount -= cut;
            let sum = match held.denomination {
                Denomination::Credit => &mut credits,
                Denomination::Token => &mut tokens,
            };
            *sum = sum.checked_add(cut).ok_or(TransactionError::Overflow)?;
            self.put_held(held);
        }
        Ok((credits_of(credits)?, Tokens(tokens)))
    }
}

fn credits_of(amount: u128) -> Result<Credits, TransactionError> {
    u64::try_from(amount).map(Credits).map_err(|_| TransactionError::Overflow)
}

/// When a payout of `now` is released: at the end of the hold, rounded up to a step of it.
fn release_time(now: TimestampMs, hold: Period) -> TimestampMs {
    let step = (hold.ms() / HOLD_STEPS).max(1);
    let end = now.saturating_add(hold.ms());
    end.checked_next_multiple_of(step).unwrap_or(end)
}

/// When the next held payout is released.
pub(crate) fn next_release(state: &State) -> Option<TimestampMs> {
    state.tables.held.keys().next().map(|key| key.release_at)
}

/// Pays what has been held long enough.
pub(crate) fn release_held(state: &mut State, cycle: &Cycle) -> Done {
    let due: Vec<HeldPayout> = state
        .tables
        .held
        .values()
        .take_while(|held| held.key.release_at <= cycle.now)
        .take(RELEASES_PER_BLOCK_MAX)
        .cloned()
        .collect();
    for held in due {
        let mark = state.mark();
        let from = Holder::Vault(Vault::Held);
        state.write(Row::Held(held.key, None));
        let paid = state.pay_earner(from, &held.provider, held.amount, held.denomination);
        // One that cannot be paid must not keep the others.
        if paid.is_err() {
            state.roll_back(mark);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_never_early_and_at_most_one_step_late() {
        let hold = Period::HOUR.times(2);
        let step = hold.ms() / HOLD_STEPS;
        for now in [0, 1, 999_999, 1_700_000_000_123] {
            let release = release_time(now, hold);
            assert!(release >= now + hold.ms() && release < now + hold.ms() + step);
        }
        assert_eq!(release_time(7, Period(5)), 12, "a hold shorter than its steps is exact");
        assert_eq!(release_time(u64::MAX, hold), u64::MAX);
    }
}
