//! Phala: a worker's value `V`, its share of an epoch, and what a payout does to the value
//! (the Gemini tokenomics).

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::AmountError;
use serde::{Deserialize, Serialize};

use crate::economy::RuleError;
use crate::math::Fixed;

/// The parameters of the value.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// By how much a value exceeds what was put in, at full confidence (`R_e`).
    pub reward_factor: Fixed,
    /// The most that a value begins with (`V_max`).
    pub value_max: Fixed,
    /// The price of the token in dollars that the cost is reckoned with (`φ`).
    pub token_price: Fixed,
    /// By which factor a value grows each hour (`ρ`).
    pub growth: Fixed,
    /// What running a device costs each hour, in tokens (`c`).
    pub cost: Fixed,
    /// The factor of the payouts of the last hours that a value gains beside (`γ·h`).
    pub bonus: Fixed,
}

impl Default for Parameters {
    fn default() -> Self {
        let parts =
            |numerator: i128, denominator: i128| Fixed(Fixed::SCALE / denominator * numerator);
        Self {
            reward_factor: parts(3, 2),
            value_max: Fixed(30_000 * Fixed::SCALE),
            token_price: parts(1, 10),
            growth: parts(100_020, 100_000),
            cost: Fixed::ZERO,
            bonus: Fixed::ZERO,
        }
    }
}

impl Parameters {
    pub(super) fn validate(&self, path: &str) -> Result<(), RuleError> {
        let factors = [self.reward_factor, self.value_max, self.growth, self.cost, self.bonus];
        let holds = factors.iter().all(|factor| !factor.is_negative());
        RuleError::require(holds, path, "must not have a negative parameter")?;
        let holds = self.token_price > Fixed::ZERO;
        RuleError::require(holds, &format!("{path}.token_price"), "must be above 0")
    }

    /// The first value of a device with `performance` (iterations a second), `stake` and
    /// `confidence`: `f·(S + C)`, at most `V_max`.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn first_value(
        &self,
        performance: Fixed,
        stake: Fixed,
        confidence: Fixed,
    ) -> Result<Fixed, AmountError> {
        let factor = confidence.mul(self.reward_factor.sub(Fixed::ONE)?)?.add(Fixed::ONE)?;
        let put_in = stake.add(cost(performance, self.token_price)?)?;
        Ok(factor.mul(put_in)?.min(self.value_max))
    }

    /// By how much a value grows in an hour: `k·((ρ - 1)·V + c + γh)`, where `k` is how fast
    /// the device runs now beside its benchmark, at most 1.2.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit, or the benchmark is nothing.
    pub fn growth_of(
        &self,
        value: Fixed,
        now: Fixed,
        benchmark: Fixed,
    ) -> Result<Fixed, AmountError> {
        let pace = now.div(benchmark)?.min(Fixed(Fixed::SCALE / 5 * 6));
        let grown = self.growth.sub(Fixed::ONE)?.mul(value)?;
        pace.mul(grown.add(self.cost)?.add(self.bonus)?)
    }
}

/// The least stake of a device: `50·√P`.
///
/// # Errors
/// [`AmountError`] when it does not fit, or the performance is negative.
pub fn least_stake(performance: Fixed) -> Result<Fixed, AmountError> {
    performance.sqrt()?.mul(Fixed::from_integer(50)?)
}

/// What a device is reckoned to have cost, in tokens: `0.3·P/φ`.
///
/// # Errors
/// [`AmountError`] when it does not fit, or the price is nothing.
pub fn cost(performance: Fixed, token_price: Fixed) -> Result<Fixed, AmountError> {
    performance.mul(Fixed(Fixed::SCALE / 10 * 3))?.div(token_price)
}

/// A device's share before normalisation: `√(V² + (2·P·confidence)²)`.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn share(value: Fixed, performance: Fixed, confidence: Fixed) -> Result<Fixed, AmountError> {
    let work = performance.mul(confidence)?.mul(Fixed::from_integer(2)?)?;
    Ok(value.mul(value)?.add(work.mul(work)?)?.sqrt()?)
}

/// What is left of a value after a payout `w`: `V - min(w, V - V_last)`, where `V_last` is
/// the value at the payout before. It never falls below that one.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn after_payout(value: Fixed, last: Fixed, paid: Fixed) -> Result<Fixed, AmountError> {
    let gained = value.sub(last)?.max(Fixed::ZERO);
    value.sub(paid.min(gained))
}

#[cfg(test)]
mod tests {
    use super::super::{fixed, rounded};
    use super::*;

    #[test]
    fn a_worker_of_2000_iterations() {
        let performance = fixed("2000");
        let stake = least_stake(performance).unwrap();
        assert_eq!(rounded(stake, 3), "2236.068");
        assert_eq!(rounded(least_stake(fixed("450")).unwrap(), 3), "1060.66");
        assert_eq!(cost(performance, fixed("0.1")), Ok(fixed("6000")));
        let parameters = Parameters::default();
        let value = parameters.first_value(performance, stake, Fixed::ONE).unwrap();
        assert_eq!(rounded(value, 3), "12354.102");
        assert_eq!(rounded(share(value, performance, Fixed::ONE).unwrap(), 3), "12985.524");
        let whale = parameters.first_value(performance, fixed("1000000"), Fixed::ONE);
        assert_eq!(whale, Ok(fixed("30000")));
    }

    #[test]
    fn a_value_grows_and_is_paid_out() {
        let parameters = Parameters::default();
        let value = fixed("10000");
        let grown = parameters.growth_of(value, fixed("2000"), fixed("2000"));
        assert_eq!(grown, Ok(fixed("2")));
        // Twice as fast as the benchmark counts 1.2 times.
        let fast = parameters.growth_of(value, fixed("4000"), fixed("2000"));
        assert_eq!(fast, Ok(fixed("2.4")));
        let now = fixed("10002");
        assert_eq!(after_payout(now, value, fixed("0.5")), Ok(fixed("10001.5")));
        assert_eq!(after_payout(now, value, fixed("5")), Ok(value));
    }
}
