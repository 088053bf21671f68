//! The ledger seen from outside: every rule by its code, and random histories.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used)]

mod accounts;
mod blocks;
mod channels;
mod credits;
mod devices;
mod disputes;
mod epochs;
mod escrow;
mod fees;
mod governance;
mod grants;
mod light;
mod multisig;
mod orders;
mod points;
mod random;
mod refusals;
mod registry;
mod sessions;
mod stake;
mod world;
