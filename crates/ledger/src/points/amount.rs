//! Points as integers that carry their unit.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::AmountError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::math::{Fixed, FixedError};

/// Points, in millionths. They belong to an account and do not move. Text: `"0.0375"`.
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
pub struct Points(pub u128);

/// Decimal places of a point.
const PLACES: usize = 6;

// The operators of the language would overflow; these say so.
#[expect(clippy::should_implement_trait)]
impl Points {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One point.
    pub const ONE: Self = Self(1_000_000);

    /// The sum.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn add(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError::Overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`AmountError::Underflow`] when `other` is larger.
    pub fn sub(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountError::Underflow)
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0PLACES$}", self.0 % Self::ONE.0);
        match digits.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / Self::ONE.0),
            digits => write!(f, "{}.{digits}", self.0 / Self::ONE.0),
        }
    }
}

impl FromStr for Points {
    type Err = FixedError;

    fn from_str(text: &str) -> Result<Self, FixedError> {
        let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
        let value: Fixed = text.parse()?;
        let value = u128::try_from(value.0).map_err(|_| FixedError)?;
        if digits > PLACES {
            return Err(FixedError);
        }
        Ok(Self(value / (Fixed::SCALE.unsigned_abs() / Self::ONE.0)))
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let wrong = |_| de::Error::custom("not points: write a number with at most 6 places");
        text.parse().map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_both_ways() {
        for text in ["0", "8", "0.0375", "123456.000001"] {
            assert_eq!(text.parse::<Points>().map(|points| points.to_string()), Ok(text.into()));
        }
        for wrong in ["", "-1", "0.0000001", "1e3"] {
            assert_eq!(wrong.parse::<Points>(), Err(FixedError), "{wrong}");
        }
    }
}
