//! Why a provider does not start.

use std::path::PathBuf;

use remuda_types::{ManifestHash, NetworkId};
use thiserror::Error;

/// Why a provider does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// No model is offered.
    #[error("no model is offered: name at least one (`remuda model pull`, then `--model`)")]
    NoModels,
    /// A model is offered that no engine serves.
    #[error("no engine serves {name} ({manifest}): load it or take it off the offer")]
    NotServed {
        /// The public name.
        name: String,
        /// The manifest.
        manifest: ManifestHash,
    },
    /// The endpoint was bound with another key.
    #[error("the endpoint has another key than the provider: bind it with the node key")]
    OtherKey,
    /// The name is too long.
    #[error("the provider's name has {bytes} bytes; at most {max} are allowed")]
    NameTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Another process holds the till.
    #[error("another provider runs with {0}: stop it, or use another home folder")]
    InUse(PathBuf),
    /// The till cannot be opened or read.
    #[error("the till {path} cannot be opened: {reason}; check its permissions and the disk")]
    Till {
        /// The file.
        path: PathBuf,
        /// What the store says.
        reason: String,
    },
    /// The till belongs to another network.
    #[error(
        "this home's till is of network {known}, the ledger is {found}: use another home folder, \
         or move provider.redb away"
    )]
    OtherNetwork {
        /// The till's network.
        known: NetworkId,
        /// The ledger's.
        found: NetworkId,
    },
    /// The control socket cannot be created.
    #[error("the control socket {path} cannot be created: {reason}")]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl StartError {
    /// The stable name of this error, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoModels => "no_models",
            Self::NotServed { .. } => "not_served",
            Self::OtherKey => "other_key",
            Self::NameTooLong { .. } => "name_too_long",
            Self::InUse(_) => "in_use",
            Self::Till { .. } => "till",
            Self::OtherNetwork { .. } => "other_network",
            Self::Control { .. } => "control",
        }
    }

    /// Whether the same start may work later without a change.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::InUse(_))
    }
}
