//! A node that sells: it registers, announces what it serves, runs jobs on an [`Engine`],
//! meters them, and is paid by vouchers that it redeems on the ledger.
//!
//! What it is not: it does not run models itself (that is `remuda-engine`), keeps no ledger,
//! and decides nothing about who is matched to whom.
//!
//! | module | subject |
//! |---|---|
//! | [`Provider`] | the running role: start, pause, drain, resume, status, shutdown |
//! | `session` | one job over one stream: admission, streaming, metering, receipts |
//! | `till` | per channel: what is owed, the best voucher, the receipts' sequence; durable |
//! | `redeem` | takes vouchers to the ledger |
//! | `announce` | tells indexers what is served and how busy it is |
//! | [`control`] | the local socket by which the CLI steers a running provider |
//! | [`hardware`] | what this machine is |
//! | [`doctor`] | what is wrong, and the exact fix |
//!
//! ```
//! use remuda_provider::hardware;
//!
//! // Never fails: what cannot be seen is absent, and `notes` says why.
//! let machine = hardware::detect(&std::env::temp_dir());
//! assert!(machine.cpu.cores >= 1);
//! println!("{}", machine.device_class().0);
//! ```
//!
//! [`Engine`]: remuda_engine::Engine

mod announce;
mod catalogue;
mod config;
pub mod control;
pub mod doctor;
mod error;
pub mod hardware;
mod ledger_view;
mod provider;
mod redeem;
mod session;
mod shared;
mod status;
mod till;

pub use config::{Limits, OfferedModel, Parts, ProviderConfig};
pub use error::StartError;
pub use provider::Provider;
pub use status::{ConnectionCounts, Earnings, JobCounts, ModelStatus, ProviderStatus};
