//! Heurist: what a job costs in credits, and how stake and bribes bear on a miner's share.

use remuda_types::AmountError;

use crate::math::Fixed;

/// Tokens by which language models are priced.
const MILLION: Fixed = Fixed(1_000_000 * Fixed::SCALE);

/// The unit of images: so many pixels, so many steps, so many credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageUnit {
    /// Width times height.
    pub pixels: u64,
    /// Steps of sampling.
    pub steps: u32,
    /// What one unit costs.
    pub credits: Fixed,
}

impl ImageUnit {
    /// The unit of the points era: 512² pixels and 20 steps are one credit.
    pub const POINTS: Self = Self { pixels: 512 * 512, steps: 20, credits: Fixed::ONE };
    /// The unit of the credits page: 1024² pixels and 20 steps.
    pub const CREDITS: Self = Self { pixels: 1024 * 1024, steps: 20, credits: Fixed::ONE };

    /// `credits·(width·height/pixels)·(steps/unit steps)`.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit, or the unit is empty.
    pub fn cost(&self, width: u32, height: u32, steps: u32) -> Result<Fixed, AmountError> {
        let pixels = u64::from(width) * u64::from(height);
        let area = Fixed::ratio(pixels.into(), self.pixels.into())?;
        self.credits.mul(area)?.mul(Fixed::ratio(steps.into(), self.steps.into())?)
    }
}

/// What a text costs: prices are per million tokens read and written.
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn text_cost(
    read: u64,
    written: u64,
    read_price: Fixed,
    written_price: Fixed,
) -> Result<Fixed, AmountError> {
    let cost = |tokens, price: Fixed| price.mul(Fixed::from_integer(tokens)?)?.div(MILLION);
    cost(read, read_price)?.add(cost(written, written_price)?)
}

/// The efficiency of a miner's stake: nothing below `least`, then in proportion up to `full`,
/// which is 1 (10,000 and 100,000 HUE).
///
/// # Errors
/// [`AmountError`] when it does not fit, or `full` is nothing.
pub fn efficiency(stake: Fixed, least: Fixed, full: Fixed) -> Result<Fixed, AmountError> {
    if stake < least {
        return Ok(Fixed::ZERO);
    }
    stake.min(full).div(full)
}

/// What is left of a miner's efficiency when it gives stakers a share of its rewards:
/// `efficiency·(1 - bribe)`. (Only prose is published; this is a reconstruction.)
///
/// # Errors
/// [`AmountError`] when it does not fit.
pub fn after_bribe(efficiency: Fixed, bribe: Fixed) -> Result<Fixed, AmountError> {
    efficiency.mul(Fixed::ONE.sub(bribe)?)
}

#[cfg(test)]
mod tests {
    use super::super::fixed;
    use super::*;

    #[test]
    fn images_cost_by_area_and_steps() {
        assert_eq!(ImageUnit::POINTS.cost(1024, 1024, 40), Ok(fixed("8")));
        assert_eq!(ImageUnit::CREDITS.cost(1024, 512, 30), Ok(fixed("0.75")));
        assert_eq!(ImageUnit::POINTS.cost(512, 512, 20), Ok(Fixed::ONE));
        let large = ImageUnit::POINTS.cost(u32::MAX, u32::MAX, u32::MAX);
        assert_eq!(large, Err(AmountError::Overflow));
    }

    #[test]
    fn texts_cost_by_the_million() {
        let price = fixed("25");
        assert_eq!(text_cost(1_000, 500, price, price), Ok(fixed("0.0375")));
    }

    #[test]
    fn efficiency_rises_with_stake_and_falls_with_the_bribe() {
        let of = |stake: &str| efficiency(fixed(stake), fixed("10000"), fixed("100000"));
        assert_eq!(of("9999"), Ok(Fixed::ZERO));
        assert_eq!(of("10000"), Ok(fixed("0.1")));
        assert_eq!(of("55000"), Ok(fixed("0.55")));
        assert_eq!(of("1000000"), Ok(Fixed::ONE));
        assert_eq!(after_bribe(fixed("0.55"), fixed("0.2")), Ok(fixed("0.44")));
    }
}
