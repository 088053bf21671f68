//! A provider over real sockets, with a real embedded ledger and a client driven by hand.

// The helpers are test code, too, but not in test functions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod doctor;
mod jobs;
mod life;
mod money;
mod world;
