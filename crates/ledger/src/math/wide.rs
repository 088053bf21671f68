//! Products that may be wider than their factors.

use ethnum::U256;
use remuda_types::AmountError;

/// What becomes of a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Toward zero: in favour of who pays.
    Down,
    /// Away from zero: in favour of who is paid.
    Up,
    /// To the nearest, a half to the even neighbour: for published figures.
    HalfEven,
}

/// `a · b / c`, exact in between.
///
/// # Errors
/// [`AmountError::Overflow`] when the result does not fit, or `c` is zero.
pub fn mul_div(a: u128, b: u128, c: u128, rounding: Rounding) -> Result<u128, AmountError> {
    if c == 0 {
        return Err(AmountError::Overflow);
    }
    if let Some(product) = a.checked_mul(b) {
        return rounded(product / c, product % c, c, rounding).ok_or(AmountError::Overflow);
    }
    let (product, divisor) = (U256::from(a) * U256::from(b), U256::from(c));
    let quotient = u128::try_from(product / divisor).map_err(|_| AmountError::Overflow)?;
    let rest = (product % divisor).as_u128();
    rounded(quotient, rest, c, rounding).ok_or(AmountError::Overflow)
}

/// Rounds `quotient`, whose remainder by `divisor` is `rest`.
fn rounded(quotient: u128, rest: u128, divisor: u128, rounding: Rounding) -> Option<u128> {
    let half = rest.cmp(&(divisor - rest));
    let up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest > 0,
        Rounding::HalfEven => half.is_gt() || (half.is_eq() && quotient % 2 == 1),
    };
    if up { quotient.checked_add(1) } else { Some(quotient) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_goes_where_it_is_told() {
        assert_eq!(mul_div(7, 1, 2, Rounding::Down), Ok(3));
        assert_eq!(mul_div(7, 1, 2, Rounding::Up), Ok(4));
        assert_eq!(mul_div(7, 1, 2, Rounding::HalfEven), Ok(4));
        assert_eq!(mul_div(5, 1, 2, Rounding::HalfEven), Ok(2));
        assert_eq!(mul_div(6, 1, 2, Rounding::Up), Ok(3));
    }

    #[test]
    fn the_product_may_be_wide_but_not_the_result() {
        assert_eq!(mul_div(u128::MAX, u128::MAX, u128::MAX, Rounding::Down), Ok(u128::MAX));
        assert_eq!(mul_div(u128::MAX, 3, 4, Rounding::Down), Ok(u128::MAX / 4 * 3 + 2));
        assert_eq!(mul_div(u128::MAX, 2, 1, Rounding::Down), Err(AmountError::Overflow));
        assert_eq!(mul_div(1, 1, 0, Rounding::Down), Err(AmountError::Overflow));
    }
}
