//! A provider over real sockets, with a real embedded ledger and a client driven by hand.

mod doctor;
mod jobs;
mod life;
mod money;
mod world;
