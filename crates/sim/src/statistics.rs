//! What a distribution looks like.

use crate::amounts::whole;

/// The Gini coefficient of `values`, none of them negative: 0 when all are equal, toward 1 when
/// one has all. Nothing at all is equal.
pub(crate) fn gini(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (count, total) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    if total <= 0.0 {
        return 0.0;
    }
    let weighted: f64 = sorted.iter().enumerate().map(|(i, v)| (i + 1) as f64 * v).sum();
    (2.0 * weighted) / (count * total) - (count + 1.0) / count
}

/// The value below which `share` (0 to 1) of `values` lie; 0 for none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let index = usize::try_from(whole(share * last as f64 + 0.5)).unwrap_or(last);
    sorted.get(index.min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_shares_have_no_gini_and_one_owner_nearly_all_of_it() {
        assert!(gini(&[5.0; 10]).abs() < 1e-12);
        let mut one = vec![0.0; 99];
        one.push(1.0);
        assert!((gini(&one) - 0.99).abs() < 1e-12);
        assert_eq!(gini(&[]), 0.0);
        assert!((gini(&[1.0, 3.0]) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_values_that_occur() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 1.0), 3.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
