//! Pulling models from every kind of source: real files, real HTTP, real iroh endpoints, real
//! pip, and each of them failing in the middle.

// A helper that fails should end its test.
#![allow(clippy::unwrap_used)]

mod cache;
mod hub;
mod package;
mod peers;

use std::path::Path;

use remuda_models::{Manifest, ModelStore, Progress, PullContext, PullError, Sha256, Source};
use remuda_types::Hash;
use remuda_types::job::JobKind;
use sha2::Digest as _;

/// Bytes that differ everywhere.
fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(b"model").finalize_xof().fill(&mut bytes);
    bytes
}

fn manifest(content: &[u8], sources: Vec<Source>) -> Manifest {
    Manifest {
        name: "test-model".to_owned(),
        file: "test.gguf".to_owned(),
        bytes: content.len() as u64,
        blake3: Hash::of_content(content),
        sha256: Sha256(sha2::Sha256::digest(content).into()),
        licence: "MIT".to_owned(),
        kinds: vec![JobKind::Generate],
        context: 128,
        weights: "F16".to_owned(),
        chat_template: None,
        sources,
    }
}

fn part(store: &ModelStore, manifest: &Manifest) -> std::path::PathBuf {
    store.dir().join("blobs").join(format!("{}.part", manifest.blake3))
}

async fn pull(store: &ModelStore, manifest: &Manifest) -> Result<std::path::PathBuf, PullError> {
    store.pull(manifest, &PullContext::default(), &mut |_| {}).await
}

/// The codes of what each source said.
fn codes(error: PullError) -> Vec<&'static str> {
    match error {
        PullError::NoSource { attempts, .. } => {
            attempts.iter().map(|attempt| attempt.error.code()).collect()
        }
        other => panic!("expected attempts, got {other}"),
    }
}

fn file_source(path: &Path) -> Source {
    Source::File { path: path.to_owned() }
}
