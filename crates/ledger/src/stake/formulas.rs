//! The formulas of required stake, of efficiency and of weight: pure functions of numbers.

use remuda_types::{AmountError, Tokens};

use super::rules::{Curve, Formula, RampRules, RequiredRules, WeightRules};
use super::{Load, StakeMeasures};
use crate::math::{Fixed, Rounding, Share, mul_div};

/// The base units of one token.
const TOKEN: u128 = 1_000_000_000;

/// What a formula knows beside the devices.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What the last epoch measured.
    pub measures: StakeMeasures,
    /// All tokens that are in accounts.
    pub circulating: Tokens,
}

/// The stake that these devices require by a role's rule, rounded down to a base unit in
/// favour of who bonds.
///
/// # Errors
/// [`AmountError`] when it does not fit, or a weight is negative.
pub fn required(
    rules: &RequiredRules,
    load: &Load,
    around: &Surroundings,
) -> Result<Tokens, AmountError> {
    let one = match rules.formula {
        Formula::Flat => rules.amount,
        Formula::Multiplier => by_multiplier(rules.amount, load.weight)?,
        Formula::Coefficient => {
            let measured = around.measures.coefficient;
            let coefficient = if measured.is_zero() { rules.amount } else { measured };
            Tokens(load.weight.of(coefficient.0)?)
        }
        Formula::SquareRoot => by_square_root(rules.amount, load.weight)?,
        Formula::Pledge => pledge(rules.multiple, rules.share, load.weight, around)?,
        Formula::Risk => Tokens(times(load.weight.of(TOKEN)?, rules.multiple.into())?),
    };
    Ok(Tokens(times(one.0, load.count.into())?))
}

/// `amount · max(1, multiplier)`: io.net's, with 200.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn by_multiplier(amount: Tokens, multiplier: Fixed) -> Result<Tokens, AmountError> {
    multiplier.max(Fixed::ONE).of(amount.0).map(Tokens)
}

/// `amount · √performance`: Phala's minimum, with 50.
///
/// # Errors
/// [`AmountError`] when it does not fit, or the performance is negative.
pub fn by_square_root(amount: Tokens, performance: Fixed) -> Result<Tokens, AmountError> {
    performance.sqrt()?.of(amount.0).map(Tokens)
}

/// Filecoin's initial pledge: so many days of the reward that `power` can expect, and a share
/// of the circulating tokens in proportion to `power` over the larger of baseline and network.
/// A network without power and baseline asks for none.
///
/// # Errors
/// [`AmountError`] when it does not fit, or a power is negative.
pub fn pledge(
    days: u32,
    share: Share,
    power: Fixed,
    around: &Surroundings,
) -> Result<Tokens, AmountError> {
    let measures = &around.measures;
    let power = steps(power)?;
    let part = |amount: u128, whole: Fixed| match steps(whole)? {
        0 => Ok(0),
        whole => mul_div(amount, power, whole, Rounding::Down),
    };
    let storage = part(times(measures.daily_reward.0, days.into())?, measures.power)?;
    let widest = measures.power.max(measures.baseline);
    let consensus = part(share.of(around.circulating.0), widest)?;
    Tokens(storage).add(Tokens(consensus))
}

/// The part of full efficiency at which `stake` lets a subject work: nothing below the floor,
/// then linearly up to `full` (Heurist: 10,000 to 100,000).
///
/// # Errors
/// [`AmountError::Overflow`] when the amounts are beyond all supply.
pub fn efficiency(rules: &RampRules, stake: Tokens) -> Result<Fixed, AmountError> {
    if rules.full.is_zero() || stake >= rules.full {
        return Ok(Fixed::ONE);
    }
    if stake < rules.floor {
        return Ok(Fixed::ZERO);
    }
    let signed = |amount: Tokens| i128::try_from(amount.0).map_err(|_| AmountError::Overflow);
    Fixed::ratio(signed(stake)?, signed(rules.full)?)
}

/// What an owner keeps of full pay when its stakers have the share `bribe`:
/// `efficiency · (1 − bribe)`. A bribe pays off while the stake that it draws raises this.
///
/// # Errors
/// [`AmountError::Overflow`] when the amounts are beyond all supply.
pub fn kept(rules: &RampRules, stake: Tokens, bribe: Share) -> Result<Fixed, AmountError> {
    let whole = i128::from(Share::ALL.billionths());
    let kept = Fixed::ratio(i128::from(bribe.complement().billionths()), whole)?;
    efficiency(rules, stake)?.mul(kept)
}

/// How much `stake` weighs in a draw or a vote; a root is rounded down.
#[must_use]
pub fn weight(rules: &WeightRules, stake: Tokens) -> u128 {
    let counted = if rules.cap.is_zero() { stake } else { stake.min(rules.cap) };
    match rules.curve {
        Curve::Linear => counted.0,
        Curve::SquareRoot => counted.0.isqrt(),
    }
}

fn times(amount: u128, count: u128) -> Result<u128, AmountError> {
    amount.checked_mul(count).ok_or(AmountError::Overflow)
}

fn steps(number: Fixed) -> Result<u128, AmountError> {
    u128::try_from(number.0).map_err(|_| AmountError::Underflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::units::tokens;

    fn amount(text: &str) -> Tokens {
        tokens::parse(text).unwrap_or_else(|_| panic!("{text}"))
    }

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    fn rule(formula: Formula, amount_text: &str) -> RequiredRules {
        RequiredRules { formula, amount: amount(amount_text), ..RequiredRules::default() }
    }

    fn required_of(rules: &RequiredRules, count: u64, weight: &str) -> Result<String, AmountError> {
        let load = Load { count, weight: fixed(weight) };
        required(rules, &load, &Surroundings::default()).map(tokens::format)
    }

    #[test]
    fn io_net_asks_200_for_each_weighted_device() {
        let rules = rule(Formula::Multiplier, "200");
        assert_eq!(required_of(&rules, 8, "10"), Ok("16000".into()));
        assert_eq!(required_of(&rules, 4, "0.25"), Ok("800".into()));
    }

    #[test]
    fn aethir_multiplies_constant_and_coefficient() {
        let rules = rule(Formula::Coefficient, "1334.22");
        assert_eq!(required_of(&rules, 1, "1"), Ok("1334.22".into()));
        assert_eq!(required_of(&rules, 2, "1.5"), Ok("4002.66".into()));
        let measures = StakeMeasures { coefficient: amount("1000"), ..StakeMeasures::default() };
        let around = Surroundings { measures, ..Surroundings::default() };
        let load = Load { count: 1, weight: fixed("3") };
        assert_eq!(required(&rules, &load, &around), Ok(amount("3000")));
    }

    #[test]
    fn phala_takes_the_root_of_performance() {
        let rules = rule(Formula::SquareRoot, "50");
        assert_eq!(required_of(&rules, 1, "450"), Ok("1060.660171779".into()));
        assert_eq!(required_of(&rules, 1, "2000"), Ok("2236.067977499".into()));
        assert_eq!(required_of(&rules, 1, "-1"), Err(AmountError::Underflow));
    }

    #[test]
    fn filecoin_pledges_twenty_days_and_a_share_of_what_circulates() {
        let rules = RequiredRules {
            formula: Formula::Pledge,
            multiple: 20,
            share: Share::percent(30),
            ..RequiredRules::default()
        };
        let measures = StakeMeasures {
            daily_reward: amount("100"),
            power: fixed("1000"),
            baseline: fixed("4000"),
            ..StakeMeasures::default()
        };
        let around = Surroundings { measures, circulating: amount("1000000") };
        let load = Load { count: 1, weight: fixed("10") };
        // 20 · 100 · 10/1000 + 0.3 · 1,000,000 · 10/4000
        assert_eq!(required(&rules, &load, &around), Ok(amount("770")));
        assert_eq!(required(&rules, &load, &Surroundings::default()), Ok(Tokens::ZERO));
    }

    #[test]
    fn a_bucket_is_a_multiple_of_what_is_at_risk() {
        let rules = RequiredRules { formula: Formula::Risk, multiple: 25, ..Default::default() };
        assert_eq!(required_of(&rules, 1, "2.5"), Ok("62.5".into()));
        assert_eq!(required_of(&rule(Formula::Flat, "7"), 3, "0"), Ok("21".into()));
    }

    #[test]
    fn heurist_works_from_10_000_and_fully_from_100_000() {
        let rules = RampRules { floor: amount("10000"), full: amount("100000") };
        for (stake, part) in [
            ("9999.999999999", "0"),
            ("10000", "0.1"),
            ("55000", "0.55"),
            ("100000", "1"),
            ("200000", "1"),
        ] {
            assert_eq!(efficiency(&rules, amount(stake)), Ok(fixed(part)), "{stake}");
        }
        assert_eq!(efficiency(&RampRules::default(), Tokens(0)), Ok(Fixed::ONE));
    }

    #[test]
    fn a_bribe_pays_off_while_the_stake_it_draws_raises_pay() {
        let rules = RampRules { floor: amount("10000"), full: amount("100000") };
        let alone = kept(&rules, amount("20000"), Share::ZERO);
        let bribing = kept(&rules, amount("80000"), Share::percent(40));
        assert_eq!(alone, Ok(fixed("0.2")));
        assert_eq!(bribing, Ok(fixed("0.48")));
        assert_eq!(kept(&rules, amount("300000"), Share::percent(90)), Ok(fixed("0.1")));
    }

    #[test]
    fn weight_is_capped_before_its_root() {
        let rules = WeightRules { curve: Curve::SquareRoot, cap: Tokens(100) };
        assert_eq!(weight(&rules, Tokens(81)), 9);
        assert_eq!(weight(&rules, Tokens(1_000)), 10);
        assert_eq!(weight(&WeightRules::default(), Tokens(1_000)), 1_000);
    }
}
