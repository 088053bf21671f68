//! What can be set, and what each setting means when nobody sets it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use remuda_types::{Credits, NodeAddress};

use crate::JobReport;

/// Receives the report of a job whose caller did not take it: the caller went away, or the job
/// broke after something was delivered and paid. Called from the client's own tasks; it must
/// not block.
pub type ReportHook = Arc<dyn Fn(JobReport) + Send + Sync>;

/// The settings of a [`crate::Client`].
#[derive(Clone)]
pub struct ClientConfig {
    /// The indexers whose lists are read and merged.
    pub indexers: Vec<NodeAddress>,
    /// A list older than this is refreshed in the background.
    pub listings_fresh: Duration,
    /// A list older than this is not used before a refresh was tried.
    pub listings_usable: Duration,
    /// How many providers may break one job before it is given up.
    pub failures_max: u16,
    /// How many times one job may be opened in all, refusals included.
    pub opens_max: u16,
    /// How long dialling a provider may take.
    pub dial: Duration,
    /// How long a provider may take to say its first word.
    pub accept: Duration,
    /// The longest that a provider may be silent after that; four round trips are added.
    /// Providers that live send a heartbeat every 50 ms, and a steady one is missed sooner.
    pub stall: Duration,
    /// How long a provider may take to understand the input, heartbeats or not.
    pub prepare: Duration,
    /// How long a job without any eligible provider waits for one to come back, once it has
    /// begun somewhere. A job that has not begun is refused at once.
    pub patience: Duration,
    /// How long a job waits in all when every provider is overloaded.
    pub overload_patience: Duration,
    /// How long the final receipt of a cancelled job is waited for.
    pub cancel: Duration,
    /// The most that may be received and not yet paid; a voucher is sent at half of it.
    pub window: Credits,
    /// How much is locked in channels.
    pub deposit: DepositPolicy,
    /// How long one provider rests after failures.
    pub rest: RestPolicy,
    /// Receives the reports of jobs that nobody waits for.
    pub on_report: Option<ReportHook>,
}

/// How much a channel locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositPolicy {
    /// A new channel holds this many times the worst case of the job that opens it.
    pub jobs: u32,
    /// A new channel holds at least this, where the payer has it.
    pub floor: Credits,
    /// A channel takes at most one part in this many of what the payer has left, unless the
    /// job at hand needs more.
    pub share: u32,
    /// How long a channel lives.
    pub life: Duration,
    /// A channel that ends sooner than this takes no new job.
    pub margin: Duration,
}

/// How long a provider rests after failures: the first rest, doubled by each further failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestPolicy {
    /// The first rest.
    pub first: Duration,
    /// The longest rest.
    pub longest: Duration,
    /// The rest of a provider that cheated.
    pub cheat: Duration,
}

impl Default for DepositPolicy {
    fn default() -> Self {
        Self {
            jobs: 32,
            floor: Credits(10_000),
            share: 8,
            life: Duration::from_secs(3_600),
            margin: Duration::from_secs(10),
        }
    }
}

impl Default for RestPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            cheat: Duration::from_secs(600),
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            indexers: Vec::new(),
            listings_fresh: Duration::from_millis(500),
            listings_usable: Duration::from_secs(30),
            failures_max: 6,
            opens_max: 16,
            dial: Duration::from_secs(2),
            accept: Duration::from_millis(1_500),
            stall: Duration::from_millis(300),
            prepare: Duration::from_secs(120),
            patience: Duration::from_secs(5),
            overload_patience: Duration::from_secs(2),
            cancel: Duration::from_secs(1),
            window: Credits(2_000),
            deposit: DepositPolicy::default(),
            rest: RestPolicy::default(),
            on_report: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("indexers", &self.indexers)
            .field("failures_max", &self.failures_max)
            .field("stall", &self.stall)
            .field("window", &self.window)
            .field("deposit", &self.deposit)
            .field("rest", &self.rest)
            .finish_non_exhaustive()
    }
}
