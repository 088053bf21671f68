//! Decimal numbers in words, read exactly: no float touches money.

use anyhow::Result;

use crate::exit::{Exit, coded};

/// `text` times ten to the power of `decimals`, exactly.
pub(crate) fn parse_decimal(text: &str, decimals: usize) -> Result<u128> {
    let wrong = || {
        let message = format!("{text:?} is not an amount with at most {decimals} decimals");
        coded(Exit::Failed, message)
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > decimals {
        return Err(wrong());
    }
    format!("{whole}{fraction:0<decimals$}").parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::parse_decimal;

    #[test]
    fn reads_exactly_and_refuses_the_rest() {
        assert_eq!(parse_decimal("1.5", 6).unwrap(), 1_500_000);
        assert_eq!(parse_decimal("25", 6).unwrap(), 25_000_000);
        assert_eq!(parse_decimal("0.000001", 6).unwrap(), 1);
        for wrong in [
            "",
            ".5",
            "-1",
            "1e3",
            "1.0000001",
            "1.2.3",
            "NaN",
            "∞",
            "99999999999999999999999999999999999999",
        ] {
            assert!(parse_decimal(wrong, 6).is_err(), "{wrong}");
        }
    }
}
