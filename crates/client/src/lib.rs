//! Runs jobs on the network: finds a provider, pays it through a channel, streams what it
//! sends, and continues elsewhere when it dies, stalls or cheats.
//!
//! It does not speak HTTP (that is `gateway`) and keeps no secret: the payer's key lives in
//! the request that brought it.
//!
//! ```no_run
//! use std::sync::Arc;
//! use remuda_client::{Client, ClientConfig, JobEvent, RunRequest};
//! # use remuda_types::{Price, SecretKey, job::JobInput};
//! # async fn example(
//! #     endpoint: remuda_net::Endpoint,
//! #     ledger: Arc<dyn remuda_chain::LedgerClient>,
//! #     payer: Arc<SecretKey>,
//! #     input: JobInput,
//! # ) -> Result<(), remuda_client::RunError> {
//! let client = Client::new(endpoint, ledger, ClientConfig::default());
//! let model = "smollm2-135m-instruct".to_owned();
//! let max_price = Price { input: 100_000, output: 400_000 };
//! let request = RunRequest { payer, model, input, seed: Some(7), max_price, manifest: None };
//! let mut run = client.run(request).await?;
//! let mut text = String::new();
//! while let Some(event) = run.next().await {
//!     match event? {
//!         JobEvent::Output(delta) => text.push_str(&delta.text),
//!         JobEvent::Finished(report) => assert!(report.complete),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod breaker;
mod channels;
mod client;
mod config;
mod error;
mod explanations;
mod head;
mod listings;
mod providers;
mod registry;
mod request;
mod run;
mod settler;
mod time;

pub use client::Client;
pub use config::{ClientConfig, DepositPolicy, ReportHook, RestPolicy};
pub use error::RunError;
pub use remuda_market::{Explanation, ProviderNote, Reason};
pub use request::{JobEvent, JobReport, ModelSummary, RunRequest};
pub use run::JobRun;
