//! Disputes about receipts: their records and their money. Whether a result is right is found
//! elsewhere; here a checker commits to its verdict before it sees any other, an escalation
//! asks fresh checkers, a bisection narrows an exact mismatch down, and whoever is wrong pays.
//!
//! A receipt is *ordered* and *delivered* without a record here; what is here begins when it
//! is challenged, or drawn by the beacon. What a pure function can decide (two statements that
//! exclude each other, a job billed twice, a forged signature) is decided at once, by evidence.
//!
//! There are three verdicts. *Could not check* moves no money: bonds and frozen payouts go
//! back to where they were going.

mod actions;
mod audit;
mod bisection;
mod cases;
mod checkers;
mod checks;
mod error;
mod evidence;
mod penalty;
mod queries;
mod records;
mod roots;
mod rules;

pub use actions::DisputeAction;
pub use checks::{check_commitment, is_drawn};
pub use error::DisputeError;
pub use evidence::Evidence;
pub use queries::{DisputeAnswer, DisputeQuery};
pub use records::{
    Bisection, Check, Checker, Conviction, Dispute, DisputeId, DisputeKind, ReceiptRoot, RootKey,
    Stage, Verdict,
};
pub use roots::{Inclusion, RECEIPTS_PER_ROOT_MAX, receipts_root};
pub use rules::{BISECTION_ROUNDS_MAX, CHECKERS_PER_DRAW_MAX, DisputeRules, SlashRules};

pub(crate) use actions::execute;
pub(crate) use audit::audit;
pub(crate) use cases::{advance, forget, next_due};
pub(crate) use queries::answer;
pub(crate) use records::DisputeIndex;
