//! The models that this build knows, and those that the user added.

use std::path::PathBuf;

use anyhow::Result;
use remuda_models::{Manifest, ModelStore};
use remuda_types::{Hash, ManifestHash};

use crate::exit::{Exit, coded};
use crate::home::Home;
use crate::output::Output;
use crate::peers;
use crate::progress::Bar;

/// The manifests that come with this build: the files in `models/`.
const BUILT_IN: &[&str] = &[include_str!("../../../models/smollm2-135m-instruct.toml")];

/// All known manifests: those of the user first, then those of this build.
pub(crate) fn manifests(store: &ModelStore) -> Result<Vec<Manifest>> {
    let mut all = store.manifests()?;
    for text in BUILT_IN {
        let manifest = Manifest::parse(text)?;
        if !all.iter().any(|other| other.name == manifest.name) {
            all.push(manifest);
        }
    }
    Ok(all)
}

/// The manifest of that name.
pub(crate) fn find(store: &ModelStore, name: &str) -> Result<Manifest> {
    manifests(store)?.into_iter().find(|manifest| manifest.name == name).ok_or_else(|| {
        let message = format!(
            "no model is called {name}; `remuda model ls` lists those known here, and `remuda \
             model add FILE --name {name}` adds one"
        );
        coded(Exit::NotFound, message)
    })
}

/// The model's verified file, fetched now if it is not here.
pub(crate) async fn ensure(home: &Home, name: &str, output: Output) -> Result<(Manifest, PathBuf)> {
    let store = ModelStore::open(home.models())?;
    let manifest = find(&store, name)?;
    if let Ok(path) = store.path(&manifest.hash()) {
        return Ok((manifest, path));
    }
    let context = peers::context(home, manifest.hash()).await;
    let bar = Bar::new(output, name);
    let pulled = store.pull(&manifest, &context, &mut |progress| bar.show(&progress)).await;
    if let Some(endpoint) = &context.endpoint {
        endpoint.close().await;
    }
    let path = pulled
        .map_err(|error| coded(Exit::Failed, format!("{name} cannot be fetched: {error}")))?;
    Ok((manifest, path))
}

/// What stands for a model whose weights only an upstream server knows: its name alone.
pub(crate) fn upstream_manifest(name: &str) -> ManifestHash {
    ManifestHash(Hash::derive("remuda/upstream-model/1", name.as_bytes()))
}
