//! `remuda/model/1`: a range of a model file, named by the content's BLAKE3 digest.
//!
//! One bidirectional stream a range: `Request`, then `Start` and `Data` until the range is
//! delivered and the stream ends; or `Refused`.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_net::Protocol;
use remuda_types::Hash;

/// The protocol's name, version and frame limit.
pub const MODEL_PROTOCOL: Protocol =
    Protocol { alpn: b"remuda/model/1", frame_bytes_max: 512 << 10 };

/// The bytes of file in one `Data`.
pub const DATA_BYTES_MAX: usize = 256 << 10;

/// What a peer is asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Request {
    /// The file with this digest, from `offset` to its end.
    From {
        /// The BLAKE3 digest of the whole file.
        blake3: Hash,
        /// Where to start, in bytes.
        offset: u64,
    },
}

/// What a peer answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Response {
    /// The file is here; its bytes follow.
    Start {
        /// The length of the whole file.
        bytes: u64,
    },
    /// The next piece.
    Data(Vec<u8>),
    /// The file is not served.
    Refused(Refusal),
}

/// Why a file is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not here, or not verified.
    Unknown,
    /// Too many transfers run; later, or another peer.
    Busy,
    /// The offset is beyond the file's end.
    Range,
    /// The file cannot be read.
    Failed,
}
