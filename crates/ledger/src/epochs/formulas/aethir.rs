//! Aethir: proof of capacity and of delivery, and the pay of checkers. How the pools of the
//! two proofs are split is published as a picture only; [`capacity`] and [`delivery`] are
//! reconstructions. The checkers' base and bonus are as published.

use remuda_types::AmountError;

use crate::math::{Fixed, Rounding, mul_div};

/// Days of four years, by which the checkers' base pool is given.
pub const CHECKER_DAYS: u32 = 1_461;
/// Quarters of the bonus pool.
pub const BONUS_QUARTERS: u32 = 16;

/// A container that stands ready weighs `K·uptime`.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn capacity(spec: Fixed, uptime: Fixed) -> Result<Fixed, AmountError> {
    spec.mul(uptime)
}

/// A container that works weighs `K·busy`.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn delivery(spec: Fixed, busy: Fixed) -> Result<Fixed, AmountError> {
    spec.mul(busy)
}

/// A checker's base reward `pool·tasks/Σ tasks`, rounded down.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn checker_base(pool: u128, tasks: u64, all: u64) -> Result<u128, AmountError> {
    part(pool, tasks.into(), all.into())
}

/// A checker's bonus of a quarter: `pool·base/Σ base`, rounded down. From the fifth quarter
/// on only those with more than 95 % uptime take part, so `all` is the sum over those.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn checker_bonus(pool: u128, base: u128, all: u128) -> Result<u128, AmountError> {
    part(pool, base, all)
}

/// Whether a checker takes part in the bonus of a quarter, counted from 1.
#[must_use]
pub fn bonus_open(quarter: u32, uptime: crate::math::Share) -> bool {
    quarter < 5 || uptime > crate::math::Share::percent(95)
}

fn part(pool: u128, own: u128, all: u128) -> Result<u128, AmountError> {
    if all == 0 { Ok(0) } else { mul_div(pool, own, all, Rounding::Down) }
}

#[cfg(test)]
mod tests {
    use super::super::{fixed, rounded};
    use super::*;
    use crate::math::Share;

    /// The supply, in base units.
    const SUPPLY: u128 = 42_000_000_000 * 1_000_000_000;

    #[test]
    fn the_pools_of_checkers() {
        let supply = fixed("42000000000");
        let tenth = supply.mul(fixed("0.1")).unwrap();
        let daily = tenth.div(Fixed::from_integer(CHECKER_DAYS).unwrap()).unwrap();
        assert_eq!(rounded(daily, 4), "2874743.3265");
        let twentieth = supply.mul(fixed("0.05")).unwrap();
        let quarterly = twentieth.div(Fixed::from_integer(BONUS_QUARTERS).unwrap()).unwrap();
        assert_eq!(quarterly, fixed("131250000"));
        let licences = Fixed::from_integer(1_460_u64 * 91_759).unwrap();
        assert_eq!(rounded(fixed("6300000000").div(licences).unwrap(), 3), "47.026");
    }

    #[test]
    fn checkers_are_paid_by_tasks_and_by_base() {
        let daily = SUPPLY / 10 / u128::from(CHECKER_DAYS);
        assert_eq!(checker_base(daily, 1, 4), Ok(daily / 4));
        assert_eq!(checker_base(daily, 0, 0), Ok(0));
        let quarterly = SUPPLY / 20 / u128::from(BONUS_QUARTERS);
        assert_eq!(checker_bonus(quarterly, 3, 3), Ok(131_250_000 * 1_000_000_000));
        assert!(bonus_open(4, Share::ZERO) && !bonus_open(5, Share::percent(95)));
        assert!(bonus_open(5, Share::percent(96)));
    }

    #[test]
    fn capacity_and_delivery_weigh_by_specification() {
        assert_eq!(capacity(fixed("2.5"), fixed("0.8")), Ok(fixed("2")));
        assert_eq!(delivery(fixed("2.5"), fixed("0.2")), Ok(fixed("0.5")));
    }
}
