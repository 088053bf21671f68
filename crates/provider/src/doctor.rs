//! What is wrong with this provider, and the exact fix.
//!
//! The engine check runs the real engine, the network checks use the real path. The result
//! is data; showing it is the CLI's business.

mod engine;
mod ledger;
mod machine;
mod network;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use remuda_chain::LedgerClient;
use remuda_engine::Engine;
use remuda_net::Endpoint;
use remuda_types::{AccountId, Hash, ManifestHash, NodeAddress, NodeId};
use serde::{Deserialize, Serialize};

use crate::hardware::Hardware;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// It works, but worse or with a risk.
    Warning,
    /// This provider cannot earn until it is fixed.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name, for programs.
    pub code: String,
    /// One line.
    pub title: String,
    /// What was seen.
    pub detail: String,
    /// What to do, exactly; `None` when there is nothing to do.
    pub fix: Option<String>,
}

impl Finding {
    fn new(severity: Severity, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            title: title.to_owned(),
            detail: detail.into(),
            fix: None,
        }
    }

    fn ok(code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(Severity::Ok, code, title, detail)
    }

    fn info(code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, title, detail)
    }

    fn warning(code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, title, detail)
    }

    fn error(code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, title, detail)
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// All findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst severity; `Ok` when nothing was found.
    #[must_use]
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// The finding of this code.
    #[must_use]
    pub fn find(&self, code: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.code == code)
    }
}

/// A model file that the provider means to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// The public name.
    pub name: String,
    /// The manifest.
    pub manifest: ManifestHash,
    /// Where the weights should be.
    pub path: PathBuf,
    /// Their size by the manifest, in bytes.
    pub bytes: u64,
    /// Their digest by the manifest.
    pub blake3: Hash,
}

/// What to look at. What is absent is not checked, and the report says so where it matters.
#[derive(Debug, Default)]
pub struct Checkup {
    /// The provider's home folder.
    pub home: PathBuf,
    /// The machine, if it was detected already.
    pub hardware: Option<Hardware>,
    /// The provider's node key, public half.
    pub node: Option<NodeId>,
    /// The account that is to earn.
    pub reward: Option<AccountId>,
    /// The models to be served.
    pub models: Vec<ModelFile>,
    /// The engines, running.
    pub engines: Vec<Arc<dyn Engine>>,
    /// The socket address that the provider is to listen on.
    pub listen: Option<SocketAddr>,
    /// The provider's endpoint. `None` when it could not be bound.
    pub endpoint: Option<Endpoint>,
    /// The indexers.
    pub indexers: Vec<NodeAddress>,
    /// The validators.
    pub validators: Vec<NodeAddress>,
    /// The ledger.
    pub ledger: Option<Arc<dyn LedgerClient>>,
}

/// Looks at everything in `checkup`. Each check has its own time limit; the whole takes the
/// time of a short generation and a few round trips.
pub async fn run(mut checkup: Checkup) -> Report {
    let hardware = match checkup.hardware.take() {
        Some(hardware) => hardware,
        None => machine::detect(checkup.home.clone()).await,
    };
    let mut findings = machine::check(&checkup, &hardware);
    findings.extend(machine::check_models(&checkup.models).await);
    findings.extend(engine::check(&checkup.engines).await);
    findings.extend(network::check(&checkup).await);
    findings.extend(ledger::check(&checkup).await);
    Report { findings }
}
