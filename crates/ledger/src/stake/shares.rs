//! Shares of a pool: what a deposit buys and what a withdrawal costs. Every rounding favours
//! the pool, so that nobody's deposit or withdrawal ever takes from the others; what rounding
//! leaves belongs to all shares, and the last one out has it.

use remuda_types::AmountError;

use crate::math::{Rounding, mul_div};

/// How many shares the first deposit has for each base unit: rounding costs a staker at most
/// about a millionth of a unit's worth.
const SHARES_PER_UNIT: u128 = 1_000_000;

/// The shares that `amount` buys of a pool worth `value`, rounded down.
///
/// # Errors
/// [`AmountError::Overflow`] when they do not fit: almost all of the pool was slashed.
pub(super) fn bought(amount: u128, value: u128, shares: u128) -> Result<u128, AmountError> {
    if shares == 0 {
        return amount.checked_mul(SHARES_PER_UNIT).ok_or(AmountError::Overflow);
    }
    let bought = mul_div(amount, shares, value, Rounding::Down)?;
    shares.checked_add(bought).ok_or(AmountError::Overflow).map(|_| bought)
}

/// What `held` of all `shares` are worth, rounded down.
pub(super) fn worth(held: u128, value: u128, shares: u128) -> u128 {
    // At most the value itself, so it fits; without shares nothing is worth anything.
    mul_div(held, value, shares, Rounding::Down).unwrap_or_default()
}

/// The shares that taking out `amount` costs, rounded up, but never more than are held.
pub(super) fn cost(
    amount: u128,
    value: u128,
    shares: u128,
    held: u128,
) -> Result<u128, AmountError> {
    Ok(mul_div(amount, shares, value, Rounding::Up)?.min(held))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_deposit_sets_the_price() {
        assert_eq!(bought(5, 0, 0), Ok(5_000_000));
        assert_eq!(bought(5, 10, 10_000_000), Ok(5_000_000));
        assert_eq!(bought(5, 1, u128::MAX / 2), Err(AmountError::Overflow));
        assert_eq!(worth(1, 7, 0), 0);
    }

    proptest! {
        #[test]
        fn nobody_gains_by_coming_and_going(
            value in 1_u128..1 << 90, per_unit in 1_u128..2_000_000, amount in 1_u128..1 << 90
        ) {
            let shares = value * per_unit;
            let new = bought(amount, value, shares)?;
            let (value, shares) = (value + amount, shares + new);
            let back = worth(new, value, shares);
            prop_assert!(back <= amount);
            prop_assert!(cost(back, value, shares, new)? <= new);
        }

        #[test]
        fn others_never_lose_by_a_withdrawal(
            value in 1_u128..1 << 90, shares in 1_u128..1 << 100, held in 1_u128..1 << 100
        ) {
            let held = held.min(shares);
            let taken = worth(held, value, shares);
            let burned = cost(taken, value, shares, held)?;
            let (rest, left) = (shares - held, value - taken);
            // The others' part before and after.
            prop_assert!(worth(rest, left, shares - burned) + 1 >= worth(rest, value, shares));
        }

        #[test]
        fn the_last_one_takes_all(value: u128, shares in 1_u128..) {
            prop_assert_eq!(worth(shares, value, shares), value);
        }
    }
}
