//! Frames: `u32` little-endian length, one version byte, then strict borsh.
//!
//! The length counts the version byte and the body. These functions are pure, so that a fuzzer
//! can drive them without a socket.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

/// The version byte of every frame that this build writes and reads.
pub const VERSION: u8 = 1;

/// The bytes of a frame's length field.
pub const LENGTH_BYTES: usize = 4;

/// The bytes of a frame before its body: length and version.
pub const HEADER_BYTES: usize = LENGTH_BYTES + 1;

/// Why a message was not sent or not received. After any of these the stream is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than its protocol allows. Nothing was allocated for it.
    #[error(
        "a frame of {bytes} bytes is beyond the protocol's limit of {limit}; send less at once"
    )]
    TooLarge {
        /// The frame's announced length, in bytes.
        bytes: usize,
        /// The protocol's limit, in bytes.
        limit: usize,
    },
    /// The stream ended in the middle of a frame.
    #[error("the stream ended in the middle of a frame")]
    Truncated,
    /// The frame is of a version that this build does not read.
    #[error("frame version {found} is not the supported {supported}; upgrade the older side")]
    Version {
        /// The version in the frame.
        found: u8,
        /// The version that this build reads.
        supported: u8,
    },
    /// The body is empty, truncated, has trailing bytes, or breaks a rule of its type.
    #[error("the message is malformed: {0}")]
    Malformed(String),
    /// The other side gave up this stream; the connection may still be good.
    #[error("the other side gave up the stream")]
    StreamClosed,
    /// The connection is gone.
    #[error("the connection is closed ({reason}); dial again")]
    ConnectionClosed {
        /// What the transport says.
        reason: String,
    },
    /// Nothing happened for too long.
    #[error("nothing came within {after:?}")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
}

impl FrameError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "frame_too_large",
            Self::Truncated => "frame_truncated",
            Self::Version { .. } => "frame_version",
            Self::Malformed(_) => "frame_malformed",
            Self::StreamClosed => "stream_closed",
            Self::ConnectionClosed { .. } => "connection_closed",
            Self::Timeout { .. } => "frame_timeout",
        }
    }

    /// Whether the same exchange may succeed on a new stream or connection.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Truncated
                | Self::StreamClosed
                | Self::ConnectionClosed { .. }
                | Self::Timeout { .. }
        )
    }

    /// Whether the other side broke the protocol, rather than went away.
    #[must_use]
    pub const fn is_violation(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Version { .. } | Self::Malformed(_))
    }
}

/// Encodes `message` as one frame behind what `buffer` holds. After an error it holds no more
/// than before.
///
/// # Errors
/// [`FrameError::TooLarge`] when version and body are longer than `frame_bytes_max`;
/// [`FrameError::Malformed`] when the message has no encoding (a NaN).
pub fn append<T: BorshSerialize + ?Sized>(
    message: &T,
    frame_bytes_max: usize,
    buffer: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = buffer.len();
    let appended = append_to(message, frame_bytes_max, buffer, start);
    if appended.is_err() {
        buffer.truncate(start);
    }
    appended
}

fn append_to<T: BorshSerialize + ?Sized>(
    message: &T,
    frame_bytes_max: usize,
    buffer: &mut Vec<u8>,
    start: usize,
) -> Result<(), FrameError> {
    buffer.extend_from_slice(&[0, 0, 0, 0, VERSION]);
    message.serialize(buffer).map_err(|error| FrameError::Malformed(error.to_string()))?;
    let bytes = buffer.len() - start - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= frame_bytes_max => {
            buffer[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        _ => Err(FrameError::TooLarge { bytes, limit: frame_bytes_max }),
    }
}

/// Encodes `message` as one frame.
///
/// # Errors
/// As [`append`].
pub fn encode<T: BorshSerialize + ?Sized>(
    message: &T,
    frame_bytes_max: usize,
) -> Result<Vec<u8>, FrameError> {
    let mut buffer = Vec::new();
    append(message, frame_bytes_max, &mut buffer)?;
    Ok(buffer)
}

/// The length of the first frame in `bytes`, length field included; `None` when not even the
/// length field is complete. The frame itself need not be complete.
///
/// # Errors
/// [`FrameError::TooLarge`] when the announced length is beyond the limit, and
/// [`FrameError::Malformed`] when it leaves no room for the version byte.
pub fn measure(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<usize>, FrameError> {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > frame_bytes_max {
        return Err(FrameError::TooLarge { bytes: length, limit: frame_bytes_max });
    }
    if length == 0 {
        return Err(FrameError::Malformed("a frame without a version byte".to_owned()));
    }
    Ok(Some(LENGTH_BYTES + length))
}

/// Decodes the first frame in `bytes`; returns the message and the frame's whole length.
///
/// # Errors
/// [`FrameError::Truncated`] when the frame is not complete, and every error of a hostile
/// frame: too large, another version, malformed body, trailing bytes inside the frame.
pub fn decode<T: BorshDeserialize>(
    bytes: &[u8],
    frame_bytes_max: usize,
) -> Result<(T, usize), FrameError> {
    let total = measure(bytes, frame_bytes_max)?.ok_or(FrameError::Truncated)?;
    let frame = bytes.get(LENGTH_BYTES..total).ok_or(FrameError::Truncated)?;
    Ok((decode_payload(frame)?, total))
}

/// Decodes what follows a frame's length field: version byte and body.
fn decode_payload<T: BorshDeserialize>(payload: &[u8]) -> Result<T, FrameError> {
    match payload.split_first() {
        None => Err(FrameError::Truncated),
        Some((&VERSION, body)) => {
            borsh::from_slice(body).map_err(|error| FrameError::Malformed(error.to_string()))
        }
        Some((&found, _)) => Err(FrameError::Version { found, supported: VERSION }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1 << 16;

    #[test]
    fn golden_bytes() {
        let frame = encode("hi", LIMIT).unwrap();
        assert_eq!(frame, [7, 0, 0, 0, 1, 2, 0, 0, 0, b'h', b'i']);
    }

    #[test]
    fn each_flaw_has_its_error() {
        let good = encode(&7_u32, LIMIT).unwrap();
        let read = |bytes: &[u8]| decode::<u32>(bytes, LIMIT).map(|(value, _)| value);
        assert_eq!(read(&good), Ok(7));
        for cut in 0..good.len() {
            assert_eq!(read(&good[..cut]), Err(FrameError::Truncated), "cut at {cut}");
        }
        let wrong_version = [&[5, 0, 0, 0, 2][..], &[7, 0, 0, 0]].concat();
        assert_eq!(read(&wrong_version), Err(FrameError::Version { found: 2, supported: 1 }));
        let trailing = [&[6, 0, 0, 0, 1][..], &[7, 0, 0, 0, 9]].concat();
        assert_eq!(read(&trailing).unwrap_err().code(), "frame_malformed");
        let short_body = [4, 0, 0, 0, 1, 7, 0, 0];
        assert_eq!(read(&short_body).unwrap_err().code(), "frame_malformed");
        assert_eq!(read(&[0, 0, 0, 0, 1]).unwrap_err().code(), "frame_malformed");
        let endless = [0xff, 0xff, 0xff, 0xff];
        let too_large = FrameError::TooLarge { bytes: 0xffff_ffff, limit: LIMIT };
        assert_eq!(read(&endless), Err(too_large));
    }

    #[test]
    fn the_limit_counts_version_and_body() {
        assert!(encode(&[0_u8; 9], 10).is_ok());
        let error = encode(&[0_u8; 10], 10).unwrap_err();
        assert_eq!(error, FrameError::TooLarge { bytes: 11, limit: 10 });
    }

    #[test]
    fn a_huge_count_in_a_small_frame_allocates_little() {
        let body = [9, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
        assert_eq!(decode::<Vec<u64>>(&body, LIMIT).unwrap_err().code(), "frame_malformed");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(
            message: (u64, Vec<u8>, Option<String>, Vec<(bool, i32)>),
            tail: Vec<u8>,
        ) {
            let mut bytes = encode(&message, LIMIT).unwrap();
            let length = bytes.len();
            bytes.extend(tail);
            let decoded = decode(&bytes, LIMIT).unwrap();
            prop_assert_eq!(decoded, (message, length));
        }

        #[test]
        fn what_decodes_has_one_encoding(bytes: Vec<u8>) {
            type Message = (u8, Option<Vec<u8>>, String);
            if let Ok((message, length)) = decode::<Message>(&bytes, LIMIT) {
                prop_assert_eq!(encode(&message, LIMIT).unwrap(), &bytes[..length]);
            }
        }
    }
}
