//! io.net: availability and compute rewards. The text of the base score is not published;
//! [`score`] is a reconstruction from the multipliers and the conditions that are.

use remuda_types::AmountError;

use crate::math::{Fixed, Rounding, mul_div};

/// `multiplier · processors · tier · uptime`, nothing unless stake and proofs are in order.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn score(
    multiplier: Fixed,
    processors: Fixed,
    tier: Fixed,
    uptime: Fixed,
    passed: bool,
) -> Result<Fixed, AmountError> {
    if !passed {
        return Ok(Fixed::ZERO);
    }
    multiplier.mul(processors)?.mul(tier)?.mul(uptime)
}

/// The availability reward `A_i = A·P_i/ΣP`, rounded down. Nobody has a score: nothing.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn availability_reward(pool: u128, own: u128, all: u128) -> Result<u128, AmountError> {
    if all == 0 { Ok(0) } else { mul_div(pool, own, all, Rounding::Down) }
}

/// The compute reward `C_i = C·N_i/ΣN`, by compute credits, rounded down.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn compute_reward(pool: u128, own: u128, all: u128) -> Result<u128, AmountError> {
    availability_reward(pool, own, all)
}

#[cfg(test)]
mod tests {
    use super::super::fixed;
    use super::*;

    #[test]
    fn eight_h100_outweigh_four_4070() {
        let tier = Fixed::ONE;
        let large = score(fixed("10"), fixed("8"), tier, Fixed::ONE, true).unwrap();
        let small = score(fixed("0.25"), fixed("4"), tier, fixed("0.9"), true).unwrap();
        assert_eq!((large, small), (fixed("80"), fixed("0.9")));
        assert_eq!(score(fixed("10"), fixed("8"), tier, tier, false), Ok(Fixed::ZERO));
        // An hour's emission between the two, in base units.
        let (own, all) = (809, 800 + 9);
        assert_eq!(availability_reward(4_566_210_045_662, 800, all), Ok(4_515_411_664_437));
        assert_eq!(compute_reward(4_566_210_045_662, own, all), Ok(4_566_210_045_662));
        assert_eq!(availability_reward(5, 0, 0), Ok(0));
    }
}
