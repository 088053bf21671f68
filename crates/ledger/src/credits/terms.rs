//! What tokens and credits come to at a price: pure sums, each rounded once.

use remuda_types::{AmountError, Credits, Tokens};

use super::records::Purchase;
use super::rules::Rules;
use crate::math::{Rounding, Share, mul_div};

/// Base units of one whole token, for which a price is quoted.
const TOKEN: u128 = 1_000_000_000;
/// Billionths of the whole.
const WHOLE: u128 = Share::ALL.billionths() as u128;

fn credits(amount: u128) -> Result<Credits, AmountError> {
    u64::try_from(amount).map(Credits).map_err(|_| AmountError::Overflow)
}

fn part(share: Share) -> u128 {
    share.billionths().into()
}

/// What `tokens` are worth, in micro-dollars, rounded down.
pub(super) fn value(tokens: Tokens, price: Credits) -> Result<u128, AmountError> {
    mul_div(tokens.0, price.0.into(), TOKEN, Rounding::Down)
}

/// What a buyer gets for `tokens`: the fee rounds down, then the credits do; the dust stays
/// with what is reserved or burned.
pub(super) fn purchase(
    rules: &Rules,
    price: Credits,
    tokens: Tokens,
) -> Result<Purchase, AmountError> {
    let fee = Tokens(rules.fee.of(tokens.0));
    let net = tokens.sub(fee)?;
    let rate = u128::from(price.0) * part(rules.spread.complement());
    let bought = mul_div(net.0, rate, TOKEN * WHOLE, Rounding::Down)?;
    let bonus = rules.bonus.of(bought);
    let credits = credits(bought.checked_add(bonus).ok_or(AmountError::Overflow)?)?;
    Ok(Purchase { price, tokens, fee, credits })
}

/// What exactly `wanted` credits cost: each step rounds up, and the dust stays with what is
/// reserved or burned. The price is above zero, and neither fee nor spread is the whole.
pub(super) fn purchase_exact(
    rules: &Rules,
    price: Credits,
    wanted: Credits,
) -> Result<Purchase, AmountError> {
    let up = Rounding::Up;
    let bought = mul_div(wanted.0.into(), WHOLE, WHOLE + part(rules.bonus), up)?;
    let rate = u128::from(price.0) * part(rules.spread.complement());
    let net = mul_div(bought, TOKEN * WHOLE, rate, up)?;
    let tokens = mul_div(net, WHOLE, part(rules.fee.complement()), up)?;
    let fee = tokens.checked_sub(net).ok_or(AmountError::Underflow)?;
    Ok(Purchase { price, tokens: Tokens(tokens), fee: Tokens(fee), credits: wanted })
}

/// What `credits` are worth in tokens when they are settled, rounded down.
pub(super) fn settlement(
    rules: &Rules,
    price: Credits,
    credits: Credits,
) -> Result<Tokens, AmountError> {
    let worth = u128::from(credits.0) * part(rules.settle_spread.complement());
    mul_div(worth, TOKEN, u128::from(price.0) * WHOLE, Rounding::Down).map(Tokens)
}

/// The part of `budget` that `credits` have beside all that are `outstanding`, rounded down.
pub(super) fn budget_part(
    budget: Tokens,
    credits: Credits,
    outstanding: Credits,
) -> Result<Tokens, AmountError> {
    mul_div(budget.0, credits.0.into(), outstanding.0.into(), Rounding::Down).map(Tokens)
}

/// What `reserve` is worth beside `outstanding`, in billionths rounded down: the collateral
/// ratio of AEP-76. `None` when nothing is outstanding.
pub(super) fn ratio(reserve: Tokens, price: Credits, outstanding: Credits) -> Option<u128> {
    if outstanding.is_zero() {
        return None;
    }
    // What does not fit is above every threshold.
    let worth = value(reserve, price).unwrap_or(u128::MAX);
    Some(mul_div(worth, WHOLE, outstanding.0.into(), Rounding::Down).unwrap_or(u128::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credits::Mode;
    use crate::math::units::tokens::format;

    fn dollars(amount: u64) -> Credits {
        Credits(amount * Credits::DOLLAR.0)
    }

    /// To six places, as AEP-76 prints them.
    fn six(tokens: u128) -> String {
        let rounded = mul_div(tokens, 1, 1_000, Rounding::HalfEven).unwrap();
        format(Tokens(rounded * 1_000))
    }

    /// The example of AEP-76: 1,000 dollars bought at 1.14, settled at 1.50 and at 0.90.
    #[test]
    fn akash_numbers() {
        let rules = Rules { mode: Mode::Akash, ..Rules::default() };
        let bought = purchase_exact(&rules, Credits(1_140_000), dollars(1_000)).unwrap();
        assert_eq!(six(bought.tokens.0), "877.192982");
        let high = settlement(&rules, Credits(1_500_000), dollars(1_000)).unwrap();
        assert_eq!(six(high.0), "666.666667");
        assert_eq!(six(bought.tokens.0 - high.0), "210.526316");
        let low = settlement(&rules, Credits(900_000), dollars(1_000)).unwrap();
        assert_eq!(six(low.0), "1111.111111");
        assert_eq!(six(low.0 - bought.tokens.0), "233.918129");
    }

    #[test]
    fn render_burns_what_the_fee_leaves() {
        let fee = Share::percent(5);
        let rules = Rules { mode: Mode::Render, fee, ..Rules::default() };
        let bought = purchase(&rules, Credits::DOLLAR, Tokens(100 * TOKEN)).unwrap();
        assert_eq!((bought.fee, bought.credits), (Tokens(5 * TOKEN), dollars(95)));
        // The customer pays the ask times 1 + 5/95 (RNP-021).
        let exact = purchase_exact(&rules, Credits::DOLLAR, dollars(95)).unwrap();
        assert_eq!((exact.tokens, exact.fee), (Tokens(100 * TOKEN), Tokens(5 * TOKEN)));
    }

    #[test]
    fn the_ratio_is_that_of_the_reserve() {
        let ten_million = dollars(10_000_000);
        let reserve = purchase_exact(&Rules::default(), Credits(1_140_000), ten_million).unwrap();
        let ratio = ratio(reserve.tokens, Credits(1_200_000), ten_million).unwrap();
        // AEP-76 rounds 1.0526 to 1.053.
        assert_eq!(ratio / 1_000_000, 1_052);
    }

    proptest! {
        #[test]
        fn an_exact_purchase_never_gives_more_than_it_costs(
            price in 1..u64::MAX, wanted in 1..u64::MAX, fee in 0_u64..1_000_000_000,
            spread in 0_u64..1_000_000_000,
        ) {
            let rules = Rules {
                fee: Share::new(fee).unwrap(),
                spread: Share::new(spread).unwrap(),
                ..Rules::default()
            };
            if let Ok(exact) = purchase_exact(&rules, Credits(price), Credits(wanted)) {
                // A buyer with the same tokens gets at least as many, if the sum fits at all.
                if let Ok(bought) = purchase(&rules, Credits(price), exact.tokens) {
                    prop_assert!(bought.credits >= Credits(wanted));
                }
                prop_assert!(exact.fee <= exact.tokens);
            }
        }

        #[test]
        fn buying_and_settling_at_one_price_never_gains(price in 1..u64::MAX, tokens: u128) {
            let rules = Rules::default();
            let bought = purchase(&rules, Credits(price), Tokens(tokens));
            let Ok(bought) = bought else { return Ok(()) };
            let back = settlement(&rules, Credits(price), bought.credits).unwrap();
            prop_assert!(back.0 <= tokens);
        }
    }
}
