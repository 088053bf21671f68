//! The pool of tokens and credits: the product of both sides never falls. And the buy-back:
//! the treasury's credits buy tokens from it, and those are burned (DK-10).

use remuda_types::{Credits, TimestampMs, Tokens};

use super::treasury::Cause;
use super::{BuyBackRules, GovernanceError, OutflowReason, Pool};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Rounding, Share, mul_div};
use crate::money::{Flow, Holder, Vault};
use crate::state::{Row, State};

const POOL: Holder = Holder::Vault(Vault::Pool);

impl State {
    /// The pool; an empty one before it was seeded.
    pub(super) fn exchange(&self) -> Pool {
        let (tokens, credits) = (Tokens::ZERO, Credits::ZERO);
        let empty =
            Pool { tokens, credits, sold: tokens, paid: credits, bought: tokens, spent: credits };
        self.tables.pool.get(&()).cloned().unwrap_or(empty)
    }

    fn put_exchange(&mut self, pool: Pool) {
        self.write(Row::Pool((), Some(pool)));
    }
}

/// What the pool gives for `input`: the fee, rounded up, stays in it, and what it gives is
/// rounded down. So (reserve_in + input) · (reserve_out − output) ≥ reserve_in · reserve_out.
fn output(
    input: u128,
    reserve_in: u128,
    reserve_out: u128,
    fee: Share,
) -> Result<u128, TransactionError> {
    let whole = u128::from(Share::ALL.billionths());
    let fee = mul_div(input, fee.billionths().into(), whole, Rounding::Up)?;
    let counted = input - fee;
    let grown = reserve_in.checked_add(counted).ok_or(TransactionError::Overflow)?;
    if grown == 0 {
        return Ok(0);
    }
    Ok(mul_div(reserve_out, counted, grown, Rounding::Down)?)
}

/// What the pool would pay for tokens now.
pub(super) fn quote(state: &State, tokens: Tokens) -> Result<Credits, TransactionError> {
    let pool = state.exchange();
    let fee = state.economy().governance.pool.fee;
    let credits = output(tokens.0, pool.tokens.0, pool.credits.0.into(), fee)?;
    u64::try_from(credits).map(Credits).map_err(|_| TransactionError::Overflow)
}

/// An account sells tokens. The credits count as earned: they are settled, never spent.
pub(super) fn sell(
    state: &mut State,
    context: &Context<'_>,
    tokens: Tokens,
    least: Credits,
) -> Verdict {
    if tokens.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let mut pool = state.exchange();
    let is_empty = pool.tokens.is_zero() || pool.credits.is_zero();
    if !context.economy.governance.pool.enabled || is_empty {
        return Err(GovernanceError::PoolClosed.into());
    }
    let credits = quote(state, tokens)?;
    if credits < least || credits.is_zero() {
        return Err(GovernanceError::PoolPrice { credits }.into());
    }
    let account = context.account();
    state.move_tokens(Holder::Account(account), POOL, tokens)?;
    state.move_credits(POOL, Holder::Earner(account), credits)?;
    pool.tokens = pool.tokens.add(tokens)?;
    pool.credits = pool.credits.sub(credits)?;
    pool.sold = pool.sold.add(tokens)?;
    pool.paid = pool.paid.add(credits)?;
    state.put_exchange(pool);
    Ok(Effects { earned: credits, ..Effects::default() })
}

/// An empty pool has no price: both sides of it must be seeded.
pub(super) fn check_sides(
    state: &State,
    tokens: Tokens,
    credits: Credits,
) -> Result<(), GovernanceError> {
    let pool = state.exchange();
    let lacks = (pool.tokens.is_zero() && tokens.is_zero())
        || (pool.credits.is_zero() && credits.is_zero());
    if lacks { Err(GovernanceError::PoolSides) } else { Ok(()) }
}

/// A proposal moves money of the treasury into the pool.
pub(super) fn seed(
    state: &mut State,
    tokens: Tokens,
    credits: Credits,
    cause: Cause,
) -> Result<(), TransactionError> {
    state.pool_from_treasury(tokens, credits, cause)?;
    let mut pool = state.exchange();
    pool.tokens = pool.tokens.add(tokens)?;
    pool.credits = pool.credits.add(credits)?;
    state.put_exchange(pool);
    Ok(())
}

/// Every block: when its time has come, the treasury's credits buy tokens, which are burned.
pub(crate) fn buy_back(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let rules = &cycle.economy.governance;
    let Some(mut governance) = state.governance().cloned() else { return Ok(()) };
    if rules.buy_back.share == Share::ZERO || cycle.now < governance.buy_back_at {
        return Ok(());
    }
    let period = rules.buy_back.period.ms().max(1);
    let periods = (cycle.now - governance.buy_back_at) / period + 1;
    let passed = periods.saturating_mul(period);
    governance.buy_back_at = governance.buy_back_at.saturating_add(passed);
    state.put_governance(governance);
    let mark = state.mark();
    let credits = budget(state, &rules.buy_back)?;
    if buy_and_burn(state, cycle.now, credits, rules.pool.fee).is_err() {
        // The next period tries again.
        state.roll_back(mark);
    }
    Ok(())
}

/// What one buy-back spends: its share of the treasury's credits, but no more than moves the
/// price that it pays by the allowed slippage. With c credits into a pool of y the price paid
/// is (y + c) / y of the pool's, so that c ≤ y · s, rounded down.
fn budget(state: &State, rules: &BuyBackRules) -> Result<Credits, TransactionError> {
    let treasury = u128::from(state.vault(Vault::Treasury).credits.0);
    let most = rules.slippage.of(state.exchange().credits.0.into());
    let credits = rules.share.of(treasury).min(most);
    u64::try_from(credits).map(Credits).map_err(|_| TransactionError::Overflow)
}

fn buy_and_burn(
    state: &mut State,
    at: TimestampMs,
    credits: Credits,
    fee: Share,
) -> Result<(), TransactionError> {
    let mut pool = state.exchange();
    let tokens = output(credits.0.into(), pool.credits.0.into(), pool.tokens.0, fee)?;
    let tokens = Tokens(tokens);
    if tokens.is_zero() {
        return Ok(());
    }
    let cause = Cause { at, reason: OutflowReason::BuyBack };
    state.pool_from_treasury(Tokens::ZERO, credits, cause)?;
    state.burn_tokens(POOL, tokens, Flow::BuyBack)?;
    pool.tokens = pool.tokens.sub(tokens)?;
    pool.credits = pool.credits.add(credits)?;
    pool.bought = pool.bought.add(tokens)?;
    pool.spent = pool.spent.add(credits)?;
    state.put_exchange(pool);
    Ok(())
}

/// When tokens are bought back next; none while there is nothing to buy, or nothing to pay.
pub(super) fn due(state: &State) -> Option<TimestampMs> {
    let economy = state.economy();
    let rules = &economy.governance.buy_back;
    let governance = state.governance().filter(|_| rules.share > Share::ZERO)?;
    let credits = budget(state, rules).ok()?;
    (!credits.is_zero()).then_some(governance.buy_back_at)
}

#[cfg(test)]
mod tests {
    use ethnum::U256;
    use proptest::prelude::*;

    use super::*;

    /// 1,000 tokens and 1,000 credits; 100 in without a fee gives 1,000 · 100 / 1,100 = 90.
    #[test]
    fn the_product_sets_the_price() {
        assert_eq!(output(100, 1_000, 1_000, Share::ZERO), Ok(90));
        assert_eq!(output(100, 1_000, 1_000, Share::percent(1)), Ok(90));
        assert_eq!(output(100, 1_000, 1_000, Share::percent(10)), Ok(82));
        assert_eq!(output(1, 1_000, 1_000, Share::ZERO), Ok(0));
        assert_eq!(output(1, 1_000, 1_000, Share::percent(1)), Ok(0));
        assert_eq!(output(0, 0, 1_000, Share::ZERO), Ok(0));
        assert!(output(u128::MAX, u128::MAX, 1, Share::ZERO).is_err());
    }

    proptest! {
        #[test]
        fn the_product_never_falls(
            reserve_in in 1..u128::from(u64::MAX), reserve_out in 1..u128::from(u64::MAX),
            input in 0..u128::from(u64::MAX), fee in 0..1_000_000_000_u64,
        ) {
            let fee = Share::new(fee).unwrap();
            let output = output(input, reserve_in, reserve_out, fee)?;
            prop_assert!(output < reserve_out);
            let product = |a: u128, b: u128| U256::from(a) * U256::from(b);
            let before = product(reserve_in, reserve_out);
            prop_assert!(product(reserve_in + input, reserve_out - output) >= before);
        }

        #[test]
        fn going_there_and_back_never_gains(
            tokens in 1_000..1_000_000_000_000_u128, credits in 1_000..1_000_000_000_000_u128,
            input in 1..1_000_000_000_000_u128, fee in 0..100_000_000_u64,
        ) {
            let fee = Share::new(fee).unwrap();
            let out = output(input, tokens, credits, fee)?;
            let back = output(out, credits - out, tokens + input, fee)?;
            prop_assert!(back <= input);
        }
    }
}
