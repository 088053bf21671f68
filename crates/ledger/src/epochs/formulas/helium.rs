//! Helium: HIP-15 (witnesses), HIP-17 (density), HIP-42 (the daily cap of witnesses) and
//! HIP-80 (the utility of a network among networks).

use remuda_types::AmountError;

use crate::math::Fixed;

/// No device transmits for more units than this.
const UNITS_MAX: i128 = 2;
/// Challenges of one device in a day: one every 360 minutes.
const CHALLENGES_PER_DAY: u32 = 1_440 / 360;
/// By which part of them the cap of HIP-42 is set.
const CAP_PART: u32 = 5;

/// What one who transmits gets: `w/N` up to the target, then `1 + (1 - r^(w - N))`, at most 2.
///
/// # Errors
/// [`AmountError`] when it does not fit, or the target is nothing.
pub fn transmit_units(witnesses: u32, target: u32, ratio: Fixed) -> Result<Fixed, AmountError> {
    if witnesses <= target {
        return Fixed::ratio(witnesses.into(), target.into());
    }
    let units = Fixed::ONE.add(beyond(witnesses, target, ratio)?)?;
    Ok(units.min(Fixed::from_integer(UNITS_MAX)?))
}

/// What each of `witnesses` gets: 1 up to the target, then `(N - (1 - r^(w - N)))/w`.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn receive_units(witnesses: u32, target: u32, ratio: Fixed) -> Result<Fixed, AmountError> {
    if witnesses == 0 {
        return Ok(Fixed::ZERO);
    }
    if witnesses <= target {
        return Ok(Fixed::ONE);
    }
    let left = Fixed::from_integer(target)?.sub(beyond(witnesses, target, ratio)?)?;
    left.div(Fixed::from_integer(witnesses)?)
}

/// `1 - r^(w - N)`.
fn beyond(witnesses: u32, target: u32, ratio: Fixed) -> Result<Fixed, AmountError> {
    Fixed::ONE.sub(ratio.powi(witnesses - target)?)
}

/// How many devices a hexagon holds without loss: `min(target·max(n - N + 1, 1), most)`, with
/// `n` of its neighbours occupied and `N` needed.
#[must_use]
pub fn density_limit(target: u32, most: u32, occupied: u32, needed: u32) -> u32 {
    let neighbours = occupied.saturating_add(1).saturating_sub(needed).max(1);
    target.saturating_mul(neighbours).min(most)
}

/// By which factor a crowded place weighs less: the product of `limit/count` over the
/// hexagons around it, where a hexagon within its limit counts 1.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn density_scale(levels: &[(u32, u32)]) -> Result<Fixed, AmountError> {
    levels.iter().try_fold(Fixed::ONE, |scale, (limit, count)| {
        if limit >= count {
            Ok(scale)
        } else {
            scale.mul(Fixed::ratio((*limit).into(), (*count).into())?)
        }
    })
}

/// How many witnesses of one device count in a day: `list·4/5·compensation`, rounded down by
/// whoever uses it.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn witness_cap(listed: u32, compensation: Fixed) -> Result<Fixed, AmountError> {
    let listed = Fixed::from_integer(u64::from(listed) * u64::from(CHALLENGES_PER_DAY))?;
    listed.div(Fixed::from_integer(CAP_PART)?)?.mul(compensation)
}

/// A network's utility among networks: `√(credits burned)·√(tokens locked)`.
///
/// # Errors
/// [`AmountError`] when it does not fit, or a number is negative.
pub fn utility(burned: Fixed, locked: Fixed) -> Result<Fixed, AmountError> {
    burned.sqrt()?.mul(locked.sqrt()?)
}

#[cfg(test)]
mod tests {
    use super::super::{fixed, rounded};
    use super::*;

    #[test]
    fn witnesses_by_hip_15() {
        let table = [
            (1, "0.25", "1"),
            (4, "1", "1"),
            (5, "1.2", "0.76"),
            (8, "1.5904", "0.4262"),
            (14, "1.8926", "0.222"),
        ];
        for (witnesses, transmit, receive) in table {
            let ratio = fixed("0.8");
            let units = transmit_units(witnesses, 4, ratio).unwrap();
            assert_eq!(rounded(units, 4), transmit, "{witnesses}");
            let units = receive_units(witnesses, 4, ratio).unwrap();
            assert_eq!(rounded(units, 4), receive, "{witnesses}");
        }
        assert_eq!(receive_units(0, 4, fixed("0.8")), Ok(Fixed::ZERO));
        assert_eq!(transmit_units(u32::MAX, 4, fixed("0.8")), Ok(fixed("2")));
    }

    #[test]
    fn density_by_hip_17() {
        let alone = density_scale(&[(4, 61)]).unwrap();
        assert_eq!(rounded(alone, 5), "0.06557");
        let within = density_scale(&[(4, 61), (27, 27), (49, 106)]).unwrap();
        assert_eq!(rounded(within, 5), "0.03031");
        assert_eq!(density_scale(&[]), Ok(Fixed::ONE));
        assert_eq!(density_scale(&[(4, 1)]), Ok(Fixed::ONE));
        // Resolution 8: two neighbours needed, target 1, at most 4.
        let limits: Vec<_> = (0..=6).map(|n| density_limit(1, 4, n, 2)).collect();
        assert_eq!(limits, [1, 1, 1, 2, 3, 4, 4]);
    }

    #[test]
    fn caps_and_utility() {
        assert_eq!(witness_cap(25, Fixed::ONE), Ok(fixed("20")));
        assert_eq!(utility(fixed("16"), fixed("9")), Ok(fixed("12")));
        assert!(utility(fixed("-1"), fixed("9")).is_err());
    }
}
