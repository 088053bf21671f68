//! The OpenAI-compatible HTTP front of the network: buyers point any OpenAI client at it.
//!
//! It translates JSON into jobs, runs them with [`remuda_client`], writes the answers, and
//! keeps the receipts. It does not choose providers (that is `market`), does not pay (that
//! is `client`) and stores no secret: an API key *is* the seed of a session key, lives only
//! in the request that brought it, and any gateway serves any key.
//!
//! ```no_run
//! # async fn example(
//! #     endpoint_client: remuda_client::Client,
//! #     ledger: std::sync::Arc<dyn remuda_chain::LedgerClient>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! use remuda_gateway::{Gateway, GatewayConfig, Receipts};
//!
//! let config = GatewayConfig::new("127.0.0.1:8080".parse()?, "home/gateway".into());
//! let receipts = Receipts::open(&config.home)?;
//! // `receipts.report_hook()` belongs into the client's `on_report`: jobs whose buyer went
//! // away are receipted, too.
//! let gateway = Gateway::start_with(config, endpoint_client, ledger, receipts).await?;
//! println!("http://{}/v1", gateway.local_addr());
//! gateway.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod app;
mod auth;
mod backend;
mod body;
mod catalog;
mod config;
mod handlers;
mod job;
pub mod json;
mod metrics;
pub mod openai;
mod openapi;
mod receipts;
mod record;
mod router;
mod server;
mod sse;
mod stream;

pub use backend::{Backend, Figures, Run};
pub use config::GatewayConfig;
pub use openapi::document as openapi_document;
pub use receipts::{ReceiptRecord, Receipts, ReceiptsError};
pub use server::{Gateway, StartError};
