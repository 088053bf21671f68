//! Shares, periods and amounts as people write them in a profile: `"7.5%"`, `"15m"`,
//! `"42000000000"` tokens. In the state and in signatures they are integers.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{Rounding, mul_div};

/// A part of a whole, in billionths; never more than the whole. Text: `"7.5%"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Share(u64);

/// A length of block time in milliseconds. Text: a number and `ms`, `s`, `m`, `h` or `d`;
/// several may follow each other (`"1h30m"`).
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
pub struct Period(pub u64);

/// Why a text is not the value that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// Not a share.
    #[error("not a share: write a percentage from \"0%\" to \"100%\" with at most 7 places")]
    Share,
    /// Not a period.
    #[error("not a period: write a number and ms, s, m, h or d, such as \"15m\" or \"180d\"")]
    Period,
    /// Not an amount.
    #[error("not an amount: write a decimal number with at most {places} places")]
    Amount {
        /// How many places there may be.
        places: usize,
    },
}

/// One whole in billionths.
const WHOLE: u64 = 1_000_000_000;
/// Decimal places of a percentage.
const PERCENT_PLACES: usize = 7;
/// Decimal places of tokens.
const TOKEN_PLACES: usize = 9;
/// Decimal places of dollars.
const DOLLAR_PLACES: usize = 6;

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(WHOLE);

    /// So many billionths; `None` when it is more than the whole.
    #[must_use]
    pub const fn new(billionths: u64) -> Option<Self> {
        if billionths <= WHOLE { Some(Self(billionths)) } else { None }
    }

    /// So many hundredths, at most all.
    #[must_use]
    pub const fn percent(percent: u64) -> Self {
        if percent < 100 { Self(percent * (WHOLE / 100)) } else { Self::ALL }
    }

    /// In billionths.
    #[must_use]
    pub const fn billionths(self) -> u64 {
        self.0
    }

    /// This part of `amount`, rounded down.
    #[must_use]
    pub fn of(self, amount: u128) -> u128 {
        // Never more than the amount itself, so it fits.
        mul_div(amount, self.0.into(), WHOLE.into(), Rounding::Down).unwrap_or(amount)
    }

    /// What is left beside it.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(WHOLE - self.0)
    }
}

impl BorshDeserialize for Share {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let billionths = u64::deserialize_reader(reader)?;
        let wrong = || std::io::Error::new(std::io::ErrorKind::InvalidData, UnitError::Share);
        Self::new(billionths).ok_or_else(wrong)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", decimal(self.0.into(), PERCENT_PLACES))
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = text.trim().strip_suffix('%').ok_or(UnitError::Share)?;
        let billionths =
            parse_decimal(number.trim_end(), PERCENT_PLACES).ok_or(UnitError::Share)?;
        u64::try_from(billionths).ok().and_then(Self::new).ok_or(UnitError::Share)
    }
}

/// The units of a period, the largest first.
const PERIOD_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Period {
    /// So many seconds.
    pub const SECOND: Self = Self(1_000);
    /// One minute.
    pub const MINUTE: Self = Self(60_000);
    /// One hour.
    pub const HOUR: Self = Self(3_600_000);
    /// One day.
    pub const DAY: Self = Self(86_400_000);

    /// So many times as long.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// In milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut written) = (self.0, false);
        for (unit, ms) in PERIOD_UNITS {
            if rest / ms > 0 {
                write!(f, "{}{unit}", rest / ms)?;
                (rest, written) = (rest % ms, true);
            }
        }
        if written { Ok(()) } else { f.write_str("0s") }
    }
}

impl FromStr for Period {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (mut rest, mut total) = (text.trim(), 0_u64);
        if rest.is_empty() {
            return Err(UnitError::Period);
        }
        while !rest.is_empty() {
            let (part, after) = leading_part(rest).ok_or(UnitError::Period)?;
            total = total.checked_add(part).ok_or(UnitError::Period)?;
            rest = after;
        }
        Ok(Self(total))
    }
}

/// Reads `15m` from the front: its milliseconds, and the text after it.
fn leading_part(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let (_, ms) = PERIOD_UNITS.iter().find(|(name, _)| *name == unit)?;
    Some((number.parse::<u64>().ok()?.checked_mul(*ms)?, rest))
}

/// `value` with the last `places` digits behind the point, trailing zeros left out.
fn decimal(value: u128, places: usize) -> String {
    let scale = 10_u128.pow(u32::try_from(places).unwrap_or(0));
    let fraction = format!("{:0places$}", value % scale);
    match fraction.trim_end_matches('0') {
        "" => (value / scale).to_string(),
        fraction => format!("{}.{fraction}", value / scale),
    }
}

/// The inverse of [`decimal`].
fn parse_decimal(text: &str, places: usize) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}
serde_as_text!(Share);
serde_as_text!(Period);

macro_rules! amount_as_text {
    ($(#[$doc:meta])* $module:ident, $amount:ident, $integer:ty, $places:expr) => {
        $(#[$doc])*
        pub mod $module {
            use remuda_types::$amount;
            use serde::{Deserialize, Deserializer, Serializer, de};

            use super::{UnitError, decimal, parse_decimal};

            /// Reads an amount from text.
            ///
            /// # Errors
            /// [`UnitError::Amount`].
            pub fn parse(text: &str) -> Result<$amount, UnitError> {
                let value = parse_decimal(text, $places);
                let value = value.and_then(|value| <$integer>::try_from(value).ok());
                value.map($amount).ok_or(UnitError::Amount { places: $places })
            }

            /// Writes an amount as text.
            #[must_use]
            pub fn format(amount: $amount) -> String {
                decimal(amount.0.into(), $places)
            }

            /// For `serde(with)`.
            ///
            /// # Errors
            /// Those of the serializer.
            pub fn serialize<S: Serializer>(amount: &$amount, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&format(*amount))
            }

            /// For `serde(with)`.
            ///
            /// # Errors
            /// When the text is not an amount.
            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$amount, D::Error> {
                parse(&String::deserialize(from)?).map_err(de::Error::custom)
            }
        }
    };
}
amount_as_text! {
    /// Tokens as text in whole tokens: `"4566.210045662"`.
    tokens, Tokens, u128, super::TOKEN_PLACES
}
amount_as_text! {
    /// Credits as text in dollars: `"0.25"`.
    dollars, Credits, u64, super::DOLLAR_PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        for text in ["0%", "7.5%", "100%", "0.0000001%"] {
            assert_eq!(text.parse::<Share>().map(|share| share.to_string()), Ok(text.into()));
        }
        for wrong in ["", "7.5", "100.1%", "-1%", "0.00000001%"] {
            assert_eq!(wrong.parse::<Share>(), Err(UnitError::Share), "{wrong}");
        }
        assert_eq!(Share::percent(20).of(100), 20);
        assert_eq!(Share::ALL.of(u128::MAX), u128::MAX);
    }

    #[test]
    fn periods_have_units() {
        for text in ["0s", "15m", "1h30m", "180d", "250ms"] {
            assert_eq!(text.parse::<Period>().map(|period| period.to_string()), Ok(text.into()));
        }
        for wrong in ["", "15", "m", "1.5h", "-1s", "99999999999999999999d"] {
            assert_eq!(wrong.parse::<Period>(), Err(UnitError::Period), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_decimals() {
        assert_eq!(tokens::parse("4566.210045662").map(|t| t.0), Ok(4_566_210_045_662));
        assert_eq!(tokens::format(remuda_types::Tokens(1_500_000_000)), "1.5");
        assert_eq!(dollars::parse("0.25").map(|c| c.0), Ok(250_000));
        assert!(dollars::parse("0.0000001").is_err());
        assert!(dollars::parse("99999999999999999999").is_err());
    }
}
