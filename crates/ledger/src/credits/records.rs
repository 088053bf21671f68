//! What the room of credits and the oracle keeps.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use crate::math::Fixed;
use crate::query::record;

record! {
    /// What one poster says that a token costs.
    Post {
        /// Who says so.
        poster: AccountId,
        /// The price of one whole token.
        price: Credits,
        /// When it was said.
        posted_at: TimestampMs,
    }
}

record! {
    /// A time in which the median of the posts had one value.
    #[derive(Copy)]
    Sample {
        /// The price of one whole token.
        price: Credits,
        /// Since when.
        from: TimestampMs,
        /// Until when: the next sample, or when too few posts would count.
        until: TimestampMs,
    }
}

record! {
    /// The sums of buying and settling.
    #[derive(Default)]
    Book {
        /// Tokens in the reserve that settlements use before new ones are minted.
        reserved: Tokens,
        /// All credits that purchases made.
        sold: Credits,
        /// All earned credits that settlements ended.
        settled: Credits,
        /// All unspent credits that turned back into tokens.
        refunded: Credits,
        /// All tokens that settlements and refunds paid.
        paid: Tokens,
        /// Whether the circuit breaker stopped buying.
        halted: bool,
    }
}

/// What the circuit breaker says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Buying is open.
    Healthy,
    /// The collateral ratio is low; small purchases are refused.
    Warned,
    /// The collateral ratio fell too low: buying stopped until it recovers.
    Halted,
    /// There is no price: neither buying nor settling.
    NoPrice,
}

record! {
    /// The state of burning and minting.
    Status {
        /// The price of one whole token; none while too few posts count.
        price: Option<Credits>,
        /// Tokens in the reserve.
        reserve: Tokens,
        /// All credits that have not ended, whoever holds them.
        outstanding: Credits,
        /// What the reserve is worth beside what is outstanding, rounded down to billionths;
        /// none without a price, or when nothing is outstanding.
        ratio: Option<Fixed>,
        /// The circuit breaker.
        breaker: Breaker,
        /// Tokens that settlements may use without new ones: the reserve, and in the mode
        /// `remuda` what of the burned tokens may be minted again.
        budget: Tokens,
        /// All tokens that purchases burned.
        burned: Tokens,
        /// All tokens that settlements and refunds minted.
        minted: Tokens,
        /// The sums.
        book: Book,
    }
}

record! {
    /// What a purchase would do.
    Purchase {
        /// The price of one whole token.
        price: Credits,
        /// What the buyer hands over.
        tokens: Tokens,
        /// Of it, the fee.
        fee: Tokens,
        /// What the buyer gets.
        credits: Credits,
    }
}

record! {
    /// What a settlement, or a refund, would do.
    Settlement {
        /// The price of one whole token.
        price: Credits,
        /// What ends.
        credits: Credits,
        /// What is paid.
        tokens: Tokens,
    }
}
