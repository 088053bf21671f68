//! The cache: verified model files by content, and the manifests that name them.
//!
//! ```text
//! <dir>/manifests/<manifest hash>.toml
//! <dir>/blobs/<blake3>          verified when it was put here
//! <dir>/blobs/<blake3>.ok       its length and time of change when it was last verified
//! <dir>/blobs/<blake3>.part     a download under way, or waiting to be resumed
//! <dir>/blobs/<blake3>.lock     held by whoever downloads
//! <dir>/packages/               packages on their way
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::UNIX_EPOCH;

use remuda_types::{Hash, ManifestHash};
use serde::Serialize;
use thiserror::Error;

use crate::gguf::{self, GgufError};
use crate::verify::{Content, content};
use crate::{Manifest, ManifestError, Source};

/// The most manifests that are read from a cache.
const MANIFESTS_MAX: usize = 4096;

/// The context that is assumed when a file's own is larger than any engine takes.
const CONTEXT_ASSUMED_MAX: u32 = 1 << 20;

/// Why the cache does not give a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such manifest was pulled or added here.
    #[error("manifest {0} is not in the cache; pull or add the model first")]
    Unknown(ManifestHash),
    /// The manifest is here but its file is not.
    #[error("the file of {name} is not here; pull the model")]
    Missing {
        /// The model.
        name: String,
    },
    /// The file is not what its manifest says.
    #[error("the file of {name} is damaged; pull the model again")]
    Damaged {
        /// The model.
        name: String,
    },
    /// Another process downloads it.
    #[error("another process is busy with {name}; wait for it to end")]
    Busy {
        /// The model.
        name: String,
    },
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl StoreError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "model_unknown",
            Self::Missing { .. } => "model_missing",
            Self::Damaged { .. } => "model_damaged",
            Self::Busy { .. } => "model_busy",
            Self::Io { .. } => "model_io",
        }
    }
}

/// Why a file could not be added.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddError {
    /// It is not a model that can be run.
    #[error("{path}: {source}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GgufError,
    },
    /// The name or licence does not do, or the file is absurd.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is too little room for a copy in the cache.
    #[error("the disk is full: {missing} bytes of space are missing; make room or move the cache")]
    DiskFull {
        /// How many bytes are missing.
        missing: u64,
    },
    /// The cache failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AddError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Gguf { source, .. } => source.code(),
            Self::Manifest(error) => error.code(),
            Self::DiskFull { .. } => "disk_full",
            Self::Store(error) => error.code(),
        }
    }
}

/// What is known of a model's file, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FileState {
    /// It is here, and unchanged since both hashes matched.
    Verified,
    /// It is here, but changed since, or was never verified. Using it verifies it.
    Unverified,
    /// A download stopped on the way.
    Partial {
        /// How many bytes are here.
        bytes: u64,
    },
    /// It is not here.
    Missing,
}

/// A model in the cache.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// What it is.
    pub manifest: Manifest,
    /// The manifest's hash.
    pub hash: ManifestHash,
    /// Whether its file can be used.
    #[serde(flatten)]
    pub state: FileState,
}

/// The cache of models in one folder. Clones share it; so may several processes.
#[derive(Clone, Debug)]
pub struct ModelStore {
    dir: Arc<Path>,
}

impl ModelStore {
    /// Opens the cache in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folders cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir: PathBuf = dir.into();
        for folder in ["blobs", "manifests", "packages"] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder).map_err(|source| io_error(&folder, source))?;
        }
        Ok(Self { dir: dir.into() })
    }

    /// The cache's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All manifests that were pulled or added here, by name. A damaged one is skipped.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be read.
    pub fn manifests(&self) -> Result<Vec<Manifest>, StoreError> {
        let folder = self.dir.join("manifests");
        let files = fs::read_dir(&folder).map_err(|source| io_error(&folder, source))?;
        let mut manifests: Vec<Manifest> = files
            .take(MANIFESTS_MAX)
            .filter_map(|file| read_manifest(&file.ok()?.path()))
            .collect();
        manifests.sort_by(|a, b| (&a.name, a.hash()).cmp(&(&b.name, b.hash())));
        Ok(manifests)
    }

    /// All models in the cache, and what is known of their files.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let entry = |manifest: Manifest| {
            let (hash, state) = (manifest.hash(), self.state(&manifest));
            Entry { manifest, hash, state }
        };
        Ok(self.manifests()?.into_iter().map(entry).collect())
    }

    /// What is known of the file of `manifest`, without reading it.
    #[must_use]
    pub fn state(&self, manifest: &Manifest) -> FileState {
        let blob = self.blob(&manifest.blake3);
        match (fs::metadata(&blob), fs::metadata(self.beside(&manifest.blake3, "part"))) {
            (Ok(_), _) if self.is_recorded(&manifest.blake3) => FileState::Verified,
            (Ok(_), _) => FileState::Unverified,
            (Err(_), Ok(part)) if part.len() > 0 => FileState::Partial { bytes: part.len() },
            _ => FileState::Missing,
        }
    }

    /// The verified file of a manifest. Cheap while the file is unchanged since it was last
    /// verified; else it is read and hashed.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Missing`] or [`StoreError::Damaged`].
    pub fn path(&self, hash: &ManifestHash) -> Result<PathBuf, StoreError> {
        let manifest = read_manifest(&self.manifest_path(hash));
        let manifest = manifest.filter(|manifest| manifest.hash() == *hash);
        self.verified(&manifest.ok_or(StoreError::Unknown(*hash))?, &AtomicU64::new(0))
    }

    /// Adds a GGUF file of this machine: describes it from its own head, and copies it here.
    ///
    /// # Errors
    /// [`AddError`] when it is not a model, the name or licence does not do, or the copy fails.
    pub fn add(&self, file: &Path, name: &str, licence: &str) -> Result<Manifest, AddError> {
        let head =
            gguf::read(file).map_err(|source| AddError::Gguf { path: file.to_owned(), source })?;
        let found = content(file, &AtomicU64::new(0)).map_err(|error| io_error(file, error))?;
        let path = fs::canonicalize(file).map_err(|error| io_error(file, error))?;
        let manifest = Manifest {
            name: name.to_owned(),
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: found.bytes,
            blake3: found.blake3,
            sha256: found.sha256,
            licence: licence.to_owned(),
            kinds: vec![head.kind],
            context: head.context.clamp(1, CONTEXT_ASSUMED_MAX),
            weights: head.weights,
            chat_template: head.chat_template,
            sources: vec![Source::File { path: path.clone() }, Source::Peers],
        };
        manifest.validate()?;
        let _lock = self.try_lock(&manifest)?;
        if self.verified(&manifest, &AtomicU64::new(0)).is_err() {
            self.copy_in(&path, &manifest)?;
        }
        self.save(&manifest)?;
        Ok(manifest)
    }

    fn copy_in(&self, file: &Path, manifest: &Manifest) -> Result<(), AddError> {
        let free = crate::part::free_bytes(&self.dir);
        if free < manifest.bytes {
            return Err(AddError::DiskFull { missing: manifest.bytes - free });
        }
        let part = self.beside(&manifest.blake3, "part");
        let copied = fs::copy(file, &part).and_then(|_| File::open(&part)?.sync_all());
        copied.map_err(|error| io_error(&part, error))?;
        // The copy is verified, not the original: it may have changed meanwhile.
        self.commit(manifest, &AtomicU64::new(0))?;
        Ok(())
    }

    /// Forgets a model, and deletes its file unless another manifest names the same one.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while it is downloaded, [`StoreError::Io`].
    pub fn remove(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let _lock = self.try_lock(manifest)?;
        delete(&self.manifest_path(&manifest.hash()))?;
        if self.manifests()?.iter().any(|other| other.blake3 == manifest.blake3) {
            return Ok(());
        }
        self.discard(manifest)?;
        delete(&self.beside(&manifest.blake3, "part"))
    }

    /// Deletes a file that is not what it should be.
    pub(crate) fn discard(&self, manifest: &Manifest) -> Result<(), StoreError> {
        delete(&self.beside(&manifest.blake3, "ok"))?;
        delete(&self.blob(&manifest.blake3))
    }

    /// The verified file of `manifest`; counts hashed bytes in `done`.
    pub(crate) fn verified(
        &self,
        manifest: &Manifest,
        done: &AtomicU64,
    ) -> Result<PathBuf, StoreError> {
        let blob = self.blob(&manifest.blake3);
        let bytes = match fs::metadata(&blob) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { name: manifest.name.clone() });
            }
            Err(error) => return Err(io_error(&blob, error)),
        };
        let damaged = || StoreError::Damaged { name: manifest.name.clone() };
        if bytes != manifest.bytes {
            return Err(damaged());
        }
        if self.is_recorded(&manifest.blake3) {
            return Ok(blob);
        }
        let before = stamp(&blob).map_err(|error| io_error(&blob, error))?;
        let found = content(&blob, done).map_err(|error| io_error(&blob, error))?;
        if found != expected(manifest) {
            return Err(damaged());
        }
        self.record(&manifest.blake3, &before)?;
        Ok(blob)
    }

    /// Verifies the partial file and puts it in place. The partial file is deleted when it is
    /// not what the manifest says.
    pub(crate) fn commit(
        &self,
        manifest: &Manifest,
        done: &AtomicU64,
    ) -> Result<PathBuf, StoreError> {
        let part = self.beside(&manifest.blake3, "part");
        let found = content(&part, done).map_err(|error| io_error(&part, error))?;
        if found != expected(manifest) {
            delete(&part)?;
            return Err(StoreError::Damaged { name: manifest.name.clone() });
        }
        let blob = self.blob(&manifest.blake3);
        let at = stamp(&part).map_err(|error| io_error(&part, error))?;
        fs::rename(&part, &blob).map_err(|error| io_error(&blob, error))?;
        self.record(&manifest.blake3, &at)?;
        sync_folder(&self.dir.join("blobs"));
        Ok(blob)
    }

    /// Keeps the manifest, so that its file can be found by the manifest's hash.
    pub(crate) fn save(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let path = self.manifest_path(&manifest.hash());
        write_whole(&path, &manifest.to_toml())
    }

    /// The file with that digest, if it is unchanged since it was verified. Reads no content,
    /// so that strangers may ask.
    pub(crate) fn recorded(&self, blake3: &Hash) -> Option<PathBuf> {
        self.is_recorded(blake3).then(|| self.blob(blake3))
    }

    /// The lock of a model's file, or [`StoreError::Busy`].
    pub(crate) fn try_lock(&self, manifest: &Manifest) -> Result<File, StoreError> {
        let path = self.beside(&manifest.blake3, "lock");
        let options = File::options().create(true).truncate(false).write(true).open(&path);
        let file = options.map_err(|error| io_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy { name: manifest.name.clone() }),
            Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
        }
    }

    fn blob(&self, blake3: &Hash) -> PathBuf {
        self.dir.join("blobs").join(blake3.to_string())
    }

    /// A companion of a file: its record, partial download or lock.
    pub(crate) fn beside(&self, blake3: &Hash, extension: &str) -> PathBuf {
        self.dir.join("blobs").join(format!("{blake3}.{extension}"))
    }

    fn manifest_path(&self, hash: &ManifestHash) -> PathBuf {
        self.dir.join("manifests").join(format!("{hash}.toml"))
    }

    fn is_recorded(&self, blake3: &Hash) -> bool {
        let record = fs::read_to_string(self.beside(blake3, "ok"));
        let now = stamp(&self.blob(blake3));
        matches!((record, now), (Ok(record), Ok(now)) if record == now)
    }

    fn record(&self, blake3: &Hash, stamp: &str) -> Result<(), StoreError> {
        write_whole(&self.beside(blake3, "ok"), stamp)
    }
}

const fn expected(manifest: &Manifest) -> Content {
    Content { bytes: manifest.bytes, blake3: manifest.blake3, sha256: manifest.sha256 }
}

/// Length and time of change: what changes when a file does.
fn stamp(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{} {}", metadata.len(), modified.as_nanos()))
}

fn read_manifest(path: &Path) -> Option<Manifest> {
    if path.extension().is_none_or(|extension| extension != "toml") {
        return None;
    }
    let parsed = fs::read_to_string(path).map(|text| Manifest::parse(&text));
    match parsed {
        Ok(Ok(manifest)) => return Some(manifest),
        Ok(Err(error)) => tracing::warn!(path = %path.display(), %error, "a manifest is skipped"),
        Err(error) => tracing::debug!(path = %path.display(), %error, "a manifest is not here"),
    }
    None
}

/// Writes a small file so that it is there whole or not at all.
fn write_whole(path: &Path, text: &str) -> Result<(), StoreError> {
    let draft = path.with_added_extension(format!("{}.draft", std::process::id()));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| io_error(path, error))
}

fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}

/// Makes a rename durable where the system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}
