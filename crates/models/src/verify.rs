//! Whether a file is the one that a manifest names.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use remuda_types::Hash;
use sha2::Digest as _;

use crate::Sha256;

/// The bytes that are read and hashed at once.
const READ_BYTES: usize = 1 << 20;

/// What a file is, by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Its BLAKE3 digest.
    pub(crate) blake3: Hash,
    /// Its SHA-256 digest.
    pub(crate) sha256: Sha256,
}

/// Reads the whole file once and computes both digests; counts the bytes in `done`.
pub(crate) fn content(path: &Path, done: &AtomicU64) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
    let mut bytes = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        blake3.update(&buffer[..count]);
        sha256.update(&buffer[..count]);
        bytes += count as u64;
        done.store(bytes, Ordering::Relaxed);
    }
    let (blake3, sha256) = (Hash(*blake3.finalize().as_bytes()), Sha256(sha256.finalize().into()));
    Ok(Content { bytes, blake3, sha256 })
}
