//! The home folder: keys, the network's description, and a folder a role.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use remuda_types::SecretKey;

/// A home folder.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
    models: PathBuf,
    network: PathBuf,
}

impl Home {
    /// The folder that was asked for, or the user's own. Models and the network's description
    /// lie in it, unless they were asked for elsewhere.
    pub(crate) fn open(
        asked: Option<PathBuf>,
        models: Option<PathBuf>,
        network: Option<PathBuf>,
    ) -> Result<Self> {
        let root = match asked {
            Some(path) => path,
            None => default_root()?,
        };
        fs::create_dir_all(&root)
            .with_context(|| format!("cannot create the home folder {}", root.display()))?;
        let root = root.canonicalize()?;
        let models = models.unwrap_or_else(|| root.join("models"));
        let network = network.unwrap_or_else(|| root.join("network.json"));
        Ok(Self { root, models, network })
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a role, made when missing.
    pub(crate) fn folder(&self, role: &str) -> Result<PathBuf> {
        let path = self.root.join(role);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// The description of the network that this home belongs to.
    pub(crate) fn network_file(&self) -> PathBuf {
        self.network.clone()
    }

    /// Where the owner's API key is kept, for the owner's own tools.
    pub(crate) fn api_key_file(&self) -> PathBuf {
        self.root.join("api-key")
    }

    /// The model cache.
    pub(crate) fn models(&self) -> PathBuf {
        self.models.clone()
    }

    /// The wallet's key, made when missing.
    pub(crate) fn wallet(&self) -> Result<SecretKey> {
        load_or_create_key(&self.root.join("wallet.key"))
    }

    /// The node key of a role, made when missing.
    pub(crate) fn node_key(&self, role: &str) -> Result<SecretKey> {
        load_or_create_key(&self.folder(role)?.join("node.key"))
    }
}

fn default_root() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("REMUDA_HOME") {
        return Ok(home.into());
    }
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let user = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    match data.or(user) {
        Some(base) => Ok(base.join("remuda")),
        None => bail!("there is no home folder; name one with --home"),
    }
}

/// Reads a key file, or makes it with a new key.
pub(crate) fn load_or_create_key(path: &Path) -> Result<SecretKey> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let seed: remuda_types::Hash = text
                .trim()
                .parse()
                .with_context(|| format!("{} does not hold a key", path.display()))?;
            Ok(SecretKey::from_seed(seed.0))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = SecretKey::generate();
            write_secret(path, &remuda_types::Hash(*key.seed()).to_string())?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a file that only its owner reads, whole or not at all.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    write_whole(path, text, 0o600)
}

/// Writes a file whole or not at all: beside it first, then renamed over it.
pub(crate) fn write_whole(path: &Path, text: &str, mode: u32) -> Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        let first = load_or_create_key(&path).unwrap();
        let again = load_or_create_key(&path).unwrap();
        assert_eq!(first.public(), again.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_broken_key_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        fs::write(&path, "half a ke").unwrap();
        assert!(load_or_create_key(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "half a ke");
    }
}
