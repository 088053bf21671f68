//! The ledger seen from outside: every rule by its code, and random histories.

mod accounts;
mod blocks;
mod channels;
mod random;
mod registry;
mod sessions;
mod world;
