//! What a block does to balances: accounts, credits, session keys, channels and the registry
//! of providers and models, as one exact and deterministic state machine.
//!
//! It is a pure function of a [`Genesis`] and of blocks: integers only, no clock (block time
//! is an input), no randomness, no files, no sockets. It does not decide which transactions
//! come into a block, and it stores nothing: `chain` does both.
//!
//! Each subject has its room: `accounts`, `credits`, `sessions`, `channels`, `registry`. A new
//! subject brings its records to `state`, its actions to [`Action`], its errors to
//! [`TransactionError`] and its rules to a room of its own, named once in `execute`. Every
//! record is a leaf of an authenticated trie (`merkle`), whose root stands in each
//! [`Header`].
//!
//! ```
//! use remuda_ledger::{Action, Economy, Genesis, GenesisAccount, Ledger, Parameters, Transaction};
//! use remuda_types::{Credits, SecretKey, Signed, Tokens};
//!
//! let (grantor, alice) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
//! let genesis = Genesis {
//!     name: "example".into(),
//!     time: 1_000,
//!     grantor: grantor.public(),
//!     accounts: vec![GenesisAccount {
//!         account: alice.public().into(),
//!         tokens: Tokens(500),
//!         credits: Credits::DOLLAR,
//!     }],
//!     roles: std::collections::BTreeMap::new(),
//!     parameters: Parameters::default(),
//!     economy: Economy::default(),
//! };
//! let mut ledger = Ledger::new(&genesis)?;
//! let to = grantor.public().into();
//! let transfer = Transaction {
//!     network: genesis.network(),
//!     nonce: 0,
//!     action: Action::Transfer { to, amount: Tokens(200) },
//! };
//! let applied = ledger.apply(2_000, &[Signed::sign(transfer, &alice)])?;
//! assert!(applied.block.outcomes[0].is_applied());
//! assert_eq!(ledger.head().height, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod accounts;
mod answers;
mod audit;
mod block;
mod channels;
mod context;
pub mod credits;
mod cycle;
pub mod devices;
pub mod disputes;
mod economy;
pub mod epochs;
mod error;
pub mod escrow;
mod execute;
mod genesis;
pub mod governance;
mod ledger;
pub mod light;
pub mod math;
mod merkle;
mod money;
pub mod points;
mod query;
mod registry;
mod sessions;
mod signatures;
pub mod stake;
mod state;
mod transaction;

pub use answers::ANSWER_RECORDS_MAX;
pub use block::{Block, Effects, Outcome};
pub use cycle::BEACONS_KEPT;
pub use economy::{ABOUT_BYTES_MAX, Economy, RULE_NAME_BYTES_MAX, RuleError, TokenRules};
pub use error::{AuditError, BlockError, GenesisError, RestoreError, TransactionError};
pub use genesis::{Genesis, GenesisAccount, NETWORK_NAME_BYTES_MAX, PERIOD_MS_MAX, Parameters};
pub use ledger::{Applied, Ledger, NONCES_AHEAD_MAX, Proven};
pub use merkle::{OtherLeaf, ProofError, ProofStep, StateProof};
pub use money::{Denomination, Flow, Purse, Vault};
pub use query::{Account, Answer, Channel, Header, Model, Proof, Provider, Query, Session, Supply};
pub use registry::{LICENCE_BYTES_MAX, MODEL_NAME_BYTES_MAX, PROVIDER_NAME_BYTES_MAX};
pub use state::{Change, StateKey};
pub use transaction::{Action, REDEEM_VOUCHERS_MAX, SignedTransaction, Transaction};
