//! Why buying, settling or posting is refused.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, Tokens};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an action of this room takes no effect.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CreditsError {
    /// The economy neither sells nor settles credits.
    #[error("this network does not trade credits for tokens; ask its operator for a grant")]
    MarketOff,
    /// Too few posts count.
    #[error("there is no price now: too few posters have posted lately; come back later")]
    NoPrice,
    /// The circuit breaker stopped buying.
    #[error("buying is stopped until the reserve recovers; use tokens, or come back later")]
    Halted,
    /// The circuit breaker warns, and the purchase is small.
    #[error("while the reserve is low a purchase must come to at least {least}; buy more at once")]
    PurchaseSmall {
        /// The least.
        least: Credits,
    },
    /// The purchase gives fewer credits than the buyer accepts.
    #[error("the tokens buy {credits} now, less than {least}; accept less, or come back later")]
    TooFewCredits {
        /// What it gives.
        credits: Credits,
        /// What the buyer accepts.
        least: Credits,
    },
    /// The purchase takes more tokens than the buyer accepts.
    #[error("the credits cost {tokens} now, more than {most}; accept more, or come back later")]
    TooDear {
        /// What it takes.
        tokens: Tokens,
        /// What the buyer accepts.
        most: Tokens,
    },
    /// The settlement pays fewer tokens than its receiver accepts.
    #[error("the credits come to {tokens} now, less than {least}; accept less, or come back later")]
    TooFewTokens {
        /// What it pays.
        tokens: Tokens,
        /// What is accepted.
        least: Tokens,
    },
    /// So little that it rounds to nothing.
    #[error("this comes to nothing at the price of now; give more")]
    Dust,
    /// Credits do not turn back into tokens here.
    #[error("this network gives no tokens for unspent credits; spend them")]
    RefundsOff,
    /// The signer may not post prices.
    #[error("only the posters that the economy names, and bonded validators, post prices")]
    NotPoster,
    /// No room for another poster's post.
    #[error("{most} posts are kept, the most allowed; come back when old ones are forgotten")]
    PostsFull {
        /// How many are kept.
        most: u32,
    },
}

impl CreditsError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MarketOff => "credits_market_off",
            Self::NoPrice => "credits_no_price",
            Self::Halted => "credits_halted",
            Self::PurchaseSmall { .. } => "credits_purchase_small",
            Self::TooFewCredits { .. } => "credits_too_few",
            Self::TooDear { .. } => "credits_too_dear",
            Self::TooFewTokens { .. } => "credits_too_few_tokens",
            Self::Dust => "credits_dust",
            Self::RefundsOff => "credits_refunds_off",
            Self::NotPoster => "oracle_not_poster",
            Self::PostsFull { .. } => "oracle_posts_full",
        }
    }

    /// Whether the same action may well succeed later, without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NoPrice | Self::Halted | Self::PostsFull { .. })
    }
}
