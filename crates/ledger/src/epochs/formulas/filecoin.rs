//! Filecoin: 30 % of what is minted depends on time, 70 % on capacity beside a baseline that
//! grows all the time.

use remuda_types::{AmountError, Tokens};

use super::super::schedule::Progress;
use super::share;
use crate::math::{Fixed, Share};

/// The natural logarithm of 2.
const LN_2: Fixed = Fixed(69_314_718_055_994_530_942);

/// The baseline of an epoch: `base·2^(epoch/doubling)`.
///
/// # Errors
/// [`AmountError`] when it does not fit, or `doubling` is nothing.
pub fn baseline(base: Fixed, epoch: u64, doubling: u32) -> Result<Fixed, AmountError> {
    let exponent = Fixed::ratio(epoch.into(), doubling.into())?;
    Fixed(2 * Fixed::SCALE).pow(exponent)?.mul(base)
}

/// The two curves of the mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    /// All that is ever given.
    pub total: Tokens,
    /// The part that depends on time alone.
    pub simple: Share,
    /// After how many epochs half of a part has been given.
    pub half_life: u32,
    /// After how many epochs the baseline doubles.
    pub doubling: u32,
}

impl Curve {
    /// The sum of realised capacity after one more epoch with so much `power`: at most the
    /// baseline counts, `base·2^(n/doubling)`. In units of `base`.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn realise(
        &self,
        progress: &Progress,
        power: Fixed,
        base: Fixed,
    ) -> Result<Fixed, AmountError> {
        let own = power.div(base)?;
        // A baseline out of range is more than any power.
        let counted = match baseline(Fixed::ONE, progress.epochs, self.doubling) {
            Ok(baseline) => own.min(baseline),
            Err(_) => own,
        };
        progress.realised.add(counted.max(Fixed::ZERO))
    }

    /// The network's own time: the epoch by which the baseline alone would have come to the
    /// `realised` sum, `(d/ln 2)·ln(1 + realised·ln 2/d)`.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn network_time(&self, realised: Fixed) -> Result<Fixed, AmountError> {
        let doubling = Fixed::from_integer(self.doubling)?;
        let inner = realised.mul(LN_2)?.div(doubling)?.add(Fixed::ONE)?;
        inner.ln()?.mul(doubling)?.div(LN_2)
    }

    /// What has been given after `epochs`: each part times `1 - 2^(-t/half life)`, rounded
    /// down, where `t` is the time for one part and the network's own time for the other.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn sum(&self, epochs: u64, realised: Fixed) -> Result<Tokens, AmountError> {
        let time = Fixed::from_integer(epochs)?;
        let simple = self.given(time)?.mul(share(self.simple))?;
        let baseline = self.given(self.network_time(realised)?)?;
        let baseline = baseline.mul(share(self.simple.complement()))?;
        simple.add(baseline)?.of(self.total.0).map(Tokens)
    }

    /// The part given by `time`.
    fn given(&self, time: Fixed) -> Result<Fixed, AmountError> {
        let exponent = Fixed::ZERO.sub(time.div(Fixed::from_integer(self.half_life)?)?)?;
        Fixed::ONE.sub(Fixed(2 * Fixed::SCALE).pow(exponent)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixed, rounded};
    use super::*;

    fn curve() -> Curve {
        Curve {
            total: Tokens(1_100_000_000 * 1_000_000_000),
            simple: Share::percent(30),
            half_life: 6 * 365,
            doubling: 365,
        }
    }

    #[test]
    fn without_capacity_time_alone_gives_its_part() {
        let half = curve().sum(6 * 365, Fixed::ZERO);
        assert_eq!(half, Ok(Tokens(165_000_000 * 1_000_000_000)));
    }

    #[test]
    fn at_the_baseline_the_networks_time_is_time() {
        let curve = curve();
        let mut progress = Progress::default();
        for epoch in 0..730_u64 {
            progress.epochs = epoch;
            progress.realised = curve.realise(&progress, fixed("1000"), Fixed::ONE).unwrap();
        }
        // The sum over days beside the integral: within a day.
        let time = curve.network_time(progress.realised).unwrap();
        assert!((fixed("729")..fixed("731")).contains(&time), "{time}");
        // Half of the capacity: the network's time lags behind.
        let half = Fixed(progress.realised.0 / 2);
        assert_eq!(rounded(curve.network_time(half).unwrap(), 0), "482");
        assert!(curve.sum(730, half).unwrap() < curve.sum(730, progress.realised).unwrap());
    }
}
