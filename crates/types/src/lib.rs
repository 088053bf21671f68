//! What every other crate agrees on: keys, amounts, hashes, identifiers, the canonical
//! encoding, and the records that travel between strangers (orders, jobs, receipts,
//! vouchers, announcements).
//!
//! This crate does no I/O, knows no clock and holds no policy. It does not decide whether a
//! voucher is *good* (that is the ledger's business), only what a voucher *is*, how it is
//! encoded and how its signature is checked.
//!
//! Everything that is hashed or signed is [`Canonical`]: one byte string per value, tagged
//! with a format version and bound to a domain, so that no signature made for one kind of
//! record can be shown as another.
//!
//! ```
//! use remuda_types::{Credits, SecretKey, Signed, Voucher, ChannelId, Hash};
//!
//! let payer = SecretKey::from_seed([7; 32]);
//! let voucher = Voucher {
//!     channel: ChannelId(Hash([1; 32])),
//!     sequence: 3,
//!     cumulative: Credits(1_500),
//!     receipt: None,
//! };
//! let signed = Signed::sign(voucher, &payer);
//! assert!(signed.verify().is_ok());
//! ```

mod amount;
mod batch;
mod codec;
mod hash;
mod ids;
pub mod job;
mod keys;
mod offer;
mod order;
mod receipt;
mod signed;
mod voucher;
mod zip215;

pub use amount::{AmountError, Credits, Price, Tokens, UNITS_PER_PRICE};
pub use batch::{SignatureCheck, verify_each};
pub use codec::{Canonical, CodecError};
pub use hash::Hash;
pub use ids::{
    AccountId, ChannelId, Height, JobId, ManifestHash, NetworkId, NodeId, OrderId, ReceiptId,
    TimestampMs,
};
pub use keys::{KeyError, PublicKey, SecretKey, Signature};
pub use offer::{Announcement, DeviceClass, Load, ModelOffer, NodeAddress, ProviderState};
pub use order::Order;
pub use receipt::{FinalReceipt, Receipt, ReceiptError, Seed, SeedSource, StopReason, Usage};
pub use signed::{SignatureError, Signed};
pub use voucher::{ChannelUse, Voucher};
