//! One story for each profile: people act through the command line on a running ledger whose
//! clock is virtual, and the balances at its end can be checked by hand.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod aethir;
mod akash;
mod dekube;
mod filecoin;
mod gensyn;
mod helium;
mod heurist;
mod ionet;
mod iotex;
mod ocean;
mod phala;
mod remuda;
mod render;
mod story;
mod trade;
