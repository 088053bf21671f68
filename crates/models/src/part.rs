//! The file that a download grows in.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use crate::SourceError;

/// A partial download. What it holds survives a crash, and the next attempt goes on from there.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
    whole: u64,
}

impl Part {
    /// Opens or creates the partial file of a model of `whole` bytes.
    pub(crate) async fn open(path: PathBuf, whole: u64) -> Result<Self, SourceError> {
        let file = OpenOptions::new().create(true).append(true).open(&path).await;
        let file = file.map_err(|error| write_error(&path, 0, &error))?;
        let bytes = file.metadata().await.map_err(|error| write_error(&path, 0, &error))?.len();
        let mut part = Self { path, file, bytes, whole };
        if bytes > whole {
            part.restart().await?;
        }
        Ok(part)
    }

    /// The bytes that are here.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the whole file.
    pub(crate) const fn whole(&self) -> u64 {
        self.whole
    }

    /// Adds bytes at the end.
    pub(crate) async fn append(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let grown = self.bytes + bytes.len() as u64;
        if grown > self.whole {
            return Err(SourceError::WrongLength { expected: self.whole });
        }
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| self.failed(&error))?;
        self.bytes = grown;
        Ok(())
    }

    /// Throws away what is here.
    pub(crate) async fn restart(&mut self) -> Result<(), SourceError> {
        let cut = self.file.set_len(0).await;
        cut.map_err(|error| self.failed(&error))?;
        self.bytes = 0;
        Ok(())
    }

    /// Waits until everything is on disk.
    pub(crate) async fn settle(&mut self) -> Result<(), SourceError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.failed(&error))?;
        let synced = self.file.sync_all().await;
        synced.map_err(|error| self.failed(&error))?;
        // A write may have failed behind our back: count what is really here.
        let metadata = self.file.metadata().await;
        self.bytes = metadata.map_err(|error| self.failed(&error))?.len();
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> SourceError {
        write_error(&self.path, self.whole.saturating_sub(self.bytes), error)
    }
}

/// Tells a full disk from other trouble.
pub(crate) fn write_error(path: &Path, wanted: u64, error: &io::Error) -> SourceError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    if full {
        let free = path.parent().map_or(0, free_bytes);
        return SourceError::DiskFull { missing: wanted.saturating_sub(free).max(1) };
    }
    SourceError::Io { path: path.to_owned(), reason: error.to_string() }
}

/// The bytes that this user may still write in `folder`; all one could want when the system
/// does not say.
pub(crate) fn free_bytes(folder: &Path) -> u64 {
    statvfs(folder).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_grows_up_to_the_whole_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let mut part = Part::open(path.clone(), 5).await.unwrap();
        part.append(b"abc").await.unwrap();
        part.settle().await.unwrap();
        drop(part);
        let mut part = Part::open(path.clone(), 5).await.unwrap();
        assert_eq!(part.bytes(), 3);
        let error = part.append(b"def").await.unwrap_err();
        assert_eq!(error.code(), "source_wrong_length");
        part.append(b"de").await.unwrap();
        part.settle().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abcde");
        // A file that is longer than the model cannot be its beginning.
        let part = Part::open(path, 4).await.unwrap();
        assert_eq!(part.bytes(), 0);
    }

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let path = Path::new("/somewhere/x.part");
        let full = write_error(path, 10, &io::ErrorKind::StorageFull.into());
        assert_eq!(full.code(), "disk_full");
        let other = write_error(path, 10, &io::ErrorKind::PermissionDenied.into());
        assert_eq!(other.code(), "source_io");
    }
}
