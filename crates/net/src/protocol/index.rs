//! `remuda/index/1`: providers announce themselves to an indexer, clients read the list.
//!
//! One bidirectional stream a request.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Announcement, NodeAddress, Signed};
use thiserror::Error;

use crate::{ConnectError, Endpoint, RequestError};

/// The protocol's name and version.
pub const ALPN: &[u8] = b"remuda/index/1";

/// The largest frame either side accepts, in bytes.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// How sure the indexer is that a provider lives. Missing information is not failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Liveness {
    /// It announced itself lately.
    Connected,
    /// It has been silent for a little while.
    Unknown,
    /// It has been silent for long.
    Lost,
}

/// A provider in the list.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Listing {
    /// What the provider last announced, with its signature.
    pub announcement: Signed<Announcement>,
    /// How sure the indexer is that it lives.
    pub liveness: Liveness,
}

/// What an indexer is asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Request {
    /// A provider announces itself.
    Announce(Box<Signed<Announcement>>),
    /// A client wants all providers.
    List,
}

/// What an indexer answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Response {
    /// The announcement was taken in.
    Announced {
        /// After how long the provider should announce again, in milliseconds.
        renew_after_ms: u32,
    },
    /// All providers.
    Listings(Vec<Listing>),
    /// The request was refused.
    Refused {
        /// A stable name for the reason.
        code: String,
        /// What helps.
        message: String,
    },
}

/// How long an announcement may take once the connection stands.
pub const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an announcement was not taken in.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AnnounceError {
    /// The indexer cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The exchange failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The indexer refused.
    #[error("the indexer refused the announcement ({code}): {message}")]
    Refused {
        /// The indexer's stable name for the reason.
        code: String,
        /// What helps.
        message: String,
    },
    /// The indexer answered something else.
    #[error("the indexer's answer does not fit; upgrade the older side")]
    Protocol,
}

/// Announces a provider to `indexer`. Returns after how long to announce again.
///
/// # Errors
/// [`AnnounceError`].
pub async fn announce(
    endpoint: &Endpoint,
    indexer: &NodeAddress,
    announcement: Signed<Announcement>,
) -> Result<Duration, AnnounceError> {
    let connection = endpoint.connect(indexer, ALPN).await?;
    let question = Request::Announce(Box::new(announcement));
    let answer = crate::request(&connection, FRAME_BYTES_MAX, &question, ANNOUNCE_TIMEOUT).await?;
    match answer {
        Response::Announced { renew_after_ms } => {
            Ok(Duration::from_millis(u64::from(renew_after_ms)))
        }
        Response::Refused { code, message } => Err(AnnounceError::Refused { code, message }),
        Response::Listings(_) => Err(AnnounceError::Protocol),
    }
}
