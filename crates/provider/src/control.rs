//! The local socket by which the CLI steers a running provider: `provider.sock` in the home
//! folder, open to its owner only. One JSON line asks, one JSON line answers.

mod client;
mod server;

use serde::{Deserialize, Serialize};

use crate::status::ProviderStatus;

pub use client::{ControlError, ask};
pub(crate) use server::listen;

/// The socket's name in the home folder.
pub const SOCKET_NAME: &str = "provider.sock";
/// The longest line either side accepts, in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// What a running provider can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// How is it?
    Status,
    /// Take no new jobs; stays so after a restart.
    Pause,
    /// Take jobs again.
    Resume,
    /// Take no new jobs, and leave the market until resumed or restarted.
    Drain,
    /// End the running jobs in bounded time, redeem, leave.
    Stop,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Reply {
    /// Its state after the command.
    Status(Box<ProviderStatus>),
    /// The command was not understood or failed.
    Error {
        /// A stable name.
        code: String,
        /// What helps.
        message: String,
    },
}
