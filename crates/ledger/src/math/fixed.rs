//! A decimal number with twenty places: for rates and formulas, never for balances.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use ethnum::I256;
use remuda_types::AmountError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// How many decimal places a [`Fixed`] has.
const PLACES: usize = 20;

/// A signed decimal number with twenty places, from about -1.7e18 to 1.7e18. Every operation
/// is exact or rounds toward zero; none wraps.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Fixed(pub i128);

/// Why a text is not a [`Fixed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a decimal number with at most {PLACES} places within range")]
pub struct FixedError;

// The operators of the language would overflow; these say so.
#[expect(clippy::should_implement_trait)]
impl Fixed {
    /// How many steps make one.
    pub const SCALE: i128 = 100_000_000_000_000_000_000;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(Self::SCALE);

    /// A whole number.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] when it is out of range.
    pub fn from_integer(value: impl TryInto<i128>) -> Result<Self, AmountError> {
        let value = value.try_into().map_err(|_| AmountError::Overflow)?;
        value.checked_mul(Self::SCALE).map(Self).ok_or(AmountError::Overflow)
    }

    /// The fraction `numerator / denominator`.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] when it is out of range, or `denominator` is zero.
    pub fn ratio(numerator: i128, denominator: i128) -> Result<Self, AmountError> {
        wide(numerator, Self::SCALE, denominator)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn add(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError::Overflow)
    }

    /// The difference; it may be negative.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn sub(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountError::Overflow)
    }

    /// The product, rounded toward zero.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn mul(self, other: Self) -> Result<Self, AmountError> {
        wide(self.0, other.0, Self::SCALE)
    }

    /// The quotient, rounded toward zero.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] when it is out of range, or `other` is zero.
    pub fn div(self, other: Self) -> Result<Self, AmountError> {
        wide(self.0, Self::SCALE, other.0)
    }

    /// Whether it is below nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// `amount` times this, rounded down; for amounts of any unit.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] when it does not fit, [`AmountError::Underflow`] when this is
    /// negative.
    pub fn of(self, amount: u128) -> Result<u128, AmountError> {
        let factor = u128::try_from(self.0).map_err(|_| AmountError::Underflow)?;
        super::mul_div(amount, factor, Self::SCALE as u128, super::Rounding::Down)
    }
}

/// `a · b / c` toward zero.
fn wide(a: i128, b: i128, c: i128) -> Result<Fixed, AmountError> {
    if c == 0 {
        return Err(AmountError::Overflow);
    }
    let quotient = I256::from(a) * I256::from(b) / I256::from(c);
    i128::try_from(quotient).map(Fixed).map_err(|_| AmountError::Overflow)
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let (whole, fraction) = (size / Self::SCALE as u128, size % Self::SCALE as u128);
        let sign = if self.is_negative() { "-" } else { "" };
        let digits = format!("{fraction:0PLACES$}");
        match digits.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            digits => write!(f, "{sign}{whole}.{digits}"),
        }
    }
}

impl FromStr for Fixed {
    type Err = FixedError;

    fn from_str(text: &str) -> Result<Self, FixedError> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > PLACES {
            return Err(FixedError);
        }
        let scaled: i128 =
            format!("{whole}{fraction:0<PLACES$}").parse().map_err(|_| FixedError)?;
        Ok(Self(if negative { -scaled } else { scaled }))
    }
}

impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn text_goes_both_ways() {
        for text in ["0", "1", "-1.5", "0.0000138869523959793", "123456789.00000000000000000001"] {
            assert_eq!(fixed(text).to_string(), text);
        }
        for wrong in
            ["", ".", "1.", ".5", "1e3", "--1", "0.000000000000000000001", "99999999999999999999"]
        {
            assert_eq!(wrong.parse::<Fixed>(), Err(FixedError), "{wrong}");
        }
    }

    #[test]
    fn products_and_quotients_are_exact_or_round_toward_zero() {
        assert_eq!(fixed("1.5").mul(fixed("-2")), Ok(fixed("-3")));
        assert_eq!(fixed("1").div(fixed("3")), Ok(fixed("0.33333333333333333333")));
        assert_eq!(fixed("-1").div(fixed("3")), Ok(fixed("-0.33333333333333333333")));
        assert_eq!(fixed("1").div(Fixed::ZERO), Err(AmountError::Overflow));
        assert_eq!(fixed("1000000000000").mul(fixed("10000000")), Err(AmountError::Overflow));
        assert_eq!(fixed("0.04").of(100), Ok(4));
        assert_eq!(fixed("-0.04").of(100), Err(AmountError::Underflow));
    }
}
