//! What is offered now, remembered for a moment.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use remuda_client::ModelSummary;
use remuda_types::ManifestHash;

use crate::Backend;
use crate::config::MODELS_AGE_MAX;

/// The models that providers offer now.
pub(crate) type Models = Arc<[ModelSummary]>;

/// Remembers the models for [`MODELS_AGE_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Catalog(Mutex<Option<(Instant, Models)>>);

impl Catalog {
    /// The models that are offered now, or were a moment ago.
    pub(crate) async fn models<B: Backend>(&self, backend: &B) -> Models {
        if let Some((at, models)) = &*self.0.lock()
            && at.elapsed() < MODELS_AGE_MAX
        {
            return models.clone();
        }
        let models: Models = backend.models().await.into();
        *self.0.lock() = Some((Instant::now(), models.clone()));
        models
    }
}

/// Which weights `name` means, when all who offer it agree.
pub(crate) fn manifest(models: &[ModelSummary], name: &str) -> Option<ManifestHash> {
    let mut named = models.iter().filter(|model| model.name == name).map(|model| model.manifest);
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
}
