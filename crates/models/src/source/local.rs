//! A file on this machine.

use std::io::{ErrorKind, SeekFrom};
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Job, SourceError};

/// The bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Copies the rest of the file.
pub(super) async fn fetch(job: &mut Job<'_>, path: &Path) -> Result<(), SourceError> {
    let path = job.dir.join(path);
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => SourceError::NoFile(path.clone()),
        _ => SourceError::Io { path: path.clone(), reason: error.to_string() },
    };
    let mut file = File::open(&path).await.map_err(failed)?;
    let bytes = file.metadata().await.map_err(failed)?.len();
    if bytes != job.part.whole() {
        return Err(SourceError::WrongLength { expected: job.part.whole() });
    }
    file.seek(SeekFrom::Start(job.part.bytes())).await.map_err(failed)?;
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match file.read(&mut buffer).await.map_err(failed)? {
            0 => return Ok(()),
            count => job.append(&buffer[..count]).await?,
        }
    }
}
