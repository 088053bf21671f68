//! The messages of each protocol, one module a protocol. The ledger's protocol is the
//! exception: its messages are ledger types, so it lives with `remuda-chain`.

pub mod index;
pub mod job;
