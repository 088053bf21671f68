//! Runs the ledger: one embedded validator on a durable store, and the protocol by which
//! other nodes reach it.
//!
//! What a transaction *does* is not decided here but in `remuda-ledger`, which is pure. This
//! crate decides when a block is made and of what ([`Validator`]), keeps it on disk, and
//! carries questions and answers ([`LedgerService`], [`RemoteLedger`]). Everybody else holds
//! an `Arc<dyn LedgerClient>` and does not know where the ledger runs.
//!
//! A transaction is acknowledged only when its block is on disk. Submitting the same signed
//! transaction again, after a lost answer or a crash, is always safe.
//!
//! ```
//! use std::sync::Arc;
//! use remuda_chain::{LedgerClientExt, Signer, Validator, ValidatorConfig};
//! use remuda_ledger::{Action, Genesis, GenesisAccount, Parameters};
//! use remuda_types::{Credits, SecretKey, Tokens};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
//! let genesis = Genesis {
//!     name: "example".into(),
//!     time: 0,
//!     grantor: alice.public(),
//!     accounts: vec![GenesisAccount {
//!         account: alice.public().into(),
//!         tokens: Tokens(500),
//!         credits: Credits::ZERO,
//!     }],
//!     roles: std::collections::BTreeMap::new(),
//!     parameters: Parameters::default(),
//!     economy: remuda_ledger::Economy::default(),
//! };
//! let home = tempfile::tempdir()?;
//! let path = home.path().join("ledger.redb");
//! let validator = Validator::open(ValidatorConfig::new(path, genesis)).await?;
//! let signer = Signer::new(Arc::new(validator.clone()), alice);
//! let to = bob.public().into();
//! let included = signer.send(Action::Transfer { to, amount: Tokens(200) }).await?;
//! assert_eq!(included.height, 1);
//! assert_eq!(validator.account(to).await?.tokens, Tokens(200));
//! validator.close().await;
//! # Ok(())
//! # }
//! ```

mod client;
mod clock;
mod error;
mod machine;
mod mempool;
#[cfg(test)]
mod power_loss;
mod producer;
pub mod protocol;
mod queue;
mod rate;
mod remote;
mod service;
mod signer;
mod store;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
mod validator;

pub use client::{Found, Included, LedgerClient, LedgerClientExt};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{LedgerError, StorageError};
pub use mempool::{
    GAP_WAIT, MEMPOOL_BYTES_MAX, MEMPOOL_TRANSACTIONS_MAX, OVERLOAD_RETRY_AFTER, WAITERS_MAX,
};
pub use protocol::transaction_digest;
pub use rate::{RATE_BURST_DEFAULT, RATE_NODES_MAX, RATE_PER_SECOND_DEFAULT, Rate};
pub use remote::{RemoteConfig, RemoteLedger};
pub use service::{LedgerService, REQUEST_READ_TIMEOUT};
pub use signer::{NONCE_RACES_MAX, Signer};
pub use store::Retention;
pub use validator::{
    BLOCK_BYTES_MAX, COLLECT_DEFAULT, HEARTBEAT_DEFAULT, SUBMIT_WAIT_MAX, Validator,
    ValidatorConfig,
};
