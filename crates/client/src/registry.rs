//! The ledger's register of models: it says which exact model a name means, so that nobody can
//! serve another one under that name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_chain::{LedgerClient, LedgerClientExt as _};
use remuda_types::ManifestHash;

/// A register older than this is asked for anew, behind the job that noticed.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Kept {
    names: HashMap<String, ManifestHash>,
    asked_at: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Registry {
    ledger: Arc<dyn LedgerClient>,
    kept: Mutex<Kept>,
}

impl Registry {
    pub(crate) fn new(ledger: Arc<dyn LedgerClient>) -> Self {
        Self { ledger, kept: Mutex::default() }
    }

    /// What `name` means, as far as the ledger said. A name that is not registered, or not yet
    /// known to be, means what the providers that serve it say.
    pub(crate) fn manifest(self: &Arc<Self>, name: &str) -> Option<ManifestHash> {
        let mut kept = self.kept.lock();
        if kept.asked_at.is_none_or(|at| at.elapsed() >= FRESH) {
            kept.asked_at = Some(Instant::now());
            let registry = Arc::clone(self);
            tokio::spawn(async move { registry.ask().await });
        }
        kept.names.get(name).copied()
    }

    pub(crate) async fn ask(&self) {
        match self.ledger.models().await {
            Ok(models) => {
                let names = models.into_iter().map(|model| (model.name, model.manifest));
                self.kept.lock().names = names.collect();
            }
            Err(error) => tracing::debug!(%error, "no register of models from the ledger"),
        }
    }
}
