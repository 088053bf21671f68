//! Splits whose parts come to the whole: what rounding leaves over has an owner.

use remuda_types::AmountError;

use super::{Rounding, Share, mul_div};

/// Splits `total` in proportion to `weights`, each part rounded down. What is left over, less
/// than one unit a part, goes one unit each to the first parts with a weight, in their order.
/// All weights zero: nobody gets anything.
///
/// # Errors
/// [`AmountError::Overflow`] when the weights' sum does not fit.
pub fn split_by_weights(total: u128, weights: &[u128]) -> Result<Vec<u128>, AmountError> {
    let sum = weights.iter().try_fold(0_u128, |sum, weight| sum.checked_add(*weight));
    let sum = sum.ok_or(AmountError::Overflow)?;
    if sum == 0 {
        return Ok(vec![0; weights.len()]);
    }
    let part = |weight: &u128| mul_div(total, *weight, sum, Rounding::Down);
    let mut parts = weights.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let mut dust = total - parts.iter().sum::<u128>();
    for (part, _) in parts.iter_mut().zip(weights).filter(|(_, weight)| **weight > 0) {
        let unit = dust.min(1);
        *part += unit;
        dust -= unit;
    }
    Ok(parts)
}

/// Splits `total` by shares: each part rounded down, and the rest, which is what the shares
/// leave to the whole plus all dust, beside them.
///
/// # Errors
/// [`AmountError::Underflow`] when the shares exceed the whole.
pub fn split_by_shares(total: u128, shares: &[Share]) -> Result<(Vec<u128>, u128), AmountError> {
    let parts: Vec<u128> = shares.iter().map(|share| share.of(total)).collect();
    let rest = parts.iter().try_fold(total, |rest, part| rest.checked_sub(*part));
    Ok((parts, rest.ok_or(AmountError::Underflow)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dust_goes_to_the_first_with_a_weight() {
        assert_eq!(split_by_weights(10, &[0, 1, 1, 1]), Ok(vec![0, 4, 3, 3]));
        assert_eq!(split_by_weights(10, &[0, 0]), Ok(vec![0, 0]));
        assert_eq!(split_by_weights(10, &[u128::MAX, 1]), Err(AmountError::Overflow));
    }

    proptest! {
        #[test]
        fn parts_come_to_the_whole(
            total: u128, weights in prop::collection::vec(any::<u64>().prop_map(u128::from), 1..20)
        ) {
            let parts = split_by_weights(total, &weights)?;
            let whole = if weights.iter().all(|w| *w == 0) { 0 } else { total };
            prop_assert_eq!(parts.iter().sum::<u128>(), whole);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*weight > 0 || *part == 0);
            }
        }

        #[test]
        fn shares_and_their_rest_come_to_the_whole(
            total: u128, percents in prop::collection::vec(0_u64..=10, 0..10)
        ) {
            let shares: Vec<Share> = percents.iter().map(|p| Share::percent(*p)).collect();
            let (parts, rest) = split_by_shares(total, &shares)?;
            prop_assert_eq!(parts.iter().sum::<u128>() + rest, total);
        }
    }
}
