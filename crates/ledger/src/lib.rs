//! Placeholder.

mod query;
mod transaction;

pub use query::{
    Account, Answer, Channel, Header, Model, Provider, Query, Session, Supply,
};
pub use transaction::{Action, REDEEM_VOUCHERS_MAX, SignedTransaction, Transaction};
