//! Work in the units of its kind, and what it is in points: pure formulas.

use remuda_types::AmountError;

use super::amount::Points;
use super::rules::Rates;
use crate::math::{Fixed, Rounding, mul_div};

/// Pixel steps of one Waifu point: an image of 512 by 512 in 20 steps (Heurist, season 1).
pub const WAIFU_PIXEL_STEPS: u128 = 512 * 512 * 20;
/// Model tokens of one Llama point, in and out together (Heurist, season 1).
pub const LLAMA_TOKENS: u128 = 1_000;
/// Model tokens for which a price in credits is quoted.
const PRICE_TOKENS: i128 = 1_000_000;
/// Pixel steps of one image of 1024 by 1024 in 20 steps.
const IMAGE_PIXEL_STEPS: i128 = 1_024 * 1_024 * 20;
/// Micro-dollars of a dollar.
const DOLLAR: u128 = 1_000_000;

/// Work that earns points, with its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Micro-dollars that an account earned.
    Earned(u128),
    /// Verified units, as epochs count them.
    Units(u128),
    /// Verdicts of a checker.
    Verdicts(u128),
    /// Tokens of a language model, in and out together.
    LlamaTokens(u128),
    /// Pixels of images, each times its steps.
    PixelSteps(u128),
}

impl Work {
    /// What it is in points, rounded down once.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn points(self, rates: &Rates) -> Result<Points, AmountError> {
        let (amount, unit, rate) = match self {
            Self::Earned(amount) => (amount, DOLLAR, rates.dollar),
            Self::Units(amount) => (amount, 1, rates.unit),
            Self::Verdicts(amount) => (amount, 1, rates.verdict),
            Self::LlamaTokens(amount) => (amount, LLAMA_TOKENS, rates.llama),
            Self::PixelSteps(amount) => (amount, WAIFU_PIXEL_STEPS, rates.waifu),
        };
        let rate = u128::try_from(rate.0).map_err(|_| AmountError::Underflow)?;
        // A rate counts whole points, and points are kept in millionths.
        let scale = Fixed::SCALE.unsigned_abs() / Points::ONE.0;
        mul_div(amount, rate, unit * scale, Rounding::Down).map(Points)
    }
}

/// The pixel steps of an image: its width times its height times its steps.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn pixel_steps(width: u32, height: u32, steps: u32) -> Result<u128, AmountError> {
    let pixels = u128::from(width) * u128::from(height);
    pixels.checked_mul(steps.into()).ok_or(AmountError::Overflow)
}

/// What an image costs in the unit of season 1, 512 by 512 in 20 steps being one (Heurist):
/// rounded down to millionths.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn waifu_points(width: u32, height: u32, steps: u32) -> Result<Points, AmountError> {
    let work = pixel_steps(width, height, steps)?;
    mul_div(work, Points::ONE.0, WAIFU_PIXEL_STEPS, Rounding::Down).map(Points)
}

/// What an image costs by the current formula (Heurist, credits):
/// `base · (width · height / 1024²) · (steps / 20)`.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn image_credits(
    base: Fixed,
    width: u32,
    height: u32,
    steps: u32,
) -> Result<Fixed, AmountError> {
    let work = i128::try_from(pixel_steps(width, height, steps)?);
    let work = work.map_err(|_| AmountError::Overflow)?;
    base.mul(Fixed::ratio(work, IMAGE_PIXEL_STEPS)?)
}

/// What a run of a language model costs at prices for a million tokens (Heurist, credits).
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn language_credits(
    price_in: Fixed,
    price_out: Fixed,
    tokens_in: u64,
    tokens_out: u64,
) -> Result<Fixed, AmountError> {
    let cost = |price: Fixed, tokens: u64| price.mul(Fixed::ratio(tokens.into(), PRICE_TOKENS)?);
    cost(price_in, tokens_in)?.add(cost(price_out, tokens_out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap()
    }

    /// The vectors of the two formulas for images, and of the one for language.
    #[test]
    fn heurist_numbers() {
        assert_eq!(waifu_points(1_024, 1_024, 40).unwrap().to_string(), "8");
        assert_eq!(image_credits(Fixed::ONE, 1_024, 512, 30), Ok(fixed("0.75")));
        let price = fixed("25");
        assert_eq!(language_credits(price, price, 1_000, 500), Ok(fixed("0.0375")));
    }

    #[test]
    fn work_counts_by_its_own_unit() {
        let one = Rates {
            dollar: Fixed::ONE,
            unit: Fixed::ONE,
            verdict: Fixed::ONE,
            llama: Fixed::ONE,
            waifu: Fixed::ONE,
        };
        let points = |work: Work| work.points(&one).unwrap().to_string();
        assert_eq!(points(Work::Earned(2_500_000)), "2.5");
        assert_eq!(points(Work::Units(7)), "7");
        assert_eq!(points(Work::Verdicts(3)), "3");
        assert_eq!(points(Work::LlamaTokens(1_500)), "1.5");
        let image = pixel_steps(1_024, 1_024, 40).unwrap();
        assert_eq!(points(Work::PixelSteps(image)), "8");
        assert_eq!(Work::Units(9).points(&Rates::default()), Ok(Points::ZERO));
        let huge = Rates { unit: fixed("1000000"), ..one };
        assert_eq!(Work::Units(u128::MAX).points(&huge), Err(AmountError::Overflow));
    }

    #[test]
    fn sizes_may_be_extreme() {
        assert_eq!(waifu_points(0, 9, 9), Ok(Points::ZERO));
        assert!(waifu_points(u32::MAX, u32::MAX, u32::MAX).is_ok());
        assert!(image_credits(Fixed::ONE, u32::MAX, u32::MAX, u32::MAX).is_err());
    }
}
