//! Models: what one is (its [`Manifest`]), where it can be had (its sources), and the cache of
//! verified files on this machine ([`ModelStore`]).
//!
//! This crate runs no model and knows no price. A manifest names a file by its hashes, so it
//! does not matter who delivers the bytes: a local file, a peer, a hub or a package. Nothing is
//! used before both hashes match.
//!
//! ```no_run
//! use remuda_models::{Manifest, ModelStore, PullContext};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let manifest = Manifest::parse(&std::fs::read_to_string("models/example.toml")?)?;
//! let store = ModelStore::open("cache")?;
//! let mut show = |progress: remuda_models::Progress| {
//!     println!("{} {}/{}", progress.phase, progress.done, progress.total);
//! };
//! let file = store.pull(&manifest, &PullContext::default(), &mut show).await?;
//! # Ok(())
//! # }
//! ```

pub mod gguf;
mod manifest;
mod part;
pub mod protocol;
mod pull;
mod server;
mod source;
mod store;
mod verify;

pub use manifest::{Manifest, ManifestError, Sha256, Source};
pub use protocol::MODEL_PROTOCOL;
pub use pull::{Attempt, Phase, Progress, PullContext, PullError};
pub use server::{ModelServer, TRANSFERS_MAX};
pub use source::SourceError;
pub use store::{AddError, Entry, FileState, ModelStore, StoreError};
