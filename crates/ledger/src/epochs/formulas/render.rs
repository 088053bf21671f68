//! Render: RNP-006, RNP-015, RNP-019 and RNP-021, and OTOY's OctaneBench.

use remuda_types::AmountError;

use super::share;
use crate::math::{Fixed, Share};

/// Hours of a week: job rates are per week.
const HOURS_PER_WEEK: u32 = 168;
/// A tenth.
const TENTH: Fixed = Fixed(Fixed::SCALE / 10);

/// The score of earlier work: `0.1 + 0.9·work/most` (RNP-006). Where nobody has any, 0.1.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn experience(work: Fixed, most: Fixed) -> Result<Fixed, AmountError> {
    if most == Fixed::ZERO {
        return Ok(TENTH);
    }
    Fixed::ONE.sub(TENTH)?.mul(work.div(most)?)?.add(TENTH)
}

/// The weighted sum of work, tier, model and uptime (RNP-006).
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn node_score(weights: [Share; 4], parts: [Fixed; 4]) -> Result<Fixed, AmountError> {
    weights
        .iter()
        .zip(parts)
        .try_fold(Fixed::ZERO, |sum, (weight, part)| sum.add(share(*weight).mul(part)?))
}

/// The penalty for many nodes of one wallet: 1 for up to `free` of them, then
/// `exp(-steepness·(nodes - free))` (RNP-015: 3 and 0.65).
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn node_penalty(nodes: u32, free: u32, steepness: Fixed) -> Result<Fixed, AmountError> {
    let beyond = Fixed::from_integer(nodes.saturating_sub(free))?;
    Ok(Fixed::ZERO.sub(steepness.mul(beyond)?)?.exp()?)
}

/// The weight of a node that stands ready: `idle·(3·log OB/log OB̄ + 3·log VRAM/log VRAM̄ +
/// log age/log age̅)·penalty·factor` (RNP-015). The pairs are a node's number and the mean of
/// all. It is negative for numbers below 1.
///
/// # Errors
/// [`AmountError`] when a number is not above 0, a mean is 1, or the result does not fit.
pub fn availability(
    idle: Fixed,
    pairs: [(Fixed, Fixed); 3],
    penalty: Fixed,
    factor: Fixed,
) -> Result<Fixed, AmountError> {
    let times = [3, 3, 1];
    let sum = pairs.iter().zip(times).try_fold(Fixed::ZERO, |sum, ((own, mean), times)| {
        let ratio = own.ln()?.div(mean.ln()?)?;
        sum.add(ratio.mul(Fixed::from_integer(times)?)?)
    })?;
    idle.mul(sum)?.mul(penalty)?.mul(factor)
}

/// A subnet's multiplier of hardware: `.36 GPU + .26 VRAM + .15 network + .08 clock + .08
/// memory width + .04 CPU` (RNP-019). The published weights come to 0.97.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn compute_multiplier(parts: [Fixed; 6]) -> Result<Fixed, AmountError> {
    let percents = [36, 26, 15, 8, 8, 4];
    parts.iter().zip(percents).try_fold(Fixed::ZERO, |sum, (part, percent)| {
        sum.add(share(Share::percent(percent)).mul(*part)?)
    })
}

/// What a job of `hours` earns: `rate·multiplier·hours/168` tokens. The rate is 10 in RNP-019
/// and 25 since RNP-021.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn job_reward(rate: Fixed, multiplier: Fixed, hours: Fixed) -> Result<Fixed, AmountError> {
    rate.mul(multiplier)?.mul(hours)?.div(Fixed::from_integer(HOURS_PER_WEEK)?)
}

/// OctaneBench's score of a device: 10 % info channels, 40 % direct light, 50 % path tracing.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn octane_bench(info: Fixed, direct: Fixed, path: Fixed) -> Result<Fixed, AmountError> {
    let part = |percent, score: Fixed| share(Share::percent(percent)).mul(score);
    part(10, info)?.add(part(40, direct)?)?.add(part(50, path)?)
}

#[cfg(test)]
mod tests {
    use super::super::{fixed, rounded};
    use super::*;

    #[test]
    fn a_node_with_100_of_2500_scores_484_thousandths() {
        let work = experience(fixed("100"), fixed("2500"));
        assert_eq!(work, Ok(fixed("0.136")));
        let weights = [25, 35, 20, 20].map(Share::percent);
        let parts = [fixed("0.136"), fixed("0.4"), fixed("0.6"), fixed("0.95")];
        assert_eq!(node_score(weights, parts), Ok(fixed("0.484")));
        assert_eq!(experience(Fixed::ZERO, Fixed::ZERO), Ok(fixed("0.1")));
    }

    #[test]
    fn many_nodes_of_one_wallet_weigh_less() {
        let penalties =
            (1..=7).map(|nodes| rounded(node_penalty(nodes, 3, fixed("0.65")).unwrap(), 4));
        let expected = ["1", "1", "1", "0.522", "0.2725", "0.1423", "0.0743"];
        assert!(penalties.eq(expected));
        assert_eq!(node_penalty(u32::MAX, 3, fixed("0.65")), Ok(Fixed::ZERO));
    }

    #[test]
    fn jobs_are_paid_by_multiplier_and_hours() {
        let (ten, hours) = (fixed("10"), fixed("100"));
        let paid = |rate: Fixed, multiplier: &str| {
            rounded(job_reward(rate, fixed(multiplier), hours).unwrap(), 4)
        };
        assert_eq!(paid(ten, "1"), "5.9524");
        assert_eq!(paid(ten, "1.8098"), "10.7726");
        // An H200 has the multiplier 5, at the rate of RNP-021.
        assert_eq!(paid(fixed("25"), "5"), "74.4048");
        assert_eq!(compute_multiplier([Fixed::ONE; 6]), Ok(fixed("0.97")));
    }

    #[test]
    fn octane_bench_weighs_its_three_kernels() {
        let score = octane_bench(fixed("920"), fixed("699"), fixed("688"));
        assert_eq!(score, Ok(fixed("715.6")));
    }

    #[test]
    fn availability_needs_logarithms() {
        let pair = (fixed("8"), fixed("2"));
        // log 8 / log 2 = 3, so (3·3 + 3·3 + 3)·0.5.
        let weight = availability(fixed("0.5"), [pair; 3], Fixed::ONE, Fixed::ONE).unwrap();
        assert_eq!(rounded(weight, 15), "10.5");
        let zero = (Fixed::ZERO, fixed("2"));
        assert!(availability(Fixed::ONE, [zero; 3], Fixed::ONE, Fixed::ONE).is_err());
        let mean = (fixed("2"), Fixed::ONE);
        assert!(availability(Fixed::ONE, [mean; 3], Fixed::ONE, Fixed::ONE).is_err());
    }
}
