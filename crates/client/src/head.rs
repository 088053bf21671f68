//! The ledger's newest head: which network this is, and the beacon that seeds are bound to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_chain::{LedgerClient, LedgerClientExt as _};
use remuda_ledger::Header;

use crate::RunError;
use crate::channels::ledger_error;

/// A head younger than this is taken as it is; an older one serves while it is asked for anew.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Kept {
    head: Option<Arc<Header>>,
    asked_at: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Heads {
    ledger: Arc<dyn LedgerClient>,
    kept: Mutex<Kept>,
}

impl Heads {
    pub(crate) fn new(ledger: Arc<dyn LedgerClient>) -> Self {
        Self { ledger, kept: Mutex::default() }
    }

    /// The newest head that is known. While the ledger is away, the last one serves.
    ///
    /// # Errors
    /// [`RunError::LedgerUnreachable`] when none was ever seen.
    pub(crate) async fn head(self: &Arc<Self>) -> Result<Arc<Header>, RunError> {
        let (known, stale) = self.known();
        if let Some(head) = known {
            if stale {
                let heads = Arc::clone(self);
                tokio::spawn(async move { heads.ask().await });
            }
            return Ok(head);
        }
        self.ask().await
    }

    /// What is known, and whether this caller should ask anew.
    fn known(&self) -> (Option<Arc<Header>>, bool) {
        let mut kept = self.kept.lock();
        let stale = kept.asked_at.is_none_or(|at| at.elapsed() >= FRESH);
        if stale {
            kept.asked_at = Some(Instant::now());
        }
        (kept.head.clone(), stale)
    }

    async fn ask(&self) -> Result<Arc<Header>, RunError> {
        let head = Arc::new(self.ledger.head().await.map_err(ledger_error)?);
        let mut kept = self.kept.lock();
        kept.head = Some(Arc::clone(&head));
        Ok(head)
    }
}
