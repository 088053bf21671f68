//! Between the ledger's integers and the simulation's numbers.

use remuda_ledger::math::{Fixed, Share};
use remuda_types::{Credits, Tokens};

/// Base units of one whole token.
const UNITS_PER_TOKEN: f64 = 1e9;
/// Micro-dollars of a dollar.
const MICROS_PER_DOLLAR: f64 = 1e6;
/// Millionths, in which the simulation gives scores and shares to the ledger.
const MILLION: f64 = 1e6;

/// The whole part of a number that is not negative; what is no number, or negative, is 0, and
/// what is too large is `2^63`.
pub(crate) fn whole(value: f64) -> u64 {
    let bounded = value.clamp(0.0, 9_223_372_036_854_775_808.0);
    #[expect(clippy::cast_possible_truncation, reason = "the fraction is what is dropped")]
    let whole = bounded as u64;
    whole
}

/// Whole tokens as base units, rounded down.
pub(crate) fn tokens(amount: f64) -> Tokens {
    // The two steps keep large amounts within 64 bits each.
    let (whole_part, rest) = (whole(amount), amount - whole(amount) as f64);
    Tokens(u128::from(whole_part) * 1_000_000_000 + u128::from(whole(rest * UNITS_PER_TOKEN)))
}

/// Base units as whole tokens.
pub(crate) fn from_tokens(amount: Tokens) -> f64 {
    amount.0 as f64 / UNITS_PER_TOKEN
}

/// Dollars as credits, rounded down.
pub(crate) fn credits(dollars: f64) -> Credits {
    Credits(whole(dollars * MICROS_PER_DOLLAR))
}

/// Credits as dollars.
pub(crate) fn from_credits(credits: Credits) -> f64 {
    credits.0 as f64 / MICROS_PER_DOLLAR
}

/// A number that is not negative, to six places.
pub(crate) fn fixed(value: f64) -> Fixed {
    Fixed(i128::from(whole(value * MILLION)) * (Fixed::SCALE / 1_000_000))
}

/// A part of the whole, to six places.
pub(crate) fn share(value: f64) -> Share {
    Share::new(whole(value.clamp(0.0, 1.0) * MILLION) * 1_000).unwrap_or(Share::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_back_and_forth() {
        assert_eq!(tokens(1.5), Tokens(1_500_000_000));
        assert_eq!(tokens(-1.0), Tokens(0));
        assert_eq!(tokens(f64::NAN), Tokens(0));
        assert_eq!(from_tokens(tokens(42e9)), 42e9);
        assert_eq!(credits(2.5), Credits(2_500_000));
        assert_eq!(from_credits(Credits(1)), 0.000_001);
        assert_eq!(fixed(0.25).to_string(), "0.25");
        assert_eq!(share(0.5), Share::percent(50));
    }
}
