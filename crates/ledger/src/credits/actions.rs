//! What accounts do with credits and tokens, and what posters say.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, Tokens};
use serde::{Deserialize, Serialize};

use super::{market, oracle};
use crate::context::{Context, Verdict};
use crate::state::State;

/// An action of the room; the signer's account acts.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CreditsAction {
    /// A poster says what one whole token costs. Its newest word replaces its last.
    PostPrice {
        /// The price, in micro-dollars.
        price: Credits,
    },
    /// The signer turns tokens into credits.
    BuyCredits {
        /// All that it hands over, fee included.
        tokens: Tokens,
        /// The fewest credits that it accepts.
        credits_min: Credits,
    },
    /// The signer buys so many credits, for as many tokens as they cost.
    BuyExactCredits {
        /// How many.
        credits: Credits,
        /// The most tokens that it hands over, fee included.
        tokens_max: Tokens,
    },
    /// The signer's earned credits end and are paid in tokens.
    SettleEarned {
        /// How many credits.
        credits: Credits,
        /// The fewest tokens that it accepts.
        tokens_min: Tokens,
    },
    /// The signer's unspent credits end and are paid in tokens.
    RefundCredits {
        /// How many credits.
        credits: Credits,
        /// The fewest tokens that it accepts.
        tokens_min: Tokens,
    },
    /// The signer gives tokens to the reserve, for nothing.
    FundReserve {
        /// How many.
        tokens: Tokens,
    },
}

/// Runs one action.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &CreditsAction) -> Verdict {
    match *action {
        CreditsAction::PostPrice { price } => oracle::post(state, context, price),
        CreditsAction::BuyCredits { tokens, credits_min } => {
            market::buy(state, context, tokens, credits_min)
        }
        CreditsAction::BuyExactCredits { credits, tokens_max } => {
            market::buy_exact(state, context, credits, tokens_max)
        }
        CreditsAction::SettleEarned { credits, tokens_min } => {
            market::settle(state, context, credits, tokens_min)
        }
        CreditsAction::RefundCredits { credits, tokens_min } => {
            market::refund(state, context, credits, tokens_min)
        }
        CreditsAction::FundReserve { tokens } => market::fund(state, context, tokens),
    }
}
