//! What can be asked of the room.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::error::CreditsError;
use super::records::{Breaker, Post, Purchase, Sample, Settlement, Status};
use super::rules::{Mode, Rules};
use super::terms;
use crate::ANSWER_RECORDS_MAX;
use crate::math::Fixed;
use crate::money::Flow;
use crate::state::State;

/// A question to the room. Prices are those at the newest block's time.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CreditsQuery {
    /// The price of one whole token.
    Price,
    /// What each poster says.
    Posts,
    /// The samples of the window.
    Samples,
    /// The state of burning and minting.
    Status,
    /// What so many tokens buy.
    QuotePurchase(Tokens),
    /// What so many credits cost.
    QuoteExactPurchase(Credits),
    /// What settling so many credits pays.
    QuoteSettlement(Credits),
}

/// The answer to a [`CreditsQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CreditsAnswer {
    /// To `Price`; none while too few posts count.
    Price(Option<Credits>),
    /// To `Posts`.
    Posts(Vec<Post>),
    /// To `Samples`, the oldest first.
    Samples(Vec<Sample>),
    /// To `Status`.
    Status(Box<Status>),
    /// To `QuotePurchase` and `QuoteExactPurchase`.
    Purchase(Purchase),
    /// To `QuoteSettlement`.
    Settlement(Settlement),
    /// There is no quote.
    NoQuote(CreditsError),
}

/// Answers from `state`, whose newest block has the time `now`.
pub(crate) fn answer(state: &State, now: TimestampMs, query: &CreditsQuery) -> CreditsAnswer {
    let economy = state.economy();
    let rules = &economy.credits;
    let (posts, samples) = (&state.tables.price_posts, &state.tables.price_samples);
    match *query {
        CreditsQuery::Price => CreditsAnswer::Price(state.price(now)),
        CreditsQuery::Posts => {
            CreditsAnswer::Posts(posts.values().take(ANSWER_RECORDS_MAX).cloned().collect())
        }
        CreditsQuery::Samples => {
            CreditsAnswer::Samples(samples.values().take(ANSWER_RECORDS_MAX).cloned().collect())
        }
        CreditsQuery::Status => CreditsAnswer::Status(Box::new(status(state, rules, now))),
        CreditsQuery::QuotePurchase(tokens) => {
            quote(state, rules, now, |price| terms::purchase(rules, price, tokens))
        }
        CreditsQuery::QuoteExactPurchase(credits) => {
            quote(state, rules, now, |price| terms::purchase_exact(rules, price, credits))
        }
        CreditsQuery::QuoteSettlement(credits) => settlement(state, rules, now, credits),
    }
}

fn quote(
    state: &State,
    rules: &Rules,
    now: TimestampMs,
    terms: impl FnOnce(Credits) -> Result<Purchase, remuda_types::AmountError>,
) -> CreditsAnswer {
    if rules.mode == Mode::Off {
        return CreditsAnswer::NoQuote(CreditsError::MarketOff);
    }
    let Some(price) = state.price(now) else {
        return CreditsAnswer::NoQuote(CreditsError::NoPrice);
    };
    if state.breaker(rules, now).0 == Breaker::Halted {
        return CreditsAnswer::NoQuote(CreditsError::Halted);
    }
    terms(price).map_or(CreditsAnswer::NoQuote(CreditsError::Dust), CreditsAnswer::Purchase)
}

fn settlement(state: &State, rules: &Rules, now: TimestampMs, credits: Credits) -> CreditsAnswer {
    match state.settlement_terms(rules, now, credits) {
        Ok(settlement) => CreditsAnswer::Settlement(settlement),
        Err(crate::TransactionError::Credits(error)) => CreditsAnswer::NoQuote(error),
        Err(_) => CreditsAnswer::NoQuote(CreditsError::Dust),
    }
}

fn status(state: &State, rules: &Rules, now: TimestampMs) -> Status {
    let (breaker, ratio) = state.breaker(rules, now);
    let book = state.credit_book();
    let budget = match rules.mode {
        Mode::Remuda => state.settlement_budget(rules).unwrap_or_default(),
        _ => book.reserved,
    };
    Status {
        price: state.price(now),
        reserve: book.reserved,
        outstanding: state.outstanding_credits(),
        ratio: ratio.and_then(|ratio| Fixed::ratio(i128::try_from(ratio).ok()?, BILLION).ok()),
        breaker,
        budget,
        burned: state.flow(Flow::CreditPurchase),
        minted: state.flow(Flow::Settlement),
        book,
    }
}

/// Billionths of one.
const BILLION: i128 = 1_000_000_000;
