//! Matching: who may serve an order, and who is drawn.
//!
//! Pure: no clock, no network, no randomness of its own. The caller gives the listings, what
//! it knows of each provider, and a drawing function; it gets an order of preference and an
//! explanation of who did not fit and why.
//!
//! It is not a marketplace: it keeps no state, takes no bids and moves no money.
//!
//! ```
//! use remuda_market::{Candidate, Liveness, Terms, match_order};
//! use remuda_types::job::JobKind;
//! use remuda_types::{Hash, Order, OrderId, Price};
//!
//! let order = Order {
//!     id: OrderId(Hash([1; 32])),
//!     kind: JobKind::Generate,
//!     model: "smollm2-135m-instruct".into(),
//!     manifest: None,
//!     context: 512,
//!     max_price: Price { input: 10_000, output: 40_000 },
//! };
//! let nobody: [Candidate<'_>; 0] = [];
//! let found = match_order(&Terms::of(&order), &nobody, &mut |_| 0);
//! assert!(found.ranked.is_empty());
//! assert_eq!(found.explanation.sentence(), "no providers are known");
//! ```

mod eligible;
mod explain;
mod rank;

pub use eligible::{Candidate, Liveness, Terms, eligible};
pub use explain::{Explanation, PROVIDER_NOTES_MAX, ProviderNote, Reason};
pub use rank::{DRAWS, Match, RANKED_MAX, Ranked, match_order};
