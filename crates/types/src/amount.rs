//! Money as integers that carry their unit.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A sum left its range. No ledger rule may wrap or saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AmountError {
    /// More than the type can hold.
    #[error("the amount overflows")]
    Overflow,
    /// Less than nothing.
    #[error("the amount would fall below zero")]
    Underflow,
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $integer:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $integer);

        // The operators of the language would overflow; these say so.
        #[expect(clippy::should_implement_trait)]
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

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

            /// The difference, or nothing when `other` is larger.
            #[must_use]
            pub const fn excess_over(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// Whether this is nothing.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }
    };
}

amount! {
    /// Credits, in micro-dollars: one dollar is 1,000,000.
    Credits, u64
}
amount! {
    /// Tokens of the network, in base units: one token is 1,000,000,000.
    Tokens, u128
}

impl Credits {
    /// One dollar.
    pub const DOLLAR: Self = Self(1_000_000);
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09} RMD", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// How many units a [`Price`] is quoted for.
pub const UNITS_PER_PRICE: u64 = 1_000_000;

/// What a provider asks, in micro-dollars per million units. For language models a unit is
/// one model token.
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
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Micro-dollars per million input units.
    pub input: u64,
    /// Micro-dollars per million output units.
    pub output: u64,
}

impl Price {
    /// What `units_in` and `units_out` cost: the exact sum, rounded up once to a whole
    /// micro-dollar. The fraction belongs to the provider.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] when the cost does not fit.
    pub fn cost(&self, units_in: u64, units_out: u64) -> Result<Credits, AmountError> {
        let input = u128::from(self.input) * u128::from(units_in);
        let output = u128::from(self.output) * u128::from(units_out);
        // Each product fits; their sum may not.
        let exact = input.checked_add(output).ok_or(AmountError::Overflow)?;
        let rounded = exact.div_ceil(u128::from(UNITS_PER_PRICE));
        u64::try_from(rounded).map(Credits).map_err(|_| AmountError::Overflow)
    }

    /// Whether neither component is above `cap`'s.
    #[must_use]
    pub const fn within(&self, cap: &Self) -> bool {
        self.input <= cap.input && self.output <= cap.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_rounds_up_once() {
        let price = Price { input: 10_000, output: 40_000 };
        assert_eq!(price.cost(0, 0), Ok(Credits(0)));
        assert_eq!(price.cost(1, 0), Ok(Credits(1)));
        assert_eq!(price.cost(50, 13), Ok(Credits(2)));
        assert_eq!(price.cost(1_000_000, 1_000_000), Ok(Credits(50_000)));
    }

    #[test]
    fn cost_refuses_overflow() {
        let price = Price { input: u64::MAX, output: u64::MAX };
        assert_eq!(price.cost(u64::MAX, u64::MAX), Err(AmountError::Overflow));
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(Credits(1).add(Credits(u64::MAX)), Err(AmountError::Overflow));
        assert_eq!(Tokens(1).sub(Tokens(2)), Err(AmountError::Underflow));
        assert_eq!(Credits(5).sub(Credits(5)), Ok(Credits::ZERO));
        assert_eq!(Credits(5).excess_over(Credits(7)), Credits::ZERO);
    }

    #[test]
    fn a_price_is_capped_in_both_parts() {
        let cap = Price { input: 5, output: 7 };
        assert!(cap.within(&cap));
        assert!(!Price { input: 6, output: 7 }.within(&cap));
        assert!(!Price { input: 5, output: 8 }.within(&cap));
    }

    #[test]
    fn amounts_show_their_unit() {
        assert_eq!(Credits(1_234_567).to_string(), "$1.234567");
        assert_eq!(Tokens(1_500_000_000).to_string(), "1.500000000 RMD");
    }
}
